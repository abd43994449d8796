"""dlib's face recognition ResNet (King, 2017), converted to ONNX: 150x150 RGB, 128 numbers.

The graph itself subtracts the mean and divides, as dlib's input layer does.
"""

from __future__ import annotations

from frs.embed.alignment import DLIB_POINTS
from frs.embed.recognisers.recogniser import Recogniser


class DlibResnet(Recogniser):
    """Embeds faces as ``dlib.face_recognition_model_v1`` does; 128 numbers."""

    size = 150
    points = DLIB_POINTS
