"""Builds the ONNX graph of dlib's face recognition network from its weights.

Input ``faces``: float32 (batch, 3, 150, 150), RGB, 0 to 255, aligned as ``manifest.PREPROCESSING`` says. The graph
itself subtracts (122.782, 117.001, 104.298) and divides by 256. Output ``descriptors``: float32 (batch, 128), not
normalised to unit length. Each affine layer is folded into the convolution before it.

The network is the one of dlib's ``dnn_face_recognition_ex.cpp`` (He et al., *Deep Residual Learning*, 2016, with
fewer layers and half the filters). Where a block halves the picture, dlib adds tensors of unequal size: the smaller
is taken as zero beyond its end, which is a ``Pad`` here. The same weights give the same bytes, always.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from frs.embed.dlib_weights import BLOCKS, DESCRIPTOR, SIDE, Block, Conv, ResnetWeights

MEAN = (122.782, 117.001, 104.298)
SCALE = 256.0
OPSET = 17
IR_VERSION = 8


def build_resnet(weights: ResnetWeights) -> bytes:
    """Return the serialised ONNX model."""
    graph = _Graph()
    graph.constant("mean", np.array(MEAN, np.float32).reshape(1, 3, 1, 1))
    graph.constant("scale", np.array(SCALE, np.float32))
    value = graph.node("Div", [graph.node("Sub", ["faces", "mean"]), "scale"])
    convs = iter(weights.convs)
    value = graph.node("Relu", [graph.conv(value, next(convs))])
    value = graph.node("MaxPool", [value], kernel_shape=[3, 3], strides=[2, 2])
    side = ((SIDE - 7) // 2 + 1 - 3) // 2 + 1  # after the stem and the pool: 35
    for block in BLOCKS:
        value, side = graph.block(value, side, block, next(convs), next(convs))
    value = graph.node("Flatten", [graph.node("GlobalAveragePool", [value])], axis=1)
    graph.constant("linear", weights.linear)
    graph.node("MatMul", [value, "linear"], output="descriptors")
    return graph.model().SerializeToString(deterministic=True)


class _Graph:
    """Nodes and constants in the order they are added, named by that order."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(self, value: str, conv: Conv) -> str:
        """Add a convolution with its affine layer folded in: gamma * (w * x + b) + beta."""
        number = len(self._nodes)
        gamma = conv.gamma.astype(np.float64)
        folded = conv.weights * gamma[:, None, None, None]
        shift = conv.bias * gamma + conv.beta
        return self.node(
            "Conv",
            [
                value,
                self.constant(f"weights_{number}", folded.astype(np.float32)),
                self.constant(f"bias_{number}", shift.astype(np.float32)),
            ],
            kernel_shape=[conv.shape.kernel] * 2,
            strides=[conv.shape.stride] * 2,
            pads=[conv.shape.padding] * 4,
        )

    def block(self, value: str, side: int, block: Block, first: Conv, second: Conv) -> tuple[str, int]:
        """Add a residual block; return its output and the side of that in pixels."""
        branch = self.conv(self.node("Relu", [self.conv(value, first)]), second)
        if not block.down:
            return self.node("Relu", [self.node("Add", [branch, value])]), side
        value = self.node("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2])
        pooled, convolved = side // 2, (side - 3) // 2 + 1
        branch = self.pad(branch, 0, pooled - convolved)
        value = self.pad(value, block.filters - block.channels, 0)
        return self.node("Relu", [self.node("Add", [branch, value])]), pooled

    def pad(self, value: str, channels: int, pixels: int) -> str:
        """Append zeros at the end of channels, rows and columns."""
        if not channels and not pixels:
            return value
        amounts = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
        return self.node("Pad", [value, self.constant(f"pads_{len(self._nodes)}", amounts)])

    def model(self) -> ModelProto:
        graph = helper.make_graph(
            self._nodes,
            "dlib-face-recognition-resnet-v1",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("descriptors", TensorProto.FLOAT, ["batch", DESCRIPTOR])],
            self._constants,
        )
        model = helper.make_model(
            graph, producer_name="frs", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        checker.check_model(model, full_check=True)
        return model
