"""A picture to what the network is fed, as crates/celaje-vision/src/picture/prepare.rs and geometry.rs do it.

Bilinear resizing is that of the Rust program to the last bit. Decoding a JPEG is but for a few
pixels in a thousand, which differ by one: see `decode` and `reduced`.
"""

import functools
import math

import numpy as np
from PIL import Image


def decode(path, divisor=1):
    """The picture in a file, RGB (Pillow), as crates/celaje-vision/src/picture/decode.rs has it; a JPEG of
    the familiar kinds at 1 / `divisor` (2, 4 or 8) of its width and height, rounded up.

    Decoders of JPEG may differ, and Pillow's and the Rust program's do: mostly in how they enlarge
    the colours, which have half the size, and in how they make RGB of them. So Pillow is asked for
    what comes before these, and they are done here as zune-jpeg does them. The inverse cosine
    transform remains: of the values it gives, one in 250 differs by one.
    """
    image = Image.open(path)
    if not familiar(image):
        return image.convert("RGB")
    width, height = image.size
    sampling, tables = [layer[1:3] for layer in image.layer], image.quantization
    steps = [tables[layer[3]] for layer in image.layer]
    halved = sampling[0] == (2, 2)
    whole_only = divisor == 1 or image.info.get("progressive")
    image.draft("YCbCr", image.size)
    y, cb, cr = np.moveaxis(np.asarray(image), -1, 0)
    if halved:
        # Of a JPEG decoded at half its size the colours are as they are stored.
        small = Image.open(path)
        small.draft("YCbCr", (width // 2, height // 2))
        cb, cr = np.moveaxis(np.asarray(small), -1, 0)[1:]
    if whole_only:
        if halved:
            cb, cr = (enlarge(plane, width, height) for plane in (cb, cr))
        return Image.fromarray(colour(y, cb, cr))
    side = 8 // divisor
    sides = (side, *[min(2 * side, 8) if halved else side] * 2)
    size = np.s_[: -(-height // divisor), : -(-width // divisor)]
    planes = (reduced(*one)[size] for one in zip((y, cb, cr), steps, sides))
    return Image.fromarray(colour(*planes, 16))


# Row and column of each coefficient of a block, in the order in which they are stored.
ZIGZAG = sorted(np.ndindex(8, 8), key=lambda at: (sum(at), at[1 - sum(at) % 2]))


def waves(side):
    """What a coefficient of each frequency (first axis) adds at each of `side` places of a block, float32."""
    u, x = np.mgrid[:side, :side].astype(np.float32)
    scale = np.where(u == 0, np.float32(np.sqrt(0.5)), np.float32(1)) / np.float32(2)
    return scale * np.cos((2 * x + 1) * u * np.float32(np.pi) / np.float32(2 * side))


def reduced(plane, steps, side):
    """A plane of a JPEG of which each block of 8×8 pixels becomes one of `side` × `side`, as
    crates/celaje-vision/src/picture/scaled/plane.rs makes them: of the lowest coefficients.

    Pillow's own decoding at a fraction takes means of pixels instead, and it tells no coefficients. So they are
    computed from the decoded pixels and rounded to the whole numbers of `steps` that they were. Beside the right and the lower border of a picture that ends within a
    block, and where a block is burnt out, that is an estimate.
    """
    rows, columns = (-(-n // 8) for n in plane.shape)
    full = np.pad(plane, [(0, 8 * m - n) for m, n in zip((rows, columns), plane.shape)], mode="edge")
    blocks = full.reshape(rows, 8, columns, 8).swapaxes(1, 2).astype(np.float32) - 128
    steps = np.asarray(steps, np.float32).reshape(8, 8)
    values = np.rint(waves(8) @ blocks @ waves(8).T / steps)
    light = np.full((rows, columns, side, side), 128.5, np.float32)
    wave = waves(side)
    for row, column in ZIGZAG:
        if max(row, column) < side:
            shape = (steps[row, column] * wave[row])[:, None] * wave[column]
            light += values[:, :, row, column, None, None] * shape
    pixels = np.clip(light, 0, 255).astype(np.uint8)
    return pixels.swapaxes(1, 2).reshape(rows * side, columns * side)


def divisor(of, size):
    """The divisor at which the program decodes a picture of `of` = (width, height) for an input of `size`:
    the picture stays at least twice as large as its place in the input."""
    _, _, w, h = content(of, size, "letterbox")
    times = min(of[0] // w, of[1] // h)
    return next((n for n in (8, 4, 2) if times // n >= 2), 1)


def familiar(image):
    """Whether a picture is a JPEG of the two kinds that cameras write: YCbCr, the colours at full
    size (4:4:4) or half of it (4:2:0)."""
    layers = getattr(image, "layer", [])
    if image.format != "JPEG" or image.mode != "RGB" or len(layers) != 3:
        return False
    if min(image.size) < 16 or image.info.get("adobe_transform", 1) != 1:
        return False
    if "jfif" not in image.info and [layer[0] for layer in layers] != [1, 2, 3]:
        return False
    sampling = [layer[1:3] for layer in layers]
    return sampling in ([(1, 1)] * 3, [(2, 2), (1, 1), (1, 1)])


def enlarge(plane, width, height):
    """A plane of colour at twice its size, cut to `width` × `height`: rows first, then columns, each
    pixel three quarters of the nearest and a quarter of the next, rounded each time."""
    for _ in range(2):
        # The border's pixels count as their own neighbours.
        wide = np.concatenate([plane[:1], plane, plane[-1:]]).astype(np.int16)
        near = 3 * wide[1:-1] + 2
        both = np.stack([near + wide[:-2], near + wide[2:]], 1) >> 2
        plane = both.reshape(-1, plane.shape[1]).T
    return plane[:height, :width]


def colour(y, cb, cr, bits=14):
    """YCbCr to height × width × RGB, with so many bits after the point: fourteen as zune-jpeg has it,
    sixteen as crates/celaje-vision/src/picture/scaled/mod.rs."""
    half, red, green, blue = {
        14: (8191, 22970, (5638, 11700), 29032), 16: (1 << 15, 91881, (22554, 46802), 116130)
    }[bits]  # fmt: skip
    y, cb, cr = (y.astype(np.int32) << bits) + half, cb.astype(np.int32) - 128, cr.astype(np.int32) - 128
    rgb = np.empty((*y.shape, 3), np.uint8)
    for i, value in enumerate((y + red * cr, y - green[0] * cb - green[1] * cr, y + blue * cb)):
        rgb[..., i] = np.clip(value >> bits, 0, 255)
    return rgb


def content(of, size, fit):
    """Where a picture of `of` = (width, height) lies in an input of `size` = (width, height).

    Returns left, top, width, height in the input's pixels.
    """
    if fit == "stretch":
        return 0, 0, size[0], size[1]
    scale = min(size[0] / of[0], size[1] / of[1])
    # Halves are rounded up, as Rust does for positive numbers.
    w, h = (min(max(math.floor(n * scale + 0.5), 1), most) for n, most in zip(of, size))
    return (size[0] - w) // 2, (size[1] - h) // 2, w, h


@functools.lru_cache(maxsize=64)
def weights(before, after):
    """How a side of `before` pixels becomes one of `after`, as fast_image_resize 6 does it.

    Returns the pixels that each of the `after` pixels is made of, their weights (whole numbers; both
    `after` × the most pixels that any is made of) and how many bits of a weight are its fraction.
    """
    scale = before / after
    radius = max(scale, 1.0)
    middle = (np.arange(after) + 0.5) * scale
    first = np.maximum(np.floor(middle - radius), 0).astype(np.int64)
    end = np.minimum(np.ceil(middle + radius), before).astype(np.int64)
    steps = np.arange((end - first).max())
    places = first[:, None] + steps
    # In the order of the operations there, for the same roundings.
    far = np.abs((places - (middle - 0.5)[:, None]) * (1.0 / radius))
    share = np.where((places < end[:, None]) & (far < 1.0), 1.0 - far, 0.0)
    total = np.zeros(after)
    for column in share.T:
        total += column
    share /= total[:, None]
    # As many bits as a weight of 16 bits with a sign has room for.
    bits = 0
    while bits < 21 and math.floor(share.max() * 2.0 ** (bits + 1) + 0.5) < 1 << 15:
        bits += 1
    share = share * 2.0**bits
    whole = np.floor(share)
    whole = (whole + (share - whole >= 0.5)).astype(np.int32)
    # Nothing is read beyond the last pixel, where the weights are zero.
    return np.minimum(places, before - 1), whole, bits


def pass_over(pixels, after):
    """`pixels` with `after` rows instead of those it has."""
    if len(pixels) == after:
        return pixels
    places, whole, bits = weights(len(pixels), after)
    rows = pixels.reshape(len(pixels), -1)
    total = np.full((after, rows.shape[1]), 1 << (bits - 1), np.int32)
    for place, weight in zip(places.T, whole.T):
        total += rows[place] * weight[:, None]
    return np.minimum(total >> bits, 255).astype(np.uint8).reshape(after, *pixels.shape[1:])


def resize(pixels, width, height):
    """`pixels` (height × width × channels uint8) in another size, bilinear, bit for bit what the
    Rust program makes of them: rows first, then columns, rounded to eight bits each time."""
    tall = pass_over(pixels, height).swapaxes(0, 1)
    return pass_over(tall, width).swapaxes(0, 1)


def frame(path, size):
    """What the network is fed of the picture in a file: as `lay`, letterboxed."""
    of = Image.open(path).size
    return lay(decode(path, divisor(of, size)), size, "letterbox", of=of)


def lay(image, size, fit, filter=Image.Resampling.BILINEAR, of=None):
    """`image` (Pillow) laid into a black canvas of `size` = (width, height); `of`: the size of the picture
    that it is a smaller one of.

    Returns height × width × channels uint8 and the content's rectangle.
    """
    left, top, w, h = content(of or image.size, size, fit)
    if filter == Image.Resampling.BILINEAR:
        part = resize(np.asarray(image), w, h)
    else:
        part = np.asarray(image.resize((w, h), filter))
    canvas = np.zeros((size[1], size[0], *part.shape[2:]), np.uint8)
    canvas[top : top + h, left : left + w] = part
    return canvas, (left, top, w, h)


def inside(rectangle, size, cells):
    """Which of `cells` = (columns, rows) have their centre in `rectangle` of an input of `size`.

    Returns rows × columns booleans, as crates/celaje-vision/src/reading/segmentation.rs judges them.
    """
    left, top, w, h = rectangle
    x = (np.arange(cells[0]) + 0.5) * size[0] / cells[0]
    y = (np.arange(cells[1]) + 0.5) * size[1] / cells[1]
    return ((y >= top) & (y < top + h))[:, None] & ((x >= left) & (x < left + w))[None]
