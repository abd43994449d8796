"""What an export gives, what it records before it gives anything, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from frs.access.payloads import may_open
from frs.audit import export as export_module
from frs.audit.checkpoints import read_checkpoint
from frs.audit.cosignatures import Cosigner, add_signatures
from frs.audit.event import commitment
from frs.audit.export import ExportedEvent, ExportRequest, LogExports
from frs.audit.log import EventFilter
from frs.audit.proofs import verify_inclusion
from frs.audit.tree import leaf_hash
from frs.errors import FrsError, Reason
from frs.store.schema import outside_copy
from frs.types import Actor, Role
from tests.audit_house import BOB, AuditHouse, alert_event

PROTECTION = Actor("dpo", frozenset({Role.DATA_PROTECTION_OFFICER}), "certificate:0c")


@pytest.fixture
def exports(house: AuditHouse) -> LogExports:
    house.fill(40)
    return LogExports(house.store.database, house.store.vault, house.log, house.clock, may_open)


def ask(wanted: EventFilter | None = None, **more: bool | int) -> ExportRequest:
    return ExportRequest(wanted or EventFilter(), "Biometrics Commissioner", "annual review", **more)  # type: ignore[arg-type]


def taken(exports: LogExports, asked: ExportRequest, actor: Actor = BOB) -> tuple[str, list[ExportedEvent]]:
    begun = exports.begin(actor, asked)
    return begun.note, [event for batch in exports.batches(begun) for event in batch]


def test_every_event_is_proven_to_be_in_the_one_signed_tree(exports: LogExports, house: AuditHouse) -> None:
    """In the order of the log; what is appended while the export runs, its own event among it, is not part of it."""
    note, events = taken(exports, ask())
    signed = read_checkpoint(note, house.log.vkey)
    assert [item.event.seq for item in events] == list(range(signed.size)) == list(range(40))
    for item in events:
        verify_inclusion(item.event.seq, signed.size, leaf_hash(item.event.leaf), item.proof, signed.root)
        assert item.payload == item.nonce == b""
    assert house.log.get(40, open_payload=False).action == "log.exported"


def test_filters_choose_as_they_do_in_a_listing(exports: LogExports, house: AuditHouse) -> None:
    """Each event still leads to the same tree."""
    wanted = EventFilter(subject="N3", deployment="d0")
    note, events = taken(exports, ask(wanted))
    listed = house.log.list(wanted, 1000, "")
    assert [item.event.seq for item in events] == [found.seq for found in listed.items if found.seq < 40]
    assert len(events) == 3
    assert read_checkpoint(note, house.log.vkey).size == 40


def test_payloads_are_opened_where_they_are_asked_for_allowed_and_held(exports: LogExports, house: AuditHouse) -> None:
    """An erased payload is left out; a role that may not open an action's payloads gets the leaves alone."""
    house.store.vault.destroy(house.log.origins.payload_owner(7))
    _, events = taken(exports, ask(with_payloads=True))
    for item in events:
        if item.event.seq == 7:
            assert item.payload == item.nonce == b""
        else:
            assert commitment(item.nonce, item.payload) == json.loads(item.event.leaf)["payload"]
            assert json.loads(item.payload)["details"]["reason"] == f"free text {item.event.seq}"
    _, events = taken(exports, ask(with_payloads=True), PROTECTION)
    opened = [item.event.action for item in events if item.payload]
    assert opened == ["log.exported"]  # the first export: of what left the system, and no alert


def test_the_disclosure_is_recorded_before_the_first_event_leaves(exports: LogExports, house: AuditHouse) -> None:
    """The event names recipient, reason, filter and tree; the copy is kept for erasure certificates."""
    exports.begin(BOB, ask(EventFilter(subject="N3", action="alert"), with_payloads=True))
    event = house.log.get(40, open_payload=True)
    assert event.payload is not None
    assert (event.operation, event.payload["details"]) == (
        "disclosure",
        {
            "recipient": "Biometrics Commissioner",
            "reason": "annual review",
            "filter": {"subject": "N3", "action": "alert"},
            "first": 0,
            "tree_size": 40,
            "payloads": True,
        },
    )
    pseudonym = house.store.vault.pseudonym("subject", "N3")
    assert json.loads(event.leaf)["refs"]["subjects"] == [pseudonym]
    with house.store.database.read() as connection:
        (copy,) = connection.execute(sa.select(outside_copy)).all()
    assert (copy.kind, copy.made_by, copy.place, copy.subject, copy.expires_at) == (
        "log-export",
        "bob",
        "Biometrics Commissioner",
        pseudonym,
        None,
    )


