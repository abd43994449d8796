"""What the service gives out, made from a real log by the service's own code: the verifier shares none of it."""

from __future__ import annotations

from pathlib import Path

from frs.access.payloads import may_open
from frs.audit.bundle import bundle_event
from frs.audit.export import ExportRequest, LogExports
from frs.audit.log import EventFilter
from frs.cli.export_spool import Spool, make_header
from frs.types import Json
from frs.v1 import oversight_pb2 as pb
from tests.audit_house import BOB, AuditHouse


def spool_of(
    house: AuditHouse,
    path: Path,
    wanted: EventFilter | None = None,
    *,
    payloads: bool = True,
    proofs: bool = True,
    given: dict[str, Json] | None = None,
) -> Spool:
    """Export the log as it is; ``given`` is the filter as the header names it."""
    exports = LogExports(house.store.database, house.store.vault, house.log, house.clock, may_open)
    asked = ExportRequest(wanted or EventFilter(), "the Commissioner", "review", payloads)
    begun = exports.begin(BOB, asked)
    checkpoint = pb.Checkpoint(signed_note=begun.note, verifier_key=house.log.vkey)
    spool = Spool(path)
    header: dict[str, Json] = {
        "filter": given if given is not None else wanted.given() if wanted else {},
        "recipient": asked.recipient,
        "reason": asked.reason,
    }
    spool.begin(make_header(checkpoint, header, payloads=payloads, proofs=proofs))
    for batch in exports.batches(begun):
        for item in batch:
            spool.add(
                pb.Event(
                    index=item.event.seq,
                    leaf=item.event.leaf,
                    inclusion_proof=item.proof,
                    payload_json=item.payload.decode(),
                    payload_nonce=item.nonce,
                )
            )
    spool.finish()
    return spool


def export_file(
    house: AuditHouse, path: Path, wanted: EventFilter | None = None, *, payloads: bool = True, proofs: bool = True
) -> Path:
    """Export the log into an NDJSON file."""
    spool_of(house, path, wanted, payloads=payloads, proofs=proofs).close()
    return path


def bundle_of(house: AuditHouse, seq: int, *, payload: bool = True) -> dict[str, Json]:
    """Return the bundle of an event."""
    house.log.signed_at_least(seq + 1)
    with house.store.database.read() as connection:
        return bundle_event(connection, house.log, seq, house.store.vault if payload else None)
