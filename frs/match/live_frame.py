"""What a camera's stream takes and gives: frames, what came of each, and which failures are a frame's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from frs.errors import FrsError, Reason

PROBLEMS_OF_A_FRAME = frozenset(
    {
        Reason.PICTURE_EMPTY,
        Reason.PICTURE_UNREADABLE,
        Reason.PICTURE_TRUNCATED,
        Reason.PICTURE_TOO_LARGE,
        Reason.PICTURE_TOO_MANY_PIXELS,
    }
)
"""The stream goes on after these; the frame is counted as rejected."""


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """One picture of a camera."""

    data: bytes
    """An encoded picture."""
    captured_at: datetime
    """When it was taken, timezone-aware; never before the previous frame's."""
    sequence: int
    """Grows from frame to frame, from 1 or more."""


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What came of one frame."""

    problem: FrsError | None
    """Why the frame was not used; None when it was."""
    alerts: tuple[str, ...]
    """Ids of the alerts it raised."""
