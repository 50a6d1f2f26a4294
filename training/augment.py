"""Pictures as other cameras, other weather and other hours would have taken them.

A view is an S × S × 3 float32 picture (0 to 1) and an S × S uint8 mask (codes of data.py).
"""

import io
import math

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from torch.nn import functional as F

from .data import BACKGROUND, CLOUD, OPEN, OUTSIDE, SKY, SKY_ALONE, UNDEFINED, UNKNOWN, UNSURE
from .strange import STRANGE, strange


def between(rng, low, high):
    return rng.uniform(low, high)


def warp(view, mask, size, centre, reach, angle, flip, shape=(1.0, 1.0)):
    """Cuts a square of `size` pixels: its centre and half its side in fractions of the canvas
    (-1 to 1), turned by `angle`; `shape` squeezes x and y."""
    cos, sin = math.cos(angle), math.sin(angle)
    sx, sy = reach * shape[0] * (-1 if flip else 1), reach * shape[1]
    theta = torch.tensor([[[cos * sx, -sin * sy, centre[0]], [sin * sx, cos * sy, centre[1]]]])
    grid = F.affine_grid(theta.float(), (1, 1, size, size), align_corners=False)
    picture = torch.tensor(np.asarray(view)).permute(2, 0, 1)[None].float() / 255
    codes = torch.tensor(np.asarray(mask))[None, None].float()
    picture = F.grid_sample(picture, grid, "bilinear", "zeros", align_corners=False)
    codes = F.grid_sample(codes, grid, "nearest", "zeros", align_corners=False)
    return picture[0].permute(1, 2, 0).numpy().copy(), codes[0, 0].to(torch.uint8).numpy().copy()


# A view's mask also carries what is known of the lens (codes of data.py), in steps of this (more than
# any code of a mask), until the view is cut.
STEP = 8


def exact(cache, i):
    """The network's own input, and its mask."""
    picture, cells, spots = cache.inputs[i], cache.cells[i], cache.spots[i]
    at = ((np.arange(len(cells)) + 0.5) * len(spots) / len(cells)).astype(int)
    return np.asarray(picture, np.float32) / 255, cells + STEP * spots[at][:, at]


