"""Many acts in one commit: each whole or absent, none answered early, and recovery from every failure."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import CommitParticipant, Database, Transaction
from tests.manual_clock import ManualClock


class Recorder(CommitParticipant):
    """Takes part for real and keeps a diary; fails when told to."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.failure: Exception | None = None

    def attach(self, connection: sa.Connection) -> None:  # noqa: ARG002  # the interface's signature
        self.diary.append("attach")

    def detach(self) -> None:
        self.diary.append("detach")

    def begin_act(self, tx: Transaction) -> None:  # noqa: ARG002  # the interface's signature
        self.diary.append("begin")

    def keep_act(self) -> None:
        self.diary.append("keep")

    def undo_act(self) -> None:
        self.diary.append("undo")

    def prepare(self) -> None:
        self.diary.append("prepare")
        if self.failure is not None:
            raise self.failure

    def rolled_back(self) -> None:
        self.diary.append("rolled back")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def database(tmp_path: Path, clock: ManualClock, recorder: Recorder) -> Iterator[Database]:
    settings = Settings.model_validate({"data_dir": tmp_path, "store": {"group_commit": 64}})
    database = Database.open(settings, clock, (recorder,))
    database.write(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE note (name TEXT PRIMARY KEY, body BLOB)"))
    recorder.diary.clear()
    yield database
    database.close()


def insert(tx: Transaction, name: str, size: int = 0) -> str:
    tx.connection.exec_driver_sql("INSERT INTO note VALUES (?, zeroblob(?))", (name, size))
    return name


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return {str(row.name) for row in connection.exec_driver_sql("SELECT name FROM note")}


@contextmanager
def one_group(database: Database, acts: list[Callable[[Transaction], str]]) -> Iterator[list[Future[str]]]:
    """Keep the writer busy until all acts are queued, so that they are written as one group."""
    started, release = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        started.set()
        release.wait(10)

    with ThreadPoolExecutor(len(acts) + 1) as pool:
        holding = pool.submit(database.write, hold)
        started.wait(10)
        futures = []
        for number, act in enumerate(acts, 1):
            futures.append(pool.submit(database.write, act))
            while len(database._writer._queue) < number:
                pass
        release.set()
        holding.result(10)
        yield futures


def test_group_is_one_commit(database: Database, recorder: Recorder) -> None:
    """Acts that queue while one is written share the next commit."""
    with one_group(database, [lambda tx, n=n: insert(tx, f"act{n}") for n in range(20)]) as futures:  # type: ignore[misc]
        assert [future.result(10) for future in futures] == [f"act{n}" for n in range(20)]

    assert recorder.diary == ["begin", "keep", "prepare", *["begin", "keep"] * 20, "prepare"]
    assert names(database) == {f"act{n}" for n in range(20)}


def test_group_is_limited_by_the_setting(tmp_path: Path, clock: ManualClock, recorder: Recorder) -> None:
    """No more acts share a commit than store.group_commit says."""
    settings = Settings.model_validate({"data_dir": tmp_path, "store": {"group_commit": 4}})
    database = Database.open(settings, clock, (recorder,))
    recorder.diary.clear()
    with one_group(database, [lambda _: "" for _ in range(10)]) as futures:
        for future in futures:
            future.result(10)

    assert recorder.diary.count("prepare") == 1 + 3
    database.close()


def test_failed_acts_are_undone_alone(database: Database, recorder: Recorder) -> None:
    """In one commit, each act that raises gets its own exception and leaves nothing; the others happen."""

    def act(number: int) -> Callable[[Transaction], str]:
        def run(tx: Transaction) -> str:
            insert(tx, f"act{number}")
            if number % 3 == 0:
                raise ValueError(f"act {number} changed its mind")
            return f"act{number}"

        return run

    with one_group(database, [act(number) for number in range(12)]) as futures:
        for number, future in enumerate(futures):
            if number % 3 == 0:
                with pytest.raises(ValueError, match=f"act {number} changed"):
                    future.result(10)
            else:
                assert future.result(10) == f"act{number}"

    assert names(database) == {f"act{n}" for n in range(12) if n % 3}
    assert recorder.diary.count("undo") == 4
    assert recorder.diary.count("prepare") == 2


def test_group_of_failures_is_not_committed(database: Database, recorder: Recorder) -> None:
    """When every act of a group fails, nothing is made durable for it."""
    with pytest.raises(KeyError):
        database.write(lambda _: dict[str, str]()["nothing"])

    assert recorder.diary == ["begin", "undo", "rolled back"]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (FrsError(Reason.STORAGE_FULL, "keys do not fit"), Reason.STORAGE_FULL),
        (OSError(28, "No space left on device"), Reason.STORAGE_FULL),
        (RuntimeError("something else"), Reason.STORAGE_FAILED),
    ],
)
def test_participant_that_cannot_prepare_stops_the_group(
    database: Database, recorder: Recorder, failure: Exception, reason: Reason
) -> None:
    """When a participant cannot prepare, every caller of the group is told and nothing happened."""

    def arm(tx: Transaction) -> str:
        recorder.failure = failure
        return insert(tx, "armed")

    acts: list[Callable[[Transaction], str]] = [arm, lambda tx: insert(tx, "innocent")]
    with one_group(database, acts) as futures:
        for future in futures:
            with pytest.raises(FrsError) as caught:
                future.result(10)
            assert caught.value.reason is reason

    assert recorder.diary[-1] == "rolled back"
    assert names(database) == set()
    recorder.failure = None
    assert database.write(lambda tx: insert(tx, "next")) == "next"


