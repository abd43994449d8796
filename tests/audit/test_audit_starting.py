"""Before anything is served the whole log is verified: whatever row was changed, it refuses and names the event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from frs.audit import starting, tree
from frs.audit.report import VerificationReport
from frs.audit.starting import verify_at_start
from frs.errors import FrsError, Reason
from tests.audit_house import AuditHouse


def check(house: AuditHouse) -> VerificationReport:
    return verify_at_start(house.store.database, house.log, house.store.vault)


@pytest.fixture
def signed(house: AuditHouse) -> AuditHouse:
    house.fill(12)
    house.log.checkpoint()
    house.fill(8)
    house.log.checkpoint()
    house.fill(3)
    return house


def test_honest_log_is_served(signed: AuditHouse) -> None:
    """Events, also those that no checkpoint covers yet, are examined; payloads stay sealed, erased ones may be gone."""
    signed.store.vault.destroy("event:4")
    signed.tamper("DELETE FROM audit_payload WHERE seq = 4")
    report = check(signed)
    assert (report.events, report.checkpoints, report.payloads_opened, report.payloads_erased) == (23, 2, 0, 1)


def test_empty_log_is_served(house: AuditHouse) -> None:
    """There is nothing to verify before the first event."""
    assert check(house).events == 0


@pytest.mark.parametrize(
    ("statement", "event", "message"),
    [
        ("UPDATE audit_event SET leaf = replace(leaf, 'a5', 'a6') WHERE seq = 5", "5", "Event 5 was altered"),
        ("UPDATE audit_event SET time = '2020-01-01T00:00:00.000000Z' WHERE seq = 5", "5", "filed under another time"),
        ("UPDATE audit_event SET action = 'log.read' WHERE seq = 22", "22", "filed under another action"),
        ("UPDATE audit_event SET actor = CAST(X'FF' AS TEXT) WHERE seq = 5", "5", "filed under another"),
        ("UPDATE audit_event SET actor = X'FF' WHERE seq = 5", "5", "filed under another actor"),
        ("UPDATE audit_event SET leaf = CAST(leaf AS TEXT) || ' ' WHERE seq = 5", "5", "Event 5 was altered"),
        ("UPDATE audit_event SET leaf = CAST(X'FFFE' AS TEXT) WHERE seq = 5", "5", "Event 5 was altered"),
        ("DELETE FROM audit_reference WHERE seq = 5 AND kind = 'subject'", "5", "cannot be found by its subject"),
        ("UPDATE audit_reference SET value = CAST(X'FF' AS TEXT) WHERE seq = 5 AND kind = 'alert'", "5", "Event 5"),
        ("UPDATE audit_reference SET kind = CAST(X'FF' AS TEXT) WHERE seq = 5 AND kind = 'alert'", "5", "Event 5"),
        ("UPDATE audit_reference SET seq = 'five' WHERE seq = 5 AND kind = 'alert'", "5", "Event 5 cannot be found"),
        ("DELETE FROM audit_payload WHERE seq = 5", "5", "payload of event 5 is missing"),
        ("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 0 AND number = 5", "5", "Event 5 was altered"),
        ("UPDATE audit_node SET hash = 'text' WHERE level = 0 AND number = 5", "5", "Event 5 was altered"),
        ("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 1 AND number = 2", None, "events 4 to 5"),
        ("UPDATE audit_node SET hash = 'text' WHERE level = 1 AND number = 2", None, "events 4 to 5"),
        ("DELETE FROM audit_node WHERE level = 1 AND number = 2", None, "hash over events 4 to 5 is missing"),
        ("UPDATE audit_checkpoint SET note = replace(note, '12', '13') WHERE size = 12", None, "checkpoint of 12"),
        ("UPDATE audit_checkpoint SET note = X'FF' WHERE size = 12", None, "checkpoint of 12"),
        ("UPDATE audit_checkpoint SET note = CAST(X'FF' AS TEXT) WHERE size = 12", None, "checkpoint of 12"),
        ("UPDATE audit_head SET size = 22", "23", "counts 22 events, but 23 are stored"),
    ],
)
def test_rewritten_row_is_refused(signed: AuditHouse, statement: str, event: str | None, message: str) -> None:
    """Leaf, column, reference, payload, hash, checkpoint: the refusal names the event and says what to do."""
    signed.tamper(statement)
    with pytest.raises(FrsError, match=message) as caught:
        check(signed)
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert caught.value.metadata.get("event") == event
    assert "frs audit verify --offline" in caught.value.message
    assert "frs restore" in caught.value.message


def test_of_several_problems_the_first_event_is_named(signed: AuditHouse) -> None:
    """A leaf rewritten with its hash is told by the hashes above; the earliest event named is another's."""
    leaf = signed.log.get(5, False).leaf.replace(b'"a5"', b'"a6"')
    signed.tamper("UPDATE audit_event SET leaf = ? WHERE seq = 5", leaf)
    signed.tamper("UPDATE audit_node SET hash = ? WHERE level = 0 AND number = 5", tree.leaf_hash(leaf))
    signed.tamper("UPDATE audit_event SET actor = 'a:0' WHERE seq IN (9, 7)")
    with pytest.raises(FrsError, match=r"(?s)Event 5 cannot be found by its alert.*more problems") as caught:
        check(signed)
    assert caught.value.metadata["event"] == "5"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[structlog.typing.EventDict]]:
    """Have progress told at once, and keep what the service's log is told."""
    monkeypatch.setattr(starting, "TELL_SECONDS", 0.0)
    with structlog.testing.capture_logs() as told:
        yield told


def test_progress_is_told(signed: AuditHouse, told: list[structlog.typing.EventDict]) -> None:
    """The service's log says how far it is, and what was found."""
    check(signed)
    assert [(line["event"], line.get("events")) for line in told] == [("verifying the log", 23), ("log verified", 23)]
    assert told[1]["log_level"] == "info"
