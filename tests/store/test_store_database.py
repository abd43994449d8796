"""The database: opening it, reading snapshots, and what an act and its caller see."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TextIO

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import Database, Transaction, inspect_database
from frs.store.engines import cause_text
from frs.store.opening import Store, open_store
from frs.store.schema import watchlist_threshold
from tests.forking import Child
from tests.manual_clock import ManualClock


def insert(name: str, tx: Transaction) -> None:
    tx.connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS note (name TEXT)")
    tx.connection.exec_driver_sql("INSERT INTO note VALUES (?)", (name,))


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [str(row.name) for row in connection.exec_driver_sql("SELECT name FROM note ORDER BY rowid")]


def pragma(connection: sa.Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_act_is_visible_to_readers_when_write_returns(store: Store) -> None:
    """What an act wrote is read by the next snapshot, and its value is returned."""
    store.database.write(lambda tx: insert("first", tx))

    assert store.database.write(lambda tx: tx.connection.exec_driver_sql("SELECT count(*) FROM note").scalar()) == 1
    assert names(store.database) == ["first"]


def test_act_that_raises_leaves_nothing_and_its_caller_gets_its_exception(store: Store) -> None:
    """An act's own exception reaches its caller, and what it had written is undone."""
    store.database.write(lambda tx: insert("kept", tx))

    def act(tx: Transaction) -> None:
        insert("undone", tx)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        store.database.write(act)
    assert names(store.database) == ["kept"]


def test_constraint_violation_reaches_the_caller_as_it_is(store: Store) -> None:
    """A broken constraint is the act's own error, not a failure of storage; foreign keys are enforced."""
    row = {
        "watchlist_id": "nobody",
        "mode": "live",
        "score": 0.5,
        "model": "m",
        "profile": "plain",
        "source": "explicit",
    }

    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
        store.database.write(lambda tx: tx.connection.execute(sa.insert(watchlist_threshold), row))


def test_errors_of_the_database_do_not_quote_what_was_written(store: Store) -> None:
    """Neither the text of a broken constraint nor the message that a client is told holds a statement's values."""
    secret = "NOM-4711 Ana Kova\u010d"
    row = {
        "watchlist_id": secret,
        "mode": "live",
        "score": 0.5,
        "model": "m",
        "profile": "plain",
        "source": "explicit",
    }
    with pytest.raises(sa.exc.IntegrityError) as broken:
        store.database.write(lambda tx: tx.connection.execute(sa.insert(watchlist_threshold), row))
    assert secret not in str(broken.value)
    assert cause_text(broken.value) == "FOREIGN KEY constraint failed"
    with pytest.raises(FrsError) as failed:
        store.database.write(
            lambda tx: tx.connection.execute(sa.text("SELECT * FROM nowhere WHERE a=:a"), {"a": secret})
        )
    assert secret not in str(failed.value)
    with store.database.read() as connection, pytest.raises(sa.exc.OperationalError) as unread:
        connection.execute(sa.text("SELECT * FROM nowhere WHERE a=:a"), {"a": secret})
    assert secret not in str(unread.value)


def test_only_the_kind_of_an_unknown_exception_is_told() -> None:
    """The text of another driver or of a defect may quote a row; the operating system's says only what failed."""
    secret = "NOM-4711"
    assert cause_text(ValueError(secret)) == "ValueError"
    assert cause_text(sa.exc.DataError("INSERT", {}, RuntimeError(secret))) == "RuntimeError"
    assert cause_text(OSError(5, "Input/output error", secret)) == "Input/output error"


def test_database_error_in_an_act_is_translated(store: Store) -> None:
    """An operational error of the database comes as STORAGE_FAILED with its cause."""
    with pytest.raises(FrsError, match="no such table") as caught:
        store.database.write(lambda tx: tx.connection.exec_driver_sql("SELECT * FROM nowhere"))
    assert caught.value.reason is Reason.STORAGE_FAILED
    assert caught.value.__cause__ is not None


