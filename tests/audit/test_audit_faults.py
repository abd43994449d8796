"""Damaged files, wrong keys, clocks and disks: each is refused or told with what to do, and nothing is half done."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from frs.audit.report import VerificationReport
from frs.audit.starting import verify_at_start
from frs.audit.verify import verify_database
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import inspect_database
from frs.store.kek import create_kek_file
from tests.audit_house import AuditHouse, alert_event
from tests.manual_clock import ManualClock


@pytest.fixture
def database(settings: Settings) -> Path:
    return settings.data_dir / "frs.sqlite"


@pytest.fixture
def closed(house: AuditHouse) -> AuditHouse:
    """Give a log of 40 signed events whose files lie still."""
    house.fill(40)
    house.log.checkpoint()
    house.close()
    return house


def start(house: AuditHouse) -> None:
    """Open the log and verify it, as at every start."""
    house.open()
    try:
        verify_at_start(house.store.database, house.log, house.store.vault)
    finally:
        house.close()


def refusal(house: AuditHouse) -> FrsError:
    """Return what refuses the start."""
    with pytest.raises(FrsError) as caught:
        start(house)
    assert caught.value.advice
    return caught.value


def offline(house: AuditHouse) -> VerificationReport:
    """Verify the database as an auditor does, with the public key alone."""
    with inspect_database(house.settings) as connection:
        return verify_database(connection, house.log.vkey)


# --- the database's files -----------------------------------------------------------------------------------------


def test_any_edited_byte_of_the_log_s_rows_is_noticed(closed: AuditHouse, database: Path) -> None:
    """Bytes of the file that hold leaves are altered one at a time: verification names the event, and never crashes."""
    content = database.read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT seq, leaf FROM audit_event").fetchall()
    random.seed(3)
    for seq, leaf in random.sample(rows, 12):
        start = content.find(leaf)
        if start < 0:
            continue  # it runs over onto another page
        place = start + random.randrange(len(leaf))
        database.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        report = offline(closed)
        assert report.first_event == seq, report.problems
    database.write_bytes(content)
    assert offline(closed).verified


def test_damaged_pages_are_told(closed: AuditHouse, database: Path) -> None:
    """A page overwritten with zeroes or noise ends in a report or in storage that failed, and in no other error."""
    content = database.read_bytes()
    random.seed(4)
    told = set()
    for page in range(1, len(content) // 4096):
        filling = random.randbytes(4096) if page % 2 else bytes(4096)
        database.write_bytes(content[: page * 4096] + filling + content[(page + 1) * 4096 :])
        try:
            told.add("well" if offline(closed).verified else "problems")
        except FrsError as error:
            told.add(str(error.reason))
    assert "problems" in told
    assert told <= {"problems", "well", Reason.STORAGE_FAILED, Reason.NOT_INITIALISED}
    database.write_bytes(content)
    assert offline(closed).verified


@pytest.mark.parametrize("kept", [0.95, 0.5, 0.1])
def test_truncated_database_is_refused(closed: AuditHouse, database: Path, kept: float) -> None:
    """A file that lost its end is no shorter log: the start is refused, saying that the database failed."""
    content = database.read_bytes()
    database.write_bytes(content[: int(len(content) * kept) // 4096 * 4096])
    error = refusal(closed)
    assert error.reason in {Reason.STORAGE_FAILED, Reason.LOG_INCONSISTENT}


@pytest.mark.parametrize("damage", ["truncated", "garbage", "emptied", "removed"])
def test_damaged_write_ahead_log_loses_no_signed_event_unnoticed(
    house: AuditHouse, settings: Settings, clock: ManualClock, tmp_path: Path, damage: str
) -> None:
    """What SQLite cannot recover of its log is missed by the checkpoint beside the keys; it is never half taken."""
    house.fill(5)
    house.log.checkpoint()
    house.restart()
    house.fill(5)  # in the write-ahead log alone
    house.log.checkpoint()
    copy = tmp_path / "copy"
    shutil.copytree(settings.data_dir, copy)
    wal = copy / "frs.sqlite-wal"
    content = wal.read_bytes()
    assert content
    if damage == "truncated":
        wal.write_bytes(content[: len(content) // 3])
    elif damage == "garbage":
        wal.write_bytes(content[:200] + random.Random(5).randbytes(len(content) - 200))
    elif damage == "emptied":
        wal.write_bytes(b"")
    else:
        wal.unlink()
        (copy / "frs.sqlite-shm").unlink(missing_ok=True)
    with pytest.raises(
        FrsError, match="events, but 10 have been signed: an older database was put in its place"
    ) as caught:
        AuditHouse(Settings(data_dir=copy), clock)
    assert caught.value.reason is Reason.LOG_INCONSISTENT


# --- keys ---------------------------------------------------------------------------------------------------------


def test_missing_key_file_is_named(closed: AuditHouse, settings: Settings) -> None:
    """Without the key-encryption key nothing opens; the message names the file."""
    (settings.keyring_path / "kek").unlink()
    error = refusal(closed)
    assert error.reason is Reason.KEY_MISSING
    assert str(settings.keyring_path / "kek") in error.message


def test_wrong_key_is_refused(closed: AuditHouse, settings: Settings) -> None:
    """Another key-encryption key opens nothing; the advice says which to put back."""
    (settings.keyring_path / "kek").unlink()
    create_kek_file(settings.keyring_path / "kek")
    error = refusal(closed)
    assert error.reason is Reason.KEY_WRONG
    assert "Put back" in error.advice


def test_missing_keyring_is_refused(closed: AuditHouse, settings: Settings) -> None:
    """A folder without keys is no installation."""
    (settings.keyring_path / "keyring.sqlite").unlink()
    assert refusal(closed).reason is Reason.NOT_INITIALISED


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"a\n1\nAAAA\n"])
def test_damaged_checkpoint_file_is_refused(closed: AuditHouse, settings: Settings, content: bytes) -> None:
    """What stands in the checkpoint's place and is none stops the start."""
    (settings.keyring_path / "checkpoint").write_bytes(content)
    assert refusal(closed).reason is Reason.LOG_INCONSISTENT


