"""A run that is killed anywhere leaves nothing half destroyed, and the next one goes on and tells."""

from __future__ import annotations

import os
import time
from typing import TextIO

import pytest
import sqlalchemy as sa

from frs.store.database import CommitParticipant
from frs.store.schema import alert, operator_search, retention_run
from frs.store.transaction import Transaction
from tests.forking import Child
from tests.installation import Installation
from tests.retention.archive import Archive

ALERTS, SEARCHES = 130, 110
"""More than a batch of each."""


class Dies(CommitParticipant):
    """Kills the process when the n-th group since it joined is prepared, or after its commit."""

    def __init__(self, group: int, after_commit: bool) -> None:
        self._left, self._after_commit = group, after_commit

    def begin_act(self, tx: Transaction) -> None:
        self._left -= 1
        if self._left == 0 and self._after_commit:
            tx.after_commit(lambda: os._exit(9))

    def prepare(self) -> None:
        if self._left == 0 and not self._after_commit:
            os._exit(9)


def run_and_die(installation: Installation, group: int, after_commit: bool) -> None:
    """Run in this process, a child's, until it is killed."""
    installation.open()
    archive = Archive(installation)
    archive.database.join(Dies(group, after_commit))
    archive.run()


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("group", [2, 4, 7])
def test_a_killed_run_is_completed_by_the_next(installation: Installation, group: int, after_commit: bool) -> None:
    """What was committed is gone with its keys and counted once; the rest is whole until the next run."""
    archive = Archive(installation)
    for number in range(ALERTS):
        archive.alert(f"N-{number}")
    for _ in range(SEARCHES):
        archive.search("N-1")
    archive.clock.advance(hours=744)
    installation.close()

    def work(_: TextIO) -> None:
        run_and_die(installation, group, after_commit)

    assert Child(work).wait() == 9
    _completes(installation)


def test_a_run_that_is_killed_from_outside_is_completed_by_the_next(installation: Installation) -> None:
    """Kill -9 at whatever it was doing."""
    archive = Archive(installation)
    for number in range(ALERTS):
        archive.alert(f"N-{number}")
    for _ in range(SEARCHES):
        archive.search("N-1")
    archive.clock.advance(hours=744)
    installation.close()

    def work(output: TextIO) -> None:
        installation.open()
        inside = Archive(installation)
        output.write("running\n")
        output.flush()
        inside.run()
        time.sleep(60)

    child = Child(work)
    assert child.output.readline() == "running\n"
    time.sleep(0.1)
    child.kill()
    assert child.wait() == -9
    _completes(installation)


def _completes(installation: Installation) -> None:
    installation.open()
    archive = Archive(installation)
    _whole_or_gone(archive)
    archive.run()
    after = _logged(archive)
    assert {kind: after.get(kind, 0) for kind in ("alert", "alert-pictures", "search", "unreviewed")} == {
        "alert": ALERTS,
        "alert-pictures": ALERTS,
        "search": SEARCHES,
        "unreviewed": ALERTS,
    }
    _whole_or_gone(archive)
    assert archive.names() == []
    assert archive.sealed() == {}
    assert archive.rows(retention_run) == 0
    assert archive.verify().problems == ()


def _logged(archive: Archive) -> dict[str, int]:
    """Return the counts of all runs' events together."""
    total: dict[str, int] = {}
    for event in archive.at.audit.list(archive.filter("retention.run"), 100, "").items:
        counts = archive.details(event.seq)["counts"]
        assert isinstance(counts, dict)
        for kind, count in counts.items():
            assert isinstance(count, (int, float))
            total[kind] = total.get(kind, 0) + int(count)
    return total


def _whole_or_gone(archive: Archive) -> None:
    """Every alert and search has its pictures with their key, or neither."""
    with archive.database.read() as connection:
        alerts = connection.execute(sa.select(alert)).all()
        searches = connection.execute(sa.select(operator_search)).all()
    for row in alerts:
        gone = row.pictures_erased_at is not None
        assert (row.probe_sealed is None) is (row.reference_sealed is None) is gone
        assert archive.vault.destroyed(f"alert:{row.id}") is gone
        assert (row.state == "unreviewed") is (row.erased_at is not None) is row.nominal.startswith("s:")
    for row in searches:
        assert (row.probe_sealed is None) is (row.reason == "") is (row.erased_at is not None)
        assert archive.vault.destroyed(f"search:{row.id}") is (row.erased_at is not None)
