"""Between ``google.protobuf.Timestamp`` and aware UTC datetimes. Nanoseconds are cut to microseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def instant(value: Timestamp) -> datetime:
    """Return the datetime of a timestamp that validation has passed."""
    return value.ToDatetime(tzinfo=UTC)


def optional_instant(value: Timestamp, present: bool) -> datetime | None:  # protobuf's HasField
    """Return the datetime, or None for a field that was not set."""
    return instant(value) if present else None


def stamp(value: datetime | None) -> Timestamp | None:
    """Return the timestamp of a datetime; None stays None, which leaves a field unset."""
    if value is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(value)
    return timestamp
