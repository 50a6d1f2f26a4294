"""Figures by group, with bootstrap intervals, and one line a picture for other programs."""

import csv
import math
from pathlib import Path

import numpy as np

from . import confidence
from .data import CLOUD, SKY
from .okta import okta
from .reading import read_all

COLUMNS = (
    "image", "group", "part", "block", "truth_fraction", "truth_okta", "fraction", "okta", "confidence",
    "pixel_accuracy", "expected_error", "light", "colour", "lens", "lens_truth",
)  # fmt: skip


def pixel_accuracy(best, mask):
    """The share of a mask's sky and cloud pixels (codes of data.py) that the network takes for the
    same; what it takes for background is wrong. NaN without a mask."""
    known = (mask == SKY) | (mask == CLOUD)
    if not known.any():
        return float("nan")
    rows = (np.arange(mask.shape[0]) * best.shape[0]) // mask.shape[0]
    columns = (np.arange(mask.shape[1]) * best.shape[1]) // mask.shape[1]
    # The codes of the cache are the classes of the network, moved by one.
    return float((best[rows][:, columns] + 1 == mask)[known].mean())


def rows_of(run, cache, places):
    """One row a picture, in the order of COLUMNS as a dictionary (the confidence comes later)."""
    rows = []
    for i, reading in zip(places, read_all(run, cache, places)):
        sample = cache.samples[i]
        weak = math.isnan(sample.truth)
        truth = (sample.low + sample.high) / 2 if weak else sample.truth
        rows.append({
            "image": str(Path(sample.path).resolve()),
            "group": sample.group,
            "part": sample.part,
            "block": sample.block,
            "truth_fraction": sample.truth,
            "truth_okta": okta(truth),
            "fraction": reading.fraction,
            "okta": reading.okta,
            "confidence": float("nan"),
            "pixel_accuracy": pixel_accuracy(reading.best, cache.masks[i]),
            "expected_error": reading.expected_error,
            "light": reading.light,
            "colour": reading.colour,
            "lens": reading.lens,
            "lens_truth": sample.lens,
        })  # fmt: skip
    return rows


def samples(rows):
    """What confidence.py needs of each row: n × 4."""
    names = ("fraction", "expected_error", "light", "colour")
    return np.array([[row[name] for name in names] for row in rows], float).reshape(-1, 4)


def give_confidence(rows, parameters):
    seen = [row for row in rows if row["okta"] >= 0]
    reported = np.array([row["okta"] for row in seen], int)
    for row, value in zip(seen, confidence.of(parameters, samples(seen), reported)):
        row["confidence"] = float(value)


def place(row):
    """A row's group and block: neighbours in time share it."""
    return row["group"], row["block"]


def shares(rows, count=4):
    """Deals out the places of `rows`, group by group, into `count` shares."""
    places = sorted({place(row) for row in rows})
    groups = {}
    for one in places:
        groups.setdefault(one[0], []).append(one)
    return {one: k % count for members in groups.values() for k, one in enumerate(members)}


def bootstrap(values, times=1000, seed=0):
    """95 % interval of the mean, pictures drawn with replacement."""
    values = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (times, len(values)))].mean(1)
    return np.percentile(means, [2.5, 97.5])


def figures(rows):
    """What is reported of a group of rows. A picture without sky counts as wrong by 9 oktas and 1."""
    off = np.array([9 if r["okta"] < 0 else abs(r["okta"] - r["truth_okta"]) for r in rows])
    error = np.array(
        [1.0 if r["okta"] < 0 else abs(r["fraction"] - r["truth_fraction"]) for r in rows]
    )
    pixels = np.array([r["pixel_accuracy"] for r in rows])
    known = np.array([r["confidence"] for r in rows])
    found = {
        "n": len(rows),
        "exact": (float((off == 0).mean()), *bootstrap(off == 0)),
        "within_one": (float((off <= 1).mean()), *bootstrap(off <= 1)),
        "within_two": (float((off <= 2).mean()), *bootstrap(off <= 2)),
        "okta_error": float(off.mean()),
        "fraction_error": (float(np.nanmean(error)), *bootstrap(error)),
        "pixel_accuracy": float(np.nanmean(pixels)) if np.isfinite(pixels).any() else None,
    }
    sure = np.isfinite(known)
    if sure.any():
        right = (off[sure] == 0).astype(float)
        found["confidence"] = float(known[sure].mean())
        found["calibration_error"] = confidence.calibration_error(known[sure], right)
        found["chance"] = confidence.floor(known[sure])
    return found


def by_group(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return {name: figures(members) for name, members in sorted(groups.items())}


def table(results):
    """Markdown."""
    lines = [
        "| pictures | n | okta exact | within one | within two | fraction error | pixels right "
        "| confidence | calibration error (by chance) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    share = lambda v: f"{v[0]:.1%} ({v[1]:.0%}–{v[2]:.0%})"
    for name, f in results.items():
        error = "{:.4f} ({:.3f}–{:.3f})".format(*f["fraction_error"])
        pixels = "" if f["pixel_accuracy"] is None else f"{f['pixel_accuracy']:.1%}"
        sure, gap = "", ""
        if "confidence" in f:
            sure = f"{f['confidence']:.2f}"
            gap = f"{f['calibration_error']:.3f} ({f['chance']:.3f})"
        lines.append(
            f"| {name} | {f['n']} | {share(f['exact'])} | {share(f['within_one'])} "
            f"| {f['within_two'][0]:.1%} | {error} | {pixels} | {sure} | {gap} |"
        )
    return "\n".join(lines)


def confusion(rows):
    """9 × 9 counts: labelled okta down, reported okta across."""
    counts = np.zeros((9, 9), int)
    for row in rows:
        if row["okta"] >= 0:
            counts[row["truth_okta"], row["okta"]] += 1
    return counts


def write(rows, path):
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        out.writeheader()
        for row in rows:
            out.writerow({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()})


def load_rows(path):
    rows = list(csv.DictReader(open(path, newline="")))
    for row in rows:
        for name in COLUMNS[4:]:
            row[name] = int(row[name]) if name in ("truth_okta", "okta") else float(row[name])
    return rows
