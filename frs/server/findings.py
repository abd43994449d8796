"""A finding of ``frs doctor``: one thing that was looked at, how it is judged, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from frs.types import Json


class Verdict(StrEnum):
    """How a finding is judged."""

    WELL = "well"
    NOTE = "note"
    """Works, and somebody should know."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    text: str
    advice: str = ""
    details: dict[str, Json] = field(default_factory=dict)
