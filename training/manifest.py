"""The manifest (<name>.toml) that tells Celaje what a network expects."""

import hashlib
import json
from pathlib import Path

from .confidence import NAMES
from .network import CLASSES


def write(model, version, size, calibration=None, comment=""):
    """Writes the manifest of the ONNX file `model` beside it. `calibration`: NAMES to numbers."""
    model = Path(model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    lines = [
        "# What the network expects and what its numbers mean.",
        *([f"# {comment}"] if comment else []),
        f'name = "{model.stem}"',
        f'version = "{version}"',
        'kind = "segmentation"',
        f'sha256 = "{digest}"',
        "",
        "[input]",
        f"width = {size}",
        f"height = {size}",
        'layout = "nchw"',
        'fit = "letterbox"',
        'filter = "bilinear"',
        "# RGB, 0 to 1, used as it is.",
        "mean = [0.0, 0.0, 0.0]",
        "std = [1.0, 1.0, 1.0]",
        "",
        "[output]",
        "# The first three compete in each cell; the mean of the fourth says whether something covers the lens.",
        f"classes = {json.dumps(CLASSES)}",
        'activation = "logits"',
    ]
    if calibration:
        lines += [
            "",
            "# How probable the reported okta is (the formula is in crates/celaje-sky/src/confidence.rs).",
            "[calibration]",
            *(f"{name} = {number(calibration[name])}" for name in NAMES),
        ]
        if "range_level" in calibration:
            lines += [
                "# The probability that the range of oktas beside it holds.",
                f"range_level = {number(calibration['range_level'])}",
            ]
    path = model.with_suffix(".toml")
    path.write_text("\n".join(lines) + "\n")
    return path


def number(value):
    """A TOML float."""
    text = f"{value:.4g}"
    if "e" in text:
        return text if "." in text else text.replace("e", ".0e")
    return text if "." in text else text + ".0"
