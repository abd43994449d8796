"""The engine: bytes -> picture -> faces -> templates, for any number of threads at once.

Decoding and detection run in the caller's thread; recognition goes through the batcher, so that faces of
different callers share the network's calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frs.embed.alignment import align
from frs.embed.batcher import Batcher, BatcherCounts
from frs.embed.blurring import Box, bystanders, portrait
from frs.embed.decoding import decode_picture
from frs.embed.detectors.detections import Detections, Detector, quarters
from frs.embed.quality import assess
from frs.embed.recognisers.recogniser import Recogniser
from frs.embed.scoring import with_profile
from frs.settings import Settings
from frs.types import Face, ModelInfo, Picture

_MIB = 1 << 20
_MEGAPIXEL = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A decoded picture and its faces."""

    picture: Picture
    faces: tuple[Face, ...]
    """Sorted by the area of their boxes, largest first."""
    faint: tuple[Box, ...] = ()
    """Where the detector is not sure enough of a face to match it: hidden from people with the others' faces."""

    def others(self, face: Face) -> tuple[Box, ...]:
        """Return whom to hide where one face is shown: see :func:`frs.embed.blurring.bystanders`."""
        return bystanders(face.box, (each.box for each in self.faces), self.faint)

    def portrait(self, face: Face) -> Picture:
        """Return a copy of a face with a margin, for people to look at, with nobody else in it."""
        return portrait(self.picture, face.box, self.others(face))


class FaceEngine:
    """One model pack at work. Made by :func:`frs.embed.loading.load_engine`; safe in threads."""

    def __init__(self, model: ModelInfo, detector: Detector, recogniser: Recogniser, settings: Settings) -> None:
        self.model = model
        self._detector, self._recogniser = detector, recogniser
        self._embed, self._quality = settings.embed, settings.quality
        self._batcher = Batcher(
            with_profile(recogniser.embed, model.profile),
            max_batch=settings.embed.max_batch,
            wait_seconds=settings.embed.batch_wait_ms / 1000,
            queue_faces=settings.embed.queue_faces,
        )

    def decode(self, data: bytes) -> Picture:
        """Decode a picture within the limits of the settings; errors as :func:`decode_picture`."""
        return decode_picture(data, self._embed.max_picture_mib * _MIB, self._embed.max_picture_megapixels * _MEGAPIXEL)

    def detect(self, picture: Picture) -> tuple[Face, ...]:
        """Return the faces of an upright RGB picture, usable or not, largest first."""
        return self.look(picture).faces

    def look(self, picture: Picture) -> Analysis:
        """Return the faces of an upright RGB picture as :meth:`detect` does, and what may be faces besides."""
        with self._batcher.preparing():
            every = self._detector.detect(picture)
            sure = every.scores >= self._embed.detector_score
            x1, y1, x2, y2 = (every.boxes[~sure, side].tolist() for side in range(4))
            faint = tuple(zip(x1, y1, x2, y2, strict=True))
            return Analysis(picture, self._faces(picture, every.only(sure)), faint)

    def closer(self, picture: Picture) -> tuple[Box, ...]:
        """Return where small faces are, or may be, that :meth:`look` scales away: looked for in four larger parts.

        Of some faces that it finds there are several boxes, or one of a half. None where the detector takes the whole
        picture as large as it is.
        """
        if max(picture.shape[:2]) <= self._embed.detector_size:
            return ()
        found: list[Box] = []
        for left, top, part in quarters(picture):
            boxes = self._detector.detect(part).boxes + np.array([left, top, left, top], dtype=np.float32)
            found += [(x1, y1, x2, y2) for x1, y1, x2, y2 in boxes.tolist()]
        return tuple(found)

    def _faces(self, picture: Picture, found: Detections) -> tuple[Face, ...]:
        if not len(found):
            return ()
        height, width = picture.shape[:2]
        aligned = align(picture, found.landmarks, self._recogniser.points, self._recogniser.size)
        quality = assess(found, aligned, (height, width), self._quality)
        boxes = np.clip(found.boxes, 0, np.array([width, height, width, height], dtype=np.float32))
        faces = [
            Face((float(x1), float(y1), float(x2), float(y2)), found.landmarks[i], quality[i], aligned[i])
            for i, (x1, y1, x2, y2) in enumerate(boxes)
        ]
        faces.sort(key=lambda face: (face.box[0] - face.box[2]) * (face.box[3] - face.box[1]))
        return tuple(faces)

    def analyse(self, data: bytes) -> Analysis:
        """Decode a picture and find its faces."""
        with self._batcher.preparing():
            return self.look(self.decode(data))

    def embed(self, faces: Sequence[Face], deadline: float | None = None) -> npt.NDArray[np.float32]:
        """Return unit templates (n, dimension), a row per face; ``deadline`` is a ``time.monotonic()``.

        Raises ``OVERLOADED`` when the queue is full or the deadline passes, ``SHUTTING_DOWN`` after :meth:`close`.
        """
        if not faces:
            return np.empty((0, self.model.dimension), dtype=np.float32)
        return self._batcher.embed(np.stack([face.aligned for face in faces]), deadline)

    def counts(self) -> BatcherCounts:
        """Return the batcher's counters, for metrics."""
        return self._batcher.counts()

    def close(self) -> None:
        """Answer what was accepted and end the engine's thread."""
        self._batcher.close()
