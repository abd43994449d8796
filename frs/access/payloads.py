"""THE table of who may open the payload of which event.

Leaves name nobody, so whoever may read the log may read them all; a payload says who acted, on whom and why. Oversight
opens every payload: its work is to see what was done. The data protection officer opens those of their own work and of
what leaves the system: holds, erasures, subject access, retention, backups and exports. Nobody else opens any, and an
action that is not in the table is opened by nobody. No payload holds a biometric.
"""

from __future__ import annotations

from frs.types import Actor, Role

_OVERSIGHT = frozenset({Role.OVERSIGHT})
_PROTECTION = frozenset({Role.OVERSIGHT, Role.DATA_PROTECTION_OFFICER})

PAYLOADS: dict[str, frozenset[Role]] = {
    # The most exact name wins: an action, or the part of it before the dot.
    "service": _OVERSIGHT,
    "policy": _PROTECTION,
    "model": _OVERSIGHT,
    "access": _OVERSIGHT,
    "watchlist": _OVERSIGHT,
    "subject": _OVERSIGHT,
    "subject.access-given": _PROTECTION,
    "enrolment": _OVERSIGHT,
    "deployment": _OVERSIGHT,
    "live": _OVERSIGHT,
    "alert": _OVERSIGHT,
    "review": _OVERSIGHT,
    "assignment": _OVERSIGHT,
    "vigilance": _OVERSIGHT,
    "identity": _OVERSIGHT,
    "search": _OVERSIGHT,
    "upload": _OVERSIGHT,
    "operator": _OVERSIGHT,
    "log": _OVERSIGHT,
    "log.exported": _PROTECTION,
    "log.origin-started": _PROTECTION,
    "statistics": _OVERSIGHT,
    "retention": _PROTECTION,
    "hold": _PROTECTION,
    "erasure": _PROTECTION,
    "backup": _PROTECTION,
    "keyring": _PROTECTION,
}

_NOBODY: frozenset[Role] = frozenset()


def openers(action: str) -> frozenset[Role]:
    """Return the roles that may open the payloads of an action; none for one that is not in the table."""
    return PAYLOADS.get(action) or PAYLOADS.get(action.partition(".")[0]) or _NOBODY


def may_open(actor: Actor, action: str) -> bool:
    """Whether one of the actor's roles may open the payload of an event of this action."""
    return bool(openers(action) & actor.roles)
