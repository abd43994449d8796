"""The erasure certificate: what was destroyed, when, by whom, under which policy, and what this system cannot reach.

One JSON object (docs/erasure.md describes every field)::

    {"format": "frs-erasure-certificate", "version": 1, "contents": {...}, "proof": {...}}

``contents`` is made in the act of the erasure and never changes. The event ``erasure.done`` commits to it: its payload
holds the SHA-256 of the contents as RFC 8785 canonical JSON. ``proof`` is that event's bundle
(:mod:`frs.audit.bundle`), so that a stranger who trusts the log's public key can check that this certificate, and no
other, was written into the log; it leads to the newest signed tree each time the certificate is made. When the
event's payload has reached the end of its retention the proof shows that the erasure happened, and no longer which
contents it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from frs.audit.bundle import bundle_event
from frs.audit.event import format_time
from frs.audit.log import AuditLog
from frs.store.database import Database
from frs.store.vault import Vault
from frs.types import Json

if TYPE_CHECKING:
    from frs.retention.erasure import Erasure
    from frs.retention.person import Destroyed

FORMAT = "frs-erasure-certificate"
VERSION = 1


def certificate_contents(
    request: Erasure,
    destroyed: Destroyed,
    released: Sequence[str],
    *,
    erased_at: datetime,
    erased_by: str,
    policy: int,
    installation: str,
) -> dict[str, Json]:
    """Return what the certificate says, as it is kept."""
    decided: Json = None
    if request.decided_at is not None:
        decided = {
            "at": format_time(request.decided_at),
            "by": request.decided_by,
            "reason": request.decision_reason,
            "holds": [*request.holds],
            "released": [*released],
        }
    return {
        "certificate": request.id,
        "installation": installation,
        "subject": request.subject,
        "requested": {
            "at": format_time(request.requested_at),
            "by": request.requested_by,
            "recorded_by": request.recorded_by,
            "reason": request.reason,
        },
        "decided": decided,
        "erased": {"at": format_time(erased_at), "by": erased_by, "policy": policy},
        "destroyed": dict(destroyed.counts),
        "listed": [*destroyed.listed],
        "keys": [{"position": position, "owner": owner} for position, owner in destroyed.keys],
        "outside": destroyed.outside.as_json(),
    }


class Certificates:
    """Makes certificates of erasures that are done. Thread-safe."""

    def __init__(self, database: Database, vault: Vault, audit: AuditLog) -> None:
        self._database, self._vault, self._audit = database, vault, audit

    def make(self, found: Erasure) -> dict[str, Json] | None:
        """Return the certificate of an erasure with its proof; None while it is not done.

        FrsError LOG_INCONSISTENT when the log was altered, and what signing it raises.
        """
        if found.done is None or found.seq is None:
            return None
        self._audit.signed_at_least(found.seq + 1)
        with self._database.read() as connection:
            proof = bundle_event(connection, self._audit, found.seq, self._vault)
        return {"format": FORMAT, "version": VERSION, "contents": found.done, "proof": proof}
