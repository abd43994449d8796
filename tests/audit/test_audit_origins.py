"""The log's names: kept with the log, one more after each restoration, all signed with one key."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

from frs.audit import tree
from frs.audit.checkpoints import read_any_origin, read_checkpoint
from frs.audit.nodes import node_reader
from frs.audit.origins import Origin, Origins, begin_origin, first_name, new_origin_name
from frs.audit.verify import verify_database
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import Transaction
from frs.types import Actor, Event, References
from tests.audit_house import AuditHouse, alert_event


def restored(house: AuditHouse) -> Origin:
    """Close the log, give it a new name over the events that it holds, as a restoration does, and open it again."""
    house.restart()
    size, name = house.log.size(), new_origin_name(house.log.origin)

    def act(tx: Transaction) -> Origin:
        return begin_origin(tx.connection, name, size, house.clock.now())

    origin = house.store.database.write(act)
    with house.store.database.read() as connection:
        house.signer.take_names(Origins.load(connection))
        house.signer.restart(size, tree.root(size, node_reader(connection)))
    house.restart()
    house.append(Event("log.origin-started", Actor.system(), References(), {"witnessed": 9}))
    return origin


def test_new_log_records_its_name(house: AuditHouse) -> None:
    """The first name is number 0, from event 0 on, and payloads are sealed for ``event:<index>``."""
    (origin,) = house.log.origins
    assert origin == Origin(0, house.log.origin, 0) == house.log.origins.current()
    assert house.log.origins.of(7) == origin
    assert house.log.origins.payload_owner(7) == "event:7"


def test_names_of_restored_logs() -> None:
    """A restored log is named after the first name, with twelve random digits, however often it is restored."""
    name = new_origin_name("police.example/frs")
    again = new_origin_name(name)
    assert re.fullmatch(r"police\.example/frs/r-[0-9a-f]{12}", name)
    assert re.fullmatch(r"police\.example/frs/r-[0-9a-f]{12}", again)
    assert name != again
    assert first_name(name) == first_name("police.example/frs") == "police.example/frs"
    assert first_name("a/r-0123456789ab/erasures") == "a/r-0123456789ab/erasures"


def test_owners_differ_after_a_restoration() -> None:
    """Events appended under a later name have owners of their own, also where two restorations met the same index."""
    origins = Origins([Origin(0, "a", 0), Origin(1, "a/r-00000000000a", 5), Origin(2, "a/r-00000000000b", 5)])
    assert origins.names == ("a", "a/r-00000000000a", "a/r-00000000000b")
    assert origins.of(4).number == 0
    assert origins.of(5).number == origins.of(99).number == 2
    assert origins.payload_owner(4) == "event:4"
    assert origins.payload_owner(5) == "event:00000000000b:5"


def test_later_name_must_be_a_restored_logs(house: AuditHouse) -> None:
    """Only the first name is free; a later one that does not tell its owners apart is refused."""

    def act(name: str) -> Callable[[Transaction], Origin]:
        return lambda tx: begin_origin(tx.connection, name, 0, house.clock.now())

    for name in ("other.example/log", "a b/r-0123456789ab"):
        with pytest.raises(ValueError, match="name"):
            house.store.database.write(act(name))


def test_restored_log_goes_on_under_its_new_name(house: AuditHouse) -> None:
    """It signs under the new name, reads the notes of the old one, opens old and new payloads, and verifies."""
    house.fill(5)
    old, old_vkey = house.log.checkpoint(), house.log.vkey
    origin = restored(house)
    house.append(alert_event(7))
    new = house.log.checkpoint()

    assert house.log.origin == origin.name == house.log.origins.current().name
    assert house.log.read(old).origin != house.log.read(new).origin == origin.name
    assert house.log.vkey_of(house.log.read(old).origin) == old_vkey
    assert house.log.get(4, True).payload is not None
    assert house.log.get(5, True).payload is not None
    assert not house.store.vault.destroyed("event:5")
    for key in (old_vkey, house.log.vkey):
        with house.store.database.read() as connection:
            report = verify_database(connection, key, house.store.vault)
        assert (report.problems, report.checkpoints, report.payloads_opened) == ((), 2, 7)
        assert read_any_origin(old, key).size == 5
        assert read_any_origin(new, key).size == 7
    house.restart()
    assert house.log.latest_checkpoint() == new


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE audit_origin SET first_seq = 4 WHERE number = 1", "Event 4 and the names of the log disagree"),
        ("UPDATE audit_origin SET first_seq = 7 WHERE number = 1", "Event 5 and the names of the log disagree"),
        ("UPDATE audit_origin SET first_seq = 8 WHERE number = 1", "not the name of its time"),
        ("UPDATE audit_origin SET first_seq = 1 WHERE number = 0", "names of the log were altered"),
        ("UPDATE audit_origin SET number = 2 WHERE number = 1", "names of the log were altered"),
        ("UPDATE audit_origin SET origin = 'other' WHERE number = 1", "names of the log were altered"),
        ("UPDATE audit_origin SET origin = 'other/r-0123456789ab' WHERE number = 1", "names of the log were altered"),
        ("DELETE FROM audit_origin WHERE number = 1", "no signature"),
        ("UPDATE audit_origin SET origin = 'other' WHERE number = 0", "key is of the log"),
    ],
)
def test_altered_names_are_found(house: AuditHouse, statement: str, message: str) -> None:
    """A name or its place that was changed does not fit the events and the checkpoints."""
    house.fill(5)
    house.log.checkpoint()
    key = house.log.vkey
    restored(house)
    house.fill(1)
    house.log.checkpoint()
    house.tamper(statement)
    with house.store.database.read() as connection:
        problems = verify_database(connection, key, house.store.vault).problems
    assert any(message in problem.message for problem in problems), problems


def test_note_of_another_name_needs_that_name(house: AuditHouse) -> None:
    """With the key alone a note under another name is refused; with the name it verifies, if the same key signed it."""
    house.fill(2)
    old_vkey = house.log.vkey
    origin = restored(house)
    house.fill(1)
    note = house.log.checkpoint()

    with pytest.raises(FrsError, match="no signature"):
        read_checkpoint(note, old_vkey)
    with pytest.raises(FrsError, match="no signature"):
        read_checkpoint(note, old_vkey, ("another/name",))
    assert read_checkpoint(note, old_vkey, (origin.name,)).size == 4
    with pytest.raises(FrsError, match=r"no signature|does not fit"):
        read_any_origin(note.replace(origin.name, new_origin_name(origin.name)), old_vkey)


def test_database_from_before_a_restoration_is_refused(house: AuditHouse, settings: Settings) -> None:
    """The keyring's checkpoint bears a name that the older database does not know."""
    house.fill(5)
    house.log.checkpoint()
    house.close()
    shutil.copy(settings.data_dir / "frs.sqlite", settings.data_dir / "backup")
    restored(house)
    house.close()
    (settings.data_dir / "backup").replace(settings.data_dir / "frs.sqlite")
    with pytest.raises(FrsError, match="one from before a restoration") as caught:
        house.open()
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def test_restoration_without_its_checkpoint_is_refused(house: AuditHouse, settings: Settings) -> None:
    """A new name alone, without the signer's consent, does not make a shorter log acceptable."""
    house.fill(5)
    house.close()
    shutil.copy(settings.data_dir / "frs.sqlite", settings.data_dir / "backup")
    house.open()
    house.fill(4)
    house.log.checkpoint()
    house.close()
    (settings.data_dir / "backup").replace(settings.data_dir / "frs.sqlite")
    house.tamper("INSERT INTO audit_origin SELECT 1, origin || '/r-0123456789ab', 5, started_at FROM audit_origin")
    with pytest.raises(FrsError, match="holds 5 events, but 9 have been signed"):
        house.open()


