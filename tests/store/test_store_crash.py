"""kill -9 and failing files in the middle of writing: what was answered is there, whole, and nothing is half there."""

from __future__ import annotations

import random
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TextIO

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.opening import Store, open_store
from tests.forking import Child
from tests.manual_clock import ManualClock

TABLE = "CREATE TABLE IF NOT EXISTS pair (name TEXT, half INTEGER, sealed BLOB)"


def insert_pair(store: Store, name: str, padding: int, tx: Transaction) -> None:
    """Two rows that belong together, each sealed under the pair's own key."""
    for half in (1, 2):
        sealed = store.vault.seal(f"subject:{name}", b"half %d" % half + bytes(padding))
        tx.connection.exec_driver_sql("INSERT INTO pair VALUES (?, ?, ?)", (name, half, sealed))


def read_pairs(store: Store) -> set[str]:
    """Names of the pairs that are there, each checked to be whole and readable."""
    with store.database.read() as connection:
        rows = connection.execute(sa.text("SELECT name, half, sealed FROM pair")).all()
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    for row in rows:
        assert store.vault.open(f"subject:{row.name}", row.sealed).startswith(b"half %d" % row.half)
    names = {row.name for row in rows}
    assert sorted((row.name, row.half) for row in rows) == sorted((name, half) for name in names for half in (1, 2))
    return names


def write_for_ever(settings: Settings, generation: int, stream: TextIO) -> None:
    """Write pairs from four threads and name each pair once it is durable."""
    store = open_store(settings, ManualClock())
    store.database.write(lambda tx: tx.connection.exec_driver_sql(TABLE))

    def work(worker: int) -> None:
        for number in range(1_000_000):
            name = f"{generation}-{worker}-{number}"
            store.database.write(partial(insert_pair, store, name, 0))
            stream.write(f"{name}\n")
            stream.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_files_that_cannot_grow_lose_nothing(settings: Settings, clock: ManualClock) -> None:
    """When files may not grow, each act happened whole or its caller was told, and later acts work."""

    def work(stream: TextIO) -> None:
        store = open_store(settings, ManualClock())
        store.database.write(lambda tx: tx.connection.exec_driver_sql(TABLE))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        for number in range(60):
            if number == 50:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            try:
                store.database.write(partial(insert_pair, store, str(number), 10_000))
                stream.write(f"done {number}\n")
            except FrsError as error:
                stream.write(f"{error.reason} {number}\n")
        store.close()

    child = Child(work)
    answers = [line.split() for line in child.output.read().splitlines()]
    assert child.wait() == 0
    done = {number for answer, number in answers if answer == "done"}
    refused = {answer for answer, _ in answers} - {"done"}
    assert 10 < len(done) < 60
    assert refused <= {Reason.STORAGE_FULL, Reason.STORAGE_FAILED}
    assert {str(number) for number in range(50, 60)} <= done

    store = open_store(settings, clock)
    assert read_pairs(store) == done
    store.close()


def test_killed_writer_loses_nothing_that_it_answered(settings: Settings, clock: ManualClock) -> None:
    """Killed at random moments, again and again: every answered act is whole, its key is there, and no act is half."""
    random.seed(20260302)
    answered: set[str] = set()
    for generation in range(4):
        child = Child(partial(write_for_ever, settings, generation))
        answered.add(child.output.readline().strip())
        time.sleep(random.uniform(0.05, 0.4))
        child.kill()
        answered |= set(child.output.read().split("\n")[:-1])  # the last line may be cut by the kill
        assert child.wait() == -9

        store = open_store(settings, clock)
        assert answered <= read_pairs(store)
        store.close()
    assert len(answered) > 20
