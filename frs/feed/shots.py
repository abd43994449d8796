"""What a source yields: encoded frames with their capture times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame, ready to be sent."""

    data: bytes
    """JPEG or PNG."""
    captured_at: datetime
    """UTC."""


class Source(Protocol):
    """Where frames come from."""

    live: bool
    """A camera: it waits for nobody, and frames that cannot be sent in time are dropped."""
    total: int | None
    """How many frames there are, where that is known."""

    def shots(self) -> Iterator[Shot]:
        """Yield frames in the order they were taken. Closing the iterator releases the source."""
        ...

    def troubles(self) -> list[str]:
        """Return what went wrong so far and was got over (lost connections, unreadable files)."""
        ...
