"""Makes the networks of Celaje: prepare, train, evaluate, calibrate, export, quantise, search."""

import argparse


def prepare(a):
    from . import data, simulated

    folders = list(a.folders)
    if a.simulator:
        simulated.fetch(a.simulator, a.simulated, a.each)
        folders.append(a.simulated)
    samples = data.prepare(folders, a.size, a.out, a.program or a.simulator)
    counts = {}
    for sample in samples:
        counts.setdefault(sample.group, {}).setdefault(sample.part, 0)
        counts[sample.group][sample.part] += 1
    for group, parts in counts.items():
        print(group, ", ".join(f"{part} {n}" for part, n in sorted(parts.items())))


def train(a):
    from . import train as training

    config = {"width": a.width, "stride": a.stride, "depth": a.depth}
    training.train(
        a.cache, a.parts.split(","), a.out, a.steps, config, a.start, a.batch, a.rate, a.seed,
        a.threads, a.workers, a.strong, a.every, [p for p in a.watch.split(",") if p], a.bf16,
        {"dice_weight": a.dice, "fraction_weight": a.fraction}, a.ring, a.compile,
        log=lambda line: print(line, flush=True),
    )  # fmt: skip


def mean(a):
    import torch

    from . import network

    torch.save(network.mean(a.models), a.out)
    print(a.out)


def models(a):
    """Pairs of a network that runs and the parts of the cache it is tried on."""
    from . import network, reading

    def opened(path):
        return reading.session(path) if path.endswith(".onnx") else network.load(path)[0]

    pairs = [(a.model, a.parts)] if a.model else []
    pairs += [tuple(text.rsplit("=", 1)) for text in a.add]
    return [(reading.runner(opened(path)), parts.split(",")) for path, parts in pairs]


def evaluate(a):
    from pathlib import Path

    from . import evaluate as evaluation

    if a.rows:
        rows = [row for path in a.rows for row in evaluation.load_rows(path)]
    else:
        from .data import Cache

        cache = Cache(a.cache)
        rows = []
        for run, parts in models(a):
            rows += evaluation.rows_of(run, cache, cache.part(*parts))
    if a.calibration:
        import json

        from .confidence import NAMES

        values = json.loads(Path(a.calibration).read_text())
        evaluation.give_confidence(rows, [values[name] for name in NAMES])
    if a.csv:
        evaluation.write(rows, a.csv)
    if a.failures:
        failures(a, rows)
    print(evaluation.table(evaluation.by_group(rows)))
    if a.figures:
        from . import figures

        folder = Path(a.figures)
        folder.mkdir(parents=True, exist_ok=True)
        taken = [row for row in rows if not row["group"].startswith("simulated")]
        figures.confusion(taken, folder / "confusion.png", "Photographs, held out")
        figures.reliability(rows, folder / "reliability.png", "All pictures held out")


def failures(a, rows):
    """The drawn pictures that went worst, one a group, with what the network saw."""
    from pathlib import Path

    from . import figures
    from .data import Cache
    from .reading import read_all

    cache = Cache(a.cache)
    (run, _), *_ = models(a)
    worst = {}
    for row in rows:
        if row["group"].startswith("simulated"):
            off = abs(row["fraction"] - row["truth_fraction"])
            if row["group"] not in worst or off > worst[row["group"]][0]:
                worst[row["group"]] = (off, row)
    examples = []
    for _, row in sorted(worst.values(), key=lambda pair: -pair[0])[:5]:
        i = next(k for k, sample in enumerate(cache.samples) if str(Path(sample.path).resolve()) == row["image"])
        words = f"{row['truth_fraction']:.2f} read as {row['fraction']:.2f}"
        examples.append((cache.inputs[i], read_all(run, cache, [i])[0].best, words))
    figures.gallery(examples, a.failures)


def calibrate(a):
    import json
    from pathlib import Path

    import numpy as np

    from . import confidence
    from . import evaluate as evaluation

    rows = [r for path in a.fit for r in evaluation.load_rows(path) if r["okta"] >= 0]
    rows = [row for row in rows if row["group"] not in a.leave_out]
    weights = {"simulated": a.simulated, "allsky-clear": a.clear}

    def weight(row):
        return next((w for name, w in weights.items() if row["group"].startswith(name)), 1.0)

    def fit(chosen):
        seen = evaluation.samples(chosen)
        return confidence.fit(
            seen,
            np.array([row["truth_okta"] for row in chosen]),
            np.array([weight(row) for row in chosen]),
            seen[:, 3] < 1e-6,
        )

    final = fit(rows)
    for path in a.measure:
        measured = evaluation.load_rows(path)
        shares = evaluation.shares([*rows, *measured])
        for share in sorted(set(shares.values())):
            # What was among the pictures of the fit is measured with a fit that leaves it out, and
            # its neighbours with it.
            without = [row for row in rows if shares[evaluation.place(row)] != share]
            these = [row for row in measured if shares[evaluation.place(row)] == share]
            evaluation.give_confidence(these, fit(without) if len(without) < len(rows) else final)
        evaluation.write(measured, path)
        print(path)
        print(evaluation.table({**evaluation.by_group(measured), "all": evaluation.figures(measured)}))
    values = {name: float(value) for name, value in zip(confidence.NAMES, final)}
    Path(a.out).write_text(json.dumps(values, indent=1) + "\n")
    for name, value in values.items():
        print(f"{name} = {value:.4g}")


