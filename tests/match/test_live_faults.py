"""An alert is there whole or not at all: withdrawn, stopped, unlogged, out of disk, killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TextIO

import pytest
import sqlalchemy as sa

from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.match.alerting import Alerting, Sighting
from frs.match.cooldown import Cooldown
from frs.match.evidence import TrackEvidence
from frs.match.gate import Gate
from frs.match.tally import StreamCounts
from frs.store.schema import alert, alert_feed, camera_count
from frs.types import Candidate
from tests.forking import Child
from tests.match.film import START, film
from tests.match.stage import FEED, MANAGER, OFFICER, Stage, play

People = tuple[bytes, ...]


@dataclass
class Match:
    """A deployment in which a track matched a listed person, about to be alerted for."""

    stage: Stage
    subjects: dict[str, str]
    gate: Gate
    sighting: Sighting
    candidate: Candidate
    evidence: TrackEvidence

    def raise_alert(self) -> str | None:
        place, store = self.stage.installation, self.stage.installation.store
        alerting = Alerting(
            store.database, store.vault, place.audit, place.watchlists, self.stage.bell, self.stage.clock
        )
        return alerting.raise_alert(self.gate, self.sighting, self.candidate, self.evidence, StreamCounts())

    def rows(self) -> tuple[int, int, int]:
        """Return how many alerts, feed entries and counted alerts there are."""
        with self.stage.installation.store.database.read() as connection:
            sums = (sa.func.count(alert.c.id), sa.func.count(alert_feed.c.position), sa.func.sum(camera_count.c.alerts))
            alerts, entries, counted = (connection.execute(sa.select(total)).scalar_one() for total in sums)
        return alerts, entries, counted or 0


@pytest.fixture
def match(stage: Stage, sample_people: People, engine: FaceEngine) -> Match:
    """Give a match as a stream would find it: its candidate is that of a real alert of the same walk."""
    subjects = stage.activate("wanted", [("N-0", sample_people[0])])
    deployment = stage.open("wanted")
    frames = film(sample_people[:1], 3)
    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    play(session, frames)
    session.finish("closed")
    candidate = stage.alerts.list().items[0].candidate
    evidence = TrackEvidence(7, 10)
    for frame in frames:
        analysis = engine.analyse(frame.data)
        (face,) = analysis.faces
        at = frame.captured_at.timestamp()
        evidence.see(at, face.quality)
        evidence.add(at, face.quality, engine.embed([face])[0], lambda picture=analysis.picture: picture[:200, :200])  # type: ignore[misc]  # a lambda's default
    sighting = Sighting(FEED, deployment.id, "cam-1", "track-7", frames[-1].captured_at)
    return Match(stage, subjects, stage.deployments.gate(deployment.id), sighting, candidate, evidence)


def withdraw(match: Match) -> None:
    match.stage.installation.watchlists.withdraw(MANAGER, match.subjects["N-0"], "warrant cancelled")


def remove_image(match: Match) -> None:
    lists = match.stage.installation.watchlists
    lists.remove_image(MANAGER, match.candidate.reference, "the wrong person")


def retire(match: Match) -> None:
    match.stage.installation.watchlists.retire(OFFICER, "wanted", "over")


def expire(match: Match) -> None:
    match.stage.clock.at = match.stage.installation.watchlists.get("wanted").expires_at


def stop(match: Match) -> None:
    match.stage.deployments.stop(OFFICER, match.sighting.deployment, "crowd crush")


def end(match: Match) -> None:
    match.stage.deployments.end(OFFICER, match.sighting.deployment, "")


def run_out(match: Match) -> None:
    match.stage.clock.advance(hours=4)


@pytest.mark.parametrize("change", [withdraw, remove_image, retire, expire, stop, end, run_out])
def test_what_changed_since_the_search_raises_no_alert(match: Match, change: Callable[[Match], None]) -> None:
    """The alert's own transaction asks again; when it may not be raised there is no row, entry, count, key or event."""
    assert match.raise_alert() is not None
    before, size = match.rows(), len(match.stage.events(action="alert.raised"))
    assert before == (2, 2, 2)
    change(match)
    assert match.raise_alert() is None
    assert match.rows() == before
    assert len(match.stage.events(action="alert.raised")) == size


def test_a_stop_that_failed_raises_no_alert_either(match: Match) -> None:
    """The gate is asked within the alert's act: what the database does not know of yet counts all the same."""
    assert match.raise_alert() is not None
    before = match.rows()
    with no_log(match.stage), pytest.raises(FrsError):
        stop(match)
    assert match.raise_alert() is None
    assert match.rows() == before


