"""Makes the CenterFace detector's graph accept any batch and any picture with sides in multiples of 32.

The published file (Xu et al., *CenterFace*, 2019; MIT) was exported for ten pictures of 32x32 and says so in every
shape it carries. All its operators are convolutional, so only the annotations have to go: names in place of the
fixed numbers at inputs and outputs, no shapes in between, weights no longer listed as inputs.

Input ``input.1``: float32 (batch, 3, height, width), RGB, 0 to 255. Outputs, at a quarter of the sides: ``537``
heat map (batch, 1, rows, columns), ``538`` log of height and width over 4, ``539`` offset, ``540`` five landmarks as
fractions of the box (y, x pairs). Weights are not touched, and the same input gives the same bytes.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError
from onnx import ModelProto, ValueInfoProto, checker
from onnx.checker import ValidationError

from frs.errors import FrsError, Reason

INPUT = "input.1"
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Output names and their channels."""


def make_dynamic(data: bytes) -> bytes:
    """Return the model with free batch, height and width. Raises ``MODEL_INVALID`` for another model."""
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FrsError(Reason.MODEL_INVALID, "the CenterFace file is not an ONNX model") from error
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if [v.name for v in inputs] != [INPUT] or {v.name for v in graph.output} != set(OUTPUTS):
        raise FrsError(Reason.MODEL_INVALID, "the model has not CenterFace's input and outputs")

    _set_shape(inputs[0], ("batch", 3, "height", "width"))
    for value in graph.output:
        _set_shape(value, ("batch", OUTPUTS[value.name], "rows", "columns"))
    _replace(graph.input, inputs)
    used = {name for node in graph.node for name in node.input}
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])
    del graph.value_info[:]
    model.ir_version = max(model.ir_version, 4)  # from 4 on, an initializer need not be an input
    try:
        checker.check_model(model, full_check=True)
    except ValidationError as error:
        raise FrsError(Reason.MODEL_INVALID, "the CenterFace graph is not valid ONNX") from error
    return model.SerializeToString(deterministic=True)


def _set_shape(value: ValueInfoProto, dimensions: tuple[str | int, ...]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for dimension in dimensions:
        if isinstance(dimension, str):
            shape.dim.add().dim_param = dimension
        else:
            shape.dim.add().dim_value = dimension


def _replace(field, kept) -> None:  # type: ignore[no-untyped-def]  # a protobuf repeated field has no public type
    kept = [type(item).FromString(item.SerializeToString(deterministic=True)) for item in kept]
    del field[:]
    field.extend(kept)
