"""Reads the weights of dlib's face recognition network from its ``.dat`` file.

The file is dlib's own serialisation (``dlib/serialize.h``): an integer is one byte, whose low four bits count the
little-endian bytes that follow and whose high bit is the sign; a string is its length and its bytes; a tensor is
the integer 2, four integer dimensions and float32 little-endian values. Layers lie in forward order: 29 times a
convolution (``con_4``) and a folded batch normalisation (``affine_``), then one linear layer (``fc_2``).

It promises to accept this one architecture and nothing else: any other bytes, however made, raise
``FrsError(MODEL_INVALID)``, and memory stays within a small multiple of the file's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from frs.errors import FrsError, Reason

Floats = npt.NDArray[np.float32]

TENSOR_VERSION = 2
MAX_BYTES = 64 << 20
MAX_GAP = 4096
"""Most bytes between the end of one layer's weights and the name of the next (bookkeeping that is not read)."""


@dataclass(frozen=True, slots=True)
class ConvShape:
    """What a convolution of the network must be."""

    filters: int
    channels: int
    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """A convolution and the affine layer after it."""

    shape: ConvShape
    weights: Floats
    """(filters, channels, kernel, kernel)"""
    bias: Floats
    """(filters,)"""
    gamma: Floats
    """(filters,): scale of the affine layer."""
    beta: Floats
    """(filters,): shift of the affine layer."""


@dataclass(frozen=True, slots=True, eq=False)
class ResnetWeights:
    """All weights, in forward order."""

    convs: tuple[Conv, ...]
    linear: Floats
    """(256, 128): the descriptor is the pooled features times this."""


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block of two convolutions; ``down`` halves rows and columns."""

    channels: int
    filters: int
    down: bool

    @property
    def convs(self) -> tuple[ConvShape, ConvShape]:
        """The block's two convolutions."""
        stride, padding = (2, 0) if self.down else (1, 1)
        return (
            ConvShape(self.filters, self.channels, 3, stride, padding),
            ConvShape(self.filters, self.filters, 3, 1, 1),
        )


STEM = ConvShape(filters=32, channels=3, kernel=7, stride=2, padding=0)
BLOCKS: tuple[Block, ...] = (
    *[Block(32, 32, down=False)] * 3,
    Block(32, 64, down=True),
    *[Block(64, 64, down=False)] * 3,
    Block(64, 128, down=True),
    *[Block(128, 128, down=False)] * 2,
    Block(128, 256, down=True),
    *[Block(256, 256, down=False)] * 2,
    Block(256, 256, down=True),
)
FEATURES, DESCRIPTOR = 256, 128
SIDE = 150
"""Rows and columns of the aligned face that the network takes, pixels."""


def parse_resnet(data: bytes) -> ResnetWeights:
    """Read the network's weights. Raises ``MODEL_INVALID`` for anything that is not this network."""
    if len(data) > MAX_BYTES:
        raise _invalid(f"the file is larger than {MAX_BYTES} bytes")
    reader = _Reader(data)
    shapes = [STEM, *(shape for block in BLOCKS for shape in block.convs)]
    convs = tuple(_read_conv(reader, shape, first=number == 0) for number, shape in enumerate(shapes))
    reader.seek(b"fc_2")
    reader.expect(DESCRIPTOR, "descriptor length")
    reader.expect(FEATURES, "feature length")
    linear = reader.tensor((FEATURES, DESCRIPTOR, 1, 1)).reshape(FEATURES, DESCRIPTOR)
    return ResnetWeights(convs, linear)


def _read_conv(reader: _Reader, shape: ConvShape, first: bool) -> Conv:
    reader.seek(b"con_4", anywhere=first)
    count = shape.filters * shape.channels * shape.kernel**2
    params = reader.tensor((count + shape.filters, 1, 1, 1)).reshape(-1)
    expected = (shape.filters, shape.kernel, shape.kernel, shape.stride, shape.stride, shape.padding, shape.padding)
    for value in expected:
        reader.expect(value, "convolution")
    reader.seek(b"affine_")
    affine = reader.tensor((2 * shape.filters, 1, 1, 1)).reshape(-1)
    return Conv(
        shape=shape,
        weights=params[:count].reshape(shape.filters, shape.channels, shape.kernel, shape.kernel),
        bias=params[count:],
        gamma=affine[: shape.filters],
        beta=affine[shape.filters :],
    )


class _Reader:
    """A position in the bytes; every read is checked against their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def seek(self, layer: bytes, anywhere: bool = False) -> None:
        """Move past the next layer of this name."""
        name = bytes([1, len(layer)]) + layer
        stop = len(self._data) if anywhere else self._at + MAX_GAP
        found = self._data.find(name, self._at, stop)
        if found < 0:
            raise _invalid(f"no layer {layer.decode()} after byte {self._at}")
        self._at = found + len(name)

    def integer(self) -> int:
        control = self._take(1)[0]
        count = control & 0x0F
        if control & 0x70 or count > 8:
            raise _invalid(f"byte {self._at - 1} does not start an integer")
        value = int.from_bytes(self._take(count), "little")
        return -value if control & 0x80 else value

    def expect(self, value: int, what: str) -> None:
        found = self.integer()
        if found != value:
            raise _invalid(f"{what}: {found} at byte {self._at}, where the network has {value}")

    def tensor(self, shape: tuple[int, int, int, int]) -> Floats:
        self.expect(TENSOR_VERSION, "tensor version")
        for dimension in shape:
            self.expect(dimension, "tensor dimension")
        values = np.frombuffer(self._take(4 * prod(shape)), dtype="<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise _invalid(f"a weight before byte {self._at} is not a finite number")
        return values.reshape(shape)

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise _invalid(f"the file ends at byte {len(self._data)}, within its weights")
        self._at += count
        return taken


def _invalid(what: str) -> FrsError:
    return FrsError(Reason.MODEL_INVALID, f"this is not dlib's face recognition network: {what}")
