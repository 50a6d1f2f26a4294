"""The confidence and the range of oktas, fitted on cameras that the networks had not learnt from."""

import numpy as np

from . import confidence, diagram, reading
from .data import Cache
from .evaluate import share
from .okta import okta, oktas


def read(cache, models):
    """What each network reads of the groups that it has not learnt from: group, samples n × 4, reported,
    low and high okta, each n. Views of an observation, whose label is of the whole sky, are left out."""
    found = []
    for path, groups in models:
        run = reading.runner(reading.session(path))
        for group in groups.split(","):
            places = [
                i for i, one in enumerate(cache.samples) if one.group == group and not one.observation
            ]
            seen = [
                (cache.samples[i], one) for i, one in zip(places, reading.read_all(run, cache, places))
                if one.okta >= 0
            ]  # fmt: skip
            samples = [[r.fraction, r.expected_error, r.light, r.colour] for _, r in seen]
            bounds = [label(sample) for sample, _ in seen]
            low, high = np.array(bounds).T
            reported = np.array([r.okta for _, r in seen])
            found.append((group, np.array(samples), reported, low, high))
    return found


def label(sample):
    """The least and the greatest okta that a label allows: of a mask, what it says of the pixels that are
    labelled, which is what `celaje evaluate` counts."""
    if sample.truth == sample.truth:
        return okta(sample.truth), okta(sample.truth)
    return oktas(sample.low, sample.high)


def pooled(cameras):
    """The cameras' samples together; each camera has the same weight."""
    groups, samples, reported, low, high = zip(*cameras)
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for one in samples])
    return (*map(np.concatenate, (samples, reported, low, high)), weights)


def fit(cameras):
    """The parameters and the level of the ranges."""
    samples, reported, low, high, weights = pooled(cameras)
    parameters = confidence.fit(samples, low, high, weights)
    p = confidence.masses(parameters, samples)
    return parameters, confidence.range_level(p, reported, low, high, weights)


def calibrate(folder, models, plot=None, log=print):
    """Fits on all cameras, and tells for each what a fit on the others gives: name to value. `plot`: an SVG
    file for the diagram of those."""
    cameras, told = read(Cache(folder), models), []
    log(
        "| camera left out | n | share exact, or in the range | confidence | gap | ranges that hold | width "
        "| low confidence | off by two or more | of these low |"
    )
    log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for camera in cameras:
        parameters, level = fit([one for one in cameras if one is not camera])
        group, samples, reported, low, high = camera
        p = confidence.masses(parameters, samples)
        sure = p[np.arange(len(p)), reported]
        right = (reported >= low) & (reported <= high)
        spread = confidence.ranges(p, reported, level)
        held = confidence.coverage(p, reported, low, high, level)
        width = (spread[:, 1] - spread[:, 0] + 1).mean()
        exact = (low == high).all()
        gap = f"{sure.mean() - right.mean():+.2f}" if exact else ""
        doubted = sure < confidence.least(group)
        wrong = np.maximum(low - reported, reported - high) >= 2
        log(
            f"| {group} | {len(p)} | {share(right.sum(), len(p))} | {sure.mean():.2f} | {gap} "
            f"| {share(held.sum(), len(p))} | {width:.1f} "
            f"| {doubted.sum()} | {wrong.sum()} | {(wrong & doubted).sum()} |"
        )
        if exact:
            told.append((group, sure, right))
    if plot:
        diagram.reliability(told, plot)
    parameters, level = fit(cameras)
    return {**dict(zip(confidence.NAMES, map(float, parameters))), "range_level": level}
