"""ArcFace (Deng et al., 2019), the recogniser of InsightFace's packs: 112x112 RGB.

InsightFace's class tells the preprocessing constants from the graph (early exports normalise inside it); the
network runs in our session, in batches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from insightface.model_zoo.arcface_onnx import ArcFaceONNX

from frs.embed.alignment import ARCFACE_POINTS, Points
from frs.embed.recognisers.recogniser import Recogniser
from frs.embed.sessions import Network
from frs.errors import FrsError, Reason

_SIDE = 112


class ArcFace(Recogniser):
    """Embeds faces as ``insightface``'s ``ArcFaceONNX`` does."""

    def __init__(self, network: Network, path: Path) -> None:
        if network.output_count != 1 or network.input_shape[2] != network.input_shape[3]:
            raise FrsError(Reason.MODEL_INVALID, f"{path} is no ArcFace graph: one square input and one output")
        layout = ArcFaceONNX(model_file=str(path), session=network.session)
        super().__init__(network, float(layout.input_mean), float(layout.input_std))
        self.size = network.input_shape[2] or _SIDE
        self.points = _points(self.size)


def _points(size: int) -> Points:
    """Return the landmarks' places for a side: InsightFace widens sides that are multiples of 128 by 8 in 128."""
    if size % _SIDE == 0:
        return ARCFACE_POINTS * np.float32(size / _SIDE)
    return (ARCFACE_POINTS + np.array([8, 0], dtype=np.float32)) * np.float32(size / 128)
