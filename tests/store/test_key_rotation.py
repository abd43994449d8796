"""Rotation of the key-encryption key: every key is wrapped anew, the old one is gone, and no step is half done."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store import key_custody, sqlite
from frs.store.key_custody import FileCustody
from frs.store.keyfile import KeyFile
from frs.store.keyring import PSEUDONYM_SECRET, Keyring
from frs.store.opening import Store, open_store
from tests.forking import Child
from tests.manual_clock import ManualClock

STEPS = [
    "before create",
    "key half written",
    "key made",
    "inside the transaction",
    "transaction done",
    "old key overwritten",
    "new key in place",
]


def fill(store: Store, count: int = 20) -> dict[str, bytes]:
    """Seal something for each owner, and make the keys durable."""
    sealed = {f"subject:{n}": store.vault.seal(f"subject:{n}", b"template %d" % n) for n in range(count)}
    store.database.write(id)
    return sealed


def opens(store: Store, sealed: dict[str, bytes]) -> bool:
    """Whether everything sealed opens."""
    return all(store.vault.open(owner, data) == b"template " + owner[8:].encode() for owner, data in sealed.items())


def die_at(step: str) -> None:
    """Have this process kill itself at a step of the rotation."""

    def kill(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def killing(function: Callable[..., object], *, after: bool) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            if after:
                function(*args, **kwargs)
            kill()
            return None

        return wrapped

    def half_written(path: Path) -> None:
        path.write_bytes(b"frs-key-encr")
        kill()

    target: dict[str, Callable[[], None]] = {
        "before create": lambda: setattr(FileCustody, "create", kill),
        "key half written": lambda: setattr(key_custody, "create_kek_file", half_written),
        "key made": lambda: setattr(KeyFile, "rewrap", kill),
        "inside the transaction": lambda: None,  # the report does it
        "transaction done": lambda: setattr(FileCustody, "keep_only", kill),
        "old key overwritten": lambda: setattr(key_custody, "_overwrite", killing(key_custody._overwrite, after=True)),
        "new key in place": lambda: setattr(key_custody, "sync_folder", kill),
    }
    target[step]()


@pytest.mark.parametrize("step", STEPS)
def test_killed_rotation_leaves_an_openable_keyring(settings: Settings, step: str) -> None:
    """Killed at every step: the keyring opens with the old key or the new one, and only that one is left."""
    store = open_store(settings, ManualClock())
    sealed, secret, old = fill(store), store.keyring.secret(PSEUDONYM_SECRET), store.keyring.kek_id
    store.close()

    def work(stream: TextIO) -> None:
        store = open_store(settings, ManualClock())
        die_at(step)
        report = (lambda *_: os.kill(os.getpid(), signal.SIGKILL)) if step == "inside the transaction" else None
        store.keyring.rotate("test", report)

    assert Child(work).wait() == -signal.SIGKILL
    store = open_store(settings, ManualClock())
    assert opens(store, sealed)
    assert store.keyring.secret(PSEUDONYM_SECRET) == secret
    committed = STEPS.index(step) >= STEPS.index("transaction done")
    assert (store.keyring.kek_id != old) == committed
    assert (store.keyring.unlogged_rotation is not None) == committed
    store.vault.seal("subject:later", b"works")
    store.keyring.rotate("again")
    assert opens(store, sealed)
    store.close()
    assert not (settings.keyring_path / "kek.next").exists()


def test_old_key_opens_nothing_any_more(store: Store, settings: Settings, tmp_path: Path) -> None:
    """After a rotation the old key is in no file, and a copy of the keyring made before needs it."""
    sealed = fill(store)
    old_kek = (settings.keyring_path / "kek").read_bytes()
    copied = tmp_path / "copied"
    copied.mkdir()
    (copied / "keyring.sqlite").touch()
    store.keyring.copy_to(copied / "keyring.sqlite")

    done = store.keyring.rotate("the yearly one")
    assert done.rewrapped == 22  # twenty owners, two secrets
    assert opens(store, sealed)
    assert {path.name for path in settings.keyring_path.glob("kek*")} == {"kek"}
    assert (settings.keyring_path / "kek").read_bytes() != old_kek

    shutil.copy(settings.keyring_path / "kek", copied / "kek")
    with pytest.raises(FrsError) as caught:
        Keyring.open(copied)
    assert caught.value.reason is Reason.KEY_WRONG


def test_old_wrapped_keys_are_in_no_file(store: Store, planted: Callable[[list[bytes]], set[bytes]]) -> None:
    """What the old key had wrapped is overwritten in the keyring and its write-ahead log."""
    fill(store)
    before = [found for n in range(20) if (found := store.keyring._file.wrapped(f"subject:{n}")) is not None]
    assert planted(before) == set(before)
    store.keyring.rotate("test")
    assert planted(before) == set()


def test_destroyed_keys_stay_destroyed(store: Store) -> None:
    """A rotation brings no destroyed key back."""
    sealed = fill(store)
    store.vault.destroy("subject:3")
    store.keyring.rotate("test")
    with pytest.raises(FrsError) as caught:
        store.vault.open("subject:3", sealed["subject:3"])
    assert caught.value.reason is Reason.KEY_MISSING


def test_reading_and_committing_go_on_around_a_rotation(store: Store) -> None:
    """Threads that seal, open and commit while keys are wrapped anew see no wrong key."""
    sealed = fill(store, 200)
    stop, failures = threading.Event(), list[BaseException]()

    def work(worker: int) -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                owner = f"alert:{worker}-{number}"
                held = store.vault.seal(owner, b"x")
                store.database.write(id)
                store.keyring._cache.clear()
                assert store.vault.open(owner, held) == b"x"
                assert store.vault.open("subject:7", sealed["subject:7"]) == b"template 7"
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=partial(work, n)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        store.keyring.rotate("test")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    store.keyring._cache.clear()
    assert opens(store, sealed)


def test_full_disk_changes_nothing(store: Store, settings: Settings) -> None:
    """When the new wrapped keys do not fit, the old ones stay, with their key, and the next rotation works."""
    sealed, old = fill(store, 200), store.keyring.kek_id
    writer = store.keyring._file._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages}")
    writer.execute(
        "CREATE TRIGGER full AFTER UPDATE ON owner_key BEGIN "
        "INSERT INTO meta VALUES (new.owner, hex(zeroblob(4000))); END"
    )
    with pytest.raises(FrsError) as caught:
        store.keyring.rotate("test")
    assert caught.value.reason is Reason.STORAGE_FULL
    assert store.keyring.kek_id == old
    assert opens(store, sealed)
    assert not (settings.keyring_path / "kek.next").exists()
    writer.execute("DROP TRIGGER full")
    writer.execute("PRAGMA max_page_count=1073741823")
    assert store.keyring.rotate("test").old_key == old


def test_disk_that_fills_after_the_transaction_takes_no_key(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptying the write-ahead log may fail once everything is wrapped anew: the rotation stands, and the new key."""
    sealed, old = fill(store, 20), store.keyring.kek_id

    def full(connection: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(sqlite, "truncate_wal", full)
        assert store.keyring.rotate("test").old_key == old
    store.close()
    store = open_store(settings, ManualClock())
    assert opens(store, sealed)
    store.close()


def test_failure_behind_the_commit_keeps_the_key_that_the_file_wants(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails when the keys are wrapped anew already: the old key goes, the new one stays and opens all."""
    sealed, old = fill(store, 20), store.keyring.kek_id
    rewrap = KeyFile.rewrap

    def interrupted(*arguments: Any) -> int:
        rewrap(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(KeyFile, "rewrap", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.keyring.rotate("test")
    assert store.keyring.kek_id != old
    store.keyring._cache.clear()
    assert opens(store, sealed)
    later = store.vault.seal("subject:new", b"template new")
    store.database.write(id)
    store.close()
    store = open_store(settings, ManualClock())
    assert opens(store, {**sealed, "subject:new": later})
    store.close()


def test_a_whole_journal_is_carried_out_in_linear_time(store: Store) -> None:
    """A restoration destroys at once what a long journal names: no entry is compared with every other."""
    store.keyring._owed._due = [(n, f"event:{n}") for n in range(1, 40_001)]
    started = time.perf_counter()
    store.keyring._owed.carry_out()
    assert time.perf_counter() - started < 10  # comparing each with each takes minutes
    assert store.keyring._owed._due == []
    assert store.keyring.destroyed("event:40000")


def test_progress_counts_every_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are wrapped a bounded number at a time and the caller is told how far it is."""
    monkeypatch.setattr("frs.store.keyfile._BATCH", 8)
    fill(store)
    told: list[tuple[int, int]] = []
    store.keyring.rotate("test", lambda done, total: told.append((done, total)))
    assert told == [(8, 20), (16, 20), (20, 20)]


def test_rotation_is_noted_until_it_is_logged(store: Store, settings: Settings) -> None:
    """The keyring remembers a rotation, through a restart, until somebody says that the log holds it."""
    done = store.keyring.rotate("the key was seen")
    store.close()
    again = open_store(settings, ManualClock())
    found = again.keyring.unlogged_rotation
    assert found is not None
    assert (found.old_key, found.new_key, found.note) == (done.old_key, done.new_key, "the key was seen")
    again.keyring.rotation_logged()
    assert again.keyring.unlogged_rotation is None
    again.close()


def test_copy_holds_what_is_there_and_not_what_was_deleted(store: Store, tmp_path: Path) -> None:
    """A copy has every live key and the record of those destroyed, and no byte of a destroyed one."""
    fill(store)
    gone = store.keyring._file.wrapped("subject:4")
    assert gone is not None
    store.vault.destroy("subject:4")
    copied = tmp_path / "copy.sqlite"
    copied.touch()
    store.keyring.copy_to(copied)
    with sqlite3.connect(copied) as connection:
        assert connection.execute("SELECT count(*) FROM owner_key").fetchone() == (19,)
        assert connection.execute("SELECT owner FROM destroyed").fetchall() == [("subject:4",)]
    connection.close()
    assert gone not in copied.read_bytes()
    assert [owner for owner, _ in store.keyring.destructions()] == ["subject:4"]
    assert store.keyring.alive(["subject:4", "subject:5", "nobody"]) == {"subject:5"}
