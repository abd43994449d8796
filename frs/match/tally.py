"""Counting what one camera stream did: in memory as it happens, in the database with each alert and each minute.

``camera_count`` holds a camera's totals over all its streams in a deployment. A face seen is one track with a usable
face. The counts are all that remains of faces that match nobody.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields

import sqlalchemy as sa

from frs.store.schema import camera_count
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


def add_camera_counts(connection: sa.Connection, deployment: str, camera: str, counts: StreamCounts) -> None:
    """Add to a camera's totals, within the caller's transaction."""
    key = (camera_count.c.deployment_id == deployment, camera_count.c.camera_id == camera)
    values = asdict(counts)
    added = connection.execute(
        sa.update(camera_count).where(*key).values({name: camera_count.c[name] + n for name, n in values.items()})
    )
    if added.rowcount == 0:
        connection.execute(sa.insert(camera_count).values(deployment_id=deployment, camera_id=camera, **values))
