"""When a case is settled, and how: the one rule, free of storage.

One reviewer settles a case alone. With two, two who agree settle it; where they differ a third decides with them, and
what two of three say stands. Three different answers are *cannot tell*: nobody is stopped on that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from frs.review.case import CaseKind, Decision

AGREEING = 2
ALL_DIFFER = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What one reviewer said."""

    decision: Decision
    person: str | None = None
    """In a candidate list decided true: whom they chose. Two who chose different people do not agree."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A case that has been decided, for whoever must act in the same transaction."""

    case_id: str
    kind: CaseKind
    alert_id: str | None
    """None unless ``kind`` is ALERT."""
    deployment: str | None
    decision: Decision
    reasons: tuple[str, ...]
    """Of the reviewers, in the order in which they decided."""
    reviewers: tuple[str, ...]
    """Their names, in the same order."""
    chosen_subject: str | None = None


def settle(answers: Sequence[Answer], reviewers: int) -> Answer | None:
    """Return what stands when ``reviewers`` independent people are needed, or None while more must decide."""
    if not answers:
        return None
    if reviewers < AGREEING:
        return answers[0]
    most, count = Counter(answers).most_common(1)[0]
    if count >= AGREEING:
        return most
    return Answer(Decision.CANNOT_TELL) if len(answers) >= ALL_DIFFER else None
