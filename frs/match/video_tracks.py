"""Frames of a video -> tracks -> one probe for each track that had a usable face.

The tracks and their evidence are those of live matching (:mod:`frs.match.tracking`, :mod:`frs.match.evidence`): a
probe's query is the mean of its best frames' templates, not of unit length, so that its score against a reference is
the mean of those frames' scores. One usable frame is enough here: a person examines the ranked list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from frs.embed.engine import FaceEngine
from frs.match.evidence import TrackEvidence, queries
from frs.match.tracking import Tracker
from frs.types import Face, Picture, Quality

Embed = Callable[[Sequence[Face]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class MediaProbe:
    """A face (still) or a track (video) to be searched, as a person will see it."""

    number: int
    """Within the media, from 1."""
    first_ms: int
    last_ms: int
    best_ms: int
    """Time codes in the video, milliseconds; 0 for a still."""
    quality: Quality
    """Of the best frame."""
    frames: int
    """How many frames the query averages."""
    portrait: Picture
    """The best frame's face with a margin."""


class VideoTracks:
    """Follows the faces of one stretch of a video. Used by one thread at a time."""

    def __init__(
        self, engine: FaceEngine, embed: Embed, lost_seconds: float, max_frames: int, first_number: int
    ) -> None:
        self._engine, self._embed = engine, embed
        self._max_frames = max_frames
        self._next = first_number
        self._tracker = Tracker(lost_seconds)
        self._tracks: dict[int, TrackEvidence] = {}  # by the tracker's number; live ones and ended ones

    @property
    def faces(self) -> int:
        """Tracks with a usable face so far."""
        return len(self._tracks)

    def see(self, at_ms: int, picture: Picture) -> None:
        """Take in a frame, upright RGB, not earlier than the last one."""
        at = at_ms / 1000
        sight = self._engine.look(picture)
        faces = sight.faces
        boxes = np.array([face.box for face in faces], np.float64).reshape(-1, 4)
        step = self._tracker.update(at, boxes)
        chosen = []
        for number, face in zip(step.numbers, faces, strict=True):
            if face.quality.usable and self._track(number).see(at, face.quality):
                chosen.append((number, face))
        templates = self._embed([face for _, face in chosen])
        for (number, face), template in zip(chosen, templates, strict=True):
            self._tracks[number].add(at, face.quality, template.copy(), partial(sight.portrait, face))
        templates.fill(0.0)
        for face in faces:
            face.aligned.fill(0)

    def probes(self) -> tuple[tuple[MediaProbe, ...], npt.NDArray[np.float32]]:
        """Return the probes in the order in which they appeared, and their queries (n, d)."""
        tracks = [self._tracks[number] for number in sorted(self._tracks)]
        if not tracks:
            return (), np.empty((0, self._engine.model.dimension), np.float32)
        return tuple(_probe(track) for track in tracks), queries(tracks)

    def forget(self) -> None:
        """Overwrite every template and picture held."""
        for track in self._tracks.values():
            track.forget()
        self._tracks.clear()

    def _track(self, number: int) -> TrackEvidence:
        if number not in self._tracks:
            self._tracks[number] = TrackEvidence(self._next, self._max_frames)
            self._next += 1
        return self._tracks[number]


def _probe(track: TrackEvidence) -> MediaProbe:
    assert track.portrait is not None
    return MediaProbe(
        number=track.number,
        first_ms=round(track.first_at * 1000),
        last_ms=round(track.last_at * 1000),
        best_ms=round(track.best.at * 1000),
        quality=track.best.quality,
        frames=track.frames,
        portrait=track.portrait,
    )
