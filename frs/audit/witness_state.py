"""How it stands with the witness: what it has cosigned, how long the newest events wait, whether to serve at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.audit.cosignatures import CosignatureVerifier
from frs.audit.log import AuditLog
from frs.audit.witnessed import cosigned_at
from frs.errors import FrsError, Reason
from frs.settings import AuditSettings
from frs.store.schema import audit_checkpoint, key_destruction

DAMNING = frozenset({Reason.WITNESS_CONFLICT, Reason.LOG_INCONSISTENT})
"""What stops the service under every policy: a note of the log's own key contradicts the database."""


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How it stands with the witness."""

    name: str
    cosigned: int
    """Events that the newest cosigned checkpoint covers."""
    erasures: int
    """Destroyed keys that the witness is known to have."""
    lag_seconds: float
    """For how long the oldest of what is signed, or destroyed, has been waiting for the witness."""
    failure: FrsError | None
    """Why the last attempt failed; None when it did not."""
    refusal: FrsError | None
    """Why nothing may be served, if so."""


def cosigned_before(connection: sa.Connection, audit: AuditLog, witness: CosignatureVerifier) -> int:
    """Return the size of the newest checkpoint of this log's name that this witness has cosigned, as kept."""
    signed = audit_checkpoint.c
    query = sa.select(signed.cosigned).where(signed.cosigned.is_not(None)).order_by(signed.size.desc()).limit(1)
    note: str | None = connection.scalar(query)
    if note is None or cosigned_at(witness, note) is None:
        return 0
    checkpoint = audit.read(note)
    return checkpoint.size if checkpoint.origin == audit.origin else 0


def lag_seconds(
    connection: sa.Connection, cosigned: int, erased_position: int, now: datetime, failing_seconds: float
) -> float:
    """Return for how long the oldest of what is signed or destroyed, and the witness lacks, has been waiting.

    ``failing_seconds`` is for how long the witness has not answered as it should, by a clock that nobody can set back:
    it counts where the other clock says that what waits has not happened yet.
    """
    signed, destroyed = audit_checkpoint.c, key_destruction.c
    waiting: list[datetime | None] = [
        connection.scalar(sa.select(sa.func.min(signed.created_at)).where(signed.size > cosigned)),
        connection.scalar(sa.select(sa.func.min(destroyed.requested_at)).where(destroyed.position > erased_position)),
    ]
    oldest = min((since for since in waiting if since is not None), default=None)
    if oldest is None:
        return 0.0
    waited = (now - oldest).total_seconds()
    return waited if waited >= 0 else failing_seconds  # the clock was set back since


def refusal(settings: AuditSettings, name: str, failure: FrsError | None, lag: float) -> FrsError | None:
    """Return why nothing may be served, if so; ``name`` is the witness's, ``failure`` that of the last attempt."""
    if failure is not None and failure.reason in DAMNING:
        return failure
    if settings.witness_policy != "stop" or lag <= settings.witness_grace_seconds:
        return None
    reason = failure.reason if failure is not None else Reason.WITNESS_UNAVAILABLE
    why = failure.message if failure is not None else f"{name} has not answered yet."
    message = f"The newest events have been without the witness's signature for {lag:.0f} seconds: {why}"
    return FrsError(reason, message)
