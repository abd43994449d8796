"""What every recogniser is: a size, five points to align to, and a network from pixels to embeddings."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.alignment import Points
from frs.embed.sessions import Network

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float32]


class Recogniser:
    """Embeds aligned faces. Safe in threads."""

    size: int
    """Side of the square input, pixels."""
    points: Points
    """(5, 2): where the landmarks lie in it."""

    def __init__(self, network: Network, mean: float = 0.0, deviation: float = 1.0) -> None:
        """``mean`` and ``deviation`` are what the network's input is normalised with; by default its graph does."""
        self._network = network
        self._mean, self._deviation = mean, deviation

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that runs the network."""
        return self._network.provider

    def embed(self, faces: Crops) -> Embeddings:
        """Return the network's outputs (n, d), not normalised, for aligned RGB faces (n, size, size, 3)."""
        return self._network.run_rows(self._blob(faces))

    def _blob(self, faces: Crops) -> npt.NDArray[np.float32]:
        """Return faces as the network takes them: (n, 3, size, size) float32, (value - mean) / deviation."""
        blob: npt.NDArray[np.float32] = cv2.dnn.blobFromImages(
            list(faces), 1.0 / self._deviation, mean=(self._mean,) * 3
        )
        return blob
