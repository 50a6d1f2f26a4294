"""What training minimises.

`logits` n × 4 × h × w; `target` n × h × w: the number of the class of each cell, as a float (whole
numbers are slow here), 3 for sky or cloud, nobody knows which; `weight` n × h × w: how much a cell counts, 0 where nothing is known; `low`,
`high` n: the bounds of the cloud fraction; `inside` n × h × w: 1 on the picture, 0 on letterbox
bars; `lens` n: 1 with something on the lens, 0 without, negative where it is not known; `cover` n ×
S × S: how far what lies there hides each pixel of the input, negative where that is not known; `set`
n: pictures with the same number are views of one observation, whose mean fraction has the bounds.
"""

import torch
from torch.nn import functional as F

from .network import BACKGROUND, CLOUD, OBSTRUCTED, SKY

# The reported fraction counts each cell for its most probable class: softmax of logits multiplied
# by this comes near to that and still has a slope.
SHARPNESS = 5.0
CELLS = slice(BACKGROUND, CLOUD + 1)
# The target of a cell that is sky or cloud.
OPEN_CELL = 3
# How much more a cell counts that something lies on: few do.
RARE = 10.0


def dice(p, target, weight):
    """1 - Dice's coefficient of sky and of cloud, over the batch; `p` probabilities of the cells."""
    loss = 0.0
    for kind in (SKY, CLOUD):
        t = (target == kind).float() * weight
        q = p[:, kind] * weight
        loss = loss + 1 - (2 * (q * t).sum() + 1) / (q.sum() + t.sum() + 1)
    return loss / 2


def fraction(logits, seen, sharpness=SHARPNESS):
    """The soft cloud fraction of each picture: n; `seen` n × h × w: how far a cell is open sky."""
    cloud = (sharpness * (logits[:, CLOUD] - logits[:, SKY])).sigmoid() * seen
    return cloud.sum((1, 2)) / (seen.sum((1, 2)) + 1e-3)


def beyond(value, low, high):
    """How far `value` lies outside [low, high]; zero inside. This is the ordinal loss: an okta's
    interval of fractions costs nothing, and what lies farther away costs more."""
    return F.relu(low - value) + F.relu(value - high)


def mean_of_sets(values, sets):
    """The mean of the `values` (n) of each set, for each of its members: n."""
    count = int(sets.max()) + 1
    total = torch.zeros(count).index_add(0, sets, values)
    return (total / torch.bincount(sets, minlength=count))[sets]


def uniform(logits, seen, cloudy):
    """Cross-entropy of pictures known to be all cloud (`cloudy` 1) or all sky (0), over whatever
    the network does not take for background (`seen`): n."""
    gap = logits[:, CLOUD] - logits[:, SKY]
    each = F.softplus(torch.where(cloudy[:, None, None] > 0.5, -gap, gap)) * seen
    return each.sum((1, 2)) / seen.sum((1, 2)).clamp(min=1.0)


def obstruction(logits, inside, lens):
    """Cross-entropy of "something lies on the lens", over the pictures of which that is known."""
    mean = (logits[:, OBSTRUCTED] * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1.0)
    return lens_entropy(mean, lens)


def lens_entropy(mean, lens):
    """The same, of each picture's one logit (`mean`: n)."""
    known = (lens >= 0).float()
    each = F.binary_cross_entropy_with_logits(mean, lens.clamp(0, 1), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1.0)


def on_lens(film, cover):
    """Cross-entropy of "something lies on the lens here" (`film` n × 1 × h × w: logits), in each cell of
    which it is known. Without this the picture's one label teaches dew and snow but next to nothing of
    drops, which hide little of it."""
    side = cover.shape[-1] // film.shape[-1]
    known = (F.avg_pool2d((cover[:, None] >= 0).float(), side) > 0.99).float()
    share = F.avg_pool2d(cover[:, None].clamp(min=0), side)
    each = F.binary_cross_entropy_with_logits(film, share, reduction="none")
    weight = known * (1 + RARE * share)
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def total(logits, batch, film=None, dice_weight=0.3, fraction_weight=4.0, uniform_weight=0.5,
          lens_weight=0.5, spots_weight=1.0):  # fmt: skip
    """The loss of a batch (a dictionary with the names above and `strong`: 1 where a mask
    says how much cloud there is); `film`:
    what the network says of where something lies on the lens."""
    logs = logits[:, CELLS].log_softmax(1)
    p = logs.exp()
    target, weight, inside = batch["target"], batch["weight"], batch["inside"]
    each = -sum(logs[:, kind] * (target == kind) for kind in range(CLOUD + 1))
    # Rounding may bring a sum of probabilities above 1.
    sky_or_cloud = torch.logaddexp(logs[:, SKY], logs[:, CLOUD]).clamp(max=0)
    each = each - sky_or_cloud * (target == OPEN_CELL)
    loss = (each * weight).sum() / weight.sum().clamp(min=1.0)
    if dice_weight:
        loss = loss + dice_weight * dice(p, target, weight * (target != OPEN_CELL))
    # What a mask leaves open does not count for the fraction that it gives.
    labelled = ((weight > 0) & (target != OPEN_CELL)).float()
    counted = torch.where(batch["strong"][:, None, None] > 0, labelled, inside)
    seen = ((1 - p[:, BACKGROUND]) * counted).detach()
    if fraction_weight:
        soft = mean_of_sets(fraction(logits, seen), batch["set"])
        loss = loss + fraction_weight * beyond(soft, batch["low"], batch["high"]).mean()
    if uniform_weight:
        weak = 1 - batch["strong"]
        clear, overcast = (batch["high"] <= 0.03).float(), (batch["low"] >= 0.97).float()
        known = weak * (clear + overcast)
        loss = loss + uniform_weight * (uniform(logits, seen, overcast) * known).mean()
    if lens_weight:
        loss = loss + lens_weight * obstruction(logits, inside, batch["lens"])
    if spots_weight and film is not None:
        loss = loss + spots_weight * on_lens(film, batch["cover"])
    return loss
