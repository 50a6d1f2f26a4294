"""Static INT8 (QDQ, per channel), calibrated on training pictures only.

Weights have seven bits: without VNNI, x86 adds pairs of 8-bit products in 16 bits, which overflow with
eight. So the same file gives the same oktas on either kind of processor.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    """Hands out `inputs` (n × S × S × 3 uint8) one by one as tensors."""

    def __init__(self, inputs):
        self.rest = iter(inputs)

    def get_next(self):
        picture = next(self.rest, None)
        if picture is None:
            return None
        return {"image": tensor(picture[None])}


def tensor(pictures):
    """n × S × S × 3 uint8 to n × 3 × S × S float32 from 0 to 1."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / 255


# The first convolutions, at the highest resolutions, lose oktas in eight bits.
IN_FLOATS = 7


def kept(source, count=IN_FLOATS):
    """The names of the nodes that stay in floats: the first `count` convolutions, what brings the
    picture into the encoder's range, and the last additions."""
    nodes = onnx.load(source).graph.node
    first = [node.name for node in nodes if node.op_type == "Conv"][:count]
    return first + [node.name for node in nodes if node.op_type in ("Mul", "Concat", "Resize")]


def quantise(source, target, inputs, method="minmax", in_floats=IN_FLOATS):
    """Writes the INT8 sibling of the ONNX file `source`; what `kept` finds stays in float."""
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(target),
            Reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=methods[method],
            nodes_to_exclude=kept(ready, in_floats),
            reduce_range=True,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
