"""The reliability diagram of cameras that were left out, as SVG."""

from html import escape
from pathlib import Path

import numpy as np

from .evaluate import wilson

SIDE, LEFT, TOP, RIGHT, BOTTOM = 420, 60, 40, 250, 56
# A gap that is aimed at.
AIM = 0.08
BINS = 5
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#6b6b00", "#444444")


def place(x, y):
    return LEFT + x * SIDE, TOP + (1 - y) * SIDE


def line(points, style):
    dots = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    return f'<polyline points="{dots}" fill="none" {style}/>'


def words(x, y, text, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'


def frame(title):
    """Axes, the diagonal, and the band of the aim around it."""
    low, high = place(0, 0), place(1, 1)
    band = [(0, AIM), (1 - AIM, 1), (1, 1), (1, 1 - AIM), (AIM, 0), (0, 0)]
    dots = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in band))
    parts = [
        f'<polygon points="{dots}" fill="#e8eef4"/>',
        line([(0, 0), (1, 1)], 'stroke="#8899aa" stroke-dasharray="4 4"'),
        f'<rect x="{low[0]}" y="{high[1]}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#333"/>',
        words(LEFT, TOP - 16, title, 'font-size="15" font-weight="bold"'),
        words(LEFT + SIDE / 2, TOP + SIDE + 44, "mean confidence", 'text-anchor="middle"'),
        words(0, 0, "share of oktas that are right",
              f'text-anchor="middle" transform="translate(18 {TOP + SIDE / 2}) rotate(-90)"'),  # fmt: skip
    ]
    for tick in np.arange(0, 1.01, 0.2):
        (x, low_y), (left_x, y) = place(tick, 0), place(0, tick)
        parts.append(words(x, low_y + 20, f"{tick:.1f}", 'text-anchor="middle"'))
        parts.append(words(left_x - 8, y + 4, f"{tick:.1f}", 'text-anchor="end"'))
    return parts


def bins(cameras):
    """Mean confidence and share of right readings of readings of like confidence, each camera with the same
    weight: equal parts of all."""
    sure = np.concatenate([one for _, one, _ in cameras])
    right = np.concatenate([one for _, _, one in cameras]).astype(float)
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for _, one, _ in cameras])
    order = np.argsort(sure)
    part = np.minimum((np.cumsum(weights[order]) / weights.sum() * BINS).astype(int), BINS - 1)
    mean = lambda values, k: np.average(values[order][part == k], weights=weights[order][part == k])
    return [(mean(sure, k), mean(right, k)) for k in range(BINS) if (part == k).any()]


def reliability(cameras, path, title="Confidence on cameras left out"):
    """Writes the diagram of `cameras`: each its name, the confidence in each picture's okta, and whether
    that is right."""
    parts = frame(title)
    for k, (name, sure, right) in enumerate(cameras):
        colour = COLOURS[k % len(COLOURS)]
        x, y = float(np.mean(sure)), float(np.mean(right))
        low, high = wilson(int(np.sum(right)), len(right))
        parts.append(line([(x, low), (x, high)], f'stroke="{colour}" stroke-width="1.5"'))
        at = place(x, y)
        parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5" fill="{colour}"/>')
        row = TOP + 14 + 20 * k
        parts.append(f'<circle cx="{LEFT + SIDE + 20}" cy="{row - 4}" r="5" fill="{colour}"/>')
        parts.append(words(LEFT + SIDE + 32, row, f"{name} ({len(right)}) {round(x - y, 2) + 0.0:+.2f}"))
    parts.append(line(bins(cameras), 'stroke="#222" stroke-width="2"'))
    row = TOP + 14 + 20 * len(cameras)
    parts.append(words(LEFT + SIDE + 14, row + 6, "line: all, in fifths by confidence"))
    parts.append(words(LEFT + SIDE + 14, row + 26, "band: 0.08 to either side"))
    wide, tall = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" '
        f'viewBox="0 0 {wide} {tall}" font-family="sans-serif" font-size="12" fill="#222">'
    )
    white = f'<rect width="{wide}" height="{tall}" fill="#fff"/>'
    Path(path).write_text("\n".join([head, white, *parts, "</svg>"]) + "\n")
