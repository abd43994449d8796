"""Five landmarks -> an upright face of fixed size, by a similarity transform.

The transform is the least-squares similarity of Umeyama (1991). In the plane, with points as complex numbers,
a rotation with scale is one complex factor, so that the solution is closed: no singular values, no reflections,
and all faces of a picture at once.

Landmark order everywhere: left eye, right eye, nose tip, left and right mouth corner, as the viewer sees them.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from frs.types import Picture

Points = npt.NDArray[np.float32]

DLIB_POINTS: Points = np.array(
    [[47.9, 46.5], [102.4, 46.4], [74.5, 77.0], [52.0, 104.4], [98.7, 103.9]], dtype=np.float32
)
"""Where dlib's ResNet expects the landmarks, in 150x150."""

ARCFACE_POINTS: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Where ArcFace and SFace expect the landmarks, in 112x112."""

_LARGEST_SHRINK = 2.0


def similarity(landmarks: Points, target: Points) -> npt.NDArray[np.float64]:
    """Return the similarity transforms that bring each face's landmarks nearest to the target points.

    ``landmarks`` is (n, 5, 2) and ``target`` (5, 2), in pixels; the result is (n, 2, 3), for column vectors (x, y, 1).
    Landmarks that all coincide give a transform of scale 0.
    """
    points = landmarks.astype(np.float64)
    source = points[..., 0] + 1j * points[..., 1]
    goal = target[:, 0].astype(np.float64) + 1j * target[:, 1].astype(np.float64)
    source_mean, goal_mean = source.mean(axis=1, keepdims=True), goal.mean()
    centred = source - source_mean
    spread = (np.abs(centred) ** 2).sum(axis=1)
    factor = (centred.conj() * (goal - goal_mean)).sum(axis=1) / np.where(spread > 0, spread, 1.0)
    shift = goal_mean - factor * source_mean[:, 0]
    rows = np.stack([factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag], axis=-1)
    return rows.reshape(-1, 2, 3)


def align(picture: Picture, landmarks: Points, target: Points, size: int) -> npt.NDArray[np.uint8]:
    """Cut each face out of the picture so that its landmarks lie at the target points.

    ``landmarks`` is (n, 5, 2), in pixels of the picture; ``target`` holds the points for a side of ``size``
    pixels. Returns (n, size, size, 3) RGB; what lies outside the picture is black.
    """
    transforms = similarity(landmarks, target)
    faces = np.empty((len(landmarks), size, size, 3), dtype=np.uint8)
    for face, transform in zip(faces, transforms, strict=True):
        faces_source, adapted = _shrunk(picture, transform, size)
        cv2.warpAffine(faces_source, adapted, (size, size), dst=face, flags=cv2.INTER_LINEAR)
    return faces


def _shrunk(picture: Picture, transform: npt.NDArray[np.float64], size: int) -> tuple[Picture, npt.NDArray[np.float64]]:
    """Return a source for the warp that is not more than twice as fine as its result, and the transform for it.

    Bilinear sampling looks at four pixels; where a large face shrinks more than that, it would pick pixels and
    skip the rest. Averaging the face's surroundings first keeps what the recogniser saw in training.
    """
    scale = float(np.hypot(transform[0, 0], transform[1, 0]))
    if scale <= 0 or scale * _LARGEST_SHRINK >= 1:
        return picture, transform
    factor = int(1 / scale)
    inverse = cv2.invertAffineTransform(transform)
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], dtype=np.float64) @ inverse.T
    height, width = picture.shape[:2]
    left, top = (max(0, int(v) // factor * factor - factor) for v in corners.min(axis=0))
    right, bottom = (
        min(width, int(corners[:, 0].max()) + 2 * factor),
        min(height, int(corners[:, 1].max()) + 2 * factor),
    )
    columns, rows = (right - left) // factor, (bottom - top) // factor
    if columns < 1 or rows < 1:
        return picture, transform
    part = picture[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # A pixel centre x of the shrunk part lies at left + factor * x + (factor - 1) / 2 of the picture.
    lift = np.array([[factor, 0, left + (factor - 1) / 2], [0, factor, top + (factor - 1) / 2], [0, 0, 1]])
    return small, transform @ lift
