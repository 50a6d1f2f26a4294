"""Pictures are made for the network as the Rust program makes them."""

from pathlib import Path

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


FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "pictures"


def test_a_jpeg_is_decoded_at_a_fraction_as_the_program_does():
    # crates/celaje-vision/src/picture/scaled/tests.rs has the same numbers.
    wanted = {2: (353_012, 409_128_669), 4: (88_272, 25_644_084), 8: (22_083, 1_616_567)}
    for divisor, sums in wanted.items():
        made = np.asarray(picture.decode(FIXTURES / "baseline.jpg", divisor)).astype(np.int64).ravel()
        assert (made.sum(), (made * np.arange(1, made.size + 1)).sum()) == sums


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("size", [(121, 90), (128, 96), (130, 75)])
@pytest.mark.parametrize("divisor", [2, 4, 8])
def test_a_fraction_shows_the_means_of_the_whole(tmp_path, subsampling, size, divisor):
    path = tmp_path / "sky.jpg"
    Image.fromarray(smooth(*size)).save(path, quality=92, subsampling=subsampling)
    made, whole = np.asarray(picture.decode(path, divisor)), picture.decode(path)
    assert made.shape[:2] == tuple(-(-n // divisor) for n in (size[1], size[0]))
    rows, columns = (n // divisor for n in (size[1], size[0]))
    means = whole.crop((0, 0, columns * divisor, rows * divisor)).reduce(divisor)
    off = np.abs(made[:rows, :columns].astype(int) - np.asarray(means))
    assert off.max() <= 16 and off.mean() < 3


def test_large_pictures_are_decoded_smaller_and_lie_where_they_lay(tmp_path):
    sides = (640, 767, 768, 1536, 3072, 9000)
    assert [picture.divisor((n, n), (192, 192)) for n in sides] == [1, 1, 2, 4, 8, 8]
    path = tmp_path / "sky.jpg"
    Image.fromarray(smooth(777, 800)).save(path, quality=92)
    small = picture.frame(path, (192, 192))
    whole = picture.lay(picture.decode(path), (192, 192), "letterbox")
    assert small[1] == whole[1] == (3, 0, 186, 192)
    assert np.abs(small[0].astype(int) - whole[0]).max() <= 8


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
