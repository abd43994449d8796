"""The plan: everything that is due by an instant, once, soonest first, with what is held."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from frs.errors import FrsError, Reason
from frs.retention.periods import Kind
from frs.settings import RetentionSettings
from frs.store.paging import page_token_encode
from tests.retention.archive import Archive


def _walk(archive: Archive, until: datetime | None, size: int) -> list[tuple[str, str]]:
    """Return every item of every page, as (kind, name)."""
    found, token = [], ""
    while True:
        page = archive.plan(until, size, token).page
        assert len(page.items) <= size
        found += [(str(item.kind), item.name) for item in page.items]
        if not (token := page.next_token):
            return found


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_pages_hold_everything_once_soonest_first(archive: Archive, size: int) -> None:
    """However it is paged, also where many things fall due at one instant."""
    archive.compose(RetentionSettings(alert_picture_hours=24, alert_hours=24, search_hours=24, job_hours=24))
    for number in range(3):
        archive.alert(f"N-{number}")
        archive.search("N-1")
        archive.job("N-1")
    archive.listed("N-1", expires=0)
    archive.clock.advance(hours=1)
    archive.upload()
    archive.alert("N-9")
    archive.clock.advance(hours=30_000)
    whole = archive.plan().page
    assert [item.due for item in whole.items] == sorted(item.due for item in whole.items)
    names = [(str(item.kind), item.name) for item in whole.items]
    assert len(set(names)) == len(names) == sum(count.due for count in archive.plan().counts)
    assert _walk(archive, None, size) == names


def test_what_will_be_due_is_shown_before_it_is(archive: Archive) -> None:
    """By the instant asked for; what falls due later is not in it."""
    alert_id = archive.alert("N-1")
    archive.search("N-1")
    due = archive.now(24)
    assert archive.names() == []
    assert archive.names(due - timedelta(microseconds=1)) == []
    assert archive.names(due) == [f"alert-pictures alerts/{alert_id}", f"alert alerts/{alert_id}"]
    (item, _) = archive.plan(due).page.items
    assert (item.due, item.hold) == (due, None)
    counts = {count.kind: count.due for count in archive.plan(due).counts if count.due}
    assert counts == {Kind.ALERT_PICTURES: 1, Kind.ALERT: 1}


def test_what_is_held_is_shown_with_its_hold(archive: Archive) -> None:
    """Counted as due and as held."""
    held, free = archive.alert("N-1"), archive.alert("N-2")
    placed = archive.hold(f"alerts/{held}")
    plan = archive.plan(archive.now(24))
    assert {item.name: item.hold for item in plan.page.items} == {f"alerts/{held}": placed.id, f"alerts/{free}": None}
    counts = {count.kind: (count.due, count.held) for count in plan.counts}
    assert counts[Kind.ALERT] == (2, 1)
    assert counts[Kind.SEARCH] == (0, 0)


def test_a_list_is_held_when_only_people_who_are_held_are_left(archive: Archive) -> None:
    """While others are left on it, it goes, and they with it."""
    name, _ = archive.listed("N-1", "N-2", expires=0)
    placed = archive.hold("nominals/N-1")
    archive.clock.advance(hours=24)
    assert archive.names() == [f"watchlist watchlists/{name}"]
    assert archive.run().counts == {"watchlist": 1, "subjects": 1}
    (item,) = archive.plan().page.items
    assert (item.name, item.hold) == (f"watchlists/{name}", placed.id)


def test_withdrawn_people_are_named_within_their_list(archive: Archive) -> None:
    """The name is that of the subject."""
    name, people = archive.listed("N-1")
    archive.withdraw(people["N-1"])
    assert archive.names(archive.now(744)) == [f"withdrawn-subject watchlists/{name}/subjects/{people['N-1']}"]


@pytest.mark.parametrize("year", [1, 999, 9999])
def test_any_instant_can_be_asked_for(archive: Archive, year: int) -> None:
    """From the first year to the last."""
    archive.alert("N-1")
    assert bool(archive.plan(datetime(year, 1, 1, tzinfo=UTC)).page.items) is (year == 9999)


@pytest.mark.parametrize("index", ["-1", str(2**63), "9" * 100])
def test_a_token_with_an_index_of_no_event_is_refused(archive: Archive, index: str) -> None:
    """Anybody can make a token; what the database could not be asked for is an error of who sends it."""
    now = archive.now().isoformat()
    token = page_token_encode("retention now", [now, now, str(Kind.PAYLOAD), index])
    with pytest.raises(FrsError) as caught:
        archive.plan(None, 1, token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_a_token_of_another_listing_is_refused(archive: Archive) -> None:
    """Made for another instant, or altered."""
    for _ in range(3):
        archive.alert("N-1")
    token = archive.plan(archive.now(24), 1).page.next_token
    for wrong in (token[:-4], token + "AAAA", "AAAA"):
        with pytest.raises(FrsError) as caught:
            archive.plan(archive.now(24), 1, wrong)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN
    with pytest.raises(FrsError) as caught:
        archive.plan(archive.now(25), 1, token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_a_page_of_a_hundred_thousand_is_quick(archive: Archive) -> None:
    """With holds in force; the plan is asked while the service runs."""
    first = archive.alert("N-1")
    archive.hold(f"alerts/{first}")
    archive.hold(f"alerts/{archive.alert('N-2')}")
    rows = 50_000
    with closing(sqlite3.connect(archive.at.settings.data_dir / "frs.sqlite")) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(alert)")]
        given = ", ".join("'x' || value || id" if name == "id" else name for name in columns)
        connection.execute(
            f"INSERT INTO alert SELECT {given} FROM alert, "
            f"(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {rows}) "
            "SELECT value FROM n)"
        )
        connection.commit()
    archive.clock.advance(hours=24)
    began = time.perf_counter()
    plan = archive.plan(size=50)
    took = time.perf_counter() - began
    assert next(count.due for count in plan.counts if count.kind is Kind.ALERT) == rows * 2 + 2
    assert plan.page.next_token
    assert took < 3, f"{took:.2f} s"
