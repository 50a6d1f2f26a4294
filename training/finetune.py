"""Fine-tuning on the labels of one station: a folder that `celaje labels export` wrote.

Every third labelled day is left out whole, and the network before and after is measured there. The
result is the mean of both (Wortsman et al. 2022), so that what the network knew of other skies is not
lost. It is only put forward where it is better on the left-out days.
"""

import json
import tomllib
from pathlib import Path

import numpy as np

from . import data, evaluate

# Of so many days in a row one is left out.
EACH = 3
# Fewest labels on left-out days that a gain is told from.
LEAST = 20
RESAMPLES = 2000
# The ends of a 90 % interval.
ENDS = (0.05, 0.95)


def day(path):
    """The day of a picture's name: 2024-01311202.jpg is of 2024-0131."""
    return Path(path).stem[:9]


def leave_out(samples):
    """Gives each sample its part: whole days are for training or for the test."""
    days = sorted({day(sample.path) for sample in samples})
    left_out = set(days[EACH // 2 :: EACH])
    for sample in samples:
        sample.block = day(sample.path)
        sample.part = "test" if sample.block in left_out else "train"
    return samples


def error(row):
    """How many oktas a row of `celaje evaluate` is off; a picture without an okta as far as can be."""
    true = int(row["okta_true"])
    return abs(int(row["okta_read"]) - true) if row["okta_read"] else max(true, 8 - true)


def gain(before, after, seed=1):
    """By how many oktas the mean error fell, with its 90 % interval by drawing the days again."""
    first = {row["image"]: error(row) for row in before}
    days = {}
    for row in after:
        days.setdefault(day(row["image"]), []).append(first[row["image"]] - error(row))
    sums = np.array([[sum(each), len(each)] for each in days.values()], float)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, len(sums)))
    totals = sums[drawn].sum(1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], ENDS)
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def exact(rows):
    """How many rows have the okta of their label, and how many there are."""
    return sum(error(row) == 0 for row in rows), len(rows)


def calibration(model):
    """The confidence of a model's manifest, which the new network begins with."""
    text = Path(model).with_suffix(".toml").read_text()
    return tomllib.loads(text).get("calibration")


def card(folder, base, before, after, found):
    """What the new network gained, in a few lines of Markdown."""
    mean, low, high = found
    better = "better" if low > 0 else "not better"
    return (
        f"# {better.capitalize()} than {base} on the left-out days of {folder}\n\n"
        f"| on {len(after)} labels of left-out days | okta exact |\n| --- | --- |\n"
        f"| before | {evaluate.share(*exact(before))} |\n| after | {evaluate.share(*exact(after))} |\n\n"
        f"The mean error fell by {mean:.2f} oktas (90 % interval {low:.2f} to {high:.2f}, days drawn "
        "again).\nOn other cameras it is not measured.\n"
    )


def finetune(folder, start, base, program, cache, out, steps, rate, threads, version, log=print):
    """Trains the checkpoint `start` on the labels of `folder` and writes the ONNX file `out`, its
    manifest and its card; whether it is better than `base` (ONNX) on the left-out days. What is not
    better is written beside `out` as `….refused.onnx`."""
    import torch

    from . import export, manifest, network, train

    samples = leave_out(data.read(folder))
    left_out = [sample for sample in samples if sample.part == "test"]
    if len(left_out) < LEAST or len(left_out) == len(samples):
        days = len({sample.block for sample in samples})
        raise SystemExit(
            f"{folder}: {len(samples)} labels of {days} days, {len(left_out)} on days to be left out; "
            f"label at least {LEAST * EACH} pictures of several days"
        )
    size = network.load(start)[1]["config"]["size"]
    cache = Path(cache)
    data.prepare([folder], size, cache, program, log)
    index = json.loads((cache / "index.json").read_text())
    for row, sample in zip(index["samples"], leave_out(data.Cache(cache).samples)):
        row["block"], row["part"] = sample.block, sample.part
    (cache / "index.json").write_text(json.dumps(index))
    data.tables(data.Cache(cache).samples, cache)
    tuned = cache / "tuned.pt"
    train.train(cache, ["train"], tuned, steps, start=start, peak=rate, threads=threads, strong=0.5, log=log)
    mixed = cache / "mean.pt"
    torch.save(network.mean([start, tuned]), mixed)
    out = Path(out)
    export.export(network.load(mixed)[0], size, out)
    manifest.write(out, version, size, calibration(base))
    table = cache / "test.csv"
    before, after = (evaluate.judge(program, model, table)[1] for model in (base, out))
    found = gain(before, after)
    is_better = found[1] > 0
    if not is_better:
        refused = out.with_suffix(".refused.onnx")
        out.rename(refused)
        out.with_suffix(".toml").unlink()
        out = refused
        manifest.write(out, version, size, calibration(base))
    out.with_suffix(".md").write_text(card(Path(folder).name, Path(base).stem, before, after, found))
    log(out.with_suffix(".md").read_text())
    if is_better:
        log(f'To use it: model = "{out.resolve()}" in celaje.toml, or --model {out}')
    else:
        log(f"{out} is no better here: keep the model that you have")
    return is_better
