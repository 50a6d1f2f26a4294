"""Static INT8 (QDQ, per channel), calibrated on training pictures only."""

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

from .quicken import quicken


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


def broadcast(source):
    """The names of the nodes that add what the picture as a whole says (`whole` in network.py) to each
    cell. In 8-bit integers ONNX Runtime takes 0.3 ms for it, in floats next to nothing."""
    nodes = onnx.load(source).graph.node
    whole = {name for node in nodes if node.name.startswith("/whole/") for name in node.output}
    return [node.name for node in nodes if node.op_type == "Add" and whole & set(node.input)]


def quantise(source, target, inputs, method="minmax"):
    """Writes the INT8 sibling of the ONNX file `source`; what `broadcast` finds stays in float, and
    `quicken` rearranges the rest."""
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
            nodes_to_exclude=broadcast(source),
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    quicken(target)
