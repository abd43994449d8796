"""Hiding faces that nobody asked about: what is left of them cannot be undone.

A face is covered from the hair to below the chin and beyond both ears. What is shown there is made of as few as
:data:`_CELLS` by :data:`_CELLS` mean colours of the covered place, enlarged and smoothed: whoever receives the picture
receives nothing more of the face, so no sharpening brings it back. A light blur would not do: the detail would still
be in the pixels.

Where the covers of two faces meet, each keeps the pixels nearer to it, so the face that a picture is about stays whole
beside a neighbour and shows none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.decoding import CROP_MARGIN, crop_face
from frs.types import Picture

Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the upright picture."""

_CELLS = 4
_SMOOTH = 32
"""Side at which the mean colours are smoothed, before they are enlarged to the place they cover."""
# Detectors' boxes end at the brow or the hairline and at the chin, and beside the ears. In shares of the box's sides:
_ABOVE, _BELOW, _ASIDE = 0.5, 0.25, 0.3
_SAME = 0.5
"""A box that may be a face is the shown face itself when so much of the smaller of the two is common to both."""


def bystanders(shown: Box, faces: Iterable[Box], faint: Iterable[Box]) -> tuple[Box, ...]:
    """Return what to hide in a picture about the face ``shown``: every other face, and what may be one.

    ``faces`` were detected and may include the shown one; ``faint`` are places where the detector is less sure: what
    lies on the shown face is a part of it.
    """
    others = tuple(box for box in faces if box != shown)
    return (*others, *(box for box in faint if _common(shown, box) <= _SAME))


def hide(picture: Picture, others: Iterable[Box], shown: Box | None = None) -> Picture:
    """Return a copy of an RGB picture in which the faces ``others`` are unrecognisable; ``shown`` is spared."""
    hidden = picture.copy()
    for box in others:
        _hide(picture, hidden, box, shown)
    return hidden


def portrait(picture: Picture, shown: Box, others: Iterable[Box]) -> Picture:
    """Return a face with a margin, as :func:`frs.embed.decoding.crop_face` does, and nobody else in it."""
    cut = _around(shown, CROP_MARGIN, CROP_MARGIN, CROP_MARGIN)
    near = [box for box in others if _common(cut, _cover(box)) > 0]
    if not near:
        return crop_face(picture, shown)
    # No more than what is hidden or cut is copied: of a large frame that would be slow, for each face that is followed.
    corners = np.array([cut, *(_cover(box) for box in near)])
    left, top = (max(0, int(side)) for side in corners[:, :2].min(axis=0))
    right, bottom = (int(np.ceil(side)) for side in corners[:, 2:].max(axis=0))
    moved, *others = ((x1 - left, y1 - top, x2 - left, y2 - top) for x1, y1, x2, y2 in (shown, *near))
    return crop_face(hide(picture[top:bottom, left:right], others, moved), moved)


def scaled(box: Box, factor: float) -> Box:
    """Return the box in a picture that was scaled by ``factor``, to a tenth of a pixel."""
    x1, y1, x2, y2 = (round(float(value) * factor, 1) for value in box)
    return x1, y1, x2, y2


def _cover(box: Box) -> Box:
    return _around(box, _ASIDE, _ABOVE, _BELOW)


def _around(box: Box, aside: float, above: float, below: float) -> Box:
    x1, y1, x2, y2 = box
    across, down = x2 - x1, y2 - y1
    return x1 - across * aside, y1 - down * above, x2 + across * aside, y2 + down * below


def _hide(picture: Picture, hidden: Picture, box: Box, shown: Box | None) -> None:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = cover = _cover(box)
    left, top = max(0, int(x1)), max(0, int(y1))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right <= left or bottom <= top:
        return
    place = picture[top:bottom, left:right]
    coarse = cv2.resize(place, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (_SMOOTH, _SMOOTH), interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(smooth, (0, 0), _SMOOTH / (2 * _CELLS))
    smooth = cv2.resize(smooth, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    target = hidden[top:bottom, left:right]
    if shown is None:
        target[:] = smooth
        return
    grid = (np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    nearer = _distance(grid, cover) <= _distance(grid, _cover(shown))
    cv2.copyTo(smooth, nearer.astype(np.uint8), target)


def _distance(grid: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], cover: Box) -> npt.NDArray[np.float64]:
    """Return how far pixels lie from a cover's middle: 0 there, 1 at its edge."""
    x1, y1, x2, y2 = cover
    across = np.abs(grid[0] - (x1 + x2) / 2) / max((x2 - x1) / 2, 1e-6)
    down = np.abs(grid[1] - (y1 + y2) / 2) / max((y2 - y1) / 2, 1e-6)
    return np.maximum(across[None, :], down[:, None])


def _common(one: Box, other: Box) -> float:
    """Return which share of the smaller of two boxes is common to both."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / smaller if smaller > 0 else 0.0
