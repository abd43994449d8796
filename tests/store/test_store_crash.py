"""kill -9 in the middle of writing: what was answered is there, whole, and nothing is half there."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TextIO

import sqlalchemy as sa

from frs.settings import Settings
from frs.store.database import Transaction
from frs.store.opening import open_store
from tests.forking import Child
from tests.manual_clock import ManualClock

TABLE = "CREATE TABLE IF NOT EXISTS pair (name TEXT, half INTEGER, sealed BLOB)"


def write_for_ever(settings: Settings, generation: int, stream: TextIO) -> None:
    """Write pairs from four threads and name each pair once it is durable."""
    store = open_store(settings, ManualClock())
    store.database.write(lambda tx: tx.connection.exec_driver_sql(TABLE))

    def pair(name: str, tx: Transaction) -> None:
        for half in (1, 2):
            sealed = store.vault.seal(f"subject:{name}", b"half %d" % half)
            tx.connection.exec_driver_sql("INSERT INTO pair VALUES (?, ?, ?)", (name, half, sealed))

    def work(worker: int) -> None:
        for number in range(1_000_000):
            name = f"{generation}-{worker}-{number}"
            store.database.write(partial(pair, name))
            stream.write(f"{name}\n")
            stream.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


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
        with store.database.read() as connection:
            rows = connection.execute(sa.text("SELECT name, half, sealed FROM pair")).all()
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        for row in rows:
            assert store.vault.open(f"subject:{row.name}", row.sealed) == b"half %d" % row.half
        halves = {row.name: [other.half for other in rows if other.name == row.name] for row in rows[-20:]}
        assert all(sorted(found) == [1, 2] for found in halves.values())
        assert len(rows) == 2 * len({row.name for row in rows})
        assert answered <= {row.name for row in rows}
        store.close()
    assert len(answered) > 20
