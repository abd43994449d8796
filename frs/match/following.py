"""The faces of one camera as tracks with evidence: which are followed, which are embedded, what is forgotten.

Templates live here while their track lives and are overwritten when it ends. One batch for the recogniser a frame.

A track follows a place, and in a queue somebody else takes a place within a moment. So a track whose face was not
detected for half the time after which it would have ended goes on with new evidence: two people are never averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from frs.embed.engine import Analysis, FaceEngine
from frs.match.evidence import TrackEvidence
from frs.match.frames import Scene
from frs.match.tally import StreamCounts, Tally
from frs.match.tracking import Tracker
from frs.settings import LiveSettings

ListVersions = tuple[tuple[str, int], ...]
"""(watchlist, version) of each list searched."""


@dataclass(slots=True)
class Followed:
    """A track with a usable face."""

    evidence: TrackEvidence
    at: float
    """Capture time when the face was last detected, usable or not, seconds of the epoch."""
    frame: int
    """The frame's number then."""
    alerted: set[str] = field(default_factory=set)
    """Nominals it has alerted for."""
    settled: ListVersions | None = None
    """Lists under which its present evidence was searched and proposed nobody new to alert for."""


class Following:
    """The tracks of one camera. Used by one thread at a time."""

    def __init__(self, engine: FaceEngine, settings: LiveSettings, tally: Tally) -> None:
        self._engine, self._tally = engine, tally
        self._max_frames = settings.max_frames
        self._hidden = settings.track_lost_seconds / 2
        self._frame = 0
        self._tracker = Tracker(settings.track_lost_seconds)
        self._followed: dict[int, Followed] = {}

    def take(self, analysis: Analysis, at: float, embedding: bool = True, data: bytes = b"") -> list[Followed]:
        """Follow a frame's faces, captured ``at`` (seconds of the epoch, never before the last frame's).

        ``data`` is the frame as it came, for the tracks of which this is the best shot. Returns the tracks whose face
        is usable in this frame. Without ``embedding`` they are only counted. FrsError OVERLOADED when the recogniser
        cannot take them; the tracks are followed all the same.
        """
        step = self._tracker.update(at, np.array([face.box for face in analysis.faces], np.float64).reshape(-1, 4))
        self._forget(step.ended)
        self._frame += 1
        seen, wanted = [], []
        for number, face in zip(step.numbers, analysis.faces, strict=True):
            followed = self._detected(number, at, usable=face.quality.usable)
            if followed is None or not face.quality.usable:
                continue
            seen.append(followed)
            if followed.evidence.see(at, face.quality) and embedding:
                wanted.append((followed, face))
        templates = self._engine.embed([face for _, face in wanted])
        for (followed, face), template in zip(wanted, templates, strict=True):
            scene = Scene(data, face.box, analysis.others(face)) if data else None
            cut = partial(analysis.portrait, face)
            followed.evidence.add(at, face.quality, template.copy(), cut, scene)
            followed.settled = None
        templates.fill(0.0)
        return seen

    def finish(self) -> None:
        """End every track and forget what it held."""
        self._forget(self._tracker.finish())

    def _detected(self, number: int, at: float, *, usable: bool) -> Followed | None:
        """Return the track of a detected face; None as long as it has had no usable one."""
        followed = self._followed.get(number)
        if followed is None:
            if not usable:
                return None
            followed = self._followed[number] = Followed(TrackEvidence(number, self._max_frames), at, self._frame)
            self._tally.add(StreamCounts(faces_seen=1))
        elif self._frame - followed.frame > 1 and at - followed.at > self._hidden:
            followed.evidence.forget()
            followed.evidence, followed.settled = TrackEvidence(number, self._max_frames), None
        followed.at, followed.frame = at, self._frame
        return followed

    def _forget(self, ended: Sequence[int]) -> None:
        for number in ended:
            followed = self._followed.pop(number, None)
            if followed is not None:
                followed.evidence.forget()
