"""Pictures of which a network knows nothing, drawn."""

import math

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

# The share of views that are made into something of which a network knows nothing.
STRANGE = 0.04
# How far a picture's channels must differ on average, 0 to 1, for an exchange of them to show.
COLOURED = 0.15


def skin(rng, size):
    """A hand before the lens: fingers or a palm, out of focus, lit from behind."""
    yy, xx = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    shade = ndimage.zoom(rng.uniform(0.6, 1.2, (5, 5)), size / 5, order=1)[:size, :size]
    angle, wide = rng.uniform(0, math.pi), rng.uniform(0.1, 0.35)
    folds = np.abs(np.sin((xx * math.cos(angle) + yy * math.sin(angle)) / wide * math.pi))
    tone = np.array([0.85, 0.55, 0.42]) * rng.uniform(0.25, 1.15) + rng.normal(0, 0.04, 3)
    return (shade * (1 - rng.uniform(0, 0.6) * (1 - folds) ** 3))[..., None] * tone


def screen(rng, size):
    """A screenshot or a page of text: plain surfaces, boxes, lines of letters."""
    paper = rng.uniform(0.85, 1) if rng.random() < 0.6 else rng.uniform(0, 0.25)
    image = Image.new("RGB", (size, size), tuple(int(255 * paper + k) for k in rng.integers(-6, 1, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 9)):
        x, y, w, h = rng.integers(0, size, 4)
        draw.rectangle([x, y, x + w, y + h // 2], fill=tuple(rng.integers(0, 256, 3).tolist()))
    ink = tuple((np.zeros(3) if paper > 0.5 else np.full(3, 230)).astype(int).tolist())
    step = int(rng.integers(9, 22))
    for y in range(int(rng.integers(2, 30)), size, step):
        words = "".join(rng.choice(list("abcdefghij klmnop qrstuv 0123456789.,:/"), rng.integers(5, 40)))
        draw.text((rng.integers(2, 20), y), words, fill=ink)
    return np.asarray(image, np.float32) / 255


def noise(rng, size):
    """Noise of any grain, in colours or greys: a broken sensor, a lost signal."""
    n = max(int(size / rng.choice([1, 1, 2, 4, 12])), 8)
    grain = rng.uniform(0, 1, (n, n, 3)) if rng.random() < 0.7 else rng.uniform(0, 1, (n, n, 1))
    middle = rng.uniform(0.3, 0.7, 3) if rng.random() < 0.3 else np.full(3, 0.5)
    grain = (grain - 0.5) * rng.uniform(0.4, 1.0) + middle
    grown = np.repeat(np.repeat(grain, -(-size // n), 0), -(-size // n), 1)[:size, :size]
    return np.clip(grown, 0, 1)


def strange(rng, picture):
    """What no sky looks like: the picture's own colours exchanged or turned into their negative, noise,
    a hand, a screen. It is background all over, so that a reading of it has no sky."""
    size, kind = len(picture), rng.random()
    # Without its colours a picture's negative may well be a sky.
    if kind < 0.3 and (picture.max(2) - picture.min(2)).mean() > COLOURED:
        return (1 - picture) if rng.random() < 0.6 else picture[..., [[2, 1, 0], [1, 0, 2]][rng.integers(2)]]
    return [noise, skin, screen][min(int((kind - 0.3) / 0.7 * 3), 2)](rng, size)