def calibration_of(path):
    import json
    from pathlib import Path

    return json.loads(Path(path).read_text()) if path else None


def export(a):
    from . import export as exporting
    from . import manifest, network

    model, _ = network.load(a.model)
    print("operators:", ", ".join(exporting.export(model, a.size, a.out)))
    print("parameters:", network.parameters(model))
    print(manifest.write(a.out, a.version, a.size, calibration_of(a.calibration)))


def quantise(a):
    import numpy as np

    from . import manifest, quantise as quantising, reading
    from .data import Cache

    cache = Cache(a.cache)
    places = cache.part(*a.parts.split(","))
    # Photographs and drawn pictures in equal numbers, the same ones each time.
    rng = np.random.default_rng(a.seed)
    drawn = [i for i in places if cache.samples[i].group.startswith("simulated")]
    taken = [i for i in places if not cache.samples[i].group.startswith("simulated")]
    half = a.count // 2
    chosen = [*rng.permutation(taken)[:half], *rng.permutation(drawn)[:half]]
    quantising.quantise(a.model, a.out, [cache.inputs[i] for i in chosen], a.method)
    print(manifest.write(a.out, a.version, cache.size, calibration_of(a.calibration)))
    compare = cache.part(*a.compare.split(","))
    first, second = (
        reading.read_all(reading.runner(reading.session(path)), cache, compare)
        for path in (a.model, a.out)
    )
    same = np.mean([x.okta == y.okta for x, y in zip(first, second)])
    off = np.mean([abs(x.fraction - y.fraction) for x, y in zip(first, second) if min(x.okta, y.okta) >= 0])
    print(f"{len(compare)} pictures: the same okta {same:.1%}, fractions apart by {off:.4f}")
    for path in (a.model, a.out):
        least, middle = reading.milliseconds(path, cache.size)
        print(f"{path}: CPU ms a picture {least:.2f} (least), {middle:.2f} (median)")


def search(a):
    import csv
    from pathlib import Path

    from . import figures
    from . import search as searching

    caches = dict(text.split("=", 1) for text in a.cache)
    caches = {int(size): folder for size, folder in caches.items()}
    table = Path(a.out) / "front.csv"
    for name in a.only or searching.CANDIDATES:
        if searching.CANDIDATES[name][0] not in caches:
            print(f"{name}: no cache of that size, left out")
            continue
        row = searching.one(name, caches, a.out, a.steps, a.seed, bf16=a.bf16, threads=a.threads,
                            log=lambda line: print(line, flush=True))  # fmt: skip
        rows = list(csv.DictReader(table.open())) if table.exists() else []
        rows = [known for known in rows if known["name"] != name] + [row]
        searching.write(rows, table)
        print(row, flush=True)
    rows = list(csv.DictReader(table.open()))
    measures = {"ms", *figures.FRONT}
    points = [{"name": r["name"], "chosen": r["name"] == a.chosen,
               **{key: float(r[key]) for key in measures}} for r in rows]  # fmt: skip
    figures.front(points, Path(a.out) / "front.png")


