"""Pictures are made for the network as the Rust program makes them."""

import numpy as np
import pytest
from PIL import Image

from training import picture


def smooth(width, height, seed=0):
    """A picture without hard edges, height × width × RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(192, 180), (96, 300), (300, 96), (450, 450), (1, 1)])
def test_resizing_is_antialiased_and_bilinear(size):
    pixels = smooth(450, 400)
    made = picture.resize(pixels, *size)
    pillow = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    assert made.shape == pillow.shape and made.dtype == np.uint8
    # The same but for the rounding of the weights, which are of fewer bits.
    assert np.abs(made.astype(int) - pillow).max() <= 1


def test_the_weights_are_whole_numbers_of_sixteen_bits():
    for before, after in ((450, 192), (1280, 192), (192, 288), (7, 3), (3, 7)):
        places, whole, bits = picture.weights(before, after)
        assert places.min() >= 0 and places.max() < before
        assert (1 << 13) < whole.max() < (1 << 15)
        assert np.abs(whole.sum(1) - (1 << bits)).max() <= whole.shape[1]


def test_a_side_that_is_kept_is_left_alone():
    pixels = smooth(40, 30)
    assert (picture.resize(pixels, 40, 30) == pixels).all()
    assert (picture.resize(pixels, 20, 30)[:, :, 0] != 0).any()


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_is_decoded_nearly_as_pillow_does(tmp_path, subsampling):
    path = tmp_path / "sky.jpg"
    Image.fromarray(smooth(121, 90)).save(path, quality=90, subsampling=subsampling)
    made, pillow = np.asarray(picture.decode(path)), np.asarray(Image.open(path).convert("RGB"))
    assert made.shape == pillow.shape
    assert np.abs(made.astype(int) - pillow).max() <= 4


def test_other_pictures_are_left_to_pillow(tmp_path):
    pixels = smooth(50, 40)
    for name, mode in (("grey.jpg", "L"), ("sky.png", "RGB")):
        path = tmp_path / name
        Image.fromarray(pixels).convert(mode).save(path)
        assert (np.asarray(picture.decode(path)) == np.asarray(Image.open(path).convert("RGB"))).all()


def test_a_letterbox_is_black_around_the_picture():
    canvas, rectangle = picture.lay(Image.new("RGB", (64, 32), "white"), (16, 16), "letterbox")
    assert rectangle == (0, 4, 16, 8)
    assert (canvas[4:12] == 255).all() and (canvas[:4] == 0).all() and (canvas[12:] == 0).all()


def test_resizing_is_that_of_the_program():
    # crates/celaje-vision/src/picture/prepare_tests.rs has the same numbers.
    y, x, c = np.mgrid[:37, :45, :3]
    pixels = ((x * 7 + y * 13 + c * 50 + x * y // 5) % 256).astype(np.uint8)
    made = picture.resize(pixels, 19, 16)
    weighted = (made.astype(np.int64).ravel() * np.arange(1, made.size + 1)).sum()
    assert (made.sum(), weighted) == (116_372, 53_139_521)
    assert made[7, 9].tolist() == [190, 188, 41]
