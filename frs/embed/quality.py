"""A quality record per face: can it be matched, and if not, why.

Measures follow the capture factors of ISO/IEC 29794-5 (size, sharpness, illumination, pose) in forms that need
no further model. They gate faces; they say nothing about who a face belongs to.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.alignment import ARCFACE_POINTS, similarity
from frs.embed.detectors.detections import Detections
from frs.settings import QualitySettings
from frs.types import Quality, QualityReason

_SIDE = 112
"""Side to which aligned faces are scaled before measuring, so that recognisers of other sizes agree."""
_CENTRE = slice(_SIDE // 6, _SIDE - _SIDE // 6)
"""The middle two thirds of an aligned face: skin and features, little background."""


def assess(
    detections: Detections, aligned: npt.NDArray[np.uint8], shape: tuple[int, int], settings: QualitySettings
) -> tuple[Quality, ...]:
    """Return each face's record. ``aligned`` is (n, S, S, 3) RGB; ``shape`` the picture's height and width."""
    boxes = detections.boxes
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) if len(boxes) else np.empty(0)
    poses = pose(detections.landmarks)
    outside = cut_off(detections.landmarks, shape)
    records = []
    for index, face in enumerate(aligned):
        sharpness, brightness = light(face)
        size, turn, score = float(sides[index]), float(poses[index]), float(detections.scores[index])
        faults = (
            (QualityReason.TOO_SMALL, size < settings.min_face),
            (QualityReason.TOO_BLURRED, sharpness < settings.min_sharpness),
            (QualityReason.TOO_DARK, brightness < settings.min_brightness),
            (QualityReason.TOO_BRIGHT, brightness > settings.max_brightness),
            (QualityReason.EXTREME_POSE, turn > settings.max_pose),
            (QualityReason.LOW_CONFIDENCE, score < settings.min_detector_score),
            (QualityReason.CUT_OFF, float(outside[index]) > settings.max_cut_off),
        )
        reasons = tuple(reason for reason, fails in faults if fails)
        records.append(Quality(size, sharpness, turn, brightness, score, reasons))
    return tuple(records)


def light(face: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Return sharpness (variance of the Laplacian, grey levels squared) and mean grey level of an aligned RGB face."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    if grey.shape[0] != _SIDE:
        grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    middle = np.ascontiguousarray(grey[_CENTRE, _CENTRE])
    _, deviation = cv2.meanStdDev(cv2.Laplacian(middle, cv2.CV_32F))
    return float(deviation[0, 0]) ** 2, float(cv2.mean(middle)[0])


def pose(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return each face's deviation from frontal as a share of a right angle, 0 to 1, from landmarks (n, 5, 2).

    Roll does not count: positions are measured along and across the line of the eyes. Turning the head moves the
    nose sideways between eyes and mouth corners, nodding moves it up or down between the eyes' line and the
    mouth's. With the nose tip standing out of the plane of the other four by a fixed share of their distances,
    what it moves by, over what is left of those distances, is the tangent of the angle. The greater angle counts.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = np.moveaxis(landmarks.astype(np.float64), 1, 0)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    axis = right_eye - left_eye
    width = np.hypot(axis[:, 0], axis[:, 1])
    along = axis / np.maximum(width, 1e-6)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    mouth_width = np.abs(((right_mouth - left_mouth) * along).sum(axis=1))
    half = np.maximum((width + mouth_width) / 4, 1e-6)
    sideways = np.abs(((nose - (eyes + mouth) / 2) * along).sum(axis=1)) / half
    height = np.maximum(((mouth - eyes) * across).sum(axis=1), 1e-6)
    down = ((nose - eyes) * across).sum(axis=1) / height - _NOSE_HEIGHT
    tangent = np.maximum(sideways / _NOSE_TO_HALF_WIDTH, np.abs(down) / _NOSE_TO_HEIGHT)
    deviation: npt.NDArray[np.float32] = (np.arctan(tangent) / (np.pi / 2)).astype(np.float32)
    return deviation


_NOSE_HEIGHT = 0.58
"""Where a frontal nose tip lies between the line of the eyes (0) and that of the mouth (1)."""
_NOSE_TO_HALF_WIDTH = 1.0
"""How far the nose tip stands out, over half the mean distance of the eyes and of the mouth corners."""
_NOSE_TO_HEIGHT = 0.45
"""The same over the distance from the eyes' line to the mouth's."""


def cut_off(landmarks: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the share of each face that lies outside a picture of this height and width, 0 to 1.

    The face is the rectangle around a typical one, from forehead to chin and ear to ear, laid over the landmarks
    (n, 5, 2): detectors tend to end their boxes where the picture does.
    """
    transforms = similarity(landmarks, ARCFACE_POINTS)
    linear, shift = transforms[:, :, :2], transforms[:, :, 2]
    # The inverse of a similarity is its transpose over its squared scale.
    squared = np.maximum((linear[:, 0] ** 2).sum(axis=1), 1e-12)[:, None, None]
    places = (_FACE_GRID[None] - shift[:, None, :]) @ linear / squared
    height, width = shape
    outside = (places < -0.5).any(axis=2) | (places > [width - 0.5, height - 0.5]).any(axis=2)
    share: npt.NDArray[np.float32] = outside.mean(axis=1).astype(np.float32)
    return share


# A typical face in the ArcFace template, 112 by 112: eyes at height 51.6, 35.2 apart, mouth at 92.3.
_FACE_GRID = np.stack(np.meshgrid(np.linspace(18, 94, 20), np.linspace(27, 114, 20)), axis=-1).reshape(-1, 2)
