"""The states of a watchlist and what each allows: pure rules, raised as FrsError.

draft -> approved -> active -> retired; any state -> retired. What **widens** a list (a new definition, an entry, an
image) undoes its approval and leaves its review behind; what only **narrows** it (a withdrawal, an image removed, an
earlier expiry) keeps both. An active list's definition stands: the authority it was approved under cannot be edited.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from frs.errors import FrsError, Reason
from frs.types import Actor, Role
from frs.watchlist.model import Watchlist, WatchlistState
from frs.watchlist.standing import Standing

DRAFT, APPROVED, ACTIVE, RETIRED = WatchlistState


def require_state(found: Watchlist | Standing, *allowed: WatchlistState) -> None:
    """WATCHLIST_WRONG_STATE unless the list is in one of the states."""
    if found.state not in allowed:
        wanted = " or ".join(allowed)
        message = f"Watchlist {found.id} is {found.state}; this needs it to be {wanted}."
        raise FrsError(Reason.WATCHLIST_WRONG_STATE, message, watchlist=found.id, state=found.state)


def require_version(found: Watchlist, expected: int | None) -> None:
    """WATCHLIST_CHANGED unless the version is the one expected; None or 0 expects none."""
    if expected and expected != found.version:
        message = f"Watchlist {found.id} has version {found.version}, not {expected}."
        raise FrsError(Reason.WATCHLIST_CHANGED, message, watchlist=found.id, version=str(found.version))


def require_unexpired(found: Watchlist | Standing, now: datetime) -> None:
    """WATCHLIST_EXPIRED when the list's authority has ended."""
    if found.expired(now):
        message = f"Watchlist {found.id} expired at {found.expires_at.isoformat()}."
        raise FrsError(Reason.WATCHLIST_EXPIRED, message, watchlist=found.id)


def require_entries(found: Watchlist) -> None:
    """WATCHLIST_EMPTY when there is nobody to search for."""
    if not found.image_count:
        raise FrsError(
            Reason.WATCHLIST_EMPTY, f"Watchlist {found.id} has no subject with an image.", watchlist=found.id
        )


def require_authority(found: Watchlist | Standing, actor: Actor) -> None:
    """WATCHLIST_WRONG_STATE unless the actor may add to the list as it stands.

    What is added to an active list is searched for at once. Nobody approves it afterwards, so the one who adds it
    must be one who may approve: an authorising officer, whose act is the entry's approval.
    """
    if found.state is ACTIVE and Role.AUTHORISING_OFFICER not in actor.roles:
        message = (
            f"Watchlist {found.id} is active: what is added is searched for at once, so an authorising officer must "
            "add it."
        )
        raise FrsError(Reason.WATCHLIST_WRONG_STATE, message, watchlist=found.id, state=found.state)


def widened(found: Watchlist | Standing) -> dict[str, Any]:
    """Return the columns that change when the list comes to hold or mean more."""
    if found.state is APPROVED:
        return {
            "version": found.version + 1,
            "state": str(DRAFT),
            "approved_at": None,
            "approved_by": None,
        }
    return {"version": found.version + 1}


def narrowed(found: Watchlist) -> dict[str, Any]:
    """Return the columns that change when the list comes to hold less: a review of what was more still covers it."""
    values: dict[str, Any] = {"version": found.version + 1}
    if found.reviewed_version == found.version:
        values["reviewed_version"] = found.version + 1
    return values
