"""Figures of a network on cameras, as `celaje evaluate` gives them: this package counts none of its own.

Beside them stands what a table of labels cannot say to that program: whether an okta lies in a range
that a person gave, and whether the mean of an observation's views lies in the observer's class.
"""

import csv
import json
import math
import subprocess
import tempfile
from pathlib import Path

from .data import CLASSES
from .okta import oktas

Z95 = 1.959964
# Bounds of the cloud fraction that are closer than this stand for one value.
EXACT = 0.061


def judge(program, model, table, groups=()):
    """What `program` (celaje) finds of `model` on the pictures of `table`, those of `groups`: its report
    (the object of `--json`) and its row for each picture (of `--out`)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.csv"
        command = [program, "evaluate", str(table), "--model", str(model), "--json", "--quiet",
                   "--out", str(out), *(f"--group={group}" for group in groups)]  # fmt: skip
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout
        if not told.strip():
            raise SystemExit(f"{' '.join(command)}: no report")
        return json.loads(told), list(csv.DictReader(out.open(newline="")))


def wilson(hits, count):
    """The 95 % interval of a share (Wilson 1927)."""
    if not count:
        return float("nan"), float("nan")
    share, z2 = hits / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def share(hits, count):
    """A share with its interval, as a cell of a table."""
    if not count:
        return ""
    low, high = wilson(hits, count)
    return f"{hits / count:.0%} ({low:.0%}–{high:.0%})"


def labels(table):
    """The rows of a table that `prepare` wrote, by the picture's path."""
    return {row["image"]: row for row in csv.DictReader(Path(table).open(newline=""))}


def inside(rows, known):
    """How many of `rows` read an okta within the bounds that are known of the picture, and of how many
    pictures no more than bounds are known."""
    hits = count = 0
    for row in rows:
        label = known[row["image"]]
        low, high = float(label["low"]), float(label["high"])
        if label["observation"] or high - low < EXACT:
            continue
        count += 1
        low, high = oktas(low, high)
        hits += bool(row["okta_read"]) and low <= int(row["okta_read"]) <= high
    return hits, count


def observed(rows, known):
    """How many observations' mean fractions lie in the class that the observer gave, and how many
    observations there are."""
    views = {}
    for row in rows:
        label = known[row["image"]]
        if label["observation"] and row["fraction_read"]:
            bounds = float(label["low"]), float(label["high"])
            views.setdefault((label["observation"], bounds), []).append(float(row["fraction_read"]))
    hits = 0
    for (_, bounds), fractions in views.items():
        # The bounds for training are wider than the class.
        low, high = STRICT[bounds]
        hits += low <= sum(fractions) / len(fractions) <= high
    return hits, len(views)


# The observer's classes themselves, by the bounds that training holds them to.
STRICT = dict(
    zip(CLASSES.values(), [(0, 0.01), (0, 0.01), (0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.9), (0.9, 1)])
)
HEAD = (
    "| pictures | n | okta exact | within one | fraction error | in the range, or the class | confidence "
    "| less share exact |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def line(group, rows, known):
    """A row of the table for the figures of one group."""
    n = group["n"]
    ranged, classed = inside(rows, known), observed(rows, known)
    # Where a mask leaves few pictures open, their ranges say nothing of the group.
    kept = share(*(classed if classed[1] else ranged)) if classed[1] or 2 * ranged[1] > n else ""
    if not any(known[row["image"]]["mask"] or known[row["image"]]["cloud_fraction"] for row in rows):
        return f"| {group['name']} | {classed[1] or n} | | | | {kept} | | |"
    exact = round(group["exact"]["value"] * n)
    near = round(group["within_one"] * n)
    error, sure = group["fraction_error"], group["confidence"]
    error = "{value:.3f} ({low:.3f}–{high:.3f})".format(**error) if error else ""
    gap = f"{sure - exact / n:+.2f}" if sure is not None else ""
    sure = f"{sure:.2f}" if sure is not None else ""
    return f"| {group['name']} | {n} | {share(exact, n)} | {share(near, n)} | {error} | {kept} | {sure} | {gap} |"


def lines(program, model, table, groups=()):
    """The table's rows of `model` on the groups."""
    report, rows = judge(program, model, table, groups)
    known = labels(table)
    return [
        line(group, [row for row in rows if row["group"] == group["name"]], known)
        for group in report["groups"]
    ]
