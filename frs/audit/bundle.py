"""A proof bundle: everything that a stranger needs to check one event, in one JSON object.

    {"format": "frs-log-proof", "version": 1, "origin": "...", "verifier_key": "...", "index": 7,
     "leaf": "<the leaf's JSON text>", "proof": ["<base64>", ...], "checkpoint": "<signed note>",
     "payload": "<the payload's JSON text>" or null, "nonce": "<64 hexadecimal digits>" or null}

``verifier_key`` is a convenience and no evidence: whoever verifies uses the copy received from the log's operator
beforehand. docs/verify.md describes every field; ``verifier/`` reads it without any code of this package.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.event import open_payload
from frs.audit.log import AuditLog
from frs.audit.nodes import node_reader
from frs.audit.reading import read_events
from frs.errors import FrsError, Reason
from frs.store.schema import audit_checkpoint, audit_event, audit_payload
from frs.store.vault import Vault
from frs.types import Json

FORMAT = "frs-log-proof"
VERSION = 1
_signed = audit_checkpoint.c


def make_bundle(
    index: int,
    leaf: bytes,
    proof: Sequence[bytes],
    note: str,
    vkey: str,
    payload: bytes = b"",
    nonce: bytes = b"",
) -> dict[str, Json]:
    """Return the bundle of an event; ``payload`` is canonical JSON as the leaf commits to it, empty when not opened."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "origin": note.partition("\n")[0],
        "verifier_key": vkey,
        "index": index,
        "leaf": leaf.decode("utf-8"),
        "proof": [base64.b64encode(digest).decode("ascii") for digest in proof],
        "checkpoint": note,
        "payload": payload.decode("utf-8") if payload else None,
        "nonce": nonce.hex() if payload else None,
    }


def best_note(connection: sa.Connection, least: int) -> str | None:
    """Return the note to prove an event by; None where no signed tree has ``least`` events.

    The newest that the witness cosigned, else the newest that was signed.
    """
    query = (
        sa.select(sa.func.coalesce(_signed.cosigned, _signed.note))
        .where(_signed.size >= least)
        .order_by(_signed.cosigned.is_(None), _signed.size.desc())
        .limit(1)
    )
    note: str | None = connection.scalar(query)
    return note


def bundle_event(connection: sa.Connection, audit: AuditLog, seq: int, vault: Vault | None = None) -> dict[str, Json]:
    """Prove an event that a checkpoint covers, as the connection sees the log; with a vault its payload is opened.

    A payload that was erased is left out. Raises FrsError: EVENT_NOT_FOUND when the event is not there or not signed
    yet (``audit.checkpoint()`` signs it), LOG_INCONSISTENT when it was altered.
    """
    held = connection.scalar(sa.select(audit_event.c.seq).where(audit_event.c.seq == seq))
    note = best_note(connection, seq + 1)
    if held is None or note is None:
        raise FrsError(Reason.EVENT_NOT_FOUND, f"There is no event {seq} in the signed log.", seq=str(seq))
    (event,) = read_events(connection, [seq])
    checkpoint = audit.read(note)
    proof = tree.inclusion_proof(seq, checkpoint.size, node_reader(connection))
    nonce, payload = b"", b""
    owner = audit.origins.payload_owner(seq)
    if vault is not None and not vault.destroyed(owner):
        sealed: bytes | None = connection.scalar(sa.select(audit_payload.c.sealed).where(audit_payload.c.seq == seq))
        if sealed is None:
            message = f"The payload of event {seq} is missing, but was never erased."
            raise FrsError(Reason.LOG_INCONSISTENT, message, seq=str(seq))
        nonce, payload = open_payload(seq, event.leaf, sealed, owner, vault)
    return make_bundle(seq, event.leaf, proof, note, audit.vkey_of(checkpoint.origin), payload, nonce)
