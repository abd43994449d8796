"""SFace (Zhong et al., 2021), the recogniser of the OpenCV zoo: 112x112 RGB, 0 to 255, normalised inside the graph.

Alignment and preprocessing are those of ``cv2.FaceRecognizerSF``, which embeds one face at a time.
"""

from __future__ import annotations

from frs.embed.alignment import ARCFACE_POINTS
from frs.embed.recognisers.recogniser import Recogniser


class SFace(Recogniser):
    """Embeds faces as ``cv2.FaceRecognizerSF`` does; 128 numbers."""

    size = 112
    points = ARCFACE_POINTS