def test_act_that_ends_the_transaction_fails_its_group(database: Database) -> None:
    """An act that rolls back or commits on its own cannot let others of its commit seem to have happened."""

    def vandal(tx: Transaction) -> str:
        tx.connection.exec_driver_sql("ROLLBACK")
        return "vandal"

    acts: list[Callable[[Transaction], str]] = [
        lambda tx: insert(tx, "before"),
        vandal,
        lambda tx: insert(tx, "after"),
    ]
    with one_group(database, acts) as futures:
        for future in futures[:2]:
            with pytest.raises(FrsError) as caught:
                future.result(10)
            assert caught.value.reason is Reason.STORAGE_FAILED
        assert futures[2].result(10) == "after"  # not begun yet: it waits for the next commit

    assert names(database) == {"after"}


def test_broken_connection_is_replaced(database: Database) -> None:
    """After the connection broke within an act, the act and its group fail and the next act works."""

    def breaks(tx: Transaction) -> str:
        insert(tx, "lost")
        driver = tx.connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.close()
        return insert(tx, "impossible")

    with pytest.raises((FrsError, sa.exc.SQLAlchemyError)):
        database.write(breaks)
    assert database.write(lambda tx: insert(tx, "next")) == "next"
    assert names(database) == {"next"}


def test_commit_that_fails_is_told_to_all(database: Database, recorder: Recorder) -> None:
    """When COMMIT itself fails, every act of the group gets an error and none happened."""

    def deferred(tx: Transaction) -> str:
        tx.connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        tx.connection.exec_driver_sql(
            "INSERT INTO alert_feed (alert_id, kind, created_at) VALUES ('none', 'raised', '')"
        )
        return "deferred"

    acts: list[Callable[[Transaction], str]] = [lambda tx: insert(tx, "innocent"), deferred]
    with one_group(database, acts) as futures:
        for future in futures:
            with pytest.raises(FrsError, match="FOREIGN KEY") as caught:
                future.result(10)
            assert caught.value.reason is Reason.STORAGE_FAILED

    assert names(database) == set()
    assert recorder.diary[-1] == "rolled back"
    assert database.write(lambda tx: insert(tx, "next")) == "next"


def limit_pages(tx: Transaction, spare: int) -> None:
    pages = int(tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages + spare}")


def test_full_disk_fails_the_act_that_met_it(database: Database) -> None:
    """Without room an act gets STORAGE_FULL and leaves nothing; small acts and, with room again, large ones go on."""
    database.write(lambda tx: limit_pages(tx, 8))

    with pytest.raises(FrsError) as caught:
        database.write(lambda tx: insert(tx, "big", 1_000_000))
    assert caught.value.reason is Reason.STORAGE_FULL
    assert names(database) == set()
    assert database.write(lambda tx: insert(tx, "small")) == "small"

    database.write(lambda tx: limit_pages(tx, 10_000))
    assert database.write(lambda tx: insert(tx, "big", 1_000_000)) == "big"


def test_full_disk_does_not_touch_others_of_the_group(database: Database) -> None:
    """Of a group in which one act meets the full disk, no other is half done: each happened or was told."""
    database.write(lambda tx: limit_pages(tx, 40))
    acts: list[Callable[[Transaction], str]] = [
        lambda tx, n=n: insert(tx, f"act{n}", 1_000_000 if n == 5 else 10)  # type: ignore[misc]
        for n in range(10)
    ]
    answered: set[str] = set()
    refused: dict[int, FrsError] = {}
    with one_group(database, acts) as futures:
        for number, future in enumerate(futures):
            try:
                answered.add(future.result(10))
            except FrsError as error:
                refused[number] = error

    assert 5 in refused
    assert {error.reason for error in refused.values()} == {Reason.STORAGE_FULL}
    assert names(database) == answered
    assert {f"act{n}" for n in range(6, 10)} <= answered


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_broken_promise_leaves_nobody_waiting(tmp_path: Path, clock: ManualClock) -> None:
    """A participant that raises where it must not stops the writer, and every caller is told."""

    class Breaks(CommitParticipant):
        def undo_act(self) -> None:
            raise RuntimeError("broken")

        def rolled_back(self) -> None:
            raise RuntimeError("broken")

    database = Database.open(Settings(data_dir=tmp_path), clock, (Breaks(),))
    acts: list[Callable[[Transaction], str]] = [lambda tx: insert(tx, "no such table")] * 3
    with one_group(database, acts) as futures:
        for future in futures:
            with pytest.raises(FrsError, match="The writer stopped"):
                future.result(10)
    with pytest.raises(FrsError) as caught:
        database.write(lambda tx: insert(tx, "late"))
    assert caught.value.reason is Reason.SHUTTING_DOWN
    database.close()


def test_participant_that_joins_later_takes_part_in_the_next_group(database: Database, recorder: Recorder) -> None:
    """Something built on the open database can join; it is attached once and detached at the end."""
    late = Recorder()
    database.join(late)
    assert late.diary == ["attach"]

    database.write(lambda tx: insert(tx, "noted"))
    assert late.diary == ["attach", "begin", "keep", "prepare"]
    database.close()
    assert late.diary[-1] == recorder.diary[-1] == "detach"
