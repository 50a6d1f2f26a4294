"""Fast checks: python -m pytest training/tests"""

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from training import (
    augment, batches, calibrate, confidence, data, evaluate, export, loss, manifest, picture, quantise,
    reading, simulated, train,
)  # fmt: skip
from training.network import Network, load, mean
from training.okta import interval, okta, oktas


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, 0), (0.01, 0), (0.0101, 1), (0.1874, 1), (0.1875, 2), (0.5, 4), (0.9374, 7), (0.9899, 7),
     (0.99, 8), (1, 8)],
)  # fmt: skip
def test_the_okta_rule(fraction, expected):
    assert okta(fraction) == expected


def test_an_interval_holds_its_own_okta():
    for eighths in range(9):
        low, high = interval(eighths)
        assert okta((low + high) / 2) == eighths
        assert oktas(low, high) == (eighths, eighths)
    assert oktas(interval(3)[0], interval(5)[1]) == (3, 5) and oktas(0.9, 1.0) == (7, 8)


SMALL = {"blocks": 6, "width": 8, "size": 64}


@pytest.mark.parametrize("blocks", [6, 9, 11])
def test_the_shapes(blocks):
    network = Network(blocks=blocks, width=8, size=64).eval()
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 4, 32, 32)


def test_the_spots_are_asked_for_in_training_alone():
    network = Network(**SMALL).eval()
    image = torch.rand(2, 3, 64, 64)
    logits, seen = network(image, spots=True)
    assert torch.equal(logits, network(image)) and seen.shape == (2, 1, 8, 8)
    # What is said of the lens is the same in every cell.
    assert (logits[:, 3] == logits[:, 3, :1, :1]).all()


def test_the_lens_teaches_the_encoder_nothing():
    network = Network(**SMALL).train()
    logits, film = network(torch.rand(1, 3, 64, 64), spots=True)
    (logits[:, 3].sum() + film.sum()).backward()
    encoder = network.blocks[5].project.weight.grad
    assert not encoder.any() and network.lens.weight.grad.any()


def test_the_file_says_what_the_network_says(tmp_path):
    torch.manual_seed(3)
    network = Network(**SMALL).eval()
    kinds = export.export(network, 64, tmp_path / "plain.onnx")
    assert "Pad" not in kinds
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    ours, theirs = (
        reading.runner(one)(pictures) for one in (network, reading.session(tmp_path / "plain.onnx"))
    )
    assert np.abs(ours - theirs).max() < 1e-4 and ours.std() > 1e-3


def test_the_mean_of_two_networks_lies_between_them(tmp_path):
    paths = [tmp_path / "a.pt", tmp_path / "b.pt"]
    networks = [Network(**SMALL) for _ in paths]
    for path, network in zip(paths, networks):
        torch.save({"config": network.config, "weights": network.state_dict()}, path)
    torch.save(mean(paths), tmp_path / "mean.pt")
    both, _ = load(tmp_path / "mean.pt")
    a, b = (network.head.weight for network in networks)
    assert torch.allclose(both.head.weight, (a + b) / 2) and not torch.allclose(a, b)
    other = Network(blocks=6, width=16, size=64)
    torch.save({"config": other.config, "weights": other.state_dict()}, paths[1])
    with pytest.raises(ValueError):
        mean(paths)


def test_nothing_is_lost_inside_the_interval():
    low, high = torch.tensor([0.1875]), torch.tensor([0.3125])
    assert loss.beyond(torch.tensor([0.25]), low, high).item() == 0
    assert loss.beyond(torch.tensor([0.40]), low, high).item() == pytest.approx(0.0875)
    assert loss.beyond(torch.tensor([0.10]), low, high).item() == pytest.approx(0.0875)


def test_the_soft_fraction_follows_the_classes():
    logits = torch.full((1, 4, 8, 8), -9.0)
    logits[:, 1, :2], logits[:, 2, 2:4], logits[:, 0, 4:] = 9.0, 9.0, 9.0
    seen = 1 - logits[:, :3].softmax(1)[:, 0]
    assert loss.fraction(logits, seen).item() == pytest.approx(0.5, abs=1e-3)


def labels(**more):
    """A batch of one picture of 8 × 8 cells, all of it open sky of no known class."""
    return {
        "target": torch.zeros(1, 8, 8), "weight": torch.zeros(1, 8, 8),
        "inside": torch.ones(1, 8, 8), "low": torch.tensor([0.0]), "high": torch.tensor([1.0]),
        "strong": torch.zeros(1), "lens": torch.tensor([-1.0]), "cover": torch.full((1, 8, 8), -1.0),
        "set": torch.tensor([0]),
        **more,
    }  # fmt: skip


