"""Batches for training: which pictures, and what the loss needs to know of each."""

import math

import numpy as np
import torch
from scipy import ndimage

from . import augment
from .data import BACKGROUND, CLOUD, OUTSIDE, SKY, UNDEFINED

# How large a part of each batch a group gets; a group that is not named counts as `other`.
SHARES = {
    "allsky-day": 0.52,
    "allsky-clear": 0.06,
    "perspective-day": 0.12,
    "allsky-night": 0.08,
    "simulated-fisheye-day": 0.03,
    "simulated-fisheye-twilight": 0.02,
    "simulated-fisheye-night": 0.04,
    "simulated-landscape-day": 0.04,
    "simulated-landscape-twilight": 0.03,
    "simulated-landscape-night": 0.06,
    "other": 0.2,
}
EDGE, RING, SUN = 0.8, 0.8, 1.0
RING_CELLS = 3


def shares(mask, stride):
    """Shares of background, sky and cloud in each cell, how much it counts, and where the picture is.

    `mask` S × S codes; gives 3 × S/stride × S/stride, then twice S/stride × S/stride, float32.
    Cells cut by an edge of the mask count EDGE, those beside the horizon RING, undefined ones (the
    sun's disc, taken for background) SUN.
    """
    size = len(mask) // stride

    def mean(where):
        cells = where.reshape(size, stride, size, stride)
        return cells.mean((1, 3), dtype=np.float32)

    undefined = mean(mask == UNDEFINED)
    target = np.stack([mean(mask == BACKGROUND) + undefined, mean(mask == SKY), mean(mask == CLOUD)])
    on = target.sum(0)
    target = target / np.maximum(on, 1e-6)
    pure = target.max(0) > 0.999
    weight = np.where(pure, 1.0, EDGE).astype(np.float32)
    beside = ndimage.maximum_filter(target[0] > 0.5, 2 * RING_CELLS + 1) & (target[0] < 0.5)
    weight[beside] *= RING
    weight[undefined > 0.5] = SUN
    inside = on > 0.5
    weight[~inside] = 0
    return target.astype(np.float32), weight, inside.astype(np.float32)


def bounds(sample, mask, target, inside):
    """The cloud fraction's bounds for a view: of the mask where there is one."""
    if not sample.mask:
        return sample.low, sample.high
    sky, cloud = (target[1] * inside).sum(), (target[2] * inside).sum()
    if sky + cloud < 0.02 * inside.size:
        return 0.0, 1.0
    f = cloud / (sky + cloud)
    return max(f - 0.002, 0.0), min(f + 0.002, 1.0)


class Batches(torch.utils.data.IterableDataset):
    """Endless batches of `count` pictures of the cache's `places`."""

    def __init__(self, cache, places, count, stride, seed, strong=1.0):
        super().__init__()
        self.cache, self.count, self.stride = cache, count, stride
        self.seed, self.strong = seed, strong
        self.groups = {}
        for i in places:
            self.groups.setdefault(cache.samples[i].group, []).append(i)
        names = list(self.groups)
        part = np.array([SHARES.get(name, SHARES["other"]) for name in names])
        self.names, self.chances = names, part / part.sum()

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            yield self.batch(rng)

    def batch(self, rng):
        # Whole numbers of each group as far as they go, chance for what is left over.
        want = self.chances * self.count
        whole = np.floor(want).astype(int)
        rest = self.count - whole.sum()
        if rest:
            spare = (want - whole) / (want - whole).sum()
            for g in rng.choice(len(self.names), rest, p=spare):
                whole[g] += 1
        rows = []
        for name, n in zip(self.names, whole):
            for i in rng.choice(self.groups[name], n):
                sample = self.cache.samples[i]
                picture, mask = augment.draw(rng, self.cache, i, self.strong)
                target, weight, inside = shares(mask, self.stride)
                if not sample.mask:
                    weight[:] = 0
                low, high = bounds(sample, mask, target, inside)
                rows.append((picture, target, weight, inside, low, high, bool(sample.mask)))
        picture, target, weight, inside, low, high, strong = zip(*rows)
        as_float = lambda values: torch.tensor(values, dtype=torch.float32)
        return {
            "image": torch.from_numpy(np.stack(picture)).permute(0, 3, 1, 2),
            "target": torch.from_numpy(np.stack(target)),
            "weight": torch.from_numpy(np.stack(weight)),
            "inside": torch.from_numpy(np.stack(inside)),
            "low": as_float(low),
            "high": as_float(high),
            "strong": as_float(strong),
        }


def rate(step, steps, peak, warm=0.05):
    """Learning rate: a short rise, then a cosine down to a hundredth."""
    x = step / max(steps, 1)
    if x < warm:
        return peak * x / warm
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (x - warm) / (1 - warm))))
