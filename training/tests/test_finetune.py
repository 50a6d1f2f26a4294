"""Fast checks of fine-tuning: python -m pytest training/tests"""

import numpy as np

from training import data, finetune


def sample(day, minute):
    path = f"mine/images/2024-{day:04d}{minute:04d}.jpg"
    return data.Sample(path, "", "mine", "", "", 0.5, 0.6, float("nan"))


def test_whole_days_are_left_out():
    samples = [sample(101 + d, 1000 + n) for d in range(9) for n in range(5)]
    finetune.leave_out(samples)
    parts = {}
    for one in samples:
        parts.setdefault(finetune.day(one.path), set()).add(one.part)
    assert all(len(part) == 1 for part in parts.values())
    assert sum(part == {"test"} for part in parts.values()) == 3


def rows(reads):
    return [
        {"image": f"2024-01{d + 10}{n:02d}00.jpg", "okta_true": "4", "okta_read": read}
        for d in range(6) for n, read in enumerate(reads)
    ]  # fmt: skip


def test_a_gain_is_told_with_its_interval():
    before, after = rows(["6", "5", "4", ""]), rows(["4", "5", "4", "4"])
    assert [finetune.error(row) for row in before[:4]] == [2, 1, 0, 4]
    mean, low, high = finetune.gain(before, after)
    assert np.isclose(mean, 1.5) and low <= mean <= high and low > 0
    assert finetune.gain(before, before) == (0.0, 0.0, 0.0)
    assert finetune.exact(after) == (18, 24)
    text = finetune.card("mine", "celaje", before, after, (mean, low, high))
    assert text.startswith("# Better than celaje") and "75%" in text
    assert "Not better" in finetune.card("mine", "celaje", before, before, (0.0, 0.0, 0.0))