def test_the_cooldown_resumes_from_the_frame_that_decided(match: Match) -> None:
    """A track's best frame may be long past when it is decided: who reconnects has the cooldown of who stayed."""
    best = match.evidence.best.at
    decided_at = datetime.fromtimestamp(best + 30, UTC)
    match.sighting = replace(match.sighting, camera="cam-9", decided_at=decided_at)
    assert match.raise_alert() is not None
    with match.stage.installation.store.database.read() as connection:
        cooldown = Cooldown.resume(connection, match.sighting.deployment, "cam-9", 60.0)
    assert cooldown.holds("N-0", decided_at + timedelta(seconds=59))
    assert not cooldown.holds("N-0", decided_at + timedelta(seconds=60))


@contextmanager
def no_log(stage: Stage) -> Iterator[None]:
    """Take a table of the log away."""
    database = stage.installation.store.database
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_payload RENAME TO hidden")))
    yield
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE hidden RENAME TO audit_payload")))


@contextmanager
def no_space(stage: Stage) -> Iterator[None]:
    """Forbid the database to grow, as a full disk does; SQLite answers SQLITE_FULL."""
    database = stage.installation.store.database

    def limit(pages: int) -> None:
        database.write(lambda tx: tx.connection.execute(sa.text(f"PRAGMA max_page_count={pages}")))

    limit(1)  # SQLite takes the present size where the limit is below it
    yield
    limit(1 << 30)


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        (no_log, {Reason.LOG_UNAVAILABLE, Reason.STORAGE_FAILED}),
        (no_space, {Reason.STORAGE_FULL}),
    ],
)
def test_what_cannot_be_logged_is_not_alerted(
    stage: Stage,
    sample_people: People,
    fault: Callable[[Stage], AbstractContextManager[None]],
    reasons: set[Reason],
) -> None:
    """The stream ends with the error and nothing of the alert is there; afterwards a new stream finds the person."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    deployment = stage.open("wanted")
    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    frames = film(sample_people[:1], 3)
    play(session, frames[:2])
    with fault(stage):
        with pytest.raises(FrsError) as refused:
            play(session, frames[2:])
        assert refused.value.reason in reasons
        assert not stage.alerts.list().items
        assert not stage.alerts.feed(0)
        with suppress(FrsError):  # what the last event needs may still fit
            session.finish("failed")
    assert stage.live.streams == 0
    again = stage.live.open_stream(FEED, deployment.id, "cam-1")
    play(again, film(sample_people[:1], 3, start=START + timedelta(seconds=5)))
    again.finish("closed")
    assert len(stage.alerts.list().items) == len(stage.events(action="alert.raised")) == 1


def test_killed_while_alerting(match: Match) -> None:
    """After kill -9 during alerts: each has its row, pictures, feed entry, count and event, and the log verifies."""
    seed = random.Random(11)
    stage = match.stage
    stage.installation.close()
    acknowledged: list[str] = []
    for _ in range(3):
        child = Child(lambda out: _alert_for_ever(match, out))
        for _ in range(seed.randrange(3, 9)):
            acknowledged.append(child.output.readline().strip())
        child.kill()
        child.wait()
    stage.installation.open()
    stage.build()

    alerts = stage.alerts.list(page_size=1000).items
    names = {found.id for found in alerts}
    assert set(acknowledged) <= names
    raised = {event.seq for event in stage.events(action="alert.raised")}
    by_alert = {found.id: stage.events(alert=found.id) for found in alerts}
    assert {event.seq for events in by_alert.values() for event in events} == raised
    assert all(len(events) == 1 for events in by_alert.values())
    entries = stage.alerts.feed(0, limit=1000)
    assert [entry.position for entry in entries] == sorted(entry.position for entry in entries)
    assert sorted(entry.alert.id for entry in entries) == sorted(names)
    assert match.rows() == (len(names), len(names), len(names))
    for name in names:
        case = stage.alerts.get(OFFICER, name)
        assert case.probe[:2] == case.reference[:2] == b"\xff\xd8"
    audit = stage.installation.audit
    audit.checkpoint()
    assert audit.size() == len(list(audit.leaves(0, audit.size())))


def _alert_for_ever(match: Match, out: TextIO) -> None:
    """Open the data directory in a process of its own and raise alerts from several threads, telling of each."""
    match.stage.installation.open()
    lock = threading.Lock()

    def work() -> None:
        while True:
            name = match.raise_alert()
            assert name is not None
            with lock:
                out.write(name + "\n")
                out.flush()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
