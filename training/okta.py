"""Celaje's rule from a cloud fraction to an okta, and back to an interval of fractions."""

import math

import numpy as np

# 0 up to 1 % of cloud, 8 from 99 %, between them the nearest eighth, at least 1 and at most 7.
LOW, HIGH = 0.01, 0.99
TOUCH = 1e-6
EDGES = np.array([LOW] + [(k + 0.5) / 8 for k in range(1, 7)] + [HIGH])


def okta(fraction):
    """The okta (0 to 8) of a cloud fraction (0 to 1)."""
    if fraction <= LOW:
        return 0
    if fraction >= HIGH:
        return 8
    return min(max(math.floor(fraction * 8 + 0.5), 1), 7)


def interval(eighths):
    """The lowest and the highest cloud fraction that count as the okta `eighths`."""
    bounds = [0.0, *EDGES.tolist(), 1.0]
    return bounds[eighths], bounds[eighths + 1]


def oktas(low, high):
    """The least and the greatest okta between two cloud fractions; one that only touches an okta's
    edge does not reach it."""
    least, greatest = okta(min(low + TOUCH, 1.0)), okta(max(high - TOUCH, 0.0))
    return min(least, greatest), max(least, greatest)
