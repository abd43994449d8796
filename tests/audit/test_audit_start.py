"""At start the database must hold the tree that was signed last; otherwise the log refuses and says what differs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.keyring import create_keyring
from tests.audit_house import AuditHouse
from tests.manual_clock import ManualClock


@contextmanager
def refused(house: AuditHouse, message: str) -> Iterator[None]:
    """Close, let the test change things, and see the log refuse to open."""
    house.close()
    yield
    with pytest.raises(FrsError, match=message) as caught:
        house.open()
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def database(settings: Settings) -> Path:
    return settings.data_dir / "frs.sqlite"


def test_honest_log_reopens(house: AuditHouse) -> None:
    """Signed, grown beyond the checkpoint and closed, the log opens again and goes on."""
    house.fill(5)
    note = house.log.checkpoint()
    house.fill(4)
    house.restart()

    assert house.log.latest_checkpoint() == note
    assert house.signer.read(house.log.checkpoint()).size == 9


def test_older_database_is_refused(house: AuditHouse, settings: Settings) -> None:
    """A backup put in the database's place is noticed: fewer events than were signed."""
    house.fill(5)
    house.close()
    shutil.copy(database(settings), settings.data_dir / "backup")
    house.open()
    house.fill(2)
    house.log.checkpoint()
    with refused(house, r"holds 5 events, but 7 have been signed: an older database"):
        (settings.data_dir / "backup").replace(database(settings))


def test_new_database_beside_an_old_keyring_is_refused(house: AuditHouse, settings: Settings) -> None:
    """An emptied database is a new installation, for which the keyring's checkpoint was not signed."""
    house.fill(5)
    house.log.checkpoint()
    with refused(house, "no signature of"):
        database(settings).unlink()


def test_older_database_that_grew_again_is_refused(house: AuditHouse, settings: Settings) -> None:
    """Other events in place of the signed ones are noticed, however many follow."""
    house.fill(5)
    house.close()
    shutil.copy(database(settings), settings.data_dir / "backup")
    checkpoint = settings.keyring_path / "checkpoint"
    house.open()
    house.fill(2)
    note = house.log.checkpoint()
    house.close()
    (settings.data_dir / "backup").replace(database(settings))
    checkpoint.unlink()
    house.open()
    house.fill(20)
    with refused(house, "does not begin with the 7 that have been signed"):
        checkpoint.write_text(note)


def test_missing_checkpoint_file_is_refused(house: AuditHouse, settings: Settings) -> None:
    """Without the file beside the keys nobody could tell an old database from the last: it must be put back."""
    house.fill(2)
    house.log.checkpoint()
    with refused(house, "is not in the keyring"):
        (settings.keyring_path / "checkpoint").unlink()


def test_rewritten_hashes_are_refused(house: AuditHouse) -> None:
    """A tree whose stored hashes were changed does not extend the signed one."""
    house.fill(8)
    house.log.checkpoint()
    with refused(house, "does not begin with the 8"):
        house.tamper("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 3")


def test_missing_hashes_are_refused(house: AuditHouse) -> None:
    """A tree with a hole says which events the missing hash covers."""
    house.fill(6)
    house.log.checkpoint()
    with refused(house, "hash over events 0 to 3 is missing"):
        house.tamper("DELETE FROM audit_node WHERE level = 2")


def test_head_that_disagrees_with_the_events_is_refused(house: AuditHouse) -> None:
    """Events cut off at the end without the head, or the head moved without events, are noticed."""
    house.fill(6)
    with refused(house, "counts 6 events, but the last one stored is number 4"):
        house.tamper("DELETE FROM audit_payload WHERE seq = 5")
        house.tamper("DELETE FROM audit_reference WHERE seq = 5")
        house.tamper("DELETE FROM audit_event WHERE seq = 5")


def test_missing_head_is_refused(house: AuditHouse) -> None:
    """A log with events but no head is not taken for an empty one."""
    house.fill(2)
    with refused(house, "counts None events"):
        house.tamper("DELETE FROM audit_head")


def test_forged_checkpoint_in_the_database_is_refused(house: AuditHouse) -> None:
    """A checkpoint row that our key did not sign stops the start."""
    house.fill(4)
    house.log.checkpoint()
    with refused(house, "signature"):
        house.tamper(
            "UPDATE audit_checkpoint SET note = replace(note, char(10) || '4' || char(10), char(10) || '3' || char(10))"
        )


def test_other_signing_key_is_refused(house: AuditHouse, settings: Settings) -> None:
    """A keyring made anew cannot speak for the old log."""
    house.fill(2)
    house.log.checkpoint()
    with refused(house, "no signature"):
        note = (settings.keyring_path / "checkpoint").read_text()
        shutil.rmtree(settings.keyring_path)
        create_keyring(settings.keyring_path)
        (settings.keyring_path / "checkpoint").write_text(note)


def test_crash_between_file_and_database_is_made_good(house: AuditHouse, settings: Settings) -> None:
    """A checkpoint that reached only the file is copied into the database at the next start."""
    house.fill(4)
    note = house.log.checkpoint()
    house.close()
    house.tamper("DELETE FROM audit_checkpoint")
    house.open()

    assert house.log.latest_checkpoint() == note


def named(settings: Settings, origin: str) -> Settings:
    return Settings.model_validate({"data_dir": settings.data_dir, "audit": {"origin": origin}})


def test_origin_is_derived_from_the_installation(house: AuditHouse) -> None:
    """Unless somebody names it, the log is called after its installation."""
    assert house.log.origin == f"frs.local/{house.store.database.installation_id}"


def test_origin_can_be_set(settings: Settings, clock: ManualClock) -> None:
    """``audit.origin`` names the log from its first event on; without the setting it keeps its name."""
    house = AuditHouse(named(settings, "police.example/frs"), clock)
    house.fill(1)
    assert house.log.checkpoint().startswith("police.example/frs\n1\n")
    assert house.log.vkey.startswith("police.example/frs+")
    house.close()
    house = AuditHouse(settings, clock)
    assert house.log.origin == "police.example/frs"
    house.close()


def test_origin_does_not_change(house: AuditHouse, settings: Settings, clock: ManualClock) -> None:
    """A setting that names a log otherwise than it has been signed is refused, saying what to set."""
    recorded = house.log.origin
    house.close()
    with pytest.raises(FrsError, match=f"signed as {recorded} since it began: set") as caught:
        AuditHouse(named(settings, "police.example/frs"), clock)
    assert caught.value.reason is Reason.SETTINGS_INVALID
    AuditHouse(named(settings, recorded), clock).close()