def apart(mask):
    """A mask, and whether something on the lens hides each pixel: 1, 0, or -1 where nobody knows."""
    spots = (mask // STEP).astype(np.float32)
    spots[spots == UNKNOWN] = -1
    return mask % STEP, spots


def square_symmetry(rng, picture, mask):
    """One of the eight turns and reflections."""
    turns = rng.integers(4)
    picture, mask = np.rot90(picture, turns), np.rot90(mask, turns)
    if rng.random() < 0.5:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    return picture.copy(), mask.copy()


# How far from the horizon a fixed camera's labels hang on where in its picture it lies, in pixels.
RIM = 6


def unsure_rim(mask):
    """A turned view's mask without the cells beside the horizon. There the labels of a camera that
    is never turned follow a circle of its own, which no turned picture shows."""
    ground = (mask == BACKGROUND) | (mask == OUTSIDE)
    near = ndimage.maximum_filter(ground, 2 * RIM + 1) & ~ndimage.minimum_filter(ground, 2 * RIM + 1)
    return np.where(near & (mask != OUTSIDE), np.uint8(UNSURE), mask)


def bars(rng, picture, mask):
    """Makes a square view 4:3 or 16:9 by letterbox bars."""
    size = len(mask)
    height = round(size / rng.choice([4 / 3, 4 / 3, 16 / 9, 1.5]))
    top = (size - height) // 2
    for part in (slice(0, top), slice(top + height, size)):
        picture[part], mask[part] = 0, OUTSIDE
    return top, top + height


def skyline(rng, size):
    """How far houses and trees rise above the ground in each column, in parts of the picture."""
    ends = np.sort(rng.integers(0, size, rng.integers(2, 12)))
    heights = np.clip(rng.normal(0, between(rng, 0.02, 0.18), len(ends) + 1), 0, 0.45)
    rise = heights[np.searchsorted(ends, np.arange(size))]
    if rng.random() < 0.5:  # a roof's slope, a tree's crown
        rise = ndimage.gaussian_filter1d(rise, between(rng, 1, 8))
    if rng.random() < 0.5:  # leaves
        rise = rise * (1 + between(rng, 0, 0.3) * rng.normal(0, 1, size))
    return np.clip(rise, 0, 0.6)


def poles(rng, picture, mask, edge, bottom):
    """Masts and wires: dark or pale lines that are no sky."""
    size = len(mask)
    yy, xx = np.mgrid[:size, :size]
    for _ in range(rng.integers(1, 4)):
        x, lean = rng.integers(size), rng.normal(0, 0.05)
        if rng.random() < 0.3:  # a wire across
            y = between(rng, 0.1, 0.9) * size
            away = np.abs(yy - y - (xx - x) * rng.normal(0, 0.15))
        else:
            tip = edge[0, x] - between(rng, 0.05, 0.6) * bottom
            away = np.where(yy > tip, np.abs(xx - x - (yy - bottom) * lean), size)
        line = (away < between(rng, 0.5, 2.0)) & (mask != OUTSIDE)
        picture[line], mask[line] = picture[line] * between(rng, 0.1, 0.7), BACKGROUND


def ground(rng, picture, mask, top, bottom):
    """A strip of ground with an uneven upper edge, houses, trees and masts, lamps at night."""
    size = len(mask)
    share = between(rng, 0.06, 0.35) * (bottom - top)
    waves = sum(
        between(rng, 0, 0.03) * size * np.sin(np.arange(size) * between(rng, 0.01, 0.3) + k)
        for k in range(4)
    )
    if rng.random() < 0.5:
        waves = waves - skyline(rng, size) * (bottom - top)
    edge = (bottom - share + waves)[None]
    below = (np.arange(size)[:, None] >= edge) & (np.arange(size)[:, None] < bottom)
    below &= mask != OUTSIDE
    lit = max(float(picture[mask != OUTSIDE].mean()), 0.05) if (mask != OUTSIDE).any() else 0.2
    colour = between(rng, 0.1, 0.8) * np.exp(rng.normal(0, 0.25, 3)) * lit
    coarse = ndimage.zoom(rng.uniform(0.5, 1.3, (12, 12)), size / 12, order=1)[:size, :size]
    fine = rng.normal(1, 0.1, (size, size))
    earth = np.clip(colour[None, None] * (coarse * fine)[..., None], 0, 1)
    picture[below], mask[below] = earth[below], BACKGROUND
    if rng.random() < 0.3:
        poles(rng, picture, mask, edge, bottom)
    if rng.random() < 0.3:
        for _ in range(rng.integers(1, 6)):
            x = rng.integers(size)
            y = int(np.clip(edge[0, x] + rng.integers(1, 8), 1, size - 2))
            picture[max(y - 1, 0) : y + 1, max(x - 1, 0) : x + 1] = [1.0, 0.9, 0.6]


def text(rng, picture, top, bottom):
    """A line or two of overlay text; what lies under it keeps its class."""
    size = len(picture)
    layer = Image.new("L", (size, size))
    draw = ImageDraw.Draw(layer)
    for _ in range(rng.integers(1, 3)):
        words = "".join(rng.choice(list("ABCDEFGHIJKLMNOPQRS 0123456789-:./"), rng.integers(8, 30)))
        y = top + 2 if rng.random() < 0.5 else bottom - 12
        draw.text((rng.integers(0, size // 2), y), words, fill=255)
    ink = np.asarray(layer, np.float32)[..., None] / 255
    colour = np.float32(rng.choice([1.0, 1.0, 0.0]))
    picture[:] = picture * (1 - ink) + colour * ink


def colours(rng, picture, strength):
    """Exposure, gamma, colour temperature, tint and saturation; `strength` 1 is another camera."""
    gain = math.exp(rng.normal(0, 0.25 * strength))
    gamma = math.exp(rng.normal(0, 0.2 * strength))
    temperature, tint = rng.normal(0, 0.10 * strength), rng.normal(0, 0.04 * strength)
    saturation = math.exp(rng.normal(0, 0.3 * strength))
    balance = np.exp(np.array([temperature, tint, -temperature], np.float32))
    picture = np.clip(picture, 0, 1) ** gamma * gain * balance
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    picture = grey[..., None] + (picture - grey[..., None]) * saturation
    if rng.random() < 0.25 * strength:
        picture = picture + between(rng, 0, 0.12) * (1 - picture)
    return np.clip(picture, 0, 1)


def spoil(rng, picture, strength):
    """Noise, blur and JPEG."""
    if rng.random() < 0.5 * strength:
        picture = picture + rng.normal(0, between(rng, 0, 0.03), picture.shape)
    eight = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    if rng.random() < 0.2 * strength:
        eight = eight.filter(ImageFilter.GaussianBlur(between(rng, 0.3, 1.2)))
    if rng.random() < 0.4 * strength:
        file = io.BytesIO()
        eight.save(file, "JPEG", quality=int(rng.integers(35, 95)))
        eight = Image.open(file)
    return np.asarray(eight, np.float32) / 255


def stretch(rng, picture, mask):
    """Monochrome, its contrast stretched, as night cameras store it."""
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    seen = grey[(mask == SKY) | (mask == CLOUD)]
    if not len(seen):
        seen = grey.ravel()
    low = np.percentile(grey, 1) * between(rng, 0.3, 1.0)
    high = max(np.percentile(seen, between(rng, 95, 99.9)), low + 0.02)
    aim = between(rng, 0.15, 0.95)
    grey = np.clip((grey - low) / (high - low) * aim, 0, 1)
    return np.repeat(grey[..., None], 3, 2)


def night(rng, picture, mask):
    """A day picture as a monochrome night: smooth dark sky with stars and moon, cloud brighter
    (lit by the moon or a town) or darker than it, its texture from the picture. A part of the
    nights is made wholly clear or overcast. Gives the picture and its mask."""
    size = len(mask)
    yy, xx = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    open_sky, kind = (mask != BACKGROUND) & (mask != OUTSIDE), rng.random()
    if kind < 0.5:
        mask = mask.copy()
        mask[open_sky] = SKY if kind < 0.3 else CLOUD
    soft = ndimage.gaussian_filter((mask == CLOUD).astype(np.float32), between(rng, 0.5, 2.5))
    if kind >= 0.5 and rng.random() < 0.5:  # cloud as thick as it is bright by day
        bright = grey[mask == CLOUD] if (mask == CLOUD).any() else grey.ravel()
        dim, full = np.percentile(bright, [5, 80])
        soft = soft * np.clip(0.35 + 0.65 * (grey - dim) / max(full - dim, 0.03), 0.3, 1)
    if kind < 0.5:
        soft[:] = 0 if kind < 0.3 else 1
    angle = between(rng, 0, 2 * math.pi)
    towards = math.cos(angle) * xx + math.sin(angle) * yy
    base = between(rng, 0.05, 0.4) * np.clip(1 + towards * between(rng, 0, 0.6), 0.1, 3)
    if rng.random() < 0.6:  # glow along one side of the rim, as of a town or of dusk
        base = base + np.clip(towards + between(rng, -0.4, 0.0), 0, 1) * between(rng, 0, 3.5)
    # Structure of the cloud: the picture's own, or smooth billows.
    if rng.random() < 0.5:
        texture = ndimage.gaussian_filter(grey, between(rng, 0.5, 3))
    else:
        n = int(rng.integers(4, 14))
        coarse = rng.uniform(0, 1, (n, n)).astype(np.float32)
        texture = ndimage.zoom(coarse, size / n + 0.1, order=1)[:size, :size]
    texture = (texture - texture.mean()) * between(rng, 0.05, 0.8)
    radius = np.hypot(xx, yy)
    brighter = rng.random() < 0.8
    level = base * (between(rng, 1.3, 4.0) if brighter else between(rng, 0.3, 0.8))
    if kind >= 0.3 and rng.random() < 0.5:  # light of the ground on the cloud, most at the zenith
        level = level + between(rng, 0.1, 0.7) * np.clip(1 - radius * between(rng, 0.8, 2), 0, 1)
    cloud = np.clip(level * (1 + texture * 2) + (0.06 if brighter else 0), 0, 1)
    sky = base.copy()
    stars = rng.random((size, size)) < 10 ** between(rng, -4.0, -1.9)
    points = np.zeros((size, size), np.float32)
    points[stars] = rng.pareto(1.5, stars.sum()) * between(rng, 0.05, 0.5)
    points = ndimage.gaussian_filter(points, between(rng, 0.4, 0.8)) * 2
    if rng.random() < 0.35:  # the Milky Way
        across = math.cos(angle) * yy - math.sin(angle) * xx + between(rng, -0.15, 0.15)
        band = np.exp(-((across / between(rng, 0.04, 0.1)) ** 2))
        lumps = ndimage.zoom(rng.uniform(0.2, 1.2, (16, 16)), size / 16, order=1)[:size, :size]
        sky = sky * (1 + band * lumps * between(rng, 0.2, 0.8))
    sky = sky + np.clip(points, 0, 1)
    if rng.random() < 0.45:  # the moon, overexposed, with its halo
        away, at = between(rng, 0.0, 0.38), between(rng, 0, 2 * math.pi)
        away = np.hypot(xx - away * math.cos(at), yy - away * math.sin(at))
        disc = between(rng, 0.015, 0.06)
        shine = np.clip((disc * 1.5 - away) / disc, 0, 1) * 2
        halo = between(rng, 0.05, 0.5) * np.exp(-away / between(rng, 0.03, 0.2))
        sky, cloud = sky + shine + halo, cloud + (shine + 2 * halo) * between(rng, 0.1, 1.0)
    grey_night = sky * (1 - soft) + cloud * soft
    dim = between(rng, 0, 1.5) * base.mean() * ndimage.gaussian_filter(grey, 1.0)
    seen = np.where(mask == BACKGROUND, np.clip(dim, 0, 1), grey_night)
    seen[mask == OUTSIDE] = 0
    seen = np.repeat(np.clip(seen, 0, 1)[..., None], 3, 2).astype(np.float32)
    if rng.random() < IN_COLOUR:
        seen = seen * town(rng, soft)
        if rng.random() < 0.6:  # a sensor's noise is in colour too, and coarse after its smoothing
            grain = rng.normal(0, between(rng, 0.005, 0.04), seen.shape)
            seen = seen + ndimage.gaussian_filter(grain, (between(rng, 0, 1.2),) * 2 + (0,))
        seen[mask == OUTSIDE] = 0
    return np.clip(seen, 0, 1).astype(np.float32), mask


# The share of nights made of days that are in colour: most cameras take them so.
IN_COLOUR = 0.7


def town(rng, soft):
    """The tint of each pixel of a night in colour: cloud (`soft`: its share) lit by lamps, from white
    to sodium's orange, above a sky from blue by purple to brown."""
    lamps = np.array([1, 1, 1]) + between(rng, -0.15, 1) * np.array([0.25, -0.1, -0.55])
    dark = np.array([1, 1, 1]) + rng.normal(0, 0.25) * np.array([1, 0, -1])
    if rng.random() < 0.4:  # the town's light colours the clear sky as well
        dark = dark * lamps ** between(rng, 0.3, 1)
    lamps, dark = (one * np.exp(rng.normal(0, 0.1, 3)) for one in (lamps, dark))
    return (dark * (1 - soft[..., None]) + lamps * soft[..., None]).astype(np.float32)


def sun(rng, picture, mask):
    """The sun's disc with its glare, somewhere in the clear sky: of unknown class, as on cameras that show it.
    To a network that knows no sun it is a small, bright cloud, and a clear day has one okta."""
    size = len(mask)
    sky = np.flatnonzero(mask == SKY)
    if not len(sky):
        return picture, mask
    row, column = divmod(int(rng.choice(sky)), size)
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    disc, away = between(rng, 0.01, 0.045) * size, np.hypot(yy - row, xx - column)
    colour = np.array([1.0, between(rng, 0.9, 1.0), between(rng, 0.75, 1.0)], np.float32)
    halo = between(rng, 0.2, 1.0) * np.exp(-away / (disc * between(rng, 1, 5)))
    light = np.maximum(halo, np.clip(disc - away, 0, 1) * 1.5)[..., None] * colour
    open_sky = (mask != OUTSIDE) & (mask != BACKGROUND)
    picture = np.where(open_sky[..., None], np.clip(picture + light, 0, 1), picture)
    near = (away < disc * between(rng, 1.0, 1.4)) & open_sky
    return picture.astype(np.float32), np.where(near, UNDEFINED, mask).astype(np.uint8)


def recolour(rng, picture, mask, strength=1.0):
    """Sky and cloud each in another light, as at another hour or by another camera: a darker and
    deeper sky, cloud lit from the side in gold or left in the shade."""
    soft = ndimage.gaussian_filter((mask == CLOUD).astype(np.float32), 1.0)[..., None]
    tint = lambda spread: np.exp(rng.normal(0, spread * strength, 3)).astype(np.float32)
    sky = tint(0.10) * math.exp(-abs(rng.normal(0, 0.5 * strength)))
    cloud = tint(0.12) * math.exp(-abs(rng.normal(0, 0.25 * strength)))
    return np.clip(picture * (sky * (1 - soft) + cloud * soft), 0, 1)


def haze(rng, picture, mask):
    """A milky veil that is thicker towards the ground."""
    size = len(mask)
    colour = between(rng, 0.5, 0.9) * np.array([1.0, 1.0, 1.03], np.float32)
    depth = (np.arange(size, dtype=np.float32)[:, None, None] / size) ** between(rng, 1, 4)
    share = depth * between(rng, 0.1, 0.7)
    light = float(picture.mean()) * 1.5
    hazed = picture * (1 - share) + np.clip(colour * light, 0, 1) * share
    return np.where((mask == OUTSIDE)[..., None], picture, hazed)


def drops(rng, picture):
    """Rain drops: discs that show a blurred, displaced picture with a darker rim. Gives the picture
    and the drops' share of each pixel."""
    size = len(picture)
    blurred = ndimage.gaussian_filter(picture, (3, 3, 0))
    moved = np.roll(blurred, tuple(rng.integers(-20, 20, 2)), (0, 1)) * between(rng, 0.85, 1.15)
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    share, rim = np.zeros((size, size), np.float32), between(rng, 0.0, 0.5)
    largest = between(rng, 4, 13)
    for _ in range(rng.integers(10, 60)):
        x, y, r = rng.integers(size), rng.integers(size), between(rng, 2, largest)
        t, b = max(int(y - r), 0), int(y + r) + 2
        e, f = max(int(x - r), 0), int(x + r) + 2
        away = np.hypot(xx[t:b, e:f] - x, yy[t:b, e:f] - y) / r
        dim = 1 - rim * np.clip((away - 0.6) / 0.4, 0, 1)
        part = np.clip((1 - away) * r, 0, 1)
        share[t:b, e:f] = np.maximum(share[t:b, e:f], part * 0.95)
        moved[t:b, e:f] *= np.where(part > 0, dim, 1)[..., None]
    return np.clip(picture * (1 - share[..., None]) + moved * share[..., None], 0, 1), share


def dew(rng, picture, mask):
    """Dew: blotches through which the picture shows blurred and milky. Gives the picture and the
    dew's share of each pixel."""
    size, n = len(picture), int(rng.integers(3, 9))
    blurred = ndimage.gaussian_filter(picture, (between(rng, 2, 6),) * 2 + (0,))
    coarse = rng.uniform(-0.6, 1.2, (n, n)).astype(np.float32)
    share = np.clip(ndimage.zoom(coarse, size / n + 0.1, order=1)[:size, :size] + 0.5, 0, 1)[..., None]
    veil = float(picture[mask != OUTSIDE].mean()) * between(rng, 0.9, 1.4)
    milky = blurred + (veil - blurred) * between(rng, 0.15, 0.6)
    return np.clip(picture * (1 - share) + milky * share, 0, 1), share[..., 0]


def draw(rng, cache, i, strong=1.0):
    """One training view of the cache's picture `i`.

    Gives the picture (size × size × 3 float32), its mask, whether something lies on the lens (1, 0,
    or -1 for not known), and how far it hides each pixel (size × size float32, negative where that is
    not known).
    """
    sample = cache.samples[i]
    group, size, lens = sample.group, cache.size, sample.lens
    view, codes = cache.views[i], cache.masks[i] + STEP * cache.spots[i]
    fisheye = "fisheye" in group or "allsky" in group
    simulated = group.startswith("simulated")
    # A label of the whole picture holds for the whole picture.
    weak, patch = not sample.amount, group in SKY_ALONE
    sunny = not weak and not simulated and "night" not in group and rng.random() < 0.2
    dark, turned = "night" in group or "twilight" in group, False
    # Half of the pictures nearly as they are, half as another camera would take them.
    mild = rng.random() < 0.5
    if weak or (fisheye and rng.random() < (0.85 if not simulated else 0.75)):
        if rng.random() < 0.65:
            picture, mask = exact(cache, i)
            # Most pictures of a camera as it stands: its rim is always in the same place.
            turned = patch or fisheye and rng.random() < (1.0 if simulated or weak else 0.3)
            if turned:
                picture, mask = square_symmetry(rng, picture, mask)
            elif rng.random() < 0.5:
                picture, mask = picture[:, ::-1].copy(), mask[:, ::-1].copy()
        else:
            turned = True
            reach = between(rng, 0.85, 1.2) if not weak else between(rng, 0.97, 1.15)
            angle = between(rng, -math.pi, math.pi) if fisheye or patch else rng.normal(0, 0.05)
            place = rng.uniform(-0.06, 0.06, 2) if not weak else rng.uniform(-0.02, 0.02, 2)
            shape = np.exp(rng.normal(0, 0.05, 2))
            picture, mask = warp(view, codes, size, place, reach, angle, rng.random() < 0.5, shape)
        mask, cover = apart(mask)
        strength = strong * (0.3 if mild and not simulated else 1.0)
        if sunny:
            picture, mask = sun(rng, picture, mask)
        elif group in ("allsky-day", "allsky-clear") and rng.random() < 0.20:
            (picture, mask), strength = night(rng, picture, mask), 0.3
            cover = np.minimum(cover, 0)
        elif dark and rng.random() < (0.5 if simulated else 0.3):
            picture = stretch(rng, picture, mask)
            picture = np.clip(picture * math.exp(rng.normal(0, 0.3)), 0, 1)
            strength = 0.3
    elif fisheye:
        # A narrow view out of the dome, as an ordinary lens would show it.
        reach = between(rng, 0.22, 0.5)
        away, at = between(rng, 0, 0.75 - reach * 0.8), between(rng, 0, 2 * math.pi)
        centre = (away * math.cos(at), away * math.sin(at))
        angle = between(rng, -math.pi, math.pi)
        picture, mask = warp(view, codes, size, centre, reach, angle, rng.random() < 0.5)
        mask, cover = apart(mask)
        lens = -1.0 if lens else lens
        strength = 1.0 * strong
        top, bottom = bars(rng, picture, mask) if rng.random() < 0.8 else (0, size)
        if rng.random() < 0.25:
            (picture, mask), strength = night(rng, picture, mask), 0.5
            # The sky was drawn anew, and nothing lies on it.
            cover = np.minimum(cover, 0)
        elif rng.random() < 0.5:
            picture = recolour(rng, picture, mask, strong)
        if rng.random() < 0.5:
            ground(rng, picture, mask, top, bottom)
            cover[mask == BACKGROUND] = np.minimum(cover, 0)[mask == BACKGROUND]
    else:
        if rng.random() < 0.35:
            picture, mask = exact(cache, i)
            if rng.random() < 0.5:
                picture, mask = picture[:, ::-1].copy(), mask[:, ::-1].copy()
        else:
            reach = between(rng, 0.45, 1.05)
            slack = max(1 - reach, 0.0)
            centre = rng.uniform(-slack, slack, 2)
            angle = rng.normal(0, 0.12) if not patch else between(rng, -math.pi, math.pi)
            shape = np.exp(rng.normal(0, 0.08, 2))
            picture, mask = warp(view, codes, size, centre, reach, angle, rng.random() < 0.5, shape)
            lens = -1.0 if lens else lens
        mask, cover = apart(mask)
        strength = strong * (0.3 if mild and not simulated else 0.8)
        if not simulated and not mild and rng.random() < 0.5:
            picture = recolour(rng, picture, mask, 0.7 * strong)
        if sunny:
            picture, mask = sun(rng, picture, mask)
        elif not dark and rng.random() < (0.35 if not simulated else 0.1):
            (picture, mask), strength = night(rng, picture, mask), 0.3
            cover = np.minimum(cover, 0)
        if not simulated and rng.random() < 0.3:
            rows = np.flatnonzero((mask != OUTSIDE).any(1))
            ground(rng, picture, mask, rows[0], rows[-1] + 1)
        if dark and rng.random() < 0.2:
            picture, strength = stretch(rng, picture, mask), 0.3
    # Something on the lens, oftener where the picture is to be recoloured anyway.
    if not weak and rng.random() < 0.06 + 0.07 * strength:
        picture, share = drops(rng, picture) if rng.random() < 0.7 else dew(rng, picture, mask)
        cover = np.where(cover < 0, cover, np.maximum(cover, share))
        lens = 1.0
    cover[mask == OUTSIDE] = -1
    if not weak and not dark and rng.random() < STRANGE:
        picture, lens, cover[:] = strange(rng, picture).astype(np.float32), -1.0, -1
        mask, strength = np.where(mask == OUTSIDE, OUTSIDE, BACKGROUND).astype(np.uint8), 0.3
    if strength >= 0.5 and rng.random() < 0.1:
        picture = haze(rng, picture, mask)
    if rng.random() < 0.2 and not fisheye:
        rows = np.flatnonzero((mask != OUTSIDE).any(1))
        if len(rows) > 30:
            text(rng, picture, rows[0], rows[-1])
    if rng.random() < (0.85 if strength >= 0.5 else 0.4):
        picture = colours(rng, picture, strength)
    picture = spoil(rng, picture, strength)
    picture[mask == OUTSIDE] = 0
    if turned and group.startswith("allsky") and not weak:
        mask = unsure_rim(mask)
    return np.ascontiguousarray(picture, np.float32), mask, lens, cover.astype(np.float32)
