"""Counting what one camera stream did: in memory as it happens, in the database with each alert and each minute.

``camera_count`` holds a camera's totals over all its streams in a deployment, ``camera_hour`` the same by the hour in
which they were written, for figures of a period: the hours of a camera add up to its totals. A face seen is one track
with a usable face. The counts are all that remains of faces that match nobody.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from frs.store.schema import camera_count, camera_hour
from frs.types import Json


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Counts since a stream was opened, or between two moments of it."""

    frames_received: int = 0
    frames_processed: int = 0
    frames_dropped: int = 0
    """Frames that could not be kept up with, or whose stream ended before their turn."""
    frames_rejected: int = 0
    """Frames that could not be read."""
    faces_seen: int = 0
    alerts: int = 0

    def since(self, earlier: StreamCounts) -> StreamCounts:
        """Return what was added after ``earlier``."""
        return StreamCounts(*(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)))

    def plus(self, other: StreamCounts) -> StreamCounts:
        """Return both together."""
        return StreamCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def as_json(self) -> dict[str, Json]:
        """Return the counts by name."""
        return dict(asdict(self))


class Tally:
    """The running counts of one stream. Thread-safe: the edge counts frames in while a worker counts faces."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = StreamCounts()

    @property
    def counts(self) -> StreamCounts:
        """The counts now."""
        return self._counts

    def add(self, counts: StreamCounts) -> StreamCounts:
        """Add to the counts and return them."""
        with self._lock:
            self._counts = self._counts.plus(counts)
            return self._counts


def add_camera_counts(
    connection: sa.Connection, deployment: str, camera: str, counts: StreamCounts, now: datetime
) -> None:
    """Add to a camera's totals and to those of the hour that ``now`` is in, within the caller's transaction."""
    place = {"deployment_id": deployment, "camera_id": camera}
    _add(connection, camera_count, place, counts)
    _add(connection, camera_hour, {**place, "hour": hour_of(now)}, counts)


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of the hour, UTC, that an instant is in."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _add(connection: sa.Connection, table: sa.Table, key: dict[str, Any], counts: StreamCounts) -> None:
    values = asdict(counts)
    added = connection.execute(
        sa.update(table)
        .where(*(table.c[name] == value for name, value in key.items()))
        .values({name: table.c[name] + n for name, n in values.items()})
    )
    if added.rowcount == 0:
        connection.execute(sa.insert(table).values(**key, **values))
