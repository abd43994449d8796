"""Erasure: a destroyed owner's key and data are in no file, and a crash at any step leaves the promise kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import CommitParticipant, Transaction
from frs.store.opening import Store, open_store
from frs.store.schema import key_destruction
from tests.forking import Child
from tests.manual_clock import ManualClock

Search = Callable[[Iterable[bytes]], set[bytes]]


def make_table(store: Store) -> None:
    store.database.write(
        lambda tx: tx.connection.exec_driver_sql("CREATE TABLE held (owner TEXT PRIMARY KEY, sealed BLOB)")
    )


def hold(store: Store, owner: str, data: bytes) -> bytes:
    """Seal and store; return the sealed bytes."""

    def act(tx: Transaction) -> bytes:
        sealed = store.vault.seal(owner, data)
        tx.connection.exec_driver_sql("INSERT INTO held VALUES (?, ?)", (owner, sealed))
        return sealed

    return store.database.write(act)


def held(store: Store, owner: str) -> bytes | None:
    with store.database.read() as connection:
        found: bytes | None = connection.exec_driver_sql("SELECT sealed FROM held WHERE owner = ?", (owner,)).scalar()
    return found


def erase(store: Store, owner: str) -> None:
    def act(tx: Transaction) -> None:
        tx.connection.exec_driver_sql("DELETE FROM held WHERE owner = ?", (owner,))
        store.vault.destroy(owner)

    store.database.write(act)


def wrapped_key(store: Store, owner: str) -> bytes:
    wrapped = store.keyring._file.wrapped(owner)
    assert wrapped is not None
    return wrapped


def test_erased_bytes_are_in_no_file(store: Store, planted: Search) -> None:
    """Sealed data and wrapped key are found before the erasure and in no file of the data directory after it."""
    make_table(store)
    owners = [f"subject:{n}" for n in range(20)]
    data = {owner: hold(store, owner, owner.encode() * 300)[100:164] for owner in owners}
    keys = {owner: wrapped_key(store, owner) for owner in owners}
    both = {*data.values(), *keys.values()}
    assert planted(both) == both

    for owner in owners[::2]:
        erase(store, owner)
    assert planted(both) == {data[owner] for owner in owners[1::2]} | {keys[owner] for owner in owners[1::2]}


def test_erased_bytes_stay_gone_after_many_page_splits(settings: Settings, clock: ManualClock) -> None:
    """Keys moved about by a growing and shrinking keyring leave no copy behind: only secure_delete=ON does that."""
    store = open_store(settings, clock)
    owners = [f"subject:{(n * 7919) % 3001}" for n in range(3000)]  # an order that splits pages in the middle
    for start in range(0, 3000, 500):
        for owner in owners[start : start + 500]:
            store.vault.seal(owner, b"")
        store.database.write(lambda _: None)
    keys = {owner: wrapped_key(store, owner) for owner in owners}
    destroyed = owners[::3] + owners[1::3]

    def destroy(_: Transaction) -> None:
        for owner in destroyed:
            store.vault.destroy(owner)

    store.database.write(destroy)
    store.close()

    files = b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())
    assert [owner for owner in destroyed if keys[owner][13:] in files] == []
    assert [owner for owner in owners[2::3] if keys[owner][13:] not in files] == []


def test_destruction_outside_an_act_is_durable_when_it_returns(store: Store, planted: Search) -> None:
    """The key is in no file, and the data unreadable, at once."""
    make_table(store)
    sealed = hold(store, "upload:1", b"footage")
    key = wrapped_key(store, "upload:1")
    store.vault.destroy("upload:1")

    assert planted([key]) == set()
    with pytest.raises(FrsError) as caught:
        store.vault.open("upload:1", sealed)
    assert caught.value.reason is Reason.KEY_MISSING


def test_many_owners_of_one_act_go_together(store: Store, settings: Settings, clock: ManualClock) -> None:
    """Each has an entry of its own in the journal, in order; one that failed with its act is not among them."""
    make_table(store)
    owners = [f"event:{number}" for number in range(700)]

    def fill(_: Transaction) -> None:
        for owner in owners:
            store.vault.seal(owner, b"payload")

    def destroy(_: Transaction) -> None:
        store.vault.destroy(*owners[2:])
        store.vault.destroy("event:1")

    def fail(_: Transaction) -> None:
        store.vault.destroy("event:0", "event:1")
        raise ValueError("changed its mind")

    store.database.write(fill)
    with pytest.raises(ValueError, match="mind"):
        store.database.write(fail)
    store.database.write(destroy)
    assert store.vault.destroyed_among(owners[:5]) == {"event:1", "event:2", "event:3", "event:4"}
    with store.database.read() as connection:
        query = sa.select(key_destruction.c.owner).order_by(key_destruction.c.position)
        assert list(connection.scalars(query)) == [*owners[2:], "event:1"]
    store.close()
    again = open_store(settings, clock)
    assert not again.vault.destroyed("event:0")
    assert again.keyring.alive(owners[:3]) == {"event:0"}
    again.close()


def test_failed_act_destroys_nothing(store: Store) -> None:
    """An act that fails after asking for destruction leaves data and key."""
    make_table(store)
    hold(store, "subject:1", b"kept")

    def act(tx: Transaction) -> None:
        tx.connection.exec_driver_sql("DELETE FROM held")
        store.vault.destroy("subject:1")
        raise ValueError("changed its mind")

    with pytest.raises(ValueError, match="mind"):
        store.database.write(act)
    sealed = held(store, "subject:1")
    assert sealed is not None
    assert store.vault.open("subject:1", sealed) == b"kept"
    assert not store.vault.destroyed("subject:1")
    store.database.write(lambda _: None)
    assert not store.vault.destroyed("subject:1")


def test_destruction_is_carried_out_before_the_acts_own_hooks(store: Store) -> None:
    """Within the act the key still serves; once hooks run it is gone."""
    make_table(store)
    sealed = hold(store, "subject:1", b"data")
    seen: list[bool] = []

    def act(tx: Transaction) -> bytes:
        store.vault.destroy("subject:1")
        tx.after_commit(lambda: seen.append(store.vault.destroyed("subject:1")))
        return store.vault.open("subject:1", sealed)

    assert store.database.write(act) == b"data"
    assert seen == [True]


def test_keyring_without_room_owes_the_destruction(store: Store) -> None:
    """When the keyring cannot be written, the caller is told that the act happened and what is owed until later."""
    make_table(store)
    hold(store, "subject:1", b"data")
    keys = store.keyring._file._writer
    keys.execute("PRAGMA query_only=ON")
    with pytest.raises(FrsError, match="destruction of its keys is still owed"):
        erase(store, "subject:1")
    assert held(store, "subject:1") is None
    keys.execute("PRAGMA query_only=OFF")

    store.database.write(lambda _: None)
    assert store.vault.destroyed("subject:1")


def test_keyring_without_room_stops_what_needs_a_new_key(store: Store) -> None:
    """No data is committed whose key could not be made durable."""
    make_table(store)
    keys = store.keyring._file._writer
    keys.execute("PRAGMA query_only=ON")
    with pytest.raises(FrsError) as caught:
        hold(store, "subject:1", b"data")
    assert caught.value.reason is Reason.STORAGE_FAILED
    assert held(store, "subject:1") is None
    keys.execute("PRAGMA query_only=OFF")

    hold(store, "subject:1", b"data")
    assert held(store, "subject:1") is not None


class Dies(CommitParticipant):
    """Takes part in a commit and dies when it should prepare."""

    def prepare(self) -> None:
        os._exit(9)


def act_and_die(settings: Settings, step: str) -> None:
    """Store something new, delete something old and destroy its key in one act, and die at the step."""
    store = open_store(settings, ManualClock())
    if step == "before-prepare":
        store.database.join(Dies())  # ahead of the keyring
    elif step == "after-prepare":
        store.database._writer._participants += (Dies(),)  # behind it

    def act(tx: Transaction) -> None:
        sealed = store.vault.seal("subject:new", b"new data")
        tx.connection.exec_driver_sql("INSERT INTO held VALUES ('subject:new', ?)", (sealed,))
        tx.connection.exec_driver_sql("DELETE FROM held WHERE owner = 'subject:old'")
        if step == "after-commit":
            tx.after_commit(lambda: os._exit(9))
        store.vault.destroy("subject:old")
        if step == "after-destruction":
            tx.after_commit(lambda: os._exit(9))

    store.database.write(act)


@pytest.mark.parametrize(
    ("step", "happened"),
    [("before-prepare", False), ("after-prepare", False), ("after-commit", True), ("after-destruction", True)],
)
def test_death_at_each_step_keeps_data_and_keys_in_agreement(
    settings: Settings, clock: ManualClock, planted: Search, step: str, happened: bool
) -> None:
    """Killed at any step, the act happened whole or not at all: data with its key, or neither, and never one alone."""
    store = open_store(settings, clock)
    make_table(store)
    hold(store, "subject:old", b"old data")
    key = wrapped_key(store, "subject:old")
    store.close()

    assert Child(lambda _: act_and_die(settings, step)).wait() == 9

    store = open_store(settings, clock)
    assert store.vault.destroyed("subject:old") is happened
    present, absent = ("subject:new", "subject:old") if happened else ("subject:old", "subject:new")
    sealed = held(store, present)
    assert sealed is not None
    assert store.vault.open(present, sealed) == (b"new data" if happened else b"old data")
    assert held(store, absent) is None
    assert planted([key]) == (set() if happened else {key})
    store.close()


def test_older_keyring_put_back_forgets_what_was_destroyed(settings: Settings, clock: ManualClock) -> None:
    """The database's journal makes a restored keyring destroy again what had been destroyed."""
    store = open_store(settings, clock)
    make_table(store)
    sealed = hold(store, "subject:1", b"data")
    store.close()
    shutil.copytree(settings.keyring_path, settings.data_dir / "stolen")
    store = open_store(settings, clock)
    erase(store, "subject:1")
    store.close()
    shutil.rmtree(settings.keyring_path)
    (settings.data_dir / "stolen").rename(settings.keyring_path)

    store = open_store(settings, clock)
    with pytest.raises(FrsError) as caught:
        store.vault.open("subject:1", sealed)
    assert caught.value.reason is Reason.KEY_MISSING
    store.close()


