"""Tells from an ONNX file's graph what it is: a face detector, a face recogniser, or something else.

Only inputs, outputs and a few operators are looked at; nothing is run. What can be used:

- SCRFD (Guo et al. 2021) and RetinaFace of InsightFace: one picture in; scores, boxes and five landmarks out for
  three or five strides, so 9 or 15 outputs whose last dimensions are 1, 4 and 10.
- YuNet (Wu et al. 2023): outputs ``cls_8`` to ``kps_32``.
- A recogniser: one 112x112 picture in, one embedding of at least 64 numbers out (ArcFace; SFace by its name, or any
  that subtracts and scales within its graph as SFace does).

Attribute models (age, gender) and landmark models come out as ``other`` and are never used; so does whatever is no
ONNX model at all, so that one broken file does not hide the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from frs.embed.shelf import storage_errors

MAX_BYTES = 1 << 30
ARCFACE_SIDE = 112
LEAST_DIMENSION = 64
_YUNET = {f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}


@dataclass(frozen=True, slots=True)
class ModelGraph:
    """What an ONNX file is."""

    path: Path
    role: Literal["detector", "recogniser", "other"]
    kind: str
    """A kind of :class:`frs.embed.pack.ModelFile`; empty when the role is ``other``."""
    why: str
    """What it was told by, in a few words."""


def read_graph(path: Path) -> ModelGraph:
    """Classify one file. Raises ``STORAGE_FAILED`` when it cannot be read, and nothing for what it holds."""
    with storage_errors():
        if path.stat().st_size > MAX_BYTES:
            return ModelGraph(path, "other", "", "it is larger than 1 GiB")
        data = path.read_bytes()
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        return ModelGraph(path, "other", "", "it is not an ONNX model")
    if not model.graph.node:
        return ModelGraph(path, "other", "", "it is not an ONNX model")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        return ModelGraph(path, "other", "", "its weights lie in another file")
    return _classify(path, model.graph)


def _classify(path: Path, graph: GraphProto) -> ModelGraph:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    outputs = list(graph.output)
    if len(inputs) != 1 or len(_shape(inputs[0])) != 4 or _shape(inputs[0])[1] != 3:
        return ModelGraph(path, "other", "", "it does not take one colour picture")
    if {value.name for value in outputs} == _YUNET:
        return ModelGraph(path, "detector", "yunet", "YuNet's outputs")
    if len(outputs) in (9, 15):
        return _detector(path, outputs)
    if len(outputs) in (6, 10):
        return ModelGraph(path, "other", "", "a detector without landmarks, which alignment needs")
    if len(outputs) == 1:
        return _recogniser(path, graph, _shape(inputs[0])[2:], _shape(outputs[0]))
    return ModelGraph(path, "other", "", f"{len(outputs)} outputs")


def _detector(path: Path, outputs: list[ValueInfoProto]) -> ModelGraph:
    strides = len(outputs) // 3
    expected = [1] * strides + [4] * strides + [10] * strides
    found = [(_shape(value) or (None,))[-1] for value in outputs]
    if any(last not in (None, wanted) for last, wanted in zip(found, expected, strict=True)):
        return ModelGraph(path, "other", "", f"{len(outputs)} outputs that are not scores, boxes and landmarks")
    return ModelGraph(path, "detector", "scrfd", f"scores, boxes and five landmarks for {strides} strides")


def _recogniser(
    path: Path, graph: GraphProto, sides: tuple[int | None, ...], output: tuple[int | None, ...]
) -> ModelGraph:
    if sides != (ARCFACE_SIDE, ARCFACE_SIDE):
        size = "x".join("?" if side is None else str(side) for side in sides)
        return ModelGraph(path, "other", "", f"it takes {size}, not {ARCFACE_SIDE}x{ARCFACE_SIDE}")
    if len(output) != 2 or (output[1] is not None and output[1] < LEAST_DIMENSION):
        return ModelGraph(path, "other", "", "its output is not an embedding")
    if graph.node[-1].op_type in ("Softmax", "Sigmoid", "LogSoftmax", "ArgMax"):
        return ModelGraph(path, "other", "", "it ends in a classification")
    first = {node.op_type for node in graph.node[:8]}
    if "sface" in path.name.lower() or {"Sub", "Mul"} <= first:
        return ModelGraph(path, "recogniser", "sface", "one embedding from 112x112, scaled within the graph")
    return ModelGraph(path, "recogniser", "arcface", "one embedding from 112x112")


def _shape(value: ValueInfoProto) -> tuple[int | None, ...]:
    """Return the dimensions, None where one is free; an exporter's 0 or -1 is free too."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions)