def slope(**more):
    logits = torch.zeros(1, 4, 8, 8, requires_grad=True)
    loss.total(logits, labels(**more)).backward()
    return logits.grad


def test_a_weak_label_teaches():
    grad = slope(low=torch.tensor([0.99]))
    assert (grad[:, 2] < 0).all() and (grad[:, 1] > 0).all() and (grad[:, 3] == 0).all()


def test_a_mask_teaches_each_cell():
    target = torch.zeros(1, 8, 8)
    target[:, :, 4:] = 2
    one = {"weight": torch.ones(1, 8, 8), "strong": torch.ones(1)}
    grad = slope(target=target, **one)
    assert (grad[:, 2, :, 4:] < 0).all() and (grad[:, 0, :, :4] < 0).all()
    assert (grad[:, 2, :, :4] > 0).all()


def test_what_is_sky_or_cloud_is_no_background_and_neither():
    one = {"weight": torch.ones(1, 8, 8), "target": torch.full((1, 8, 8), 3.0)}
    grad = slope(**one)
    assert (grad[:, 0] > 0).all() and (grad[:, 1] < 0).all() and torch.equal(grad[:, 1], grad[:, 2])


def test_the_views_of_an_observation_are_compared_together():
    views = torch.tensor([0.2, 0.6, 0.9])
    sets = torch.tensor([1, 1, 0])
    assert torch.allclose(loss.mean_of_sets(views, sets), torch.tensor([0.4, 0.4, 0.9]))


def test_the_lens_is_learnt_where_it_is_known():
    assert (slope()[:, 3] == 0).all()
    assert (slope(lens=torch.tensor([1.0]))[:, 3] < 0).all()
    assert (slope(lens=torch.tensor([0.0]))[:, 3] > 0).all()


def test_drops_are_learnt_where_they_lie():
    cover = torch.full((1, 8, 8), -1.0)
    cover[:, :4], cover[:, :4, 4:] = 0.0, 1.0
    seen = torch.zeros(1, 1, 2, 2, requires_grad=True)
    loss.on_lens(seen, cover).backward()
    (clean, hidden), unknown = seen.grad[0, 0]
    assert clean > 0 and hidden < 0 and (unknown == 0).all()


def test_what_is_drawn_on_the_lens_is_known():
    rng = np.random.default_rng(5)
    picture = rng.random((64, 64, 3)).astype(np.float32)
    for changed, share in (augment.drops(rng, picture), augment.dew(rng, picture, np.ones((64, 64)))):
        assert share.shape == (64, 64) and 0 < share.mean() < 1
        assert np.abs(changed - picture)[share == 0].max(initial=0) < 1e-6
        assert np.abs(changed - picture)[share > 0.8].mean() > 0.05


def folder(tmp_path, count=200):
    (tmp_path / "images").mkdir()
    rows = []
    for k in range(count):
        name = f"images/{k + 1:03}.jpg"
        rows.append({"group": "dome", "image": name, "mask": "", "cloud_fraction": k / count})
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    return tmp_path


def test_no_block_is_in_two_parts(tmp_path):
    samples = data.read(folder(tmp_path))
    parts = {}
    for sample in samples:
        parts.setdefault(sample.block, set()).add(sample.part)
    assert all(len(found) == 1 for found in parts.values())
    assert {sample.part for sample in samples} == set(data.PARTS)
    ids = {data.number(s.path) for s in samples if s.part == "test"}
    assert ids == {*range(81, 101), *range(181, 201)}


def test_okta_folders_are_weak_labels(tmp_path):
    for eighths in (0, 8):
        (tmp_path / f"sky_octa_{eighths}").mkdir()
        Image.new("RGB", (40, 30)).save(tmp_path / f"sky_octa_{eighths}" / "2024-01010002.jpg")
    samples = data.read(tmp_path)
    assert [(s.low, s.high) for s in samples] == [(0.0, 0.01), (0.99, 1.0)]


