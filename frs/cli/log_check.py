"""Verification of the log from outside: with the leaves, the signed checkpoint and a key that the verifier holds.

The last checkpoint that verified is kept beside the key (``log.seen``); the next verification asks for a proof that
the log has only grown since, so that a log rewritten in between is noticed even when it is consistent in itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from frs.audit.checkpoints import Checkpoint, kept_apart, read_any_origin
from frs.audit.event import commitment
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.audit.report import VerificationReport
from frs.audit.tree import leaf_hash
from frs.audit.verify import verify_database, verify_leaves
from frs.cli.client import Client, call, receive
from frs.cli.output import progress
from frs.errors import FrsError, Reason
from frs.server.payloads_at_rest import payloads_told, vault_at_rest
from frs.settings import Settings
from frs.store.database import inspect_database
from frs.types import Json
from frs.v1 import oversight_pb2 as pb
from frs.v1.oversight_pb2_grpc import OversightServiceStub

SERVED_PAYLOADS = (
    "payloads were NOT opened: open single ones with `frs audit show N`, all with `frs audit verify --offline`"
)


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a verification found; it verifies when ``problems`` is empty."""

    events: int
    root: bytes
    signer: str
    earlier: str
    """What was found about the checkpoint seen before."""
    problems: tuple[str, ...]
    payloads: str
    """What was done with the payloads."""
    opened: int = 0
    erased: int = 0
    first_event: int | None = None
    """The lowest event that a problem names."""

    def as_json(self) -> dict[str, Json]:
        """Return the report for ``--json``."""
        return {
            "verified": not self.problems,
            "events": self.events,
            "root": self.root.hex(),
            "signer": self.signer,
            "earlier_checkpoint": self.earlier,
            "payloads": self.payloads,
            "payloads_opened": self.opened,
            "payloads_erased": self.erased,
            "problems": list(self.problems),
            "first_event": self.first_event,
        }


def read_key(path: Path) -> str:
    """Return the verifier key of a file."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise FrsError(Reason.NOT_INITIALISED, f"cannot read the verifier key {path}: {error.strerror}") from None


def check_event(event: pb.Event, vkey: str) -> list[str]:
    """Check an event's index, its inclusion in a checkpoint signed by the key, and its payload's commitment.

    Returns what does not hold. Size and root are those of the signed note; what the server says of them is not trusted.
    """
    problems = []
    try:
        checkpoint = read_any_origin(event.checkpoint.signed_note, vkey)
        leaf = leaf_hash(event.leaf)
        verify_inclusion(event.index, checkpoint.size, leaf, list(event.inclusion_proof), checkpoint.root)
    except FrsError as error:
        problems.append(error.message)
    try:
        said = dict(json.loads(event.leaf))
    except (ValueError, TypeError):
        return [*problems, "the leaf is not an event"]
    if said.get("seq") != event.index:
        problems.append(f"the leaf says that it is event {said.get('seq')}")
    if event.payload_json and commitment(event.payload_nonce, event.payload_json.encode()) != said.get("payload"):
        problems.append("the payload is not the one that the leaf commits to")
    return problems


def _leaves(client: Client, stub: OversightServiceStub, size: int) -> Iterator[bytes]:
    request = pb.StreamLeavesRequest(first_index=0, end_index=size)
    for answer in receive(client, stub.StreamLeaves(request)):
        yield from answer.leaves


def verify_served_log(client: Client, stub: OversightServiceStub, key_file: Path) -> LogReport:
    """Ask the server for a checkpoint and every leaf, and recompute the root from them."""
    vkey = read_key(key_file)
    note = call(client, stub.GetCheckpoint, pb.GetCheckpointRequest()).signed_note
    try:
        now = read_any_origin(note, vkey)
    except FrsError as error:
        return LogReport(0, b"", "nobody whose key you hold", "not looked at", (error.message,), SERVED_PAYLOADS)
    report = verify_leaves(_leaves(client, stub, now.size) if now.size else iter(()), note, vkey)
    problems = [problem.message for problem in report.problems]
    seen_file = key_file.with_name("log.seen")
    earlier, found = _compare(client, stub, seen_file, vkey, now)
    problems += found
    if not problems:
        seen_file.write_text(note)
    signer = vkey.partition("+")[0]
    return LogReport(
        report.events, report.root, signer, earlier, tuple(problems), SERVED_PAYLOADS, first_event=report.first_event
    )


def _compare(
    client: Client, stub: OversightServiceStub, seen_file: Path, vkey: str, now: Checkpoint
) -> tuple[str, list[str]]:
    """Prove that the log has only grown since the checkpoint seen before."""
    if not seen_file.exists():
        return "no earlier checkpoint was kept here", []
    try:
        before = read_any_origin(seen_file.read_text(), vkey)
    except FrsError as error:
        return "the checkpoint kept here cannot be read", [f"{seen_file}: {error.message}"]
    restored = ""
    if before.origin != now.origin:
        restored = (
            f"; the log was restored from a backup and is signed as {now.origin} now: when what was lost is explained, "
            f"remove {seen_file}"
        )
    if before.size > now.size:
        return "the log has shrunk", [f"{before.size} events were signed before, now only {now.size}{restored}"]
    if before.size == 0:
        return "the log was empty before", []
    request = pb.GetConsistencyProofRequest(old_size=before.size, new_size=now.size)
    answer = call(client, stub.GetConsistencyProof, request)
    try:
        verify_consistency(before.size, now.size, before.root, now.root, list(answer.hashes))
    except FrsError as error:
        message = f"the {before.size} events seen before are not in this log: {error.message}{restored}"
        return "the log was rewritten", [message]
    return f"it continues the {before.size} events seen before", []


def verify_stored_log(settings: Settings, key_file: Path) -> LogReport:
    """Verify the database of the data directory itself, naming the event that differs where it can be told.

    Payloads are opened and compared with their leaves where the keyring can be opened.
    """
    vkey = read_key(key_file)
    apart = kept_apart(settings.keyring_path)
    try:
        with vault_at_rest(settings) as (vault, why_not), inspect_database(settings) as connection, progress() as bar:
            task = bar.add_task("events", total=None)
            report: VerificationReport = verify_database(
                connection,
                vkey,
                vault,
                lambda done, events: bar.update(task, completed=done, total=events),
                apart=apart,
            )
    except sa.exc.SQLAlchemyError as error:
        raise FrsError(Reason.NOT_INITIALISED, f"the database cannot be read: {error}") from None
    problems = tuple(problem.message for problem in report.problems)
    earlier = f"{report.checkpoints} signed checkpoints agree" if not problems else "see the problems"
    if not problems and report.signed < report.events:
        earlier += f"; the newest {report.events - report.signed} events are not signed yet"
    return LogReport(
        report.events,
        report.root,
        vkey.partition("+")[0],
        earlier,
        problems,
        payloads_told(report, why_not),
        report.payloads_opened,
        report.payloads_erased,
        report.first_event,
    )