def test_snapshot_does_not_see_later_commits(store: Store) -> None:
    """A snapshot stays as it was at its first statement, however much is written meanwhile."""
    store.database.write(lambda tx: insert("before", tx))
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar() == 1
        store.database.write(lambda tx: insert("after", tx))
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar() == 1
    assert names(store.database) == ["before", "after"]


def test_reader_cannot_write(store: Store) -> None:
    """A connection from ``read`` refuses to change anything."""
    store.database.write(lambda tx: insert("kept", tx))

    with pytest.raises(FrsError, match="readonly"), store.database.read() as connection:
        connection.exec_driver_sql("DELETE FROM note")
    assert names(store.database) == ["kept"]


def test_connections_are_durable_and_erase_securely(store: Store) -> None:
    """Writer and readers use WAL, synchronous=FULL, secure_delete=ON and foreign keys."""
    expected = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "busy_timeout": 10000}

    written = store.database.write(lambda tx: {name: pragma(tx.connection, name) for name in expected})
    with store.database.read() as connection:
        read = {name: pragma(connection, name) for name in expected}
    assert written == expected
    assert read == expected


def test_files_are_for_their_owner_alone(store: Store, settings: Settings) -> None:
    """No file or folder of the data directory can be read by group or others."""
    store.database.write(lambda tx: insert("something", tx))

    paths = [settings.data_dir, *settings.data_dir.rglob("*")]
    assert len(paths) > 6
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_hooks_run_in_order_after_commit_and_before_the_answer(store: Store) -> None:
    """Hooks see the committed data, run on the writer thread in order, and have run when write returns."""
    seen: list[tuple[str, int, str]] = []

    def note(label: str) -> None:
        seen.append((label, len(names(store.database)), threading.current_thread().name))

    def act(tx: Transaction) -> None:
        insert("one", tx)
        tx.after_commit(lambda: note("first"))
        tx.after_commit(lambda: note("second"))

    store.database.write(act)
    assert seen == [("first", 1, "frs-writer"), ("second", 1, "frs-writer")]


