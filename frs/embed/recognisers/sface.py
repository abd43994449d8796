"""SFace (Zhong et al., 2021), the recogniser of the OpenCV zoo: 112x112 RGB, 0 to 255, normalised inside the graph.

Alignment and preprocessing are those of ``cv2.FaceRecognizerSF``, which embeds one face at a time.
"""

from __future__ import annotations

from frs.embed.alignment import ARCFACE_POINTS, Points
from frs.embed.recognisers.recogniser import Crops, Embeddings, blob
from frs.embed.sessions import Network


class SFace:
    """Embeds faces as ``cv2.FaceRecognizerSF`` does."""

    size = 112
    points: Points = ARCFACE_POINTS

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that runs the network."""
        return self._network.provider

    def embed(self, faces: Crops) -> Embeddings:
        """Return embeddings (n, 128), not normalised, for aligned RGB faces (n, 112, 112, 3)."""
        return self._network.run_rows(blob(faces))
