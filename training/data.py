"""Labelled pictures, their splits, and the cache that training reads.

What is taken:

* a folder with `labels.csv`, `labels-2.csv` and so on (columns group, image, and whichever of mask,
  camera, cloud_fraction, okta, okta_lo, okta_hi, class, observation is known; see `labelled`),
* a folder with `pairs.csv` (columns image, mask and, if wanted, group, part, block, lens, spots): a
  picture and its mask,
* a folder with sub-folders whose names end in `octa_0` to `octa_8` (or `okta_`): whole-picture
  labels.

Masks: 255 cloud, 100 sky, 200 sky of which nobody says whether it is cloudy, 0 undefined. Undefined
pixels that hang together with the picture's border, and the simulator's, are background; others (the
sun's disc) are undefined. For some groups that is otherwise: see `HOLES`.
"""

import csv
import json
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from .okta import interval, okta
from .picture import decode, frame, lay

# Codes of a cached mask: outside the picture (letterbox bars), then the classes, then the rest.
OUTSIDE, BACKGROUND, SKY, CLOUD, UNDEFINED = range(5)
# A cell of which nothing is known, and one that is sky or cloud, nobody says which.
UNSURE, OPEN = 5, 6
# What lies on the lens in each pixel of the canvas: nothing, something, or nobody knows.
CLEAN, SPOT, UNKNOWN = range(3)
# The canvas that training cuts its views from is larger than the network's input by this much.
MARGIN = 1.5
BLOCK = 20
# What undefined pixels are where they are not the background of a dome: nothing known, or background
# where they are wide and reach the border (trees, houses) and nothing known where they are the thin
# seam between what was labelled.
HOLES = {"landscape-day-ov5640": "unknown", "landscape-day-dslr": "wide"}
# Groups whose pictures show nothing but sky.
SKY_ALONE = ("day-patches-types", "night-colour-patches")
# An observer's classes of cloud amount (GLOBE Observer), 0.05 to either side; types of cloud of which
# no amount is given are some cloud.
CLASSES = {
    "none": (0.0, 0.03), "clear": (0.0, 0.03), "few": (0.0, 0.15), "isolated": (0.05, 0.30),
    "scattered": (0.20, 0.55), "broken": (0.45, 0.95), "overcast": (0.85, 1.0),
}  # fmt: skip
SOME_CLOUD = (0.05, 1.0)
# The amounts that go with a type of cloud (rather than with a mask or a person's estimate of this
# very picture) are weak: so far they may be off.
TYPE_SLACK = 0.1
PARTS = ("train", "validation", "test")
IMAGES = {".jpg", ".jpeg", ".png"}


@dataclass
class Sample:
    """One labelled picture; `low` and `high` bound its cloud fraction."""

    path: str
    mask: str
    group: str
    block: str
    part: str
    low: float
    high: float
    truth: float  # the fraction that an evaluation compares with; NaN when only an okta is known
    lens: float = 0.0  # 1 with something on the lens, 0 without, -1 where it is not known
    spots: str = ""  # a mask of what lies on the lens, 255 where something does
    camera: str = ""
    observation: str = ""  # pictures of one observation share their `low` and `high`
    amount: bool = True  # whether `low` and `high` come from the mask


def part_of(order):
    """The part of the block of pictures with the number `order`: a fifth test, a tenth validation."""
    return {4: "test", 9: "test", 1: "validation"}.get(order % 10, "train")


def number(path):
    """The number in a file's name, or none."""
    digits = re.sub(r"\D", "", Path(path).stem)
    return int(digits) if digits else None


def split(samples):
    """Gives each sample its block and part: neighbours in number are never in different parts.

    All pictures of a group of fewer than 100, or of one that is not labelled throughout with cloud
    fractions, are for training: they are measured by networks that have not seen the group at all."""
    groups = {}
    for sample in samples:
        groups.setdefault(sample.group, []).append(sample)
    for group, members in groups.items():
        parted = len(members) >= 100 and not any(np.isnan(s.truth) for s in members)
        for place, sample in enumerate(sorted(members, key=lambda s: s.path)):
            order = number(sample.path)
            order = (place if order is None else order - 1) // BLOCK
            sample.block, sample.part = f"{group}-{order}", part_of(order) if parted else "train"
    return samples


