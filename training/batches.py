"""Batches for training: which pictures, and what the loss needs to know of each."""

import math

import numpy as np
import torch
from scipy import ndimage

from . import augment
from .data import BACKGROUND, CLOUD, OPEN, OUTSIDE, SKY, UNDEFINED, UNSURE

# How large a part of each batch a group gets; a group that is not named counts as `other`.
SHARES = {
    "allsky-day": 0.20,
    "allsky-clear": 0.06,
    "perspective-day": 0.07,
    "allsky-night": 0.05,
    "landscape-day-dslr": 0.11,
    "landscape-day-ov5640": 0.08,
    "landscape-day-globe": 0.05,
    "night-colour-patches": 0.10,
    "day-patches-types": 0.06,
    "landscape-types": 0.07,
    "fisheye-obstructions": 0.05,
    "simulated-fisheye-day": 0.01,
    "simulated-fisheye-twilight": 0.01,
    "simulated-fisheye-night": 0.02,
    "simulated-fisheye-lens": 0.02,
    "simulated-landscape-day": 0.01,
    "simulated-landscape-twilight": 0.02,
    "simulated-landscape-night": 0.02,
    "simulated-landscape-lens": 0.02,
    "other": 0.2,
}
# Views of one observation that are learnt from together: their mean is compared with its class.
TOGETHER = 3
# How much a cell counts beside the horizon, where labels are noisy, and on the sun's disc, which
# is labelled undefined and taken for background.
RING, SUN = 1.0, 1.5
RING_CELLS = 6


def majority(mask, stride):
    """`mask` S × S codes to S/stride × S/stride, each cell the code that most of it has."""
    if stride == 1:
        return mask
    size = len(mask) // stride
    cells = mask.reshape(size, stride, size, stride)
    counts = np.stack([(cells == code).sum((1, 3)) for code in range(OPEN + 1)])
    return counts.argmax(0).astype(np.uint8)


def cells(mask, stride, ring=RING):
    """What the loss wants of a mask of S × S codes: class (3: sky or cloud), weight and inside of each
    cell.

    Each S/stride × S/stride, float32.
    """
    code = majority(mask, stride)
    inside = code != OUTSIDE
    target = np.select([code == SKY, code == CLOUD, code == OPEN], [1, 2, 3], 0)
    weight = inside.astype(np.float32)
    if ring != 1.0:
        ground = (code == BACKGROUND) | ~inside
        wide = 2 * max(RING_CELLS // stride, 1) + 1
        weight[ndimage.maximum_filter(ground, wide) & ~ground] *= ring
    weight[code == UNDEFINED] = SUN
    weight[code == UNSURE] = 0
    return target.astype(np.float32), weight, inside.astype(np.float32)


def bounds(sample, target, weight):
    """The cloud fraction's bounds for a view: of the mask where there is one."""
    if not sample.amount:
        return sample.low, sample.high
    known = weight > 0
    sky, cloud = ((target == 1) & known).sum(), ((target == 2) & known).sum()
    if sky + cloud < 0.02 * known.size:
        return 0.0, 1.0
    f = cloud / (sky + cloud)
    return max(f - 0.002, 0.0), min(f + 0.002, 1.0)


class Batches(torch.utils.data.IterableDataset):
    """Endless batches of `count` pictures of the cache's `places`."""

    def __init__(self, cache, places, count, stride, seed, strong=1.0, ring=RING, shares=None):
        super().__init__()
        self.cache, self.count, self.stride = cache, count, stride
        self.seed, self.strong, self.ring = seed, strong, ring
        self.groups = {}
        for i in places:
            self.groups.setdefault(cache.samples[i].group, []).append(i)
        names = list(self.groups)
        shares = {**SHARES, **(shares or {})}
        part = np.array([shares.get(name, shares["other"]) for name in names])
        self.observations = {}
        for i in places:
            sample = cache.samples[i]
            if sample.observation:
                self.observations.setdefault(sample.observation, []).append(i)
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
            for number, i in enumerate(rng.choice(self.groups[name], n)):
                views = self.observations.get(self.cache.samples[i].observation, [i])
                count = min(TOGETHER, len(views))
                for view in rng.choice(views, count, replace=False):
                    rows.append((*self.one(rng, view), f"{name}-{number}"))
        (*columns, sets) = zip(*rows)
        picture, target, weight, inside, low, high, strong, lens, cover = columns
        _, sets = np.unique(sets, return_inverse=True)
        as_float = lambda values: torch.tensor(values, dtype=torch.float32)
        return {
            "image": torch.from_numpy(np.stack(picture)).permute(0, 3, 1, 2),
            "target": torch.from_numpy(np.stack(target)),
            "weight": torch.from_numpy(np.stack(weight)),
            "inside": torch.from_numpy(np.stack(inside)),
            "low": as_float(low),
            "high": as_float(high),
            "strong": as_float(strong),
            "lens": as_float(lens),
            "cover": torch.from_numpy(np.stack(cover)),
            "set": torch.from_numpy(sets),
        }

    def one(self, rng, i):
        """One view of the cache's picture `i` and what the loss needs to know of it."""
        sample = self.cache.samples[i]
        picture, mask, lens, cover = augment.draw(rng, self.cache, i, self.strong)
        target, weight, inside = cells(mask, self.stride, self.ring)
        # Bars and the dark round a dome's picture are no background of one whose cells are unknown.
        if not (sample.mask or (mask == OPEN).any()):
            weight[:] = 0
        low, high = bounds(sample, target, weight)
        return picture, target, weight, inside, low, high, sample.amount, lens, cover


def rate(step, steps, peak, warm=0.05):
    """Learning rate: a short rise, then a cosine down to a hundredth."""
    x = step / max(steps, 1)
    if x < warm:
        return peak * x / warm
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (x - warm) / (1 - warm))))
