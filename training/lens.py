"""Training what tells that something lies on the lens, of a network whose encoder stays as it is.

What the encoder makes of a few thousand views is computed once, so that many more steps can be made of
them in the same time than of the whole network.
"""

import copy

import numpy as np
import torch

from .batches import Batches
from .data import Cache
from .loss import lens_entropy, on_lens
from .network import load
from .train import save

# The layers that are trained.
LAYERS = ("film4", "film8", "spots", "sure", "gist", "lens")
# Each kind's part of the views: drawn lenses with something on them, the same weather without, and
# photographs, whose lenses are clean but for drops and dew drawn over some.
PARTS = {"lens": 0.4, "drawn": 0.3, "taken": 0.3}
BATCH = 32


def kind(group):
    return "lens" if group.endswith("-lens") else "drawn" if group.startswith("simulated") else "taken"


def shares(groups):
    """Each group's part of the views."""
    kinds = [kind(group) for group in groups]
    return {group: PARTS[kind(group)] / kinds.count(kind(group)) for group in groups}


def features(network, batch):
    """What the lens's part sees of a batch, in half the precision, and the labels: a tuple a picture."""
    with torch.no_grad():
        _, c4, c8, c16 = network.features(batch["image"])
        mean = network.pool(c16)
    rows = zip(c4.half(), c8.half(), mean, batch["lens"], batch["cover"].half())
    return list(rows)


def train(cache, parts, start, out, views=3000, steps=3000, peak=4e-3, seed=1, threads=2, without=(), log=print):
    """Trains the lens's part of the checkpoint `start` on `views` views of the cache's `parts`; writes the
    checkpoint `out`."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cache = Cache(cache)
    network, _ = load(start)
    places = cache.part(*parts, without=without)
    data = Batches(cache, places, 8, 2, seed, shares=shares({cache.samples[i].group for i in places}))
    rng, rows = np.random.default_rng(seed), []
    while len(rows) < views:
        rows += features(network, data.batch(rng))
    log(f"{len(rows)} views, {sum(float(row[3]) > 0 for row in rows)} with something on the lens")
    chosen = [one for name, one in network.named_parameters() if name.split(".")[0] in LAYERS]
    optimiser = torch.optim.AdamW(chosen, lr=peak, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, steps, pct_start=0.1)
    mean, running = copy.deepcopy(network), 0.0
    for step in range(1, steps + 1):
        some = [rows[k] for k in rng.integers(0, len(rows), BATCH)]
        c4, c8, gist, lens, cover = (torch.stack(column).float() for column in zip(*some))
        said, where = network.on_lens(c4, c8, gist)
        loss = lens_entropy(said[:, 0, 0, 0], lens) + on_lens(where, cover)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        keep = min(0.998, step / (step + 10))
        with torch.no_grad():
            for held, new in zip(mean.parameters(), network.parameters()):
                held.lerp_(new, 1 - keep)
        running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
        if step % 200 == 0:
            log(f"step {step} of {steps}, loss {running:.4f}")
    save(out, mean, step=steps, seed=seed, parts=list(parts), without=list(without))
