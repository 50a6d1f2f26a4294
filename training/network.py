"""The network: a thin encoder and decoder, input N×3×S×S (RGB, 0 to 1), logits N×4×S×S.

The first three channels compete in each cell: background, sky, cloud. The fourth stands alone: its
mean over the picture is the logit of "something lies on the lens".
"""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ("background", "sky", "cloud", "obstructed")
BACKGROUND, SKY, CLOUD, OBSTRUCTED = range(4)


def block(into, out, stride=1, kernel=3):
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class Network(nn.Module):
    """`width`: channels at half the input's size; `stride`: input pixels a cell (1, 2 or 4).

    Skips are added, not concatenated. Means over the whole picture, at each level, let each cell know
    what kind of picture it is in (night, overcast, clear; sharp, or blurred by what lies on the lens:
    that shows in the fine levels). With stride 1 the head gives
    each 2×2 block of cells at half the input's size, which costs next to nothing. `size`: side of the
    input, a multiple of 16.
    """

    def __init__(self, width=16, stride=1, depth=2, size=192):
        super().__init__()
        w = width
        self.config = {"width": width, "stride": stride, "depth": depth, "size": size}
        self.stem = block(3, w, 2)
        self.down4 = nn.Sequential(block(w, 2 * w, 2), block(2 * w, 2 * w))
        self.down8 = nn.Sequential(block(2 * w, 4 * w, 2), block(4 * w, 4 * w))
        deep = [block(6 * w, 6 * w) for _ in range(depth)]
        self.down16 = nn.Sequential(block(4 * w, 6 * w, 2), *deep)
        # Where in the picture a cell lies: a camera's rim is always in the same place.
        self.place = nn.Parameter(torch.zeros(1, 6 * w, size // 16, size // 16))
        self.pool = nn.AdaptiveAvgPool2d(1)
        # Where something lies on the lens, and how much of it is how sure. Drops are few and small: means
        # of what the encoder makes of clouds would not tell of them.
        self.spots = nn.Sequential(block(4 * w, 2 * w), nn.Conv2d(2 * w, 1, 1))
        self.sure = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(inplace=True))
        with torch.no_grad():
            self.sure[0].weight.fill_(1.0)
            self.sure[0].bias.copy_(torch.arange(-1.0, 3.0))
        self.gist = nn.Sequential(nn.Conv2d(13 * w + 4, 4 * w, 1), nn.ReLU(inplace=True))
        self.context = nn.Conv2d(4 * w, 6 * w, 1)
        self.side8, self.up8 = nn.Conv2d(6 * w, 4 * w, 1), block(4 * w, 4 * w)
        self.side4, self.up4 = nn.Conv2d(4 * w, 2 * w, 1), block(2 * w, 2 * w)
        last = 2 * w
        if stride <= 2:
            self.side2, self.up2 = nn.Conv2d(2 * w, w, 1), block(w, w)
            last = w
        out = len(CLASSES) * (4 if stride == 1 else 1)
        self.head = nn.Conv2d(last, out, 1)
        # What the picture as a whole says, above all whether something lies on the lens.
        self.whole = nn.Conv2d(4 * w, len(CLASSES), 1)

    def forward(self, image, spots=False):
        """The logits; with `spots`, for training, also those of "something lies on the lens here",
        N×1×S/8×S/8."""
        c2 = self.stem(image)
        c4 = self.down4(c2)
        c8 = self.down8(c4)
        c16 = self.down16(c8) + self.place
        film = self.spots(c8)
        gist = self.gist(torch.cat([self.pool(c) for c in (c16, c8, c4, c2, self.sure(film))], 1))
        c16 = c16 + self.context(gist)
        x = self.up8(c8 + enlarge(self.side8(c16)))
        x = self.up4(c4 + enlarge(self.side4(x)))
        if self.config["stride"] <= 2:
            x = self.up2(c2 + enlarge(self.side2(x)))
        x = self.head(x)
        x = F.pixel_shuffle(x, 2) if self.config["stride"] == 1 else x
        x = x + self.whole(gist)
        return (x, film) if spots else x


def enlarge(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def load(path):
    """The network of a checkpoint, ready for use, and the checkpoint itself."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    network = Network(**saved["config"])
    network.load_state_dict(saved["weights"])
    return network.eval(), saved


def mean(paths):
    """The checkpoint half-way between those of `paths`: the mean of their weights.

    Of a network before and after a stage of its training it keeps what either is good at (Wortsman
    et al. 2022, Robust fine-tuning of zero-shot models). ValueError when the networks differ.
    """
    saved = [load(path)[1] for path in paths]
    first = saved[0]
    if any(one["config"] != first["config"] for one in saved):
        raise ValueError("networks of different shapes have no mean")
    weights = {
        name: torch.stack([one["weights"][name] for one in saved]).mean(0)
        if tensor.is_floating_point() else tensor
        for name, tensor in first["weights"].items()
    }  # fmt: skip
    return {"config": first["config"], "weights": weights, "mean_of": len(saved)}