def test_pairs_train(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["image,mask,group,part,block"]
    for k in range(4):
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).save(tmp_path / f"{k}.png")
        mask = np.zeros((30, 40), np.uint8)
        mask[4:15], mask[15:26] = 100, 255
        Image.fromarray(mask).save(tmp_path / f"{k}-mask.png")
        rows.append(f"{k}.png,{k}-mask.png,mine,train,a")
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    data.prepare([tmp_path], 64, tmp_path / "cache")
    cache = data.Cache(tmp_path / "cache")
    assert cache.samples[0].truth == 0.5
    feed = batches.Batches(cache, cache.part("train"), 4, 2, 0)
    batch = feed.batch(np.random.default_rng(0))
    assert batch["image"].shape == (4, 3, 64, 64) and batch["target"].shape == (4, 32, 32)
    network = Network(**SMALL).train()
    trained = train.groups(network, 1e-3)
    assert {one["peak"] for one in trained} == {1e-3, 1e-3 * train.GENTLY}
    logits, film = network(batch["image"], spots=True)
    loss.total(logits, batch, film).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert network.spots.weight.grad.abs().sum() > 0
    assert network.stem.weight.grad is None, "what ImageNet taught of edges is left alone"
    assert 0 <= batch["image"].min() and batch["image"].max() <= 1


def test_an_undefined_hole_is_not_background():
    mask = np.full((20, 20), 100, np.uint8)
    mask[:3], mask[10:12, 10:12] = 0, 0
    coded = data.codes(mask)
    assert coded[0, 0] == data.BACKGROUND and coded[10, 10] == data.UNDEFINED


def test_seams_are_not_known_and_wide_holes_are_background():
    mask = np.full((80, 80), 100, np.uint8)
    mask[:, 30:33], mask[60:] = 0, 0
    coded = data.codes(mask, "landscape-day-dslr")
    assert (coded[70] == data.BACKGROUND).all() and (coded[10, 30:33] == data.UNSURE).all()
    coded = data.codes(mask, "landscape-day-ov5640")
    assert (coded[70] == data.UNSURE).all() and (coded[10, :30] == data.SKY).all()
    assert data.codes(np.full((4, 4), 200, np.uint8))[0, 0] == data.OPEN


def test_every_kind_of_label_is_read(tmp_path):
    names = ["group", "image", "mask", "camera", "cloud_fraction", "okta", "okta_lo", "okta_hi",
             "class", "observation"]  # fmt: skip
    rows = [
        ["a", "1.png", "1m.png", "one", "0.3", "2", "", "", "", ""],
        ["b", "2.png", "", "two", "", "4", "3", "5", "Cu", ""],
        ["c", "3.png", "3m.png", "three", "", "", "", "", "broken", "x"],
        ["d", "4.png", "", "four", "0.97", "8", "", "", "stratocumulus", ""],
        ["d", "5.png", "", "four", "", "", "", "", "cirrus", ""],
        ["e", "6.png", "6m.png", "five", "", "", "", "", "", ""],
    ]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    mask, eye, view, kind, some, open_sky = data.read(tmp_path)
    assert mask.amount and mask.camera == "one" and (mask.low, mask.high) == pytest.approx((0.298, 0.302))
    assert (eye.low, eye.high) == (interval(3)[0], interval(5)[1]) and not eye.amount
    assert view.observation == "x" and view.low < 0.5 and view.high > 0.9
    assert kind.low < 0.9 and kind.high == 1 and (some.low, some.high) == data.SOME_CLOUD
    assert (open_sky.low, open_sky.high) == (0, 1)


def test_what_nobody_labelled_leaves_a_range():
    cells = np.full((10, 10), data.SKY, np.uint8)
    cells[:2], cells[2:5] = data.CLOUD, data.UNSURE
    assert data.possible(cells) == (0.2, 0.5)


def test_a_cell_is_what_most_of_it_is():
    coded = np.full((40, 60), data.SKY, np.uint8)
    coded[:, 25:], coded[::2, ::3] = data.CLOUD, data.BACKGROUND
    cells = data.share(coded, 12, (0, 2, 12, 8))
    assert (cells[:2] == data.OUTSIDE).all() and (cells[10:] == data.OUTSIDE).all()
    assert (cells[2:10, :5] == data.SKY).all() and (cells[2:10, 5:] == data.CLOUD).all()
    # A mask with fewer pixels than cells is enlarged.
    assert (data.share(coded[:4, :6], 12, (0, 2, 12, 8))[2:10] != data.OUTSIDE).all()


def test_cells_are_counted_as_the_program_counts_them():
    assert picture.content((640, 320), (192, 192), "letterbox") == (0, 48, 192, 96)
    assert picture.content((100, 400), (192, 192), "letterbox") == (72, 0, 48, 192)
    logits = np.zeros((3, 4, 4), np.float32)
    logits[1, :2], logits[2, 2:] = 1, 1
    pixels = np.zeros((8, 8, 3), np.uint8)
    whole = reading.read(logits, pixels, (0, 0, 8, 8))
    assert (whole.fraction, whole.okta) == (0.5, 4)
    # Bars are not judged.
    assert reading.read(logits, pixels, (0, 2, 8, 6)).fraction == pytest.approx(2 / 3)
    # What is said of the lens is no competitor, and bars say nothing.
    fourth = np.concatenate([logits, np.full((1, 4, 4), 9.0, np.float32)])
    fourth[3, 0] = -99
    clean = reading.read(fourth, pixels, (0, 2, 8, 6))
    assert clean.fraction == pytest.approx(2 / 3) and clean.lens > 0.99
    logits[0] = 2
    assert reading.read(logits, pixels, (0, 0, 8, 8)).okta == -1


