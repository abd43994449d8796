"""What a track's pictures say together: the score of a track is the mean of the scores of its best frames.

One frame does not decide, a track does. A track keeps the templates of its ``max_frames`` best usable faces, in
memory and only while it lives. Its score against a reference ``r`` is the mean over those frames of the cosine
``<t_i, r>``. Since the inner product is linear, ``mean_i <t_i, r> = <mean_i t_i, r>``: searching the *unnormalised*
mean of the unit templates once gives exactly that mean for every reference of every list, in one query for each
track whatever the number of frames. For a subject with several references the track's score is the best over its
references of that mean: one reference must agree with all the frames, which never scores higher than taking the
best reference anew for each frame.

Which faces are embedded depends on their quality alone and never on load: a usable face whose worth cannot enter
the best frames would change nothing, and is only counted.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frs.match.frames import Scene
from frs.types import Picture, Quality, Template

# Half of a face's worth is reached at this sharpness, and all that size gives at this size: the recognisers take
# 112 or 150 pixels, and more is scaled down to that.
_HALF_SHARPNESS = 60.0
_FULL_SIZE = 112.0


def worth(quality: Quality) -> float:
    """Return how good a face is as evidence, 0 to 1: size, sharpness, pose, light and the detector's confidence.

    A product, so that one bad property spoils the face. It orders the frames of one track; it is no probability.
    """
    size = min(max(quality.size, 0.0) / _FULL_SIZE, 1.0)
    sharpness = max(quality.sharpness, 0.0) / (max(quality.sharpness, 0.0) + _HALF_SHARPNESS)
    frontal = 1.0 - min(max(quality.pose, 0.0), 1.0)
    light = 1.0 - min(abs(quality.brightness - 128.0) / 128.0, 1.0) ** 2
    return size * sharpness * frontal * light * min(max(quality.detector_score, 0.0), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One usable face of a track."""

    at: float
    """Capture time, seconds: of the epoch in live mode, of the video in retrospective."""
    quality: Quality
    template: Template
    """(d,) float32, unit length."""
    worth: float


class TrackEvidence:
    """The best shots of one track. Used by one thread at a time."""

    __slots__ = ("_max_frames", "_shots", "first_at", "last_at", "number", "portrait", "scene", "usable")

    def __init__(self, number: int, max_frames: int) -> None:
        self.number = number
        self.usable = 0
        """Usable faces seen, embedded or not."""
        self.first_at = 0.0
        """Capture time of the first usable face, seconds."""
        self.last_at = 0.0
        """Capture time of the last usable face, seconds."""
        self.portrait: Picture | None = None
        """The best shot's face with a margin, for a reviewer; a copy, so that no whole picture is kept alive."""
        self.scene: Scene | None = None
        """The best shot's frame as it came, where it is known."""
        self._max_frames = max_frames
        self._shots: list[Shot] = []  # best first; of equals the earlier

    def see(self, at: float, quality: Quality) -> bool:
        """Count a usable face taken ``at``; returns whether it would be among the best frames (then embed it)."""
        if self.usable == 0:
            self.first_at = at
        self.usable += 1
        self.last_at = at
        return len(self._shots) < self._max_frames or worth(quality) > self._shots[-1].worth

    def add(
        self,
        at: float,
        quality: Quality,
        template: Template,
        portrait: Callable[[], Picture],
        scene: Scene | None = None,
    ) -> None:
        """Take a shot in; ``portrait`` is called, and ``scene`` kept, only when it is the best so far."""
        shot = Shot(at, quality, template, worth(quality))
        if not self._shots or shot.worth > self._shots[0].worth:
            self.portrait, self.scene = np.array(portrait()), scene
        insort(self._shots, shot, key=lambda kept: -kept.worth)
        del self._shots[self._max_frames :]

    @property
    def shots(self) -> tuple[Shot, ...]:
        """The frames that count, best first."""
        return tuple(self._shots)

    @property
    def frames(self) -> int:
        """How many frames count."""
        return len(self._shots)

    @property
    def best(self) -> Shot:
        """The best shot; IndexError when nothing was added."""
        return self._shots[0]

    def ripe(self, min_frames: int) -> bool:
        """Whether enough usable frames were seen, and as many of them embedded as count, to decide."""
        return self.usable >= min_frames and len(self._shots) >= min(min_frames, self._max_frames)

    def query(self) -> Template:
        """Return the mean of the shots' unit templates, (d,) float32, *not* of unit length (see the module)."""
        templates = np.stack([shot.template for shot in self._shots])
        return np.asarray(templates.mean(axis=0, dtype=np.float64), np.float32)

    def forget(self) -> None:
        """Overwrite what the track held; called when it ends."""
        for shot in self._shots:
            if shot.template.flags.writeable:
                shot.template.fill(0.0)
        if self.portrait is not None:
            self.portrait.fill(0)
        self.portrait = self.scene = None
        self._shots.clear()


def queries(tracks: Sequence[TrackEvidence]) -> npt.NDArray[np.float32]:
    """Return the tracks' queries as one (n, d) float32 matrix for one search; ``tracks`` is not empty."""
    return np.stack([track.query() for track in tracks])