def parser():
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name, run, text):
        one = commands.add_parser(
            name, help=text, description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )  # fmt: skip
        one.set_defaults(run=run)
        return one

    p = command("prepare", prepare, "read labelled pictures, split them, write the cache")
    p.add_argument("folders", nargs="*", help="folders of labelled pictures (see README.md)")
    p.add_argument("--out", default="cache", help="folder of the cache")
    p.add_argument("--size", type=int, default=192, help="side of the network's input, pixels")
    p.add_argument("--simulator", help="the program celaje: have it draw pictures too")
    p.add_argument("--program", help="the program celaje: take its own inputs [default: --simulator]")
    p.add_argument("--simulated", default="simulated", help="folder for the drawn pictures")
    p.add_argument("--each", type=int, default=24, help="drawn pictures a scene and seed")

    p = command("train", train, "train the network on parts of the cache")
    p.add_argument("--cache", default="cache")
    p.add_argument("--parts", default="train", help="parts to learn from, with commas")
    p.add_argument("--watch", default="validation", help="parts whose figures the log shows")
    p.add_argument("--out", default="model.pt", help="the checkpoint to write")
    p.add_argument("--start", help="a checkpoint to begin with")
    p.add_argument("--steps", type=int, default=2400)
    p.add_argument("--batch", type=int, default=16, help="pictures a step")
    p.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--width", type=int, default=16, help="channels at half the input's size")
    p.add_argument("--stride", type=int, default=1, choices=(1, 2, 4), help="input pixels a cell")
    p.add_argument("--depth", type=int, default=2, help="extra layers at the deepest level")
    p.add_argument("--dice", type=float, default=0.3, help="weight of Dice's loss")
    p.add_argument("--fraction", type=float, default=4.0, help="weight of the ordinal loss")
    p.add_argument("--ring", type=float, default=1.0, help="weight of cells beside the horizon")
    p.add_argument("--strong", type=float, default=1.0, help="strength of the augmentation")
    p.add_argument("--every", type=int, default=300, help="steps between checkpoints")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--workers", type=int, default=1, help="processes that make batches")
    p.add_argument("--bf16", action="store_true", help="compute in bfloat16 where possible")
    p.add_argument("--compile", action="store_true", help="compile the network (needs a C++ compiler)")

    p = command("mean", mean, "the mean of the weights of checkpoints of one training")
    p.add_argument("models", nargs="+", help="checkpoints")
    p.add_argument("--out", default="mean.pt", help="the checkpoint to write")

    p = command("evaluate", evaluate, "figures by group on held-out pictures")
    p.add_argument("--cache", default="cache")
    p.add_argument("--model", help="checkpoint (.pt) or ONNX file")
    p.add_argument("--parts", default="test", help="parts that --model is tried on")
    p.add_argument("--add", action="append", default=[], metavar="MODEL=PARTS",
                   help="another network, with the parts that it has not seen; may be repeated")
    p.add_argument("--rows", nargs="+", help="figures of CSV files written earlier instead")
    p.add_argument("--calibration", help="JSON that calibrate wrote: gives each row a confidence")
    p.add_argument("--csv", help="write one line a picture")
    p.add_argument("--figures", help="folder for confusion.png and reliability.png")

    p.add_argument("--failures", help="a PNG of the drawn pictures that went worst")

    p = command("calibrate", calibrate, "fit the confidence on CSV files that evaluate wrote")
    p.add_argument("--fit", nargs="+", required=True, help="CSV files to fit on")
    p.add_argument("--measure", nargs="*", default=[],
                   help="CSV files to measure on; their confidence column is filled in")
    p.add_argument("--leave-out", nargs="*", default=[], help="groups that take no part in the fit")
    p.add_argument("--out", default="calibration.json")
    p.add_argument("--simulated", type=float, default=1.0, help="weight of drawn pictures")
    p.add_argument("--clear", type=float, default=0.2, help="weight of the group allsky-clear")

    p = command("export", export, "a checkpoint to ONNX, with its manifest")
    p.add_argument("--model", default="model.pt")
    p.add_argument("--out", default="model.onnx")
    p.add_argument("--size", type=int, default=192)
    p.add_argument("--version", default="1")
    p.add_argument("--calibration", help="JSON that calibrate wrote")

    p = command("quantise", quantise, "a static INT8 (QDQ) sibling, with its manifest")
    p.add_argument("--cache", default="cache")
    p.add_argument("--model", default="model.onnx")
    p.add_argument("--out", default="model-int8.onnx")
    p.add_argument("--parts", default="train", help="parts to calibrate the numbers on")
    p.add_argument("--compare", default="validation", help="parts to compare on")
    p.add_argument("--count", type=int, default=160, help="pictures to calibrate on")
    p.add_argument("--method", default="minmax", choices=("minmax", "entropy", "percentile"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--version", default="1")
    p.add_argument("--calibration", help="JSON that calibrate wrote")

    p = command("search", search, "short trainings of several networks: error against cost")
    p.add_argument("--cache", nargs="+", default=["192=cache"], metavar="SIZE=FOLDER")
    p.add_argument("--out", default="search")
    p.add_argument("--steps", type=int, default=500)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--only", nargs="*", help="names of candidates (default: all)")
    p.add_argument("--chosen", default="192 w16", help="the one that the plot marks")
    return top


def main():
    a = parser().parse_args()
    a.run(a)
