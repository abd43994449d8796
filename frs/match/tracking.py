"""Following faces from picture to picture of one camera by where they are; no identity is inferred.

Each track is predicted with constant velocity; a track too young to have one borrows the median velocity of its
neighbours, which is what a panning camera gives them all. Predicted and detected boxes are paired by the optimal
assignment (Kuhn-Munkres, ``scipy.optimize.linear_sum_assignment``) over a cost of overlap (1 - IoU), distance of
centres in face sizes, and change of scale. Pairs beyond the gates are never made, and leaving a pair unmade has a
price, so that one person who leaves does not shift everybody else by a place. A track whose face was not seen for
``lost_seconds`` of capture time has ended; its number is never given again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Boxes = npt.NDArray[np.floating]
_Floats = npt.NDArray[np.float64]

# Gates and prices, in face sizes (square root of the box's area). A walking face moves a third of its size between
# pictures at 5 per second; what else moves is the camera, and the velocity term follows it.
_REACH = 1.0
_REACH_PER_SECOND = 0.75
_REACH_SECONDS = 1.0
_SCALE_GATE = 2.0
_UNMADE = 2.4
# Beyond this a constant velocity is a guess: the prediction stands still where it came to.
_HORIZON_SECONDS = 0.5
_VELOCITY_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Step:
    """What one picture did to the tracks."""

    numbers: tuple[int, ...]
    """The track of each box, in the boxes' order; all different."""
    begun: tuple[int, ...]
    """Tracks that begin with this picture."""
    ended: tuple[int, ...]
    """Tracks whose face has been unseen for too long."""


class Tracker:
    """The tracks of one camera or video. Used by one thread at a time."""

    def __init__(self, lost_seconds: float) -> None:
        self._lost = lost_seconds
        self._next = 1
        self._now = -np.inf
        self._numbers: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._places: _Floats = np.empty((0, 4))  # centre x, centre y, width, height where last seen, pixels
        self._velocity: _Floats = np.empty((0, 2))  # pixels per second; NaN until seen twice
        self._seen: _Floats = np.empty(0)  # capture time, seconds

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the tracks that have not ended."""
        return tuple(self._numbers.tolist())

    def update(self, at: float, boxes: Boxes) -> Step:
        """Assign the faces of a picture taken ``at`` (seconds, not before the last picture's) to tracks.

        ``boxes`` is (n, 4): x1, y1, x2, y2 in pixels. Raises ValueError when time goes back.
        """
        if at < self._now:
            raise ValueError(f"capture time went back from {self._now} to {at}")
        self._now = at
        ended = self._drop(at - self._seen > self._lost)
        found = _places(boxes)
        rows, columns = self._pair(at, found)
        numbers = np.zeros(len(found), np.int64)
        numbers[columns] = self._numbers[rows]
        self._move(at, rows, found[columns])
        begun = self._begin(at, found[numbers == 0])
        numbers[numbers == 0] = begun
        return Step(tuple(numbers.tolist()), tuple(begun.tolist()), ended)

    def finish(self) -> tuple[int, ...]:
        """End every track and return their numbers."""
        return self._drop(np.ones(len(self._numbers), bool))

    def _drop(self, gone: npt.NDArray[np.bool_]) -> tuple[int, ...]:
        ended = tuple(self._numbers[gone].tolist())
        if ended:
            self._numbers, self._seen = self._numbers[~gone], self._seen[~gone]
            self._places, self._velocity = self._places[~gone], self._velocity[~gone]
        return ended

    def _pair(self, at: float, found: _Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        if not len(found) or not len(self._numbers):
            none = np.empty(0, np.intp)
            return none, none
        predicted = self._places.copy()
        gap = at - self._seen
        predicted[:, :2] += self._speed() * np.minimum(gap, _HORIZON_SECONDS)[:, None]
        cost = _cost(predicted, found, _REACH + _REACH_PER_SECOND * np.minimum(gap, _REACH_SECONDS))
        rows, columns = linear_sum_assignment(cost)
        made = cost[rows, columns] < _UNMADE
        return rows[made], columns[made]

    def _speed(self) -> _Floats:
        young = np.isnan(self._velocity[:, 0])
        if not young.any():
            return self._velocity
        shared = np.zeros(2) if young.all() else np.median(self._velocity[~young], axis=0)
        return np.where(young[:, None], shared, self._velocity)

    def _move(self, at: float, rows: npt.NDArray[np.intp], places: _Floats) -> None:
        gap = (at - self._seen[rows])[:, None]
        timed = gap[:, 0] > 0  # two pictures of one instant say nothing about speed
        moved = rows[timed]
        measured = (places[timed, :2] - self._places[moved, :2]) / gap[timed]
        before = self._velocity[moved]
        smoothed = _VELOCITY_WEIGHT * measured + (1 - _VELOCITY_WEIGHT) * before
        self._velocity[moved] = np.where(np.isnan(before), measured, smoothed)
        self._places[rows] = places
        self._seen[rows] = at

    def _begin(self, at: float, places: _Floats) -> npt.NDArray[np.int64]:
        begun = np.arange(self._next, self._next + len(places), dtype=np.int64)
        self._next += len(places)
        self._numbers = np.concatenate([self._numbers, begun])
        self._places = np.concatenate([self._places, places])
        self._velocity = np.concatenate([self._velocity, np.full((len(places), 2), np.nan)])
        self._seen = np.concatenate([self._seen, np.full(len(places), at)])
        return begun


def _places(boxes: Boxes) -> _Floats:
    """(n, 4) corners to centre and extent; extents are at least a pixel."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    extent = np.maximum(corners[:, 2:] - corners[:, :2], 1.0)
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, extent], axis=1)


def _cost(tracks: _Floats, faces: _Floats, reach: _Floats) -> _Floats:
    """(t, 4), (f, 4), (t,) -> (t, f): 0 for the same box, ``_UNMADE`` for a pair beyond the gates."""
    low = np.maximum((tracks[:, :2] - tracks[:, 2:] / 2)[:, None], (faces[:, :2] - faces[:, 2:] / 2)[None])
    high = np.minimum((tracks[:, :2] + tracks[:, 2:] / 2)[:, None], (faces[:, :2] + faces[:, 2:] / 2)[None])
    shared = np.maximum(high - low, 0.0).prod(axis=2)
    track_area, face_area = tracks[:, 2:].prod(axis=1)[:, None], faces[:, 2:].prod(axis=1)[None]
    overlap = shared / (track_area + face_area - shared)
    size = (np.sqrt(track_area) + np.sqrt(face_area)) / 2
    distance = np.linalg.norm(tracks[:, None, :2] - faces[None, :, :2], axis=2) / size / reach[:, None]
    scale = np.abs(np.log(face_area / track_area)) / 2
    allowed = (distance <= 1.0) & (scale <= np.log(_SCALE_GATE))
    cost: _Floats = np.where(allowed, np.minimum((1 - overlap) + distance + scale, _UNMADE), _UNMADE)
    return cost
