"""SCRFD (Guo et al., 2021), the detector of InsightFace's packs.

InsightFace's class reads the graph's layout (strides, anchors per cell, preprocessing constants) from our session,
so that every variant it knows is known here. Running and decoding are done here: its own
decoding builds boxes for every anchor before it looks at the scores, keeps a cache that threads would share, and
enlarges small pictures to the detector's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from insightface.model_zoo.scrfd import SCRFD

from frs.embed.detectors.detections import Detections, Floats, fit, select
from frs.embed.sessions import Network
from frs.errors import FrsError, Reason
from frs.types import Picture

_LAYOUTS = (9, 15)  # outputs of the variants that give landmarks


class Scrfd:
    """Detects faces with an SCRFD graph that gives landmarks."""

    def __init__(self, network: Network, size: int, score: float, *, square: bool = False) -> None:
        if network.output_count not in _LAYOUTS:
            message = f"an SCRFD graph with landmarks has 9 or 15 outputs, this one {network.output_count}"
            raise FrsError(Reason.MODEL_INVALID, message)
        layout = SCRFD(session=network.session)
        self._network, self._score = network, score
        self._mean, self._deviation = float(layout.input_mean), float(layout.input_std)
        self._strides: tuple[int, ...] = tuple(layout._feat_stride_fpn)
        self._anchors = int(layout._num_anchors)
        self._overlap = float(layout.nms_thresh)
        # A graph exported with fixed sides takes nothing else.
        self._square = square or layout.static_input_size is not None
        self._size = int(layout.static_input_size[0]) if layout.static_input_size else size

    def detect(self, picture: Picture) -> Detections:
        """Return the faces of an RGB picture."""
        fitted = fit(picture, self._size, square=self._square)
        mean = (self._mean,) * 3
        outputs = self._network.run(cv2.dnn.blobFromImage(fitted.canvas, 1.0 / self._deviation, mean=mean))
        # Graphs with a batch axis and graphs without one differ only by it.
        flat = [output.reshape(-1, output.shape[-1]) for output in outputs]
        levels = len(self._strides)
        parts = [
            self._decode(flat[level::levels], stride, fitted.canvas.shape[1] // stride)
            for level, stride in enumerate(self._strides)
        ]
        boxes, scores, landmarks = (np.concatenate(part) for part in zip(*parts, strict=True))
        return select(boxes, scores, landmarks, self._overlap, fitted)

    def _decode(self, outputs: Sequence[Floats], stride: int, columns: int) -> tuple[Floats, Floats, Floats]:
        """Return boxes, scores and landmarks of one level's anchors whose score reaches the least one.

        ``outputs`` are scores (anchors, 1), distances (anchors, 4) and offsets (anchors, 10). An anchor's box is
        four distances from its cell's corner and its landmarks five offsets, in strides.
        """
        scores, distances, offsets = outputs
        found = np.flatnonzero(scores[:, 0] >= self._score)
        cell = found // self._anchors
        centre = np.stack([cell % columns, cell // columns], axis=1).astype(np.float32) * stride
        reach = distances[found] * stride
        boxes = np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1)
        landmarks = centre[:, None, :] + offsets[found].reshape(-1, 5, 2) * stride
        return boxes, scores[found, 0], landmarks
