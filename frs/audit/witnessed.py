"""What a witness shows, held against what a database holds: only a note signed with the log's own key proves anything.

Raises WITNESS_CONFLICT where such a note says that the log, or its erasure journal, was larger or other than what is
here: the database was rolled back or forked. Raises WITNESS_UNTRUSTED where the witness shows something else.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.cosignatures import CosignatureVerifier
from frs.audit.erasure_journal import ErasureJournal
from frs.audit.nodes import node_reader
from frs.errors import FrsError, Reason
from frs.store.schema import audit_event, audit_head

_SHOWN_DIGITS = 16


def read_shown(note: str, vkey: str) -> Checkpoint:
    """Verify a note that the witness shows with the key it must be signed with. Raises FrsError(WITNESS_UNTRUSTED)."""
    try:
        return read_checkpoint(note, vkey)
    except FrsError as error:
        message = f"The witness shows a note that this log's key has not signed: {error.message}"
        raise FrsError(Reason.WITNESS_UNTRUSTED, message) from error


def check_log(connection: sa.Connection, shown: Checkpoint, cosigned_at: int | None, name: str) -> None:
    """Check that the database's log begins with what the witness has seen.

    ``cosigned_at`` is when the witness cosigned it, seconds since 1970, if it says so. Raises
    FrsError(WITNESS_CONFLICT) that tells sizes, roots and times.
    """
    size: int = connection.scalar(sa.select(audit_head.c.size).where(audit_head.c.id == 1)) or 0
    newest: datetime | None = connection.scalar(sa.select(sa.func.max(audit_event.c.time)))
    root = tree.root(shown.size, node_reader(connection)) if shown.size <= size else None
    if root == shown.root:
        return
    seen_at = "" if cosigned_at is None else f", cosigned at {datetime.fromtimestamp(cosigned_at, UTC).isoformat()}"
    newest_at = "" if newest is None else f", the last at {newest.isoformat(timespec='seconds')}"
    if root is None:
        differs = (
            f"but this database holds {size}{newest_at}: an older database was put in its place, or it was cut off"
        )
    else:
        differs = f"but the first {shown.size} of this database's {size}{newest_at} have the root {_short(root)}: "
        differs += "its events were rewritten, or it is a copy that went its own way"
    raise FrsError(
        Reason.WITNESS_CONFLICT,
        f"The witness {name} holds a checkpoint of {shown.size} events that this log's key signed (root "
        f"{_short(shown.root)}{seen_at}), {differs}.",
        witness=name,
        witnessed=str(shown.size),
        witnessed_root=shown.root.hex(),
        events=str(size),
        root="" if root is None else root.hex(),
    )


def check_erasures(connection: sa.Connection, journal: ErasureJournal, shown: Checkpoint, name: str) -> None:
    """Take a journal to the size that the witness has, and check that it is the same there.

    Raises FrsError(WITNESS_CONFLICT).
    """
    try:
        journal.take_until(connection, shown.size)
    except FrsError as error:
        missing = f"but this database knows of {journal.size}: an older database was put in its place"
        raise _other_erasures(shown, missing, name) from error
    if journal.root_at(shown.size) != shown.root:
        raise _other_erasures(shown, "and they are others than this database knows of", name)


def cosigned_at(verifier: CosignatureVerifier, note: str) -> int | None:
    """Return when a witness cosigned a note, seconds since 1970; None without a valid cosignature of its own."""
    try:
        return verifier.verify(note)
    except FrsError:
        return None


def _other_erasures(shown: Checkpoint, differs: str, name: str) -> FrsError:
    message = f"The witness {name} holds a signed journal of {shown.size} destroyed keys, {differs}."
    return FrsError(Reason.WITNESS_CONFLICT, message, witness=name, witnessed_erasures=str(shown.size))


def _short(root: bytes) -> str:
    return root.hex()[:_SHOWN_DIGITS]
