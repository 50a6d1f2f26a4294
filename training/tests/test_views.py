"""Views of pictures, the lens's part of the network, the diagram: python -m pytest training/tests"""

from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from training import augment, data, diagram, lens, strange, train
from training.network import Network, load

SMALL = {"blocks": 6, "width": 8, "size": 64}


@pytest.fixture
def cache(tmp_path):
    """Four pictures half of cloud, two of them drawn ones with something on the lens."""
    rng = np.random.default_rng(0)
    mask = np.zeros((48, 64), np.uint8)
    mask[4:24], mask[24:46] = 100, 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rows = ["image,mask,group,part,block,lens"]
    for k, group in enumerate(["mine", "mine", "simulated-fisheye-lens", "simulated-fisheye-day"]):
        picture = np.where(mask[..., None] == 255, 200, [60, 90, 200]) + rng.integers(0, 20, (48, 64, 3))
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{k}.png")
        rows.append(f"{k}.png,mask.png,{group},train,a,{int(group.endswith('lens'))}")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    data.prepare([tmp_path], 64, tmp_path / "cache")
    return data.Cache(tmp_path / "cache")


def test_what_is_unlike_any_sky_is_background_all_over(cache, monkeypatch):
    monkeypatch.setattr(augment, "STRANGE", 1.0)
    for seed in range(12):
        picture, mask, lens, cover = augment.draw(np.random.default_rng(seed), cache, 0)
        assert set(np.unique(mask)) <= {data.OUTSIDE, data.BACKGROUND} and lens == -1
        assert (cover == -1).all() and 0 <= picture.min() and picture.max() <= 1


def test_a_grey_picture_has_no_negative():
    grey = np.full((32, 32, 3), 0.3, np.float32)
    for seed in range(30):
        seen = strange.strange(np.random.default_rng(seed), grey)
        assert seen.shape == (32, 32, 3) and not np.allclose(seen, 0.7) and not np.allclose(seen, grey)


def test_a_night_keeps_its_labels_or_is_all_of_one_kind():
    rng = np.random.default_rng(4)
    mask = np.full((64, 64), data.SKY, np.uint8)
    mask[20:40], mask[60:] = data.CLOUD, data.BACKGROUND
    kinds, coloured = set(), 0
    for _ in range(40):
        picture, seen = augment.night(rng, rng.random((64, 64, 3)).astype(np.float32), mask)
        assert (seen[60:] == data.BACKGROUND).all() and (seen[:60] != data.BACKGROUND).all()
        kinds.add(tuple(np.unique(seen[:60])))
        coloured += (picture.max(2) - picture.min(2)).mean() > 0.01
        assert np.isfinite(picture).all() and 0 <= picture.min() and picture.max() <= 1
    assert kinds == {(data.SKY,), (data.CLOUD,), (data.SKY, data.CLOUD)}
    assert 15 <= coloured <= 39, coloured


def test_the_ground_stays_inside_of_the_picture():
    for seed in range(20):
        mask = np.full((64, 64), data.SKY, np.uint8)
        mask[:8] = mask[56:] = data.OUTSIDE
        picture = np.full((64, 64, 3), 0.5, np.float32)
        augment.ground(np.random.default_rng(seed), picture, mask, 8, 56)
        assert (mask[:8] == data.OUTSIDE).all() and (mask[56:] == data.OUTSIDE).all()
        assert (mask[53:56] == data.BACKGROUND).mean() > 0.5


def test_smaller_pictures_have_the_same_cells():
    network = Network(**SMALL).train()
    image = torch.rand(2, 3, 64, 64)
    for side in (64, 32):
        logits, film = train.seen(network, image, side)
        assert logits.shape == (2, 4, 32, 32) and film.shape[-1] == side // 8
        assert torch.allclose(logits[:, 3], logits[:, 3, :1, :1].expand(-1, 32, 32), atol=1e-5)


def test_training_the_lens_changes_nothing_else(cache, tmp_path):
    torch.manual_seed(0)
    network = Network(**SMALL)
    train.save(tmp_path / "start.pt", network)
    lens.train(tmp_path / "cache", ["train"], tmp_path / "start.pt", tmp_path / "out.pt", views=16,
               steps=30, threads=1, log=lambda line: None)  # fmt: skip
    before, after = network.state_dict(), load(tmp_path / "out.pt")[0].state_dict()
    for name, value in before.items():
        same = torch.equal(value, after[name])
        assert same or name.split(".")[0] in lens.LAYERS, name
    assert not torch.equal(before["lens.weight"], after["lens.weight"])


def test_views_of_the_lens_are_of_all_kinds():
    shares = lens.shares({"mine", "yours", "simulated-fisheye-lens", "simulated-fisheye-day"})
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["simulated-fisheye-lens"] == 0.4 and shares["mine"] == 0.15


def test_the_diagram_tells_each_cameras_gap(tmp_path):
    sure, right = np.full(20, 0.7), np.arange(20) < 10
    cameras = [("one & two", sure, right), ("three", np.linspace(0.2, 0.6, 30), np.arange(30) < 12)]
    diagram.reliability(cameras, tmp_path / "reliability.svg")
    drawn = ElementTree.parse(tmp_path / "reliability.svg").getroot()
    words = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "one & two (20) +0.20" in words and "three (30) +0.00" in words
    sums = diagram.bins(cameras)
    steps = [x for x, _ in sums]
    assert steps == sorted(steps) and np.mean([y for _, y in sums]) == pytest.approx(0.45, abs=0.06)