def amount(row, mask):
    """The bounds of the cloud fraction of a row of labels, its estimate (NaN where there is none), and
    whether they are those of its mask."""
    number = lambda name: float(row[name]) if row.get(name) else float("nan")
    truth, kind = number("cloud_fraction"), row.get("class", "")
    if row.get("observation"):
        low, high = CLASSES[kind]
        return low, high, float("nan"), False
    if row.get("okta_lo") and row.get("okta_hi"):
        low, high = interval(int(row["okta_lo"]))[0], interval(int(row["okta_hi"]))[1]
        return low, high, float("nan"), False
    if np.isnan(truth):
        return *(SOME_CLOUD if kind else (0.0, 1.0)), float("nan"), False
    slack = 0.002 if mask else 0.03
    if kind and truth > 0.5:
        slack = TYPE_SLACK
    return max(truth - slack, 0.0), min(truth + slack, 1.0), truth, bool(mask)


def labelled(folder):
    """The samples of a folder with labels.csv, labels-2.csv and so on."""
    samples = []
    for table in sorted(folder.glob("labels*.csv")):
        for row in csv.DictReader(table.open(newline="")):
            mask = str(folder / row["mask"]) if row.get("mask") else ""
            low, high, truth, amounts = amount(row, mask)
            samples.append(Sample(
                str(folder / row["image"]), mask, row["group"], "", "", low, high, truth,
                camera=row.get("camera") or row["group"], observation=row.get("observation") or "",
                amount=amounts,
            ))  # fmt: skip
    return split(samples)


def possible(cells):
    """The least and the greatest cloud fraction of coded cells, should what nobody labelled be sky or
    cloud."""
    cloud, sky, unsure = ((cells == code).sum() for code in (CLOUD, SKY, UNSURE))
    count = max(cloud + sky + unsure, 1)
    return float(cloud / count), float((cloud + unsure) / count)


def fraction_of(mask):
    """Cloud / (cloud + sky) of a mask's pixels; NaN without either."""
    cloud, sky = (mask == 255).sum(), (mask == 100).sum()
    return cloud / (cloud + sky) if cloud + sky else float("nan")


def paired(folder):
    """The samples of a folder with pairs.csv."""
    samples, given = [], []
    for row in csv.DictReader((folder / "pairs.csv").open(newline="")):
        image, mask = folder / row["image"], folder / row["mask"]
        truth = fraction_of(np.asarray(Image.open(mask).convert("L")))
        low, high = max(truth - 0.002, 0.0), min(truth + 0.002, 1.0)
        group = row.get("group") or folder.name
        lens = float(row.get("lens") or 0)
        spots = str(folder / row["spots"]) if row.get("spots") else ""
        sample = Sample(
            str(image), str(mask), group, "", "", low, high, truth, lens, spots, camera=group
        )
        if row.get("part"):
            sample.part, sample.block = row["part"], row.get("block") or group
            given.append(sample)
        else:
            samples.append(sample)
    return split(samples) + given


