"""A checkpoint to ONNX: opset 17, dynamic batch, whatever normalises the picture inside the graph."""

import onnx
import torch
from onnx import helper

OPSET = 17


def export(network, size, path):
    """Writes `network` for inputs of `size` × `size`; the graph takes RGB from 0 to 1."""
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
    pads(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return sorted({node.op_type for node in model.graph.node})


def pads(graph):
    """Moves what each Pad adds ("same": see Convolution) into the convolution behind it, where it
    costs nothing."""
    made = {name: node for node in graph.node for name in node.output}
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        pad = made.get(node.input[0])
        if pad is None or pad.op_type != "Pad":
            continue
        values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        total = values["kernel_shape"][0] - values["strides"][0]
        low, high = total // 2, total - total // 2
        (place,) = [k for k, one in enumerate(node.attribute) if one.name == "pads"]
        del node.attribute[place]
        node.attribute.append(helper.make_attribute("pads", [low, low, high, high]))
        node.input[0] = pad.input[0]
    while True:
        wanted = {name for node in graph.node for name in node.input} | {o.name for o in graph.output}
        idle = [node for node in graph.node if not wanted.intersection(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