# --- clock, disk, two writers -------------------------------------------------------------------------------------


def test_clock_that_goes_backwards_does_not_take_the_log_with_it(house: AuditHouse, clock: ManualClock) -> None:
    """Events of a clock put back by a year, over a restart too, bear the time of the last one, and verify."""
    house.fill(3)
    last = house.log.get(2, False).time
    clock.advance(days=-365)
    house.fill(2)
    house.log.checkpoint()
    house.restart()
    house.fill(2)
    assert {house.log.get(seq, False).time for seq in (3, 4, 5, 6)} == {last}
    assert house.verify().verified
    clock.advance(days=366)
    house.fill(1)
    assert house.log.get(7, False).time > last


def test_disk_full_of_the_keyring_fails_the_act(house: AuditHouse) -> None:
    """Without room for the event's key the act did not happen; with room again the log goes on and verifies."""
    house.fill(2)
    writer = house.store.keyring._file._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(FrsError) as caught:
        house.append(*(alert_event(number) for number in range(500)))
    assert caught.value.reason is Reason.STORAGE_FULL
    assert "Free space" in caught.value.advice
    assert house.log.size() == 2
    writer.execute("PRAGMA max_page_count=1073741823")
    house.fill(3)
    assert house.verify().problems == ()


def test_two_writers_on_one_data_directory_are_refused(
    house: AuditHouse, settings: Settings, clock: ManualClock
) -> None:
    """The second is told who holds it and what to do; the first goes on."""
    house.fill(1)
    with pytest.raises(FrsError, match="in use by another process") as caught:
        AuditHouse(settings, clock)
    assert caught.value.reason is Reason.DATA_DIRECTORY_IN_USE
    assert "Stop the other server" in caught.value.advice
    house.fill(1)
    assert house.verify().verified
