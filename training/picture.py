"""A picture to what the network is fed, as src/image/prepare.rs and geometry.rs do it."""

import math

import numpy as np
from PIL import Image


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


def lay(image, size, fit, filter=Image.Resampling.BILINEAR):
    """`image` (Pillow) laid into a black canvas of `size` = (width, height).

    Returns height × width × channels uint8 and the content's rectangle.
    """
    left, top, w, h = content(image.size, size, fit)
    part = np.asarray(image.resize((w, h), filter))
    canvas = np.zeros((size[1], size[0], *part.shape[2:]), np.uint8)
    canvas[top : top + h, left : left + w] = part
    return canvas, (left, top, w, h)


def inside(rectangle, size, cells):
    """Which of `cells` = (columns, rows) have their centre in `rectangle` of an input of `size`.

    Returns rows × columns booleans, as src/model/segmentation.rs judges them.
    """
    left, top, w, h = rectangle
    x = (np.arange(cells[0]) + 0.5) * size[0] / cells[0]
    y = (np.arange(cells[1]) + 0.5) * size[1] / cells[1]
    return ((y >= top) & (y < top + h))[:, None] & ((x >= left) & (x < left + w))[None]