def test_listeners_hear_each_commit_once(house: AuditHouse) -> None:
    """A listener is called once for an act of many events, not for one that fails, and not after it was taken off."""
    heard: list[int] = []
    off = house.log.on_append(lambda: heard.append(1))
    house.fill(3)
    assert len(heard) == 1

    def failing(tx: Transaction) -> None:
        house.log.append(tx, alert_event(1))
        raise LookupError

    with pytest.raises(LookupError):
        house.store.database.write(failing)
    house.store.database.write(lambda _: None)
    assert len(heard) == 1
    off()
    house.fill(1)
    assert len(heard) == 1


def test_listener_that_fails_does_not_fail_the_act(house: AuditHouse) -> None:
    """The act has happened: what a listener raises stays with the listener."""

    def failing() -> None:
        raise LookupError

    house.log.on_append(failing)
    assert house.append(alert_event(1)) == [0]


def test_cosigned_note_is_preferred(house: AuditHouse) -> None:
    """A note kept with more signatures is given out in place of the bare one; another note is refused."""
    house.fill(3)
    note = house.log.checkpoint()
    cosigned = note + "— witness.example AAAAAAAA\n"
    house.log.keep_cosigned(3, cosigned)
    house.fill(2)
    later = house.log.checkpoint()

    assert house.log.checkpoint_at(3) == cosigned == house.log.signed_at_least(2)
    assert house.log.latest_checkpoint() == later == house.log.signed_at_least(4)
    with pytest.raises(FrsError) as caught:
        house.log.keep_cosigned(3, later)
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    with pytest.raises(FrsError) as caught:
        house.log.keep_cosigned(4, later)
    assert caught.value.reason is Reason.CHECKPOINT_NOT_FOUND
    house.restart()
    assert house.log.checkpoint_at(3) == cosigned


def test_signed_at_least_signs_when_nothing_covers(house: AuditHouse) -> None:
    """Events that no checkpoint covers are signed when they are asked for; events that are not there are refused."""
    house.fill(3)
    assert house.log.read(house.log.signed_at_least(2)).size == 3
    with pytest.raises(FrsError) as caught:
        house.log.signed_at_least(4)
    assert caught.value.reason is Reason.EVENT_NOT_FOUND
