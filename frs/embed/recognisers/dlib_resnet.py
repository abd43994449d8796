"""dlib's face recognition ResNet (King, 2017), converted to ONNX: 150x150 RGB, 128 numbers.

The graph itself subtracts the mean and divides, as dlib's input layer does.
"""

from __future__ import annotations

from frs.embed.alignment import DLIB_POINTS, Points
from frs.embed.recognisers.recogniser import Crops, Embeddings, blob
from frs.embed.sessions import Network


class DlibResnet:
    """Embeds faces as ``dlib.face_recognition_model_v1`` does."""

    size = 150
    points: Points = DLIB_POINTS

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that runs the network."""
        return self._network.provider

    def embed(self, faces: Crops) -> Embeddings:
        """Return embeddings (n, 128), not normalised, for aligned RGB faces (n, 150, 150, 3)."""
        return self._network.run_rows(blob(faces))
