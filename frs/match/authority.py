"""On what authority a retrospective search is made: it lasts until its expiry by the service's clock."""

from __future__ import annotations

from collections.abc import Sequence

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.database import Database
from frs.types import Actor, Event, Json, SearchAuthority


def require_authority(authority: SearchAuthority, clock: Clock) -> None:
    """Do nothing while the authorisation lasts; else FrsError AUTHORISATION_EXPIRED."""
    if clock.now() >= authority.authorisation_expires:
        when = authority.authorisation_expires.isoformat()
        raise FrsError(Reason.AUTHORISATION_EXPIRED, f"The authorisation of this search ended at {when}.")


def authority_json(authority: SearchAuthority) -> dict[str, Json]:
    """Write the authority for an event's sealed payload."""
    return {
        "reason": authority.reason,
        "incident": authority.incident,
        "authorisation": authority.authorisation,
        "authorisation_expires": authority.authorisation_expires.isoformat(),
    }


def log_refusal(
    database: Database,
    audit: AuditLog,
    actor: Actor,
    authority: SearchAuthority,
    watchlists: Sequence[str],
    error: FrsError,
) -> None:
    """Record that a retrospective search was asked for and not made."""
    payload: dict[str, Json] = {**authority_json(authority), "watchlists": [*watchlists], "refused": error.reason}
    database.write(lambda tx: audit.append(tx, Event(Action.SEARCH_REFUSED, actor, payload=payload)))
