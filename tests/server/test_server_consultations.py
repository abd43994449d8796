"""Consultations in the log: who was shown, in bounded events, and a program that polls is no flood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from frs.audit.log import EventFilter
from frs.errors import FrsError, Reason
from frs.match.job_records import Job, JobState
from frs.server.consultations import MOST_REFERENCES, REFERENCES_AT_ONCE, Consultations
from frs.server.journal import Journal
from frs.settings import Settings
from frs.types import ListVersion, SearchAuthority
from frs.watchlist.model import Grading, Subject, SubjectState, Watchlist, WatchlistState
from tests.audit_house import ALICE, BOB, AuditHouse
from tests.installation import lay_out
from tests.manual_clock import ManualClock

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
WANTED = Watchlist(
    *("wanted", "purpose", "wanted", "basis", "Supt A", Grading.RED, AT, WatchlistState.ACTIVE, 3, 1, (), 2, 2),
    *(AT, "manager", AT, None, None, None, None, None, None, None),
)
PERSON = Subject(
    *("id", "wanted", "NOM-1", "why", Grading.RED, False, "", True, SubjectState.ENROLLED, (), AT, "manager"),
    *(None, None, None),
)
JOB = Job(
    id="job1",
    authority=SearchAuthority("reason", "incident", "DI", AT),
    searched=(ListVersion("wanted", 3),),
    max_candidates=5,
    state=JobState.RUNNING,
    items=(),
    progress=0.5,
    faces=3,
    probes_matched=1,
    created_at=AT,
    created_by="alice",
    started_at=AT,
    finished_at=None,
    error_reason=None,
    error_message=None,
    model="starter@1",
    profile="mirror",
    erased_at=None,
)


class Seconds:
    """A monotonic clock under the test's control."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def house(tmp_path: Path) -> Iterator[AuditHouse]:
    settings = Settings(data_dir=tmp_path / "data")
    lay_out(settings)
    house = AuditHouse(settings, ManualClock())
    yield house
    house.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def consultations(house: AuditHouse, seconds: Seconds) -> Consultations:
    return Consultations(Journal(house.store.database, house.log), seconds)


def details(house: AuditHouse, **filters: str) -> list[dict[str, Any]]:
    """Return the details of the events that pass the filters, oldest first."""
    found = house.log.list(EventFilter(**filters), 100, "").items  # type: ignore[arg-type]
    payloads: list[Any] = [house.log.get(event.seq, open_payload=True).payload for event in found]
    return [payload["details"] for payload in payloads]


def people(count: int) -> list[Subject]:
    return [replace(PERSON, id=f"id{n}", nominal=f"NOM-{n}") for n in range(count)]


def test_who_was_shown_is_found_by_their_nominal(house: AuditHouse, consultations: Consultations) -> None:
    """The event refers to the people and the list's version; the payload says what was asked and how many came."""
    consultations.subjects(ALICE, people(2), WANTED, {"asked": "list", "state": None})
    assert details(house, subject="NOM-1") == [{"asked": "list", "state": None, "shown": 2}]
    assert details(house, subject="NOM-0", watchlist="wanted", action="subject.read") == details(house)
    assert details(house, subject="NOM-2") == []


def test_an_empty_page_is_a_consultation_too(house: AuditHouse, consultations: Consultations) -> None:
    """What was asked for and that nothing was there."""
    consultations.subjects(ALICE, [], WANTED, {"asked": "list"})
    consultations.alerts(BOB, [], {"asked": "list"}, "d1")
    consultations.watchlists(BOB, [], {"asked": "list"})
    assert [each["shown"] for each in details(house)] == [0, 0, 0]
    assert len(details(house, deployment="d1", action="alert.listed")) == 1


def test_the_largest_page_is_several_bounded_events(house: AuditHouse, consultations: Consultations) -> None:
    """Everyone on a page of a thousand is found, and no leaf is larger than its share."""
    consultations.subjects(ALICE, people(MOST_REFERENCES), WANTED, {"asked": "list"})
    told = details(house)
    assert [(each["part"], each["parts"], each["shown"]) for each in told] == [
        (part, MOST_REFERENCES // REFERENCES_AT_ONCE, MOST_REFERENCES) for part in range(1, 6)
    ]
    for nominal in ("NOM-0", "NOM-199", "NOM-200", "NOM-999"):
        assert len(details(house, subject=nominal)) == 1
    assert max(len(event.leaf) for event in house.log.list(EventFilter(), 100, "").items) < 40 << 10


def test_more_people_than_the_most_are_counted(house: AuditHouse, consultations: Consultations) -> None:
    """Beyond the bound the event says how many were shown that it does not refer to."""
    consultations.subjects(ALICE, people(MOST_REFERENCES + 7), WANTED, {"asked": "list"})
    told = details(house)
    assert len(told) == MOST_REFERENCES // REFERENCES_AT_ONCE
    assert {each["people_not_referred_to"] for each in told} == {7}
    assert details(house, subject=f"NOM-{MOST_REFERENCES}") == []


def test_a_program_that_polls_consults_once_a_minute(
    house: AuditHouse, consultations: Consultations, seconds: Seconds
) -> None:
    """Per identity and job; another identity, or another job, is another consultation."""
    for now in (0.0, 1.0, 59.0):
        seconds.now = now
        consultations.job_again(ALICE, JOB)
    assert len(details(house, job="job1")) == 1
    consultations.job_again(BOB, JOB)
    consultations.job_again(ALICE, replace(JOB, id="job2"))
    assert len(details(house)) == 3
    seconds.now = 60.0
    consultations.job_again(ALICE, JOB)
    assert len(details(house, job="job1", actor="alice")) == 2


def test_what_is_remembered_of_polling_is_bounded(house: AuditHouse, consultations: Consultations) -> None:
    """Reads of very many jobs forget the oldest, which is then logged once more."""
    reads = consultations._jobs
    for number in range(5000):
        reads.add(("alice", str(number)))
    assert len(reads._read) == 1000
    assert not reads.holds(("alice", "0"))
    assert reads.holds(("alice", "4999"))


def test_a_read_that_cannot_be_logged_is_not_remembered(
    house: AuditHouse, consultations: Consultations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails, and the next one is logged or fails in its turn."""

    def fail(*_: object) -> None:
        raise FrsError(Reason.LOG_UNAVAILABLE, "no log")

    with monkeypatch.context() as broken:
        broken.setattr(house.log, "append", fail)
        for _ in range(2):
            with pytest.raises(FrsError) as caught:
                consultations.job_again(ALICE, JOB)
            assert caught.value.reason is Reason.LOG_UNAVAILABLE
    consultations.job_again(ALICE, JOB)
    assert len(details(house)) == 1
