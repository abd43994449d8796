"""What a source yields: encoded frames with their capture times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Tell = Callable[[str], None]
"""Takes one line for a person, at the moment something went wrong and was got over; called from any thread."""


def tell_nobody(line: str) -> None:
    """Say nothing."""
    del line


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
        """Yield frames in the order they were taken; raises FrsError when a recording cannot be read."""
        ...

    def close(self) -> None:
        """Let go of the source from any thread: :meth:`shots` ends soon after, even while it waits for a frame."""
        ...

    def troubles(self) -> list[str]:
        """Return what went wrong last and was got over (lost connections, unreadable files), oldest first."""
        ...
