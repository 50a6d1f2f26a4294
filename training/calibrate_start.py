"""Fits the confidence of a segmentation model on labelled sky pictures and says how well it holds.

    python training/calibrate_start.py DATA MODEL.onnx [--fit stretch|letterbox]

DATA holds labels.csv (group, image, cloud_fraction) and the pictures it names. Needs numpy, Pillow,
scipy and onnxruntime. Prints, for each group of pictures, how often the okta is right and how far
the confidence is from that (expected calibration error, ten bins) on pictures that the parameters
were not fitted on: the pictures are split by blocks of twenty neighbouring ids, four folds. "floor"
is the error that a perfect confidence would show with so few pictures. The last lines are the
[calibration] section of the model's manifest, fitted on everything.

The network itself has learnt from an unknown part of DATA, so that all figures flatter it a little.
Night pictures take no part in any fit; their okta is that of the labelled fraction. Pictures made
darker stand for dusk, of which there are none.

The formula is that of src/sky/confidence.rs; reading a picture follows src/model/reading.rs.
"""

import argparse
import csv
import os
import re

import numpy as np
import onnxruntime
from PIL import Image
from scipy.optimize import minimize

SKY, CLOUD = 1, 2
EDGES = np.array([0.01] + [(k + 0.5) / 8 for k in range(1, 7)] + [0.99])
# Without knowledge: as cloud amounts are distributed over much of the world, the ends twice or
# more as frequent as anything between them.
PRIOR = np.array([0.25] + [0.5 / 7] * 7 + [0.25])
# Not fitted: however well it goes on these cameras, another may err in ways that none of them shows.
LEAST_DOUBT = 0.01
# Nor this: three cameras would have it steeper than any fourth can be trusted to be.
LIGHT_POWER = 10.0
GAINS = (0.5, 0.35, 0.25, 0.12)
# Not fitted: the pictures are either in colour (0.012 and more, overcast) or monochrome (0). Half
# way between, in steps of brightness, a network that judges by colour has lost its evidence.
COLOUR = {"half_colour": 0.006, "colour_power": 6.0}


def okta(fraction):
    if fraction <= 0.01:
        return 0
    return 8 if fraction >= 0.99 else int(np.clip(np.floor(fraction * 8 + 0.5), 1, 7))


def prepare(image, width, height, fit):
    """The network's picture and the rectangle of it that shows sky: x, y, width, height."""
    if fit == "stretch":
        return np.asarray(image.resize((width, height), Image.BILINEAR)), (0, 0, width, height)
    scale = min(width / image.width, height / image.height)
    w, h = (max(1, round(side * scale)) for side in image.size)
    x, y = (width - w) // 2, (height - h) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[y : y + h, x : x + w] = np.asarray(image.resize((w, h), Image.BILINEAR))
    return canvas, (x, y, w, h)


def evidence(session, pixels, content):
    """Fraction, expected share of misjudged cells, light, colour; none without sky."""
    tensor = pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255
    logits = session.run(None, {session.get_inputs()[0].name: tensor})[0][0].astype(float)
    x, y, w, h = content
    sy, sx = pixels.shape[0] / logits.shape[1], pixels.shape[1] / logits.shape[2]
    rows, columns = np.arange(logits.shape[1]) + 0.5, np.arange(logits.shape[2]) + 0.5
    inside = ((rows * sy >= y) & (rows * sy < y + h))[:, None] & (
        (columns * sx >= x) & (columns * sx < x + w)
    )[None]
    best = logits.argmax(0)
    judged = ((best == SKY) | (best == CLOUD)) & inside
    if judged.sum() < max(1, 0.01 * inside.sum()):
        return None
    error = 1 / (1 + np.exp(np.abs(logits[CLOUD] - logits[SKY])))
    cell = lambda n, m: (np.arange(n) * m) // n
    over = judged[cell(pixels.shape[0], judged.shape[0])][:, cell(pixels.shape[1], judged.shape[1])]
    seen = pixels[over].astype(float) / 255
    return (
        (best == CLOUD)[judged].mean(),
        error[judged].mean(),
        (seen @ [0.299, 0.587, 0.114]).mean(),
        (seen.max(1) - seen.min(1)).mean(),
    )


def masses(parameters, samples):
    """Probability of each okta: samples × 9."""
    base, slope, doubt, half_light = parameters
    fraction, error, light, colour = samples.T
    z = (EDGES[None] - fraction[:, None]) / (base + slope * error)[:, None]
    below = 1 / (1 + np.exp(-np.clip(z, -60, 60)))
    known = np.diff(np.c_[np.zeros(len(z)), below, np.ones(len(z))])
    trust = (1 - min(doubt, 1)) / (1 + (half_light / np.maximum(light, 1e-6)) ** LIGHT_POWER)
    trust /= 1 + (COLOUR["half_colour"] / np.maximum(colour, 1e-9)) ** COLOUR["colour_power"]
    return trust[:, None] * known + (1 - trust)[:, None] * PRIOR


