"""Pictures for a model card; each PNG stays below 100 kB."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from . import evaluate

SIZE, DPI = (5, 4), 90
COLOURS = np.array([[60, 60, 60], [40, 110, 200], [235, 235, 235]], np.uint8)

# The measures of the front: what they are called.
FRONT = {
    "okta_error": "okta error, mean of all groups",
    "day_error": "fraction error, fisheye by day",
}


def confusion(rows, path, title):
    counts = evaluate.confusion(rows)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=SIZE, dpi=DPI)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for y in range(9):
        for x in range(9):
            if counts[y, x]:
                shade = "white" if share[y, x] > 0.5 else "black"
                axes.text(x, y, counts[y, x], ha="center", va="center", color=shade, fontsize=8)
    axes.set(xlabel="okta reported", ylabel="okta labelled", title=title)
    axes.set_xticks(range(9)), axes.set_yticks(range(9))
    finish(figure, path)


def reliability(rows, path, title):
    seen = [row for row in rows if np.isfinite(row["confidence"])]
    sure = np.array([row["confidence"] for row in seen])
    right = np.array([row["okta"] == row["truth_okta"] for row in seen], float)
    place = np.minimum((sure * 10).astype(int), 9)
    figure, axes = plt.subplots(figsize=SIZE, dpi=DPI)
    axes.plot([0, 1], [0, 1], color="grey", lw=1)
    for k in range(10):
        if (place == k).any():
            x, y, n = sure[place == k].mean(), right[place == k].mean(), (place == k).sum()
            spread = np.sqrt(max(y * (1 - y), 0.02) / n)
            axes.errorbar(x, y, 1.96 * spread, fmt="o", color="tab:blue", capsize=2)
            below = -10 if y > 0.1 else 5
            axes.annotate(f"{n}", (x, y), xytext=(5, below), textcoords="offset points", fontsize=8)
    axes.set(xlabel="confidence", ylabel="share of oktas right", title=title, xlim=(0, 1), ylim=(0, 1.05))
    finish(figure, path)


def front(points, path):
    """`points`: dictionaries with name, ms, chosen, and the measures of `FRONT`; the line joins what nothing
    else is both cheaper and better than."""
    figure, panels = plt.subplots(1, len(FRONT), figsize=(8.4, 4.4), dpi=DPI)
    points = sorted(points, key=lambda point: point["ms"])
    for axes, (key, label) in zip(panels, FRONT.items()):
        best, line = float("inf"), []
        for number, point in enumerate(points, 1):
            x, y = point["ms"], point[key]
            if y < best:
                best = y
                line.append((x, y))
            colour = "tab:red" if point.get("chosen") else "tab:blue"
            axes.plot(x, y, "o", ms=11, color=colour)
            axes.annotate(str(number), (x, y), ha="center", va="center", fontsize=7, color="white")
        axes.plot(*zip(*line), color="tab:blue", lw=1, alpha=0.4, zorder=0)
        axes.axvline(2.0, color="grey", lw=1, ls=":")
        axes.set(xlabel="CPU ms a picture, one core, int8", ylabel=label)
        axes.grid(alpha=0.3)
    names = [f"{number}  {point['name']}" for number, point in enumerate(points, 1)]
    columns = 3
    for k, name in enumerate(names):
        row, column = divmod(k, columns)
        figure.text(0.03 + 0.33 * column, 0.2 - 0.042 * row, name, fontsize=8)
    figure.tight_layout(rect=(0, 0.24, 1, 1))
    save(figure, path)


def finish(figure, path):
    figure.tight_layout()
    save(figure, path)


def save(figure, path):
    figure.savefig(path)
    plt.close(figure)
    # A small palette keeps the file small.
    Image.open(path).convert("RGB").quantize(48).save(path, optimize=True)


def gallery(examples, path, side=150):
    """`examples`: (picture S × S × 3, best h × w, words); the picture above, what is seen below."""
    from PIL import ImageDraw

    sheet = Image.new("RGB", (side * len(examples), side * 2 + 16), "white")
    for k, (picture, best, words) in enumerate(examples):
        sheet.paste(Image.fromarray(picture).resize((side, side)), (k * side, 0))
        seen = Image.fromarray(COLOURS[best]).resize((side, side), 0)
        sheet.paste(seen, (k * side, side))
        ImageDraw.Draw(sheet).text((k * side + 3, side * 2 + 2), words, fill="black")
    sheet.quantize(128).save(path, optimize=True)
