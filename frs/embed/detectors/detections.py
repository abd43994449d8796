"""What every detector gives: boxes, scores and five landmarks, in pixels of the picture it was given.

Also what they share: fitting a picture to the detector's input, and suppressing boxes that overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from frs.types import Picture

Floats = npt.NDArray[np.float32]
STRIDE = 32
"""Sides of a detector's input are multiples of this: the coarsest stride of all three networks."""
_SMALLEST_SIDE = 160
_MOST_BOXES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces of one picture, best score first."""

    boxes: Floats
    """(n, 4): x1, y1, x2, y2 in pixels; may reach outside the picture where a face does."""
    scores: Floats
    """(n,): confidence, 0 to 1."""
    landmarks: Floats
    """(n, 5, 2): left eye, right eye, nose tip, left and right mouth corner as the viewer sees them, in pixels."""

    def __len__(self) -> int:
        return len(self.scores)

    def only(self, which: npt.NDArray[np.bool_]) -> Detections:
        """Return the faces that (n,) booleans choose."""
        return Detections(self.boxes[which], self.scores[which], self.landmarks[which])


class Detector(Protocol):
    """Finds faces. Safe in threads."""

    def detect(self, picture: Picture) -> Detections:
        """Return the faces of an RGB picture."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A picture scaled into the top left corner of a detector's input."""

    canvas: Picture
    """(height, width, 3) with sides that are multiples of 32; black where the picture does not reach."""
    scale: tuple[float, float]
    """Pixels of the canvas per pixel of the picture, across and down."""


def fit(picture: Picture, size: int, *, square: bool = False) -> Fitted:
    """Scale a picture so that its longer side is at most ``size`` pixels, and pad it to multiples of 32.

    A picture that is small already is not enlarged (a detector finds no more in invented pixels, and its time
    grows with the area), except to a longer side of 160. ``square`` pads to ``size`` x ``size``, for
    accelerators that want one shape.
    """
    height, width = picture.shape[:2]
    longer = max(height, width)
    factor = min(1.0, size / longer) if longer >= _SMALLEST_SIDE else _SMALLEST_SIDE / longer
    columns, rows = max(1, round(width * factor)), max(1, round(height * factor))
    if (columns, rows) == (width, height):
        scaled = picture
    else:
        # Averaging keeps small faces that skipping pixels would break up.
        how = cv2.INTER_AREA if factor < 0.5 else cv2.INTER_LINEAR
        scaled = cv2.resize(picture, (columns, rows), interpolation=how)
    across, down = (size, size) if square else (-(-columns // STRIDE) * STRIDE, -(-rows // STRIDE) * STRIDE)
    if (across, down) != (columns, rows):
        canvas = np.zeros((down, across, 3), dtype=np.uint8)
        canvas[:rows, :columns] = scaled
    else:
        canvas = scaled
    return Fitted(canvas, (columns / width, rows / height))


def select(boxes: Floats, scores: Floats, landmarks: Floats, overlap: float, fitted: Fitted) -> Detections:
    """Keep the best of boxes that overlap, and bring them from the canvas to the picture's pixels.

    Non-maximum suppression: in order of score, each box kept discards those whose intersection over union with it
    is greater than ``overlap``.
    """
    order = np.argsort(-scores, kind="stable")[:_MOST_BOXES]
    boxes, scores, landmarks = boxes[order], scores[order], landmarks[order]
    keep = suppress(boxes, overlap)
    scale = np.array(fitted.scale, dtype=np.float32)
    found = (boxes[keep] / np.tile(scale, 2)).astype(np.float32)
    return Detections(found, scores[keep], (landmarks[keep] / scale).astype(np.float32))


def suppress(boxes: Floats, overlap: float) -> npt.NDArray[np.intp]:
    """Return the indices of boxes (n, 4), given best first, that survive non-maximum suppression."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    area = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    union = area[:, None] + area[None, :] - common
    clash = common > overlap * union
    alive = np.ones(len(boxes), dtype=bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return np.flatnonzero(alive)


def quarters(picture: Picture) -> Iterator[tuple[int, int, Picture]]:
    """Yield the corners of a picture, each with where its left and top are: they overlap by a fifth of a side."""
    height, width = picture.shape[:2]
    down, across = -(-height * 3 // 5), -(-width * 3 // 5)
    for top in (0, height - down):
        for left in (0, width - across):
            yield left, top, picture[top : top + down, left : left + across]