def test_older_database_put_back_stays_unreadable(settings: Settings, clock: ManualClock) -> None:
    """A restored database brings sealed data back, but its key is gone; later destructions still work."""
    store = open_store(settings, clock)
    make_table(store)
    hold(store, "subject:1", b"data")
    hold(store, "subject:2", b"data")
    store.close()
    shutil.copy(settings.data_dir / "frs.sqlite", settings.data_dir / "backup")
    store = open_store(settings, clock)
    erase(store, "subject:1")
    store.close()
    (settings.data_dir / "backup").replace(settings.data_dir / "frs.sqlite")

    store = open_store(settings, clock)
    sealed = held(store, "subject:1")
    assert sealed is not None
    with pytest.raises(FrsError) as caught:
        store.vault.open("subject:1", sealed)
    assert caught.value.reason is Reason.KEY_MISSING
    assert store.keyring._file.destroyed_through() == 0
    erase(store, "subject:2")
    assert store.keyring._file.destroyed_through() == 1
    store.close()


def test_reader_in_the_way_delays_truncation_but_not_for_ever(store: Store, settings: Settings) -> None:
    """While a snapshot pins the write-ahead log it cannot be emptied; it is after the next write."""
    make_table(store)
    hold(store, "subject:1", b"data")
    with store.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM held").scalar()
        erase(store, "subject:1")
        assert (settings.data_dir / "frs.sqlite-wal").stat().st_size > 0
    store.database.write(lambda _: None)
    assert (settings.data_dir / "frs.sqlite-wal").stat().st_size == 0


def test_deleted_bytes_would_stay_without_the_pragmas(tmp_path: Path) -> None:
    """The search above can fail: without secure_delete and truncation the bytes are still in the files."""
    with closing(sqlite3.connect(tmp_path / "plain.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE held (sealed BLOB)")
        connection.execute("INSERT INTO held VALUES (?)", (b"planted bytes" * 100,))
        connection.execute("DELETE FROM held")
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"planted bytes" in files