def test_a_resumed_export_goes_on_in_the_same_tree(exports: LogExports, house: AuditHouse) -> None:
    """With the note of that size, however much has been appended since; it is recorded again."""
    note, whole = taken(exports, ask())
    house.append(*(alert_event(number) for number in range(50)))
    house.log.checkpoint()
    resumed, rest = taken(exports, ask(first_index=13, tree_size=40))
    assert resumed == note
    assert rest == whole[13:]
    last = house.log.get(house.log.size() - 1, open_payload=True)
    assert last.payload is not None
    details = last.payload["details"]
    assert isinstance(details, dict)
    assert (details["first"], details["tree_size"]) == (13, 40)


def test_what_cannot_be_exported_is_refused_and_not_recorded(exports: LogExports, house: AuditHouse) -> None:
    """A tree that was never signed, an index beyond the tree, a period that ends before it begins."""
    now = house.clock.now()
    earlier = now.replace(year=now.year - 1)
    before = house.log.size()
    for asked, reason in (
        (ask(tree_size=39), Reason.CHECKPOINT_NOT_FOUND),
        (ask(first_index=41), Reason.EVENT_NOT_FOUND),
        (ask(EventFilter(since=now, until=earlier)), Reason.INVALID_FIELD),
    ):
        with pytest.raises(FrsError) as caught:
            exports.begin(BOB, asked)
        assert caught.value.reason is reason
    assert house.log.size() == before


def test_batches_end_at_their_number_and_at_their_size(exports: LogExports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way every event comes once; one that is larger than a batch comes alone."""
    begun = exports.begin(BOB, ask(with_payloads=True))
    whole = [item.event.seq for batch in exports.batches(begun) for item in batch]
    for name, value, most in (("BATCH", 7, 7), ("BATCH_BYTES", 1, 1), ("BATCH_BYTES", 6000, 6)):
        with monkeypatch.context() as patched:
            patched.setattr(export_module, name, value)
            batches = list(exports.batches(begun))
        assert max(len(batch) for batch in batches) <= most
        assert [item.event.seq for batch in batches for item in batch] == whole


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE audit_payload SET sealed = zeroblob(200) WHERE seq = 9", "payload of event 9 was altered"),
        ("DELETE FROM audit_payload WHERE seq = 9", "payload of event 9 is missing"),
        ("UPDATE audit_event SET leaf = 'x' WHERE seq = 9", "Event 9 cannot be read"),
    ],
)
def test_an_altered_event_stops_the_export_by_name(
    exports: LogExports, house: AuditHouse, statement: str, message: str
) -> None:
    """Nothing that does not verify is given out as if it did."""
    house.tamper(statement)
    with pytest.raises(FrsError) as caught:
        taken(exports, ask(with_payloads=True))
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert message in caught.value.message


def test_an_export_is_cosigned_where_the_witness_answers(exports: LogExports, house: AuditHouse) -> None:
    """It is asked before the export begins; one that is down is done without, one with proof of a fork stops it."""
    database = house.store.database
    witness = Cosigner("witness.example", bytes(32))

    def cosign() -> None:
        house.fill(2)  # and the timer signs a larger tree meanwhile
        note = house.log.checkpoint()
        checkpoint = house.log.read(note)
        house.log.keep_cosigned(checkpoint.size, add_signatures(note, [witness.cosign(checkpoint, 1_800_000_000)]))

    def fail(reason: Reason) -> None:
        raise FrsError(reason, "It does not answer.")

    def asking(have_witnessed: Callable[[], None]) -> LogExports:
        return LogExports(database, house.store.vault, house.log, house.clock, may_open, have_witnessed)

    note, events = taken(asking(cosign), ask())
    assert witness.verifier.verify(note) == 1_800_000_000
    assert len(events) == house.log.read(note).size == 42
    note, events = taken(asking(lambda: fail(Reason.WITNESS_UNAVAILABLE)), ask())
    assert len(events) == house.log.read(note).size == 43
    before = house.log.size()
    with pytest.raises(FrsError) as caught:
        taken(asking(lambda: fail(Reason.WITNESS_CONFLICT)), ask())
    assert (caught.value.reason, house.log.size()) == (Reason.WITNESS_CONFLICT, before)
