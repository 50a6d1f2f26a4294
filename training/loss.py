"""What training minimises.

`logits` n × 3 × h × w; `target` n × 3 × h × w: each cell's shares of background, sky and cloud;
`weight` n × h × w: how much a cell counts, 0 where nothing is known; `low`, `high` n: the bounds
of the cloud fraction; `inside` n × h × w: 1 on the picture, 0 on letterbox bars.
"""

import torch
from torch.nn import functional as F

from .network import CLOUD, SKY

# The reported fraction counts each cell for its most probable class: softmax of logits multiplied
# by this comes near to that and still has a slope.
SHARPNESS = 5.0


def cross_entropy(logits, target, weight):
    each = -(target * F.log_softmax(logits, 1)).sum(1)
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def dice(logits, target, weight):
    """1 - Dice's coefficient of sky and of cloud, over the batch."""
    p = logits.softmax(1)[:, 1:] * weight[:, None]
    t = target[:, 1:] * weight[:, None]
    over = (0, 2, 3)
    return (1 - (2 * (p * t).sum(over) + 1) / (p.sum(over) + t.sum(over) + 1)).mean()


def fraction(logits, inside, sharpness=SHARPNESS):
    """The soft cloud fraction of each picture: n."""
    p = (logits * sharpness).softmax(1) * inside[:, None]
    cloud, sky = p[:, CLOUD].sum((1, 2)), p[:, SKY].sum((1, 2))
    return cloud / (cloud + sky + 1e-3)


def beyond(value, low, high):
    """How far `value` lies outside [low, high]; zero inside. This is the ordinal loss: an okta's
    interval of fractions costs nothing, and what lies farther away costs more."""
    return F.relu(low - value) + F.relu(value - high)


def uniform(logits, inside, cloudy):
    """Cross-entropy of pictures known to be all cloud (`cloudy` 1) or all sky (0), over whatever
    the network does not take for background: n."""
    p = logits.softmax(1)
    open_sky = (1 - p[:, 0]).detach() * inside
    pair = F.log_softmax(logits[:, 1:], 1)
    each = torch.where(cloudy[:, None, None] > 0.5, -pair[:, 1], -pair[:, 0])
    return (each * open_sky).sum((1, 2)) / open_sky.sum((1, 2)).clamp(min=1.0)


def total(logits, batch, dice_weight=0.3, fraction_weight=4.0, uniform_weight=0.5):
    """The loss of a batch (a dictionary with the names above and `strong`: 1 with a mask)."""
    loss = cross_entropy(logits, batch["target"], batch["weight"])
    if dice_weight:
        loss = loss + dice_weight * dice(logits, batch["target"], batch["weight"])
    soft = fraction(logits, batch["inside"])
    loss = loss + fraction_weight * beyond(soft, batch["low"], batch["high"]).mean()
    weak = 1 - batch["strong"]
    clear, overcast = (batch["high"] <= 0.03).float(), (batch["low"] >= 0.97).float()
    known = weak * (clear + overcast)
    if uniform_weight and known.sum() > 0:
        loss = loss + uniform_weight * (
            (uniform(logits, batch["inside"], overcast) * known).sum() / len(known)
        )
    return loss
