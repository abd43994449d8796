"""YuNet (Wu et al., 2023), the detector of the OpenCV zoo.

Outputs per stride 8, 16 and 32: class and objectness scores, box and landmarks relative to the cell. Input: BGR,
0 to 255. Agrees with ``cv2.FaceDetectorYN``, which takes one picture size at a time and OpenCV's own runtime.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from frs.embed.detectors.detections import Detections, Floats, fit, select
from frs.embed.sessions import Network
from frs.errors import FrsError, Reason
from frs.types import Picture

_STRIDES = (8, 16, 32)
_OVERLAP = 0.3


class YuNet:
    """Detects faces with a YuNet graph."""

    def __init__(self, network: Network, size: int, score: float, *, square: bool = False) -> None:
        if network.output_count != 4 * len(_STRIDES):
            raise FrsError(Reason.MODEL_INVALID, f"a YuNet graph has 12 outputs, this one {network.output_count}")
        self._network, self._score = network, score
        side = network.input_shape[2]
        self._square = square or side is not None
        self._size = side or size

    def detect(self, picture: Picture) -> Detections:
        """Return the faces of an RGB picture."""
        fitted = fit(picture, self._size, square=self._square)
        outputs = self._network.run(cv2.dnn.blobFromImage(fitted.canvas, swapRB=True))
        flat = [output.reshape(-1, output.shape[-1]) for output in outputs]
        levels = len(_STRIDES)
        parts = [
            self._decode(flat[level::levels], stride, fitted.canvas.shape[1] // stride)
            for level, stride in enumerate(_STRIDES)
        ]
        boxes, scores, landmarks = (np.concatenate(part) for part in zip(*parts, strict=True))
        return select(boxes, scores, landmarks, _OVERLAP, fitted)

    def _decode(self, outputs: Sequence[Floats], stride: int, columns: int) -> tuple[Floats, Floats, Floats]:
        """Return boxes, scores and landmarks of one stride's cells whose score reaches the least one.

        ``outputs`` are class and objectness scores (cells, 1), boxes (cells, 4) and landmarks (cells, 10). The score
        is the geometric mean of the two; a box is its centre's offset and the logarithm of its sides, in strides.
        """
        classes, objects, boxes, points = outputs
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        found = np.flatnonzero(scores >= self._score)
        cell = np.stack([found % columns, found // columns], axis=1).astype(np.float32)
        centre = (cell + boxes[found, :2]) * stride
        half = np.exp(boxes[found, 2:]) * stride / 2
        landmarks = (cell[:, None, :] + points[found].reshape(-1, 5, 2)) * stride
        return np.concatenate([centre - half, centre + half], axis=1), scores[found], landmarks