def oktas(folder):
    """The samples of a folder whose sub-folders are named …octa_0 to …octa_8."""
    samples = []
    for path in sorted(folder.rglob("*")):
        found = re.search(r"o[ck]ta_?([0-8])$", path.parent.name)
        # A hidden file (`._x.jpg` of macOS) is no picture.
        if found and path.suffix.lower() in IMAGES and not path.name.startswith("."):
            low, high = interval(int(found.group(1)))
            samples.append(
                Sample(str(path), "", folder.name, "", "", low, high, float("nan"), -1.0,
                       camera=folder.name, amount=False)  # fmt: skip
            )
    # Neighbours in time have neighbouring names, whatever folder they lie in.
    for place, sample in enumerate(sorted(samples, key=lambda s: Path(s.path).name)):
        sample.block, sample.part = f"{folder.name}-{place // BLOCK}", part_of(place // BLOCK)
    return samples


def read(folder):
    """All samples of a folder, whichever of the three conventions it follows."""
    folder = Path(folder)
    if any(folder.glob("labels*.csv")):
        return labelled(folder)
    if (folder / "pairs.csv").exists():
        return paired(folder)
    samples = oktas(folder)
    if not samples:
        raise SystemExit(f"{folder}: neither labels.csv nor pairs.csv nor folders …octa_0 to …octa_8")
    return samples


def codes(mask, group=""):
    """A mask's greys (255, 200, 100, 0) to the codes of the cache."""
    coded = np.full(mask.shape, UNDEFINED, np.uint8)
    coded[mask == 100], coded[mask == 255], coded[mask == 200] = SKY, CLOUD, OPEN
    holes = coded == UNDEFINED
    if group in HOLES or group in SKY_ALONE:
        coded[holes] = UNSURE
        if HOLES.get(group) != "wide":
            return coded
        # What is left after the seams are worn away.
        reach = max(mask.shape[1] // 40, 1)
        worn = ndimage.minimum_filter(np.pad(holes, reach, mode="edge"), 2 * reach + 1)
        holes &= ndimage.maximum_filter(worn, 2 * reach + 1)[reach:-reach, reach:-reach]
    pieces, _ = ndimage.label(holes)
    border = np.r_[pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]
    coded[np.isin(pieces, border[border > 0])] = BACKGROUND
    return coded


def share(coded, size, rectangle):
    """A coded mask at the input's size: each cell has the code of most of its pixels."""
    left, top, w, h = rectangle
    rows, columns = coded.shape
    cells = np.full((size, size), OUTSIDE, np.uint8)
    if rows < h or columns < w:
        small = Image.fromarray(coded).resize((w, h), Image.Resampling.NEAREST)
        cells[top : top + h, left : left + w] = np.asarray(small)
        return cells
    y, x = (np.arange(rows) * h) // rows, (np.arange(columns) * w) // columns
    place = (y[:, None] * w + x[None]).ravel()
    counts = [
        np.bincount(place, coded.ravel() == code, h * w) for code in range(OPEN + 1)
    ]
    cells[top : top + h, left : left + w] = np.argmax(counts, 0).reshape(h, w)
    return cells


def covered(sample, size):
    """What is known to lie on the lens, on a canvas of `size` × `size`."""
    if sample.spots:
        spots = Image.fromarray(np.asarray(Image.open(sample.spots).convert("L")) // 128 * SPOT)
        return lay(spots, (size, size), "letterbox", Image.Resampling.NEAREST)[0]
    return np.full((size, size), CLEAN if sample.lens == 0 else UNKNOWN, np.uint8)


def fed(program, paths, size, folder, at_once=500):
    """What `program` (celaje) feeds its network for each of `paths`: size × size × 3 uint8 each, in
    their order; None where it reads none, or in another size."""
    frames = []
    for start in range(0, len(paths), at_once):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            command = [program, "predict", "--json", "--frames", place, *paths[start : start + at_once]]
            lines = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            for line in lines:
                frame = json.loads(line).get("frame")
                pixels = np.asarray(Image.open(frame).convert("RGB")) if frame else None
                frames.append(pixels if pixels is not None and pixels.shape[:2] == (size, size) else None)
    if len(frames) != len(paths):
        raise SystemExit(f"{program} read {len(frames)} of {len(paths)} pictures")
    return frames


def prepare(folders, size, out, program=None, log=print):
    """Writes the cache of `folders` for a square input of `size` into `out`.

    inputs.npy: n × size × size × 3, exactly what the network is fed (letterbox); cells.npy: the
    masks at that size, each cell what most of it is. views.npy, masks.npy and spots.npy: pictures, masks
    and what lies on the lens at 1.5 times the size, for training; index.json: the samples; <part>.csv:
    the labels of each part, for `celaje evaluate`. With `program` (celaje) the inputs are the program's
    own: of a JPEG its decoder and Pillow's differ by one in a value of a hundred.
    """
    samples = [sample for folder in folders for sample in read(folder)]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    large = round(size * MARGIN)
    inputs = np.zeros((len(samples), size, size, 3), np.uint8)
    views = np.zeros((len(samples), large, large, 3), np.uint8)
    masks = np.zeros((len(samples), large, large), np.uint8)
    cells = np.zeros((len(samples), size, size), np.uint8)
    spots = np.zeros((len(samples), large, large), np.uint8)
    rows = []
    own = fed(program, [s.path for s in samples], size, out) if program else [None] * len(samples)
    if program and any(frame is None for frame in own):
        log(f"{sum(frame is None for frame in own)} pictures are decoded by Pillow")
    for i, sample in enumerate(samples):
        image = decode(sample.path)
        inputs[i], content = frame(sample.path, (size, size))
        if own[i] is not None:
            inputs[i] = own[i]
        views[i], (left, top, w, h) = lay(image, (large, large), "letterbox")
        masks[i, top : top + h, left : left + w] = UNDEFINED
        cells[i, content[1] : content[1] + content[3], content[0] : content[0] + content[2]] = UNDEFINED
        if sample.group in SKY_ALONE and not sample.mask:
            cells[i][cells[i] == UNDEFINED], masks[i][masks[i] == UNDEFINED] = OPEN, OPEN
        if sample.mask:
            coded = codes(np.asarray(Image.open(sample.mask).convert("L")), sample.group)
            cells[i] = share(coded, size, content)
            coded = Image.fromarray(coded)
            masks[i], _ = lay(coded, (large, large), "letterbox", Image.Resampling.NEAREST)
            if sample.group in HOLES:
                sample.low, sample.high = possible(cells[i])
        spots[i] = covered(sample, large)
        rows.append({**asdict(sample), "content": content})
        if (i + 1) % 500 == 0:
            log(f"{i + 1} of {len(samples)} pictures")
    arrays = {"inputs": inputs, "views": views, "masks": masks, "cells": cells, "spots": spots}
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
    (out / "index.json").write_text(json.dumps({"size": size, "samples": rows}))
    tables(samples, out)
    return samples


def tables(samples, out):
    """A table of labels for each part and one for all, as `celaje evaluate` reads them."""
    parts = {}
    for sample in samples:
        from_mask = sample.mask and sample.amount
        # An okta within what is known; the bounds stand beside it.
        okta_known = "" if from_mask else okta((sample.low + sample.high) / 2)
        exact = not from_mask and not np.isnan(sample.truth)
        parts.setdefault(sample.part, []).append({
            "group": sample.group,
            "camera": sample.camera,
            "image": Path(sample.path).resolve(),
            "mask": Path(sample.mask).resolve() if from_mask else "",
            "cloud_fraction": f"{sample.truth:.6f}" if exact else "",
            "okta": "" if exact else okta_known,
            "low": f"{sample.low:.6f}",
            "high": f"{sample.high:.6f}",
            "observation": sample.observation,
        })  # fmt: skip
    parts["all"] = [row for rows in parts.values() for row in rows]
    for part, rows in parts.items():
        with (out / f"{part}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0], lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


class Cache:
    """What `prepare` wrote."""

    def __init__(self, folder):
        folder = Path(folder)
        index = json.loads((folder / "index.json").read_text())
        self.size = index["size"]
        self.content = [tuple(row.pop("content")) for row in index["samples"]]
        self.samples = [Sample(**row) for row in index["samples"]]
        self.inputs = np.load(folder / "inputs.npy", mmap_mode="r")
        self.views = np.load(folder / "views.npy", mmap_mode="r")
        self.masks = np.load(folder / "masks.npy", mmap_mode="r")
        self.cells = np.load(folder / "cells.npy", mmap_mode="r")
        self.spots = np.load(folder / "spots.npy", mmap_mode="r")

    def part(self, *parts, without=()):
        """The places of the samples of these parts, but for those of the groups `without`."""
        return [
            i for i, sample in enumerate(self.samples)
            if sample.part in parts and sample.group not in without
        ]  # fmt: skip
