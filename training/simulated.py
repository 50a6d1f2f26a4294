"""Pictures with exact masks from Celaje's own simulator, fetched over loopback."""

import io
import json
import random
import re
import subprocess
import urllib.request
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

# Seeds of the simulated weather: those of one part never appear in another.
SEEDS = {"train": range(100, 124), "validation": range(200, 204), "test": range(300, 306)}
SCENES = ("fisheye", "landscape")
# In turns: blur and drops look otherwise once a larger or a smaller picture is made as small as the
# network's input.
SIZES = {
    "fisheye": ("450x450", "640x640", "320x320"),
    "landscape": ("480x360", "800x600", "320x240"),
}
YEAR = 2025
# What a seed's camera shows beside its weather: in turns nothing, then all that may spoil a view.
CONDITIONS = (
    [],
    ["--lights", "mixed", "--haze", "mixed", "--glare", "mixed"],
    ["--lights", "mixed"],
    ["--lights", "mixed", "--haze", "mixed", "--colour", "mono"],
)
# What lies on the lens in further pictures of the seed, in turns.
LENSES = ("drops", "dew", "snow")
# The share of the sky that must be covered for the lens to count as obstructed.
COVERED = 0.03
# How far a value (0 to 255) must be from a clean lens's for a drop to lie there.
DIFFERENT = 8


def moments(seed, count):
    """`count` local file-name stamps of the year (YYYY-MMDDHHMM), repeatable for a seed."""
    rng = random.Random(seed)
    start = datetime(YEAR, 1, 1)
    chosen = (start + timedelta(minutes=rng.randrange(365 * 144) * 10 + 2) for _ in range(count))
    return [f"{moment:%Y-%m%d%H%M}" for moment in chosen]


def get(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def fetch(program, folder, each, parts=tuple(SEEDS), log=print):
    """Has `program` (celaje) draw `each` pictures of each scene and seed into `folder`, and as many
    with something on the lens.

    Writes images/, masks/ (0 background, 100 sky, 255 cloud), spots/ (255 where drops lie on the lens)
    and pairs.csv with the columns image, mask, group, part, block, lens, spots. Keeps what is there already.
    """
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for kind in ("masks", "spots"):
        (folder / kind).mkdir(exist_ok=True)
    rows = []
    for scene in SCENES:
        for part in parts:
            for place, seed in enumerate(SEEDS[part]):
                conditions = CONDITIONS[place % len(CONDITIONS)]
                lens = ["--lens", LENSES[place % len(LENSES)]]
                # Every size with every kind of lens.
                size = SIZES[scene][place // len(LENSES) % len(SIZES[scene])]
                for options in (conditions, lens):
                    rows += fetch_seed(program, folder, scene, part, seed, size, each, options)
            log(f"simulated {scene}, {part}: {len(rows)} pictures so far")
    lines = ["image,mask,group,part,block,lens,spots", *(",".join(row) for row in rows)]
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    return len(rows)


@contextmanager
def camera(program, scene, seed, size, conditions):
    """The address of a simulated camera, while it is needed."""
    command = [
        program, "simulate", "--scene", scene, "--size", size, "--seed", str(seed),
        "--port", "0", "--from", f"{YEAR}-01-01T00:00", "--to", f"{YEAR + 1}-01-01T00:00",
        "--lang", "en", *conditions,
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://[^/\s]+", server.stdout.readline()).group()
    finally:
        server.terminate()
        server.wait()


def spots(picture, clean):
    """Where two pictures, h × w × 3 uint8, that are alike but for drops on the lens differ: h × w bool.
    What lies inside of a drop's rim belongs to it."""
    apart = np.abs(picture.astype(int) - clean).max(2) > DIFFERENT
    return ndimage.binary_fill_holes(ndimage.binary_closing(apart, iterations=2))


def fetch_spots(base, folder, names):
    """Asks the camera at `base`, whose lens is clean, for its own of the pictures `names` (name to
    stamp) and writes where they differ."""
    for name, stamp in names.items():
        clean = Image.open(io.BytesIO(get(f"{base}/{stamp}.jpg"))).convert("RGB")
        picture = Image.open(folder / "images" / f"{name}.jpg").convert("RGB")
        found = spots(np.asarray(picture), np.asarray(clean))
        Image.fromarray(found.astype(np.uint8) * 255).save(folder / "spots" / f"{name}.png")


def fetch_seed(program, folder, scene, part, seed, size, each, conditions):
    words = "".join(f"-{word}" for word in conditions[1::2]) if "--lens" in conditions else ""
    # Other moments for the pictures with a covered lens.
    stamps = moments(seed + (1000 if words else 0), each)
    names = {f"{scene}-{seed}{words}-{stamp}": stamp for stamp in stamps}
    with camera(program, scene, seed, size, conditions) as base:
        for name, stamp in names.items():
            image, mask = folder / "images" / f"{name}.jpg", folder / "masks" / f"{name}.png"
            truth = folder / "images" / f"{name}.json"
            if not (image.exists() and mask.exists() and truth.exists()):
                truth.write_bytes(get(f"{base}/truth/{stamp}.json"))
                mask.write_bytes(get(f"{base}/truth/{stamp}.png"))
                image.write_bytes(get(f"{base}/{stamp}.jpg"))
    drops = names if words == "-drops" else {}
    wanted = {n: s for n, s in drops.items() if not (folder / "spots" / f"{n}.png").exists()}
    if wanted:
        with camera(program, scene, seed, size, []) as base:
            fetch_spots(base, folder, wanted)
    rows = []
    for name in names:
        seen = json.loads((folder / "images" / f"{name}.json").read_text())
        if seen["sky_share"] == 0:  # snow all over: nothing to be learnt of cloud
            continue
        covered = seen["obstructed"]
        lens = "1" if covered >= COVERED else "0" if covered == 0 else "-1"
        phase = seen["phase"] if seen["phase"] in ("day", "night") else "twilight"
        group = f"simulated-{scene}-{'lens' if lens == '1' else phase}"
        rows.append((f"images/{name}.jpg", f"masks/{name}.png", group, part, f"{scene}-{seed}", lens,
                     f"spots/{name}.png" if name in drops else ""))  # fmt: skip
    return rows
