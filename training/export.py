"""A checkpoint to ONNX: opset 17, dynamic batch, whatever normalises the picture inside the graph."""

import onnx
import torch

OPSET = 17


def export(network, size, path):
    """Writes `network` for inputs of `size` × `size`; batch normalisation is folded into the
    convolutions, and with it the picture's normalisation: the graph takes RGB from 0 to 1."""
    network.eval()
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, size, size),),
        str(path),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    return sorted({node.op_type for node in model.graph.node})
