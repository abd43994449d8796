"""What a vigilance check shows in place of an alert's facts, kept with its case (``review_case.shown``).

A check has no alert and no subject: everything that a reviewer can ask of an alert is written down when the check
enters the queue, so that the answers are the same in kind, and the same each time. What is true of the pair (its own
score, whether it matches) is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from frs.match.candidate_records import candidate_from_json, candidate_json
from frs.types import Candidate, Json


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """The facts of an alert, as a check shows them."""

    candidate: Candidate
    """Whom the check proposes, ranked 1: a watchlist of the deployment, a nominal that is on none."""
    camera: str
    captured_at: datetime
    """When the best frame was taken, as it says."""
    seen_seconds: float
    """From the first to the last usable frame."""
    gallery_size: int
    """People on the lists that were searched."""
    reference_source: str
    reference_taken_on: str
    """ISO 8601 date."""
    with_frame: bool
    """Whether an alert raised then keeps its frame (review.keep_frame)."""
    erased: bool = False
    """Whether an alert of its age has lost its pictures."""
    pseudonymous: bool = False
    """Whether an alert of its age has lost what names the person."""

    def as_json(self) -> dict[str, Json]:
        """Return it as it is stored."""
        return {
            "candidate": candidate_json(self.candidate),
            "camera": self.camera,
            "captured_at": self.captured_at.isoformat(),
            "seen_seconds": self.seen_seconds,
            "gallery_size": self.gallery_size,
            "reference_source": self.reference_source,
            "reference_taken_on": self.reference_taken_on,
            "with_frame": self.with_frame,
            "erased": self.erased,
            "pseudonymous": self.pseudonymous,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ShownCheck:
        """Read what :meth:`as_json` wrote."""
        read = {
            "candidate": candidate_from_json(stored["candidate"]),
            "captured_at": datetime.fromisoformat(stored["captured_at"]),
        }
        return cls(**{**stored, **read})

    def without_pictures(self) -> ShownCheck:
        """Return it as of when an alert's pictures have been destroyed."""
        return replace(self, erased=True)

    def unnamed(self, pseudonym: str) -> ShownCheck:
        """Return it as of when an alert has been erased: its nominal is a pseudonym."""
        return replace(self.without_pictures(), candidate=replace(self.candidate, nominal=pseudonym), pseudonymous=True)
