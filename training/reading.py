"""From logits to fraction, okta and evidence, as crates/celaje-vision/src/reading/segmentation.rs counts them."""

import time
from dataclasses import dataclass

import numpy as np
import onnxruntime

from .network import CLOUD, OBSTRUCTED, SKY
from .okta import okta
from .picture import inside
from .quantise import tensor

LEAST_SKY = 0.01


@dataclass
class Reading:
    """`fraction` NaN and `okta` -1 when there is no sky to be seen."""

    fraction: float
    okta: int
    expected_error: float
    light: float
    colour: float
    lens: float  # probability that something lies on the lens
    best: np.ndarray  # rows × columns: the class of each cell


def session(path):
    """An ONNX Runtime session on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def milliseconds(path, size, times=60):
    """CPU milliseconds a picture on one core: the least and the median."""
    model = session(path)
    name, spent = model.get_inputs()[0].name, []
    picture = np.random.default_rng(0).random((1, 3, size, size), np.float32)
    for k in range(times + 5):
        begun = time.process_time()
        model.run(None, {name: picture})
        spent.append(time.process_time() - begun)
    return min(spent[5:]) * 1000, float(np.median(spent[5:])) * 1000


def runner(model):
    """A function from n × S × S × 3 uint8 to logits, for a session or a PyTorch network."""
    if isinstance(model, onnxruntime.InferenceSession):
        name = model.get_inputs()[0].name
        return lambda pictures: model.run(None, {name: tensor(pictures)})[0]
    import torch

    def run(pictures):
        with torch.inference_mode():
            return model(torch.from_numpy(tensor(pictures))).float().numpy()

    return run


def read(logits, pixels, rectangle):
    """`logits` 3 × h × w, `pixels` S × S × 3 uint8, `rectangle` the picture's place in them."""
    rows, columns = logits.shape[1:]
    height, width = pixels.shape[:2]
    within = inside(rectangle, (width, height), (columns, rows))
    best = logits[:OBSTRUCTED].argmax(0)
    lens = 0.0
    if len(logits) > OBSTRUCTED and within.any():
        lens = float(1 / (1 + np.exp(-logits[OBSTRUCTED][within].astype(float).mean())))
    judged = ((best == SKY) | (best == CLOUD)) & within
    count = judged.sum()
    if count == 0 or count < LEAST_SKY * within.sum():
        return Reading(float("nan"), -1, 0.0, 0.0, 0.0, lens, best)
    fraction = float((best == CLOUD)[judged].sum() / count)
    gap = np.abs(logits[CLOUD].astype(float) - logits[SKY])[judged]
    row, column = (np.arange(height) * rows) // height, (np.arange(width) * columns) // width
    seen = pixels[judged[row][:, column]].astype(float) / 255
    return Reading(
        fraction,
        okta(fraction),
        float((1 / (1 + np.exp(gap))).mean()),
        float((seen @ [0.299, 0.587, 0.114]).mean()),
        float((seen.max(1) - seen.min(1)).mean()),
        lens,
        best,
    )


def read_all(run, cache, places):
    """The readings of the cache's pictures `places`."""
    readings = []
    for start in range(0, len(places), 32):
        some = places[start : start + 32]
        logits = run(np.ascontiguousarray(cache.inputs[some]))
        readings += [
            read(logits[k], cache.inputs[i], cache.content[i]) for k, i in enumerate(some)
        ]
    return readings
