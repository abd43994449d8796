"""The frame in which a track's best shot was taken: kept as it came while the track lives, sealed with an alert.

A track refers to the camera's encoded bytes, which its neighbours share, and never to a decoded copy. Only when an
alert is raised is the frame decoded again, scaled to ``review.frame_pixels`` and encoded, with nobody in it blurred
and without what a camera writes beside the pixels; it is sealed at once, and whoever shows it blurs every face but the
alerted one (:mod:`frs.review.pictures`). The detector sees a large frame scaled down and misses faces that people still
know: a frame that is kept is looked at once more in parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from frs.embed.blurring import Box, bystanders, scaled
from frs.embed.decoding import encode_jpeg
from frs.embed.engine import FaceEngine
from frs.settings import ReviewSettings
from frs.types import Json

_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A frame as it came, and who is where in it."""

    data: bytes
    """The encoded picture."""
    face: Box
    """The track's."""
    others: tuple[Box, ...]
    """Faces, and what may be faces, that are not the track's."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptFrame:
    """A frame to be sealed."""

    jpeg: bytes
    faces: tuple[Box, ...]
    """In its pixels, the alerted one first."""

    def faces_json(self) -> list[Json]:
        """Return the boxes as they are stored."""
        return [list(box) for box in self.faces]


class FrameKeeping:
    """Makes of a scene what is kept of it. Thread-safe."""

    def __init__(self, engine: FaceEngine, settings: ReviewSettings) -> None:
        self._engine, self._settings = engine, settings

    def keep(self, scene: Scene | None) -> KeptFrame | None:
        """Return the frame to be kept; None without one, and where ``review.keep_frame`` is off."""
        if scene is None or not self._settings.keep_frame:
            return None
        picture = self._engine.decode(scene.data)
        height, width = picture.shape[:2]
        factor = min(1.0, self._settings.frame_pixels / max(height, width))
        kept = picture
        if factor < 1.0:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            kept = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        shown, *others = (scaled(box, factor) for box in (scene.face, *scene.others))
        others += [scaled(box, 1.0) for box in bystanders(shown, (), self._engine.closer(kept))]
        jpeg = encode_jpeg(kept, _JPEG_QUALITY)
        for pixels in (picture, kept):
            if pixels.flags.writeable:
                pixels.fill(0)
        return KeptFrame(jpeg, (shown, *others))


def boxes_from(stored: Sequence[Sequence[float]] | None) -> tuple[Box, ...]:
    """Read what :meth:`KeptFrame.faces_json` wrote."""
    return tuple((float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in stored or ())
