"""Separation of duties: two people, two duties.

Identities are compared by name, so one person must have one name in certificates and tokens. On plaintext loopback
nobody can be told from anybody else (:data:`frs.access.actor.LOOPBACK`), and nothing is separated there.
"""

from __future__ import annotations

from collections.abc import Iterable

from frs.errors import FrsError, Reason
from frs.types import Actor


def require_other(actor: Actor, others: Iterable[str | None], what: str) -> None:
    """Raise SEPARATION_OF_DUTIES when the actor is one of ``others``; ``what`` says why, in a sentence."""
    if actor.credential != "loopback" and actor.name in {name for name in others if name}:
        raise FrsError(Reason.SEPARATION_OF_DUTIES, what)