def test_hooks_of_a_failed_act_do_not_run(store: Store) -> None:
    """An act that raises takes its hooks with it."""
    seen: list[str] = []

    def act(tx: Transaction) -> None:
        tx.after_commit(lambda: seen.append("ran"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # the act's own
        store.database.write(act)
    assert seen == []


def test_failing_hook_is_told_but_undoes_nothing(store: Store) -> None:
    """A hook's error reaches the act's caller; the act stays and the other hooks run."""
    seen: list[str] = []

    def fail() -> None:
        raise OSError("hook failed")

    def act(tx: Transaction) -> None:
        insert("committed", tx)
        tx.after_commit(fail)
        tx.after_commit(lambda: seen.append("ran"))

    with pytest.raises(OSError, match="hook failed"):
        store.database.write(act)
    assert names(store.database) == ["committed"]
    assert seen == ["ran"]


def test_write_within_an_act_is_refused(store: Store) -> None:
    """An act that calls write would wait for itself; it gets an error instead."""
    with pytest.raises(RuntimeError, match="use the transaction"):
        store.database.write(lambda _: store.database.write(lambda tx: insert("never", tx)))


def test_closed_database_refuses_acts(store: Store) -> None:
    """After close every act and every read is refused; closing again is harmless."""
    store.database.close()
    store.database.close()

    with pytest.raises(FrsError) as caught:
        store.database.write(lambda tx: insert("late", tx))
    assert caught.value.reason is Reason.SHUTTING_DOWN
    with pytest.raises(FrsError) as caught, store.database.read():
        pass
    assert caught.value.reason is Reason.SHUTTING_DOWN


def test_close_finishes_what_is_queued(settings: Settings, clock: ManualClock) -> None:
    """Each act racing with close either happened durably or was refused; none is lost or half done."""
    store = open_store(settings, clock)
    store.database.write(lambda tx: insert("start", tx))
    done: list[str] = []
    refused: list[Reason] = []

    def work(worker: int) -> None:
        for number in range(200):
            name = f"{worker}-{number}"
            try:
                store.database.write(lambda tx, name=name: insert(name, tx))  # type: ignore[misc]  # a lambda with a default
                done.append(name)
            except FrsError as error:
                refused.append(error.reason)
                return

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    while len(done) < 20:
        pass
    store.close()
    for thread in threads:
        thread.join()

    reopened = open_store(settings, clock)
    assert sorted(names(reopened.database)) == sorted(["start", *done])
    assert set(refused) == {Reason.SHUTTING_DOWN}
    reopened.close()


def test_installation_keeps_its_identity(settings: Settings, clock: ManualClock) -> None:
    """The installation id is random, given once, and survives reopening."""
    first = open_store(settings, clock)
    name = first.database.installation_id
    first.close()
    second = open_store(settings, clock)

    assert second.database.installation_id == name
    assert len(name) == 32
    second.close()


def test_second_opener_is_refused(store: Store, settings: Settings, clock: ManualClock) -> None:
    """A second database on the same data directory is refused and told who holds it."""
    with pytest.raises(FrsError, match=str(os.getpid())) as caught:
        Database.open(settings, clock)
    assert caught.value.reason is Reason.DATA_DIRECTORY_IN_USE
    store.database.write(lambda tx: insert("undisturbed", tx))


def test_lock_of_a_killed_process_is_free(settings: Settings, clock: ManualClock) -> None:
    """Another process holds the directory until it ends, even by kill -9."""

    def hold(stream: TextIO) -> None:
        open_store(settings, ManualClock())
        stream.write("open\n")
        stream.flush()
        signal.pause()

    holder = Child(hold)
    assert holder.output.readline() == "open\n"
    with pytest.raises(FrsError) as caught:
        open_store(settings, clock)
    holder.kill()
    holder.wait()
    assert caught.value.reason is Reason.DATA_DIRECTORY_IN_USE
    open_store(settings, clock).close()


def test_newer_database_is_refused_untouched(settings: Settings, clock: ManualClock) -> None:
    """A revision this version does not know is refused, and the file keeps its bytes."""
    open_store(settings, clock).close()
    file = settings.data_dir / "frs.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = hashlib.sha256(file.read_bytes()).hexdigest()

    with pytest.raises(FrsError, match="9999") as caught:
        open_store(settings, clock)
    assert caught.value.reason is Reason.DATABASE_NEWER
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_file_that_is_no_database_is_refused(settings: Settings, clock: ManualClock) -> None:
    """A damaged file gives STORAGE_FAILED, and the data directory is free again."""
    file = settings.data_dir / "frs.sqlite"
    file.write_bytes(b"not a database at all" * 100)

    for _ in range(2):
        with pytest.raises(FrsError, match="not a database") as caught:
            open_store(settings, clock)
        assert caught.value.reason is Reason.STORAGE_FAILED


def test_inspection_reads_beside_a_running_service(store: Store, settings: Settings) -> None:
    """A snapshot can be had without the lock while another holds it, and it cannot write."""
    store.database.write(lambda tx: insert("seen", tx))

    with inspect_database(settings) as connection:
        assert connection.exec_driver_sql("SELECT name FROM note").scalar() == "seen"
    with pytest.raises(FrsError, match="readonly"), inspect_database(settings) as connection:
        connection.exec_driver_sql("DELETE FROM note")


def test_inspection_of_nothing_is_refused(tmp_path: Path) -> None:
    """Where there is no database, none is made."""
    with pytest.raises(FrsError) as caught, inspect_database(Settings(data_dir=tmp_path / "empty")):
        pass
    assert caught.value.reason is Reason.NOT_INITIALISED
    assert not (tmp_path / "empty").exists()


def test_url_may_name_another_sqlite_file(tmp_path: Path, clock: ManualClock) -> None:
    """``store.url`` puts the database elsewhere; the lock stays in the data directory."""
    settings = Settings.model_validate(
        {"data_dir": tmp_path / "data", "store": {"url": f"sqlite:///{tmp_path}/other/my.db"}}
    )
    database = Database.open(settings, clock)
    database.write(lambda tx: insert("elsewhere", tx))
    database.close()

    assert (tmp_path / "other" / "my.db").stat().st_size > 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["lock"]
