"""Adding counted rows up: for a deployment, its cameras, reviewers and groups, and for all deployments together.

The database counts and sorts; here each row is added to every part that it belongs to. Pure.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from frs.oversight.figures import Figures, NamedFigures, ResponseTimes
from frs.oversight.intervals import rate

ALL = ""
"""In place of a deployment's id: all deployments together."""
AND = ", "
_ADJUDICATED_TRUE = ("true", "confirmed-true", "confirmed-false", "unconfirmed")


@dataclass(frozen=True, slots=True)
class Source:
    """Where alerts came from and who dealt with them; as the database groups them."""

    deployment: str
    camera: str
    reviewer: str | None = None
    """Who adjudicated; the names of several with :data:`AND` between them, as the alert holds them."""
    group: str | None = None

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Each of those who adjudicated, once."""
        return () if self.reviewer is None else tuple(dict.fromkeys(self.reviewer.split(AND)))


@dataclass(slots=True)
class _Part:
    faces: int = 0
    states: Counter[str] = field(default_factory=Counter)
    escalated: int = 0
    to_adjudication: array[float] = field(default_factory=lambda: array("d"))
    to_engagement: array[float] = field(default_factory=lambda: array("d"))


class Tallies:
    """Running sums by part."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, str], _Part] = {}

    def add_faces(self, source: Source, faces: int) -> None:
        """Add faces seen on a camera."""
        for key in (("all", ALL, ""), ("all", source.deployment, ""), ("camera", source.deployment, source.camera)):
            self._part(key).faces += faces

    def add_alerts(self, source: Source, state: str, count: int) -> None:
        """Add alerts in a state."""
        for key in _keys(source):
            self._part(key).states[state] += count

    def add_escalated(self, source: Source, count: int) -> None:
        """Add alerts that had to escalate; they are among those in a state."""
        for key in _keys(source):
            self._part(key).escalated += count

    def add_times(self, source: Source, to_adjudication: array[float], to_engagement: array[float]) -> None:
        """Add the times of a source's alerts, seconds; a clock that went back in between counts as no time."""
        for key in _keys(source):
            part = self._part(key)
            part.to_adjudication.extend(to_adjudication)
            part.to_engagement.extend(to_engagement)

    def deployments(self) -> set[str]:
        """Return the deployments of which anything was added."""
        return {deployment for kind, deployment, _ in self._parts if kind == "all" and deployment != ALL}

    def figures(self, deployment: str = ALL) -> Figures:
        """Return the figures of a deployment, or of all."""
        return _figures(self._parts.get(("all", deployment, ""), _Part()))

    def breakdown(self, kind: str, deployment: str = ALL) -> tuple[NamedFigures, ...]:
        """Return the figures by ``camera``, ``reviewer`` or ``group``, by name."""
        found = sorted(key for key in self._parts if key[:2] == (kind, deployment))
        return tuple(NamedFigures(key[2], _figures(self._parts[key])) for key in found)

    def _part(self, key: tuple[str, str, str]) -> _Part:
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part()
        return part


def _keys(source: Source) -> Iterator[tuple[str, str, str]]:
    yield "all", ALL, ""
    yield "all", source.deployment, ""
    yield "camera", source.deployment, source.camera
    for deployment in (ALL, source.deployment):
        for reviewer in source.reviewers:
            yield "reviewer", deployment, reviewer
        if source.group is not None:
            yield "group", deployment, source.group


def _figures(part: _Part) -> Figures:
    states = part.states
    alerts, wrong = states.total(), states["false"] + states["confirmed-false"]
    return Figures(
        faces_seen=part.faces,
        alerts=alerts,
        pending=states["pending"],
        true_alerts=sum(states[state] for state in _ADJUDICATED_TRUE),
        false_alerts=states["false"],
        confirmed_true=states["confirmed-true"],
        confirmed_false=states["confirmed-false"],
        unconfirmed=states["unconfirmed"],
        unreviewed=states["unreviewed"],
        cannot_tell=states["cannot-tell"],
        expired=states["expired"],
        escalated=part.escalated,
        false_alerts_per_face=rate(wrong, part.faces),
        false_alerts_per_alert=rate(wrong, alerts),
        to_adjudication=response_times(part.to_adjudication),
        to_engagement=response_times(part.to_engagement),
    )


def response_times(seconds: array[float]) -> ResponseTimes:
    """Return the median (of an even number the mean of the middle two), the nearest-rank 90th percentile, the longest.

    To the millisecond.
    """
    if not seconds:
        return ResponseTimes()
    ordered = sorted(max(0.0, value) for value in seconds) if min(seconds) < 0 else sorted(seconds)
    count = len(ordered)
    median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    ninetieth = ordered[-(-9 * count // 10) - 1]
    return ResponseTimes(count, round(median, 3), round(ninetieth, 3), round(ordered[-1], 3))