def test_augmented_views_keep_their_masks_in_step():
    rng = np.random.default_rng(3)
    view = np.zeros((96, 96, 3), np.uint8)
    mask = np.full((96, 96), data.SKY, np.uint8)
    view[:, 48:], mask[:, 48:] = 255, data.CLOUD
    seen, codes = augment.warp(view, mask, 64, (0.1, 0.0), 0.7, 0.5, True)
    assert (((seen[..., 0] > 0.5) == (codes == data.CLOUD))[codes > 0]).mean() > 0.98
    cache = SimpleNamespace(inputs=[view], cells=[mask], spots=[np.zeros_like(mask)])
    turned, codes = augment.square_symmetry(rng, *augment.exact(cache, 0))
    assert ((turned[..., 0] > 0.5) == (codes == data.CLOUD)).all()


def test_what_is_known_of_the_lens_goes_where_the_view_goes():
    # Bright where something lies on the lens, and nobody knows of the lowest quarter.
    view = np.zeros((96, 96, 3), np.uint8)
    spots = np.full((96, 96), data.CLEAN, np.uint8)
    view[30:60, 20:50], spots[30:60, 20:50], spots[72:] = 255, data.SPOT, data.UNKNOWN
    mask = np.full((96, 96), data.CLOUD, np.uint8)
    seen, codes = augment.warp(view, mask + augment.STEP * spots, 64, (0.0, 0.0), 1.0, 0.5, True)
    mask, cover = augment.apart(codes)
    assert set(np.unique(mask)) == {data.OUTSIDE, data.CLOUD}
    assert ((cover == 1) == (seen[..., 0] > 0.5)).mean() > 0.98
    assert 0.15 < (cover == -1).mean() < 0.3
    small = SimpleNamespace(inputs=[view[::3, ::3]], cells=[mask[:32, :32]], spots=[spots])
    picture, codes = augment.exact(small, 0)
    assert ((augment.apart(codes)[1] == 1) == (picture[..., 0] > 0.5)).all()


def test_the_lens_of_a_picture_with_a_mask_of_its_drops_is_known(tmp_path):
    Image.new("L", (32, 32), 100).save(tmp_path / "a.png")
    drop = Image.new("L", (32, 32))
    drop.paste(255, (8, 8, 16, 16))
    drop.save(tmp_path / "spots.png")
    lines = ["image,mask,lens,spots", "a.png,a.png,1,spots.png", "a.png,a.png,0,", "a.png,a.png,1,"]
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    known, clean, unknown = (data.covered(sample, 32) for sample in data.read(tmp_path))
    assert (known[8:16, 8:16] == data.SPOT).all() and (known == data.SPOT).sum() == 64
    assert (clean == data.CLEAN).all() and (unknown == data.UNKNOWN).all()


def test_drops_are_where_a_clean_lens_shows_something_else():
    clean = np.full((40, 40, 3), 90, np.uint8)
    picture = clean.copy()
    picture[10:20, 10:20] = 140
    picture[13:17, 13:17] = 90  # through the middle of the drop it looks as if there were none
    picture[30] += 3  # noise of JPEG
    found = simulated.spots(picture, clean)
    assert found[10:20, 10:20].all() and not found[24:].any()


def test_a_turned_rim_is_not_believed():
    mask = np.full((64, 64), data.SKY, np.uint8)
    mask[:10], mask[60:] = data.OUTSIDE, data.BACKGROUND
    seen = augment.unsure_rim(mask)
    assert (seen[:10] == data.OUTSIDE).all() and (seen[10:16] == data.UNSURE).all()
    assert (seen[16:54] == data.SKY).all() and (seen[54:] == data.UNSURE).all()
    target, weight, inside = batches.cells(seen, 1)
    assert (weight[10:16] == 0).all() and (inside[10:] == 1).all() and (weight[20:50] == 1).all()
    # Nothing that is not believed decides the fraction.
    seen[10:16] = data.CLOUD
    sample = data.Sample("", "m", "", "", "", 0, 1, 0.5, amount=True)
    assert batches.bounds(sample, target, weight) == (0.0, 0.002)


