"""Training, in steps; the checkpoint holds a running mean of the weights."""

import copy
import json
import time
from pathlib import Path

import numpy as np
import torch

from .batches import Batches, rate
from .data import Cache
from .evaluate import pixel_accuracy
from .loss import total
from .network import Network, load
from .reading import read_all, runner


# How much of the running mean of the weights a step leaves.
KEPT = 0.998


def score(cache, places, readings):
    """Per group: n, share of exact oktas, share within one, mean error of the fraction, and the
    share of pixels right."""
    from .okta import okta

    groups = {}
    for i, reading in zip(places, readings):
        sample = cache.samples[i]
        if np.isnan(sample.truth):
            continue
        fraction = 0.5 if np.isnan(reading.fraction) else reading.fraction
        off = abs(okta(fraction) - okta(sample.truth))
        pixels = pixel_accuracy(reading.best, cache.masks[i])
        groups.setdefault(sample.group, []).append((off, abs(fraction - sample.truth), pixels))
    return {
        group: (len(rows), np.mean([r[0] == 0 for r in rows]), np.mean([r[0] <= 1 for r in rows]),
                np.mean([r[1] for r in rows]), np.mean([r[2] for r in rows]))
        for group, rows in groups.items()
    }  # fmt: skip


def describe(scores):
    return "; ".join(
        f"{group} {exact:.0%}/{near:.0%} {error:.4f} {pixels:.1%}"
        for group, (_, exact, near, error, pixels) in scores.items()
    )


def save(path, network, **more):
    weights = network.state_dict()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    torch.save({"config": network.config, "weights": weights, **more}, half)
    half.replace(path)


def train(cache, parts, out, steps, config=None, start=None, batch=16, peak=3e-3, seed=1,
          threads=2, workers=1, strong=1.0, every=300, watch=("validation",), bf16=False,
          losses=None, ring=1.0, compiled=False, log=print):  # fmt: skip
    """Trains on the cache's `parts`; writes the checkpoint `out`. Gives the last scores.

    `config`: the network's arguments; `start`: a checkpoint to begin with instead; `losses`:
    arguments of loss.total; `ring`: how much a cell beside the horizon counts; `watch`: the parts that the log shows figures of.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cache = Cache(cache)
    if start:
        network, _ = load(start)
    else:
        network = Network(**{"size": cache.size, **(config or {})})
    network = network.to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(network).eval()
    places, watched = cache.part(*parts), cache.part(*watch)
    data = Batches(cache, places, batch, network.config["stride"], seed, strong, ring)
    loader = iter(torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers))
    decay = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=peak
    )
    log(f"{len(places)} pictures of {', '.join(parts)}; {json.dumps(network.config)}; {steps} steps")
    # Compiled, a step takes half the time or less; the first one a minute or two.
    run = torch.compile(network) if compiled else network
    cost = torch.compile(total) if compiled else total
    begun, running, scores = time.time(), 0.0, {}
    for step in range(1, steps + 1):
        now = next(loader)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps, peak)
        image = now["image"].to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits, film = run(image, spots=True)
        loss = cost(logits.float().contiguous(), now, film.float(), **(losses or {}))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(KEPT, step / (step + 10))
        with torch.no_grad():
            for held, new in zip(mean.state_dict().values(), network.state_dict().values()):
                if held.is_floating_point():
                    held.lerp_(new, 1 - keep)
                else:
                    held.copy_(new)
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            spent = time.time() - begun
            log(f"step {step} of {steps}, loss {running:.4f}, {spent / step:.3f} s a step")
        if step % every == 0 or step == steps:
            save(out, mean, step=step, seed=seed, parts=list(parts))
            if watched:
                scores = score(cache, watched, read_all(runner(mean), cache, watched))
                log(f"  {', '.join(watch)}: {describe(scores)}")
    return scores
