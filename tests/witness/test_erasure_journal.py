"""The journal of destroyed keys: its leaves, its tree, its note, and that no other journal is ever signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.erasure_journal import (
    ErasureJournal,
    JournalEntry,
    JournalSigner,
    check_journal,
    journal_text,
    journal_vkey,
    parse_journal_text,
    read_journal,
)
from frs.audit.notes import NoteSigner
from frs.errors import FrsError, Reason
from tests.manual_clock import ManualClock
from tests.witness.conftest import WitnessedHouse

AT = datetime(2026, 3, 2, 9, 0, 1, 5, tzinfo=UTC)
OWNERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def signed(house: WitnessedHouse, *marks: int) -> tuple[ErasureJournal, str]:
    """Take the whole journal of a house and sign it."""
    signer = JournalSigner(house.signer.note_signer, house.signer.folder)
    journal = ErasureJournal(marks)
    with house.store.database.read() as connection:
        while journal.take(connection, 3):
            pass
    return journal, signer.sign(journal)


def refused(house: WitnessedHouse, *marks: int) -> None:
    with pytest.raises(FrsError) as caught:
        signed(house, *marks)
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def test_a_leaf_is_canonical_json() -> None:
    """Sorted members, no spaces, an instant with microseconds."""
    leaf = JournalEntry(7, "event:1", AT).leaf()
    assert leaf == b'{"at":"2026-03-02T09:00:01.000005Z","owner":"event:1","position":7}'


@given(st.integers(1, 2**53 - 1), OWNERS, st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)))  # noqa: DTZ001
def test_a_leaf_is_read_as_it_was_written(position: int, owner: str, at: datetime) -> None:
    """Any owner, in any script."""
    entry = JournalEntry(position, owner, at.replace(tzinfo=UTC))
    assert JournalEntry.parse(entry.leaf()) == entry


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_what_is_no_leaf_is_refused(line: bytes) -> None:
    """Nothing but the one way to write an entry is read."""
    with pytest.raises(FrsError, match="cannot be read"):
        JournalEntry.parse(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"at":"2026-03-02T09:00:01.000005Z","owner":"event:1","position":7} ',
        b'{"owner":"event:1","at":"2026-03-02T09:00:01.000005Z","position":7}',
        b'{"at":"2026-03-02T09:00:01Z","owner":"event:1","position":7}',
        b'{"at":"2026-03-02T09:00:01.000005Z","owner":1,"position":7}',
        b'{"at":"2026-03-02T09:00:01.000005Z","owner":"event:1","position":true}',
        b'{"at":"2026-03-02T09:00:01.000005Z","owner":"event:1","position":7,"x":1}',
        b'{"at":"2026-03-02T09:00:01.000005Z","owner":"' + b"o" * 600 + b'","position":7}',
    ],
)
def test_another_spelling_is_refused(line: bytes) -> None:
    """One entry has one spelling."""
    with pytest.raises(FrsError, match="cannot be read"):
        JournalEntry.parse(line)


def test_the_journal_is_the_destroyed_keys_in_their_order(house: WitnessedHouse, clock: ManualClock) -> None:
    """Owner and time of each, from any position on; root and signature as an implementation of others has them."""
    house.fill(6)
    house.destroy("event:3", "event:1")
    clock.advance(seconds=5)
    house.destroy("event:5")
    with house.store.database.read() as connection:
        entries = list(read_journal(connection))
        assert [e.owner for e in read_journal(connection, entries[0].position)] == ["event:1", "event:5"]
    assert [(e.owner, (e.at - clock.at).total_seconds()) for e in entries] == [
        ("event:3", -5),
        ("event:1", -5),
        ("event:5", 0),
    ]
    journal, note = signed(house)
    oracle = InmemoryTree(algorithm="sha256")
    for entry in entries:
        oracle.append_entry(entry.leaf())
    assert journal.root() == oracle.get_root()
    expected = Checkpoint(f"{house.log.origin}/erasures", 3, oracle.get_root())
    assert read_checkpoint(note, journal_vkey(house.log.vkey)) == expected
    assert check_journal(note, entries, house.log.vkey) == expected


def test_a_journal_survives_its_file(house: WitnessedHouse) -> None:
    """Entries and note are read as they were written; any change is found."""
    house.fill(4)
    house.destroy("event:0", "event:2")
    _, note = signed(house)
    with house.store.database.read() as connection:
        entries = list(read_journal(connection))
    text = journal_text(note, entries)
    assert parse_journal_text(text) == (note, entries)
    assert parse_journal_text(journal_text(note, [])) == (note, [])
    for wrong in (entries[:1], entries[::-1], [*entries, entries[1]]):
        with pytest.raises(FrsError, match="not the one of 2"):
            check_journal(note, wrong, house.log.vkey)
    for wrong_text in (b"", b"x", text.replace(b"event:0", b"event:9", 1).replace(b"\n", b"\n ", 1), b"\n\xff"):
        with pytest.raises(FrsError):
            parse_journal_text(wrong_text)
    with pytest.raises(FrsError):
        check_journal(note, entries, NoteSigner("other", bytes(32)).verifier.vkey)


def test_only_a_journal_that_grew_is_signed(house: WitnessedHouse) -> None:
    """The note signed last is remembered beside the keys: a shorter or changed journal is refused, a longer is not."""
    house.fill(9)
    house.destroy("event:0", "event:1", "event:2")
    signed(house)
    house.destroy("event:3", "event:4")
    journal, note = signed(house, 3)
    assert journal.size == 5
    assert signed(house, 5) == (journal, note) or signed(house, 5)[1] == note
    assert (house.settings.keyring_path / "checkpoint-erasures").stat().st_mode & 0o777 == 0o600
    house.tamper("DELETE FROM key_destruction WHERE position = 5")
    refused(house, 5)
    house.tamper("INSERT INTO key_destruction VALUES (5, 'event:4', '2026-03-02T09:00:00.000000Z')")
    signed(house, 5)
    house.tamper("UPDATE key_destruction SET owner = 'event:8' WHERE position = 2")
    refused(house, 5)


def test_check_names_a_shorter_and_a_changed_journal(house: WitnessedHouse) -> None:
    """At start the database's journal is held against the note, be there a witness or not."""
    house.fill(3)
    house.destroy("event:0", "event:1")
    signed(house)
    signer = JournalSigner(house.signer.note_signer, house.signer.folder)
    with house.store.database.read() as connection:
        signer.check(connection)
    house.tamper("DELETE FROM key_destruction WHERE position = 2")
    with house.store.database.read() as connection, pytest.raises(FrsError, match=r"knows of 1 .* but 2 have been"):
        signer.check(connection)
    house.tamper("INSERT INTO key_destruction VALUES (2, 'event:2', '2026-03-02T09:00:00.000000Z')")
    with house.store.database.read() as connection, pytest.raises(FrsError, match="does not begin with the 2"):
        signer.check(connection)


def test_a_note_that_was_altered_stops_signing(house: WitnessedHouse) -> None:
    """The file beside the keys is verified each time."""
    house.fill(3)
    house.destroy("event:0")
    signed(house)
    path = house.settings.keyring_path / "checkpoint-erasures"
    path.write_text(path.read_text().replace("\n1\n", "\n2\n"))
    refused(house, 1)
    path.write_bytes(b"\xff")
    refused(house, 1)
