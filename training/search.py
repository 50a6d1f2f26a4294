"""The front of accuracy against cost: short trainings of several networks, alike but for one thing.

Okta errors are those of the INT8 network on the validation part (never the test part); times are
CPU milliseconds a picture through ONNX Runtime on one core, the least of sixty.
"""

import csv
from pathlib import Path

import numpy as np

from . import evaluate, export, network, quantise, reading
from .data import Cache
from .train import train

# name: side of the input, the network's arguments, arguments of train.train, arguments of loss.total
CANDIDATES = {
    "192 w16": (192, {"width": 16}, {}, {}),
    "192 w16, read twice (mirrored)": (192, {"width": 16}, {}, {}),
    "192 w12": (192, {"width": 12}, {}, {}),
    "192 w8": (192, {"width": 8}, {}, {}),
    "192 w16 stride 2": (192, {"width": 16, "stride": 2}, {}, {}),
    "192 w16 stride 4": (192, {"width": 16, "stride": 4}, {}, {}),
    "192 w16 depth 1": (192, {"width": 16, "depth": 1}, {}, {}),
    "160 w16": (160, {"width": 16}, {}, {}),
    "224 w12": (224, {"width": 12}, {}, {}),
    "192 w16, no ordinal loss": (192, {"width": 16}, {}, {"fraction_weight": 0.0}),
    "192 w16, no Dice": (192, {"width": 16}, {}, {"dice_weight": 0.0}),
    "192 w16, ring 0.3": (192, {"width": 16}, {"ring": 0.3}, {}),
    "192 w16, weak augmentation": (192, {"width": 16}, {"strong": 0.3}, {}),
}
# Candidates that read the network of another one in their own way.
TWICE = {"192 w16, read twice (mirrored)": "192 w16"}
COLUMNS = (
    "name", "parameters", "bytes", "ms", "okta_error", "exact", "fraction_error", "day_exact", "day_error"
)  # fmt: skip


def mirrored(run):
    """`run` on the pictures and on their mirror images, the logits' mean."""
    return lambda pictures: (run(pictures) + run(pictures[:, :, ::-1])[..., ::-1]) / 2


def one(name, caches, out, steps, seed=1, log=print, **options):
    """Trains, exports, quantises, times and tries one candidate: its row of the table."""
    size, config, training, losses = CANDIDATES[name]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / TWICE.get(name, name).replace(" ", "-").replace(",", "")
    cache = Cache(caches[size])
    checkpoint, small = stem.with_suffix(".pt"), Path(f"{stem}-int8.onnx")
    if not (name in TWICE and small.exists()):
        train(caches[size], ["train"], checkpoint, steps, config, seed=seed, every=steps,
              losses=losses, log=log, **training, **options)  # fmt: skip
        model, _ = network.load(checkpoint)
        export.export(model, size, stem.with_suffix(".onnx"))
        chosen = np.random.default_rng(seed).permutation(cache.part("train"))[:100]
        quantise.quantise(stem.with_suffix(".onnx"), small, [cache.inputs[i] for i in chosen])
    run = reading.runner(reading.session(small))
    run = mirrored(run) if name in TWICE else run
    rows = evaluate.rows_of(run, cache, cache.part("validation"))
    # Each group counts alike, so that the drawn pictures do not decide.
    groups = evaluate.by_group(rows)
    mean = lambda key: float(np.mean([np.atleast_1d(g[key])[0] for g in groups.values()]))
    day = groups.get("allsky-day")
    return {
        "name": name,
        "parameters": network.parameters(network.load(checkpoint)[0]),
        "bytes": small.stat().st_size,
        "ms": reading.milliseconds(small, size)[0] * (2 if name in TWICE else 1),
        "okta_error": mean("okta_error"),
        "exact": mean("exact"),
        "fraction_error": mean("fraction_error"),
        "day_exact": day["exact"][0] if day else "",
        "day_error": day["fraction_error"][0] if day else "",
    }


def write(rows, path):
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        out.writeheader()
        for row in rows:
            out.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
