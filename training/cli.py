"""Makes the networks of Celaje: prepare, train, lens, finetune, mean, export, quantise, evaluate, calibrate."""

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

    shares = dict(text.split("=") for text in a.share)
    training.train(
        a.cache, a.parts.split(","), a.out, a.steps, {"blocks": a.blocks, "width": a.width}, a.start,
        a.batch, a.rate, a.seed, a.threads, a.workers, a.strong, a.every, a.without,
        {name: float(part) for name, part in shares.items()},
        {"dice_weight": a.dice, "fraction_weight": a.fraction}, a.ring, a.small,
        log=lambda line: print(line, flush=True),
    )  # fmt: skip


def lens(a):
    from . import lens as training

    training.train(
        a.cache, a.parts.split(","), a.model, a.out, a.views, a.steps, a.rate, a.seed, a.threads, a.without,
        log=lambda line: print(line, flush=True),
    )  # fmt: skip


def mean(a):
    import torch

    from . import network

    torch.save(network.mean(a.models), a.out)
    print(a.out)


def evaluate(a):
    from . import evaluate as evaluation

    print(evaluation.HEAD)
    for text in a.models:
        model, _, groups = text.partition("=")
        groups = groups.split(",") if groups else []
        print("\n".join(evaluation.lines(a.program, model, a.table, groups)), flush=True)


def calibrate(a):
    import json
    from pathlib import Path

    from . import calibrate as calibrating

    found = calibrating.calibrate(a.cache, [text.split("=") for text in a.models], a.plot)
    Path(a.out).write_text(json.dumps(found, indent=1) + "\n")
    for name, value in found.items():
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
    quantising.quantise(a.model, a.out, [cache.inputs[i] for i in chosen], a.method, a.in_floats)
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


def finetune(a):
    from . import finetune as tuning

    better = tuning.finetune(
        a.folder, a.start, a.base, a.program, a.cache, a.out, a.steps, a.rate, a.threads, a.version,
        log=lambda line: print(line, flush=True),
    )  # fmt: skip
    raise SystemExit(0 if better else 1)


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
    p.add_argument("--without", nargs="*", default=[], help="groups that are left out, a whole camera each")
    p.add_argument("--out", default="model.pt", help="the checkpoint to write")
    p.add_argument("--start", help="a checkpoint to begin with [default: ImageNet's weights]")
    p.add_argument("--steps", type=int, default=2400)
    p.add_argument("--batch", type=int, default=8, help="pictures a step")
    p.add_argument("--rate", type=float, default=1e-3, help="highest learning rate of the decoder")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--blocks", type=int, default=9, help="blocks of the encoder, 6 to 11")
    p.add_argument("--width", type=int, default=48, help="channels of the decoder")
    p.add_argument("--dice", type=float, default=0.3, help="weight of Dice's loss")
    p.add_argument("--fraction", type=float, default=4.0, help="weight of the ordinal loss")
    p.add_argument("--ring", type=float, default=1.0, help="weight of cells beside the horizon")
    p.add_argument("--strong", type=float, default=1.0, help="strength of the augmentation")
    p.add_argument("--share", action="append", default=[], metavar="GROUP=PART",
                   help="a group's part of each batch (see SHARES in batches.py); may be repeated")
    p.add_argument("--small", type=float, default=0.0,
                   help="share of the steps, the first ones, at two thirds of the input's size: quicker")
    p.add_argument("--every", type=int, default=500, help="steps between checkpoints")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--workers", type=int, default=1, help="processes that make batches")

    p = command("lens", lens, "train what tells that something lies on the lens, and nothing else")
    p.add_argument("--cache", default="cache")
    p.add_argument("--parts", default="train", help="parts to learn from, with commas")
    p.add_argument("--without", nargs="*", default=[], help="groups that are left out")
    p.add_argument("--model", default="model.pt", help="the checkpoint to begin with")
    p.add_argument("--out", default="lens.pt", help="the checkpoint to write")
    p.add_argument("--views", type=int, default=3000, help="views that the encoder looks at, once each")
    p.add_argument("--steps", type=int, default=3000)
    p.add_argument("--rate", type=float, default=4e-3)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)

    p = command("finetune", finetune, "a network that has learnt from a station's labels too; status 1 if that helps nothing")
    p.add_argument("folder", help="what celaje labels export wrote")
    p.add_argument("--start", required=True, help="the checkpoint to begin with")
    p.add_argument("--base", required=True, help="the ONNX file of that checkpoint, with its manifest")
    p.add_argument("--program", default="celaje", help="the program celaje")
    p.add_argument("--cache", default="cache-station", help="folder for prepared pictures and checkpoints")
    p.add_argument("--out", default="station.onnx")
    p.add_argument("--steps", type=int, default=300)
    p.add_argument("--rate", type=float, default=2e-4, help="highest learning rate of the decoder")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--version", default="1")

    p = command("mean", mean, "the mean of the weights of checkpoints of one training")
    p.add_argument("models", nargs="+", help="checkpoints")
    p.add_argument("--out", default="mean.pt", help="the checkpoint to write")

    p = command("evaluate", evaluate, "the figures that celaje evaluate gives of networks, by group")
    p.add_argument("models", nargs="+", metavar="MODEL[=GROUPS]",
                   help="ONNX file with its manifest, and the groups that it has not learnt from")
    p.add_argument("--program", default="celaje", help="the program celaje")
    p.add_argument("--table", default="cache/all.csv", help="a table of labels that prepare wrote")

    p = command("calibrate", calibrate, "fit confidence and range on cameras that were left out")
    p.add_argument("models", nargs="+", metavar="MODEL=GROUPS",
                   help="ONNX file and the groups, a camera each, that it has not learnt from")
    p.add_argument("--cache", default="cache")
    p.add_argument("--plot", metavar="FILE.svg", help="draw the reliability of the cameras left out")
    p.add_argument("--out", default="calibration.json")

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
    p.add_argument("--in-floats", type=int, default=7, help="first convolutions that stay in floats")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--version", default="1")
    p.add_argument("--calibration", help="JSON that calibrate wrote")
    return top


def main():
    a = parser().parse_args()
    a.run(a)
