"""What every recogniser is: a size, five points to align to, and a network from pixels to embeddings."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.alignment import Points

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float32]


class Recogniser(Protocol):
    """Embeds aligned faces. Safe in threads."""

    size: int
    """Side of the square input, pixels."""
    points: Points
    """(5, 2): where the landmarks lie in it."""

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that runs the network."""
        ...

    def embed(self, faces: Crops) -> Embeddings:
        """Return the network's outputs (n, d), not normalised, for aligned RGB faces (n, size, size, 3)."""
        ...


def blob(faces: Crops, mean: float = 0.0, deviation: float = 1.0) -> npt.NDArray[np.float32]:
    """Return faces as the networks take them: (n, 3, size, size) float32, (value - mean) / deviation."""
    result: npt.NDArray[np.float32] = cv2.dnn.blobFromImages(list(faces), 1.0 / deviation, mean=(mean,) * 3)
    return result
