"""Training, in steps; the checkpoint holds a running mean of the weights."""

import copy
import json
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from .batches import Batches, rate
from .data import Cache
from .loss import total
from .network import Network, load, pretrained

# How much of the running mean of the weights a step leaves.
KEPT = 0.998
# The encoder's rate beside the decoder's: it comes with much that it has learnt already.
GENTLY = 0.2


def save(path, network, **more):
    weights = network.state_dict()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    torch.save({"config": network.config, "weights": weights, **more}, half)
    half.replace(path)


def groups(network, peak):
    """The parameters that are trained, with their highest rates and their decay."""
    for layer in network.frozen():
        layer.requires_grad_(False)
    found = []
    for name, one in network.named_parameters():
        part = name.split(".")[0]
        if not one.requires_grad:
            continue
        gently = part == "blocks"
        decay = 0.05 if one.ndim > 1 else 0.0
        found.append({"params": [one], "weight_decay": decay, "peak": peak * (GENTLY if gently else 1)})
    return found


def seen(network, image, side):
    """What the network says of pictures made `side` pixels wide, with the cells of the pictures
    themselves; and of where something lies on the lens."""
    cells = image.shape[-1] // 2
    if side != image.shape[-1]:
        image = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
    logits, film = network(image.contiguous(memory_format=torch.channels_last), spots=True)
    logits = logits.contiguous()
    if logits.shape[-1] != cells:
        logits = F.interpolate(logits, (cells, cells), mode="bilinear", align_corners=False)
    return logits, film


def train(cache, parts, out, steps, config=None, start=None, batch=8, peak=1e-3, seed=1, threads=2,
          workers=1, strong=1.0, every=500, without=(), shares=None, losses=None, ring=1.0,
          small=0.0, log=print):  # fmt: skip
    """Trains on the cache's `parts`, but for the groups `without`; writes the checkpoint `out`.

    `config`: the network's arguments; `start`: a checkpoint to begin with, or none: ImageNet's weights;
    `losses`: arguments of loss.total; `ring`: how much a cell beside the horizon counts; `shares`: group
    to its part of a batch, where it is not that of batches.SHARES; `small`: the share of the
    steps, the first ones, in which the network sees pictures of two thirds of its size, for less than half of
    the time.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cache = Cache(cache)
    if start:
        network, _ = load(start)
    else:
        network = pretrained(Network(**{"size": cache.size, **(config or {})}))
    network = network.to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(network).eval()
    places = cache.part(*parts, without=without)
    data = Batches(cache, places, batch, 2, seed, strong, ring, shares)
    loader = iter(torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers))
    optimiser = torch.optim.AdamW(groups(network, peak), lr=peak)
    told = f" without {', '.join(without)}" if without else ""
    log(f"{len(places)} pictures of {', '.join(parts)}{told}; {json.dumps(network.config)}; {steps} steps")
    pairs = [
        (held, new) for held, new in zip(mean.parameters(), network.parameters()) if new.requires_grad
    ]
    begun, running = time.time(), 0.0
    for step in range(1, steps + 1):
        now = next(loader)
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps, group["peak"])
        side = cache.size if step > small * steps else cache.size * 2 // 3 // 16 * 16
        logits, film = seen(network, now["image"], side)
        loss = total(logits, now, film, **(losses or {}))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(KEPT, step / (step + 10))
        with torch.no_grad():
            for held, new in pairs:
                held.lerp_(new, 1 - keep)
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            spent = time.time() - begun
            log(f"step {step} of {steps}, loss {running:.4f}, {spent / step:.3f} s a step")
        if step % every == 0 or step == steps:
            save(out, mean, step=step, seed=seed, parts=list(parts), without=list(without))
