"""The confidence of crates/celaje-sky/src/confidence.rs: its formula, its fit, and how far it is off.

A sample is what a network and a picture say: cloud fraction, expected share of misjudged cells,
light, colour. The formula's parameters go into the model's manifest, and with them `range_level`:
the probability that the range of oktas beside a reading must hold (`ranges`).
"""

import numpy as np
from scipy.optimize import minimize

from .okta import EDGES

# Without knowledge: as cloud amounts are distributed over much of the world, the ends twice or
# more as frequent as anything between them.
PRIOR = np.array([0.25] + [0.5 / 7] * 7 + [0.25])
# Not fitted: however well it goes on these cameras, another may err in ways that none of them shows.
LEAST_DOUBT, LEAST_LIKELY = 0.01, 0.02
NAMES = (
    "scale_base", "scale_slope", "scale_middle", "doubt", "half_light", "light_power", "half_colour", "colour_power"
)  # fmt: skip

# Below this confidence an okta is flagged (`is_low` in crates/celaje-sky/src/quality.rs): by day, and by night.
LOW_BY_DAY, LOW = 0.3, 0.5


def least(group):
    """The confidence below which the oktas of a group are flagged; its name tells nights."""
    return LOW if "night" in group else LOW_BY_DAY


def kept(value, half, power):
    """The part of the evidence that is left at `value`."""
    if half <= 0:
        return np.ones_like(value)
    return 1 / (1 + (half / np.maximum(value, 1e-9)) ** power)


def masses(parameters, samples):
    """Probability of each okta: samples × 9. `parameters` in the order of NAMES."""
    base, slope, middle, doubt, half_light, light_power, half_colour, colour_power = parameters
    fraction, error, light, colour = np.asarray(samples, float).T
    scale = base + slope * error + middle * np.sqrt(np.maximum(fraction * (1 - fraction), 0))
    z = (EDGES[None] - fraction[:, None]) / np.maximum(scale, 1e-12)[:, None]
    below = 1 / (1 + np.exp(-np.clip(z, -60, 60)))
    known = np.diff(np.c_[np.zeros(len(z)), below, np.ones(len(z))])
    trust = (1 - min(doubt, 1)) * kept(light, half_light, light_power)
    trust = trust * kept(colour, half_colour, colour_power)
    return trust[:, None] * known + (1 - trust)[:, None] * PRIOR


def descend(loss, start):
    """Nelder and Mead on the logarithms, held loosely to where they start."""
    start = np.log(start)
    options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-3, "fatol": 1e-4}
    held = lambda p: loss(np.exp(p)) + 0.01 * np.square(p - start).sum()
    return np.exp(minimize(held, start, method="Nelder-Mead", options=options).x)


def fit(samples, low, high, weights):
    """Maximum likelihood, in which no picture counts as less likely than LEAST_LIKELY: a camera on which a
    network fails must not decide how far the others are believed. `low` and `high` are the least and the
    greatest okta that the label allows. The spread is fitted on pictures in colour; then, where monochrome ones are among the samples, how
    much less those are to be believed.

    The manifest's formula has no switch for monochrome pictures, whose colour is exactly 0 and
    counts as 1e-9: with `colour_power` 1 and `half_colour` k · 1e-9 their trust is 1 / (1 + k), and
    that of any picture in colour is untouched.
    """
    monochrome = samples[:, 3] < 1e-6
    allowed = (np.arange(9) >= low[:, None]) & (np.arange(9) <= high[:, None])

    def loss(parameters, chosen):
        p = (masses(parameters, samples[chosen]) * allowed[chosen]).sum(1)
        return -(weights[chosen] * np.log(np.maximum(p, LEAST_LIKELY))).sum()

    build = lambda p, k=0.0: [
        p[0], p[1], p[2], np.clip(p[3], LEAST_DOUBT, 0.9), 0.0, 1.0, k * 1e-9, 1.0
    ]  # fmt: skip
    first = descend(lambda p: loss(build(p), ~monochrome), [0.01, 0.1, 0.1, 0.1])
    k = 0.0
    if monochrome.any():
        k = descend(lambda p: loss(build(first, p[0]), monochrome), [0.2])[0]
    return np.array(build(first, k))


def ranges(p, reported, level):
    """The least and the greatest okta of each range: from the reported one outwards, each time to the
    likelier side (the lower where they are alike), until it holds the probability `level`. `p`:
    samples × 9."""
    found = []
    for masses_of, okta in zip(p, reported):
        low = high = int(okta)
        while masses_of[low : high + 1].sum() < level and (low > 0 or high < 8):
            left = masses_of[low - 1] if low > 0 else -1.0
            right = masses_of[high + 1] if high < 8 else -1.0
            low, high = (low - 1, high) if left >= right else (low, high + 1)
        found.append((low, high))
    return np.array(found).reshape(-1, 2)


# The share of ranges that shall hold the true okta.
COVERAGE = 0.9


def coverage(p, reported, low, high, level):
    """Whether each range shares an okta with what the label allows."""
    found = ranges(p, reported, level)
    return (found[:, 0] <= high) & (found[:, 1] >= low)


def range_level(p, reported, low, high, weights):
    """The least level, in steps of 0.005, at which the ranges hold COVERAGE of the labels (Vovk et al.
    2005: conformal prediction), each sample counting with its weight."""
    for level in np.arange(0.5, 0.9951, 0.005):
        held = coverage(p, reported, low, high, level)
        if np.average(held, weights=weights) >= COVERAGE:
            return float(level)
    return 0.995


def of(parameters, samples, reported):
    """The confidence in the reported oktas."""
    return masses(parameters, samples)[np.arange(len(reported)), reported]


def calibration_error(confidence, right, bins=10):
    """Expected calibration error over equal bins of the confidence."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence - right)[place == i].sum()) for i in range(bins)]
    return sum(gaps) / max(len(confidence), 1)


def floor(confidence, seed=0, times=200):
    """The calibration error that a perfect confidence would show by chance on so few pictures."""
    rng = np.random.default_rng(seed)
    draws = [rng.random(len(confidence)) < confidence for _ in range(times)]
    return float(np.mean([calibration_error(confidence, draw) for draw in draws]))