def fit(samples, oktas, weights, dimmed):
    """Maximum likelihood: first the spread on pictures as they are, then the loss by darkness."""

    def loss(values, chosen):
        p = masses(values, samples[chosen])[np.arange(chosen.sum()), oktas[chosen]]
        return -(weights[chosen] * np.log(np.maximum(p, 1e-9))).sum()

    def descend(start, chosen, build):
        target = lambda p: loss(build(np.exp(p)), chosen) + 0.01 * np.square(p - start).sum()
        options = {"maxiter": 5000, "maxfev": 5000, "xatol": 1e-3, "fatol": 1e-3}
        return np.exp(minimize(target, start, method="Nelder-Mead", options=options).x)

    known = lambda p: [*p[:2], max(p[2], LEAST_DOUBT)]
    first = known(descend(np.log([0.005, 0.3, 0.02]), ~dimmed, lambda p: [*known(p), 1e-6]))
    second = descend(np.log([0.15]), np.ones_like(dimmed), lambda p: [*first, *p])
    return np.r_[first, second]


def calibration_error(confidence, right, bins=10):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence - right)[place == i].sum()) for i in range(bins)]
    return sum(gaps) / len(confidence)


def collect(data, session, how):
    height, width = session.get_inputs()[0].shape[2:]
    noise = np.random.default_rng(1)
    rows = []
    for row in csv.DictReader(open(os.path.join(data, "labels.csv"), newline="")):
        image = Image.open(os.path.join(data, row["image"])).convert("RGB")
        pixels, content = prepare(image, width, height, how)
        number = int(re.sub(r"\D", "", os.path.basename(row["image"])))
        versions = {"": pixels}
        if row["group"] != "allsky-night":
            for gain in GAINS:
                dim = pixels * gain + noise.normal(0, 1.5, pixels.shape)
                versions[f" ×{gain}"] = np.clip(np.rint(dim), 0, 255).astype(np.uint8)
        for name, version in versions.items():
            found = evidence(session, version, content)
            if found is not None:
                rows.append((row["group"] + name, number, float(row["cloud_fraction"]), found))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data")
    parser.add_argument("model")
    parser.add_argument("--fit", choices=("stretch", "letterbox"), default="stretch")
    arguments = parser.parse_args()
    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])
    rows = collect(arguments.data, session, arguments.fit)
    groups = np.array([row[0] for row in rows])
    blocks = np.array([row[1] for row in rows]) // 20
    truth = np.array([row[2] for row in rows])
    samples = np.array([row[3] for row in rows])
    dimmed = np.array(["×" in group for group in groups])
    night = groups == "allsky-night"
    clear = np.array([group.startswith("allsky-clear") for group in groups])
    oktas = np.array([okta(f) for f in truth])
    reported = np.array([okta(f) for f in samples[:, 0]])
    # The clear days are hundreds of nearly one picture; the dimmed ones are made, not taken.
    weights = np.where(clear, 0.1, 1.0) * np.where(dimmed, 0.3, 1.0)
    confidence = np.zeros(len(rows))
    for fold in range(4):
        held = blocks % 4 == fold
        known = ~held & ~night
        parameters = fit(samples[known], oktas[known], weights[known], dimmed[known])
        confidence[held] = masses(parameters, samples[held])[np.arange(held.sum()), reported[held]]
    right = (reported == oktas).astype(float)
    chance = np.random.default_rng(0)

    def line(name, chosen):
        c, r = confidence[chosen], right[chosen]
        floor = np.mean([calibration_error(c, chance.random(len(c)) < c) for _ in range(200)])
        near = (np.abs(reported - oktas)[chosen] <= 1).mean()
        off = np.abs(samples[chosen, 0] - truth[chosen]).mean()
        print(
            f"{name:24} n {len(c):4}  exact {r.mean():.3f}  within one {near:.3f}  "
            f"fraction error {off:.3f}  confidence {c.mean():.3f}  "
            f"calibration error {calibration_error(c, r):.3f} (floor {floor:.3f})"
        )

    for group in dict.fromkeys(groups):
        line(group, groups == group)
    line("all as taken", ~dimmed)
    names = ("scale_base", "scale_slope", "doubt", "half_light")
    final = fit(samples[~night], oktas[~night], weights[~night], dimmed[~night])
    print("\n[calibration]")
    for name, value in [*zip(names, final), ("light_power", LIGHT_POWER), *COLOUR.items()]:
        print(f"{name} = {value:.4f}")


if __name__ == "__main__":
    main()
