"""A picture to what the network is fed, as crates/celaje-vision/src/picture/prepare.rs and geometry.rs do it.

Bilinear resizing is that of the Rust program to the last bit. Decoding a JPEG is but for a few
pixels in a thousand, which differ by one: see `decode`.
"""

import functools
import math

import numpy as np
from PIL import Image


def decode(path):
    """The picture in a file, RGB (Pillow), as crates/celaje-vision/src/picture/decode.rs has it.

    Decoders of JPEG may differ, and Pillow's and the Rust program's do: mostly in how they enlarge
    the colours, which have half the size, and in how they make RGB of them. So Pillow is asked for
    what comes before these, and they are done here as zune-jpeg does them. The inverse cosine
    transform remains: of the values it gives, one in 250 differs by one.
    """
    image = Image.open(path)
    if not familiar(image):
        return image.convert("RGB")
    width, height = image.size
    halved = image.layer[0][1:3] == (2, 2)
    image.draft("YCbCr", image.size)
    planes = np.asarray(image)
    if not halved:
        return Image.fromarray(colour(*np.moveaxis(planes, -1, 0)))
    # Of a JPEG decoded at half its size the colours are as they are stored.
    small = Image.open(path)
    small.draft("YCbCr", (width // 2, height // 2))
    small = np.asarray(small)
    cb, cr = (enlarge(small[..., i], width, height) for i in (1, 2))
    return Image.fromarray(colour(planes[..., 0], cb, cr))


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


def colour(y, cb, cr):
    """YCbCr to height × width × RGB, with fourteen bits after the point."""
    y, cb, cr = (y.astype(np.int32) << 14) + 8191, cb.astype(np.int32) - 128, cr.astype(np.int32) - 128
    rgb = np.empty((*y.shape, 3), np.uint8)
    for i, value in enumerate((y + 22970 * cr, y - 11700 * cr - 5638 * cb, y + 29032 * cb)):
        rgb[..., i] = np.clip(value >> 14, 0, 255)
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


def lay(image, size, fit, filter=Image.Resampling.BILINEAR):
    """`image` (Pillow) laid into a black canvas of `size` = (width, height).

    Returns height × width × channels uint8 and the content's rectangle.
    """
    left, top, w, h = content(image.size, size, fit)
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