def test_the_confidence_is_a_distribution():
    samples = np.array([[0.3, 0.02, 0.5, 0.1], [1.0, 0.001, 0.1, 0.0]])
    p = confidence.masses([0.0005, 0.3, 0.0, 0.02, 0.0, 1.0, 1e-9, 1.0], samples)
    assert np.allclose(p.sum(1), 1) and p.argmax(1)[0] == 2
    # Monochrome with k = 1: half the trust.
    assert p[1, 8] == pytest.approx(0.49 + 0.51 * 0.25, abs=0.02)


def test_a_half_covered_sky_is_less_certain():
    samples = np.array([[0.5, 0.03, 0.45, 0.12], [0.0, 0.03, 0.45, 0.12]])
    fitted = [0.0013, 0.26, 0.15, 0.01, 0.19, 10.0, 0.006, 6.0]
    p = confidence.masses(fitted, samples)
    # The example of the program's own test.
    assert p[0, 4] == pytest.approx(0.3525, abs=5e-4)
    fitted[2] = 0.0
    assert confidence.masses(fitted, samples)[1] == pytest.approx(p[1])


def test_a_range_grows_to_the_likelier_side():
    p = np.array([[0.02, 0.03, 0.10, 0.50, 0.20, 0.08, 0.03, 0.02, 0.02]])
    for level, expected in ((0.9, (1, 5)), (0.75, (2, 4)), (0.4, (3, 3)), (1.1, (0, 8))):
        assert tuple(confidence.ranges(p, [3], level)[0]) == expected


def test_nine_of_ten_ranges_hold_the_label():
    rng = np.random.default_rng(1)
    truth = rng.random(600)
    fraction = np.clip(truth + rng.normal(0, 0.08, 600), 0, 1)
    samples = np.c_[fraction, np.full(600, 0.1), np.full(600, 0.5), np.full(600, 0.2)]
    labelled = np.array([okta(f) for f in truth])
    reported = np.array([okta(f) for f in fraction])
    camera = ("one", samples, reported, labelled, labelled)
    parameters, level = calibrate.fit([camera])
    p = confidence.masses(parameters, samples)
    held = confidence.coverage(p, reported, labelled, labelled, level)
    assert 0.9 <= held.mean() < 0.96
    sure = confidence.of(parameters, samples, reported).mean()
    assert abs(sure - (reported == labelled).mean()) < 0.08


def test_oktas_are_low_where_the_program_flags_them():
    rust = (Path(__file__).parents[2] / "crates/celaje-sky/src/quality.rs").read_text()
    told = dict(re.findall(r"pub const (LOW_\w+): f64 = ([\d.]+);", rust))
    assert {name: float(value) for name, value in told.items()} == {
        "LOW_CONFIDENCE": confidence.least("allsky-night"), "LOW_CONFIDENCE_BY_DAY": confidence.least("allsky-day"),
    }  # fmt: skip


def test_a_label_is_one_okta_or_a_range():
    one = data.Sample("", "m", "", "", "", 0.298, 0.302, 0.3)
    eye = data.Sample("", "", "", "", "", interval(3)[0], interval(5)[1], float("nan"))
    assert calibrate.label(one) == (2, 2) and calibrate.label(eye) == (3, 5)


def test_a_share_has_its_interval():
    low, high = evaluate.wilson(8, 10)
    assert (low, high) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert evaluate.share(0, 20) == "0% (0%–16%)" and evaluate.share(0, 0) == ""


def test_ranges_and_classes_are_counted():
    label = lambda low, high, observation="": {
        "low": low, "high": high, "observation": observation, "cloud_fraction": ""
    }  # fmt: skip
    low, high = interval(3)[0], interval(5)[1]
    known = {
        "a": label(low, high), "b": label(low, high),
        "c": label(*data.CLASSES["broken"], "x"), "d": label(*data.CLASSES["broken"], "x"),
    }  # fmt: skip
    row = lambda image, read, fraction: {"image": image, "okta_read": read, "fraction_read": fraction}
    rows = [row("a", "4", "0.5"), row("b", "6", "0.75"), row("c", "1", "0.2"), row("d", "8", "1.0")]
    assert evaluate.inside(rows, known) == (1, 2)
    assert evaluate.observed(rows, known) == (1, 1)


def test_the_manifest_says_the_level_of_the_range(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"m")
    values = {**dict.fromkeys(confidence.NAMES, 1.0), "range_level": 0.925}
    text = manifest.write(tmp_path / "m.onnx", "5", 192, values).read_text()
    assert text.index("[calibration]") < text.index("range_level = 0.925")
