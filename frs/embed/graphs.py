"""ONNX graphs, made ready for the runtime: read, checked, freed of what slows or fixes them.

Old exporters list every weight among the graph's inputs; the runtime must then assume that a caller may replace
it, and folds no constants. :func:`read_graph` takes those entries away: the outputs stay the same.
Graphs that keep weights in other files are refused, because a pack's manifest vouches for one file only.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError

from frs.errors import FrsError, Reason


def read_graph(path: Path) -> onnx.ModelProto:
    """Read a graph and take weights off its inputs. Raises ``MODEL_NOT_FOUND`` or ``MODEL_INVALID``."""
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except OSError as error:
        raise FrsError(Reason.MODEL_NOT_FOUND, f"the model file {path} cannot be read") from error
    except (DecodeError, ValueError, TypeError) as error:
        raise FrsError(Reason.MODEL_INVALID, f"{path} is no ONNX graph") from error
    weights = {weight.name for weight in model.graph.initializer}
    if any(weight.data_location == onnx.TensorProto.EXTERNAL for weight in model.graph.initializer):
        raise FrsError(Reason.MODEL_INVALID, f"{path} keeps its weights in another file")
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or not model.graph.output:
        raise FrsError(
            Reason.MODEL_INVALID, f"{path} has {len(inputs)} inputs; one picture is what a network here takes"
        )
    if len(inputs) != len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    return model


def fixed_rows(model: onnx.ModelProto) -> int | None:
    """Return the batch size that a graph's input declares, or None when it is free."""
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    return int(dimensions[0].dim_value) or None if dimensions else None


def free_rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of the graph whose batch size is free.

    Whether the graph then computes each row by itself must be tried: a shape may also be written into a node.
    """
    freed = onnx.ModelProto()
    freed.CopyFrom(model)
    del freed.graph.value_info[:]
    for value in (*freed.graph.input, *freed.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if dimensions:
            dimensions[0].dim_param = "rows"
    return freed


def serialise(model: onnx.ModelProto, path: Path) -> bytes:
    """Return the bytes the runtime loads; ``path`` names the file in an error."""
    try:
        return bytes(model.SerializeToString())
    except (EncodeError, ValueError) as error:
        raise FrsError(Reason.MODEL_INVALID, f"{path} is too large for one ONNX file") from error
