"""Holds keep what they name and what belongs to it, from the commit that places them until they are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from frs.errors import FrsError, Reason
from frs.store.schema import alert, audit_payload, job_candidate, subject
from tests.retention.archive import OFFICER, PROTECTION, TICK, Archive

LATE = 30_000
"""Hours after which everything is due."""


def _everything(archive: Archive) -> dict[str, str]:
    """Make one thing of every kind that concerns N-1; returns what a hold can name."""
    name, _ = archive.listed("N-1", "N-2", expires=1)
    return {
        "alert": f"alerts/{archive.alert('N-1')}",
        "upload": f"uploads/{archive.upload()}",
        "job": f"jobs/{archive.job('N-1', 'N-3')}",
        "search": f"searches/{archive.search('N-1', 'N-4')}",
        "watchlist": f"watchlists/{name}",
        "event": f"events/{archive.event('N-1')}",
    }


@pytest.mark.parametrize("kind", ["alert", "upload", "job", "search", "watchlist", "event"])
def test_a_hold_keeps_what_it_names_and_lets_go(archive: Archive, kind: str) -> None:
    """Everything else goes; released, what it kept goes with the next run."""
    target = _everything(archive)[kind]
    placed = archive.hold(target, hours=LATE + 10)
    archive.clock.advance(hours=LATE)
    archive.run()
    kept = {item.name for item in archive.plan().page.items if item.hold == placed.id}
    assert target in kept
    assert archive.names() == []
    assert archive.sealed() or kind == "event"
    archive.holds.release(PROTECTION, placed.id, "settled")
    assert archive.run().seq is not None
    assert archive.names() == []
    assert archive.sealed() == {}


def test_a_hold_on_a_person_keeps_all_that_concerns_them(archive: Archive) -> None:
    """Alert, search, job, entry of the list and payloads stay; what concerns others alone goes."""
    things = _everything(archive)
    name = things["watchlist"].removeprefix("watchlists/")
    other = archive.alert("N-2")
    payload = archive.event("N-2")
    placed = archive.hold("nominals/N-1", hours=LATE + 10)
    archive.clock.advance(hours=LATE)
    archive.run()
    items = [item for item in archive.plan().page.items if item.kind != "payload"]
    assert {item.hold for item in items} == {placed.id}
    assert {item.name for item in items} == {things[kind] for kind in ("alert", "job", "search", "watchlist")}
    entries = archive.value(subject.c.nominal, (subject.c.watchlist_id == name) & (subject.c.state == "enrolled"))
    assert entries == "N-1"
    assert archive.value(alert.c.erased_at, alert.c.id == other) is not None
    assert archive.value(audit_payload.c.seq, audit_payload.c.seq == payload) is None
    assert archive.value(job_candidate.c.nominal, job_candidate.c.nominal == "N-3") == "N-3"  # of a job that is held
    with archive.database.read() as connection:
        assert archive.holds.of_nominal(connection, "N-1", archive.now()) == (placed.id,)
        assert archive.holds.of_nominal(connection, "N-3", archive.now()) == ()


def test_a_hold_that_ends_keeps_to_its_last_microsecond(archive: Archive) -> None:
    """At its end, and not before, it keeps nothing."""
    alert_id = archive.alert("N-1")
    placed = archive.hold(f"alerts/{alert_id}", hours=48)
    archive.clock.advance(hours=48)
    archive.clock.at -= TICK
    assert archive.run().counts == {}
    archive.clock.at += TICK
    assert archive.run().counts["alert"] == 1
    with pytest.raises(FrsError, match="has ended") as caught:
        archive.holds.release(PROTECTION, placed.id, "too late")
    assert caught.value.reason is Reason.HOLD_NOT_IN_FORCE


def test_placing_and_releasing_are_logged_with_whom_they_concern(archive: Archive) -> None:
    """The events carry reason, owner and end, and are found by the person and by the alert."""
    alert_id = archive.alert("N-1")
    placed = archive.hold(f"alerts/{alert_id}", hours=48)
    released = archive.holds.release(OFFICER, placed.id, "settled")
    assert (released.released_by, released.release_reason, released.in_force(archive.now())) == (
        "olga",
        "settled",
        False,
    )
    assert archive.actions("N-1") == ["alert.raised", "hold.placed", "hold.released"]
    event = archive.at.audit.list(archive.filter("hold.placed"), 1, "").items[0]
    assert archive.details(event.seq) == {
        "hold": placed.id,
        "target": f"alerts/{alert_id}",
        "reason": "a complaint is being looked into",
        "owner": "Insp. Orla",
        "ends_at": archive.now(48).isoformat(),
    }
    with pytest.raises(FrsError, match="was released") as caught:
        archive.holds.release(PROTECTION, placed.id, "again")
    assert caught.value.reason is Reason.HOLD_NOT_IN_FORCE


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("alerts/unknown", Reason.ALERT_NOT_FOUND),
        ("uploads/unknown", Reason.UPLOAD_NOT_FOUND),
        ("jobs/unknown", Reason.JOB_NOT_FOUND),
        ("searches/unknown", Reason.SEARCH_NOT_FOUND),
        ("watchlists/unknown", Reason.WATCHLIST_NOT_FOUND),
        ("events/999999", Reason.EVENT_NOT_FOUND),
        ("events/" + "9" * 40, Reason.EVENT_NOT_FOUND),
        ("events/one", Reason.EVENT_NOT_FOUND),
        ("nominals/N-999", Reason.SUBJECT_NOT_FOUND),
        ("subjects/1", Reason.INVALID_FIELD),
        ("alerts/", Reason.INVALID_FIELD),
        ("alerts", Reason.INVALID_FIELD),
        ("", Reason.INVALID_FIELD),
    ],
)
def test_what_is_not_there_cannot_be_held(archive: Archive, target: str, reason: Reason) -> None:
    """A hold that would keep nothing is refused with the thing's own reason, and no hold and no event is left."""
    with pytest.raises(FrsError) as caught:
        archive.hold(target)
    assert caught.value.reason is reason
    assert archive.holds.list(True, 10, "").items == ()
    assert archive.actions(action="hold") == []
    assert "N-999" not in caught.value.message


def test_what_is_erased_cannot_be_held(archive: Archive) -> None:
    """It is too late then, and that is said."""
    things = _everything(archive)
    archive.clock.advance(hours=LATE)
    archive.run()
    for kind in ("alert", "upload", "job", "search", "event"):
        with pytest.raises(FrsError, match="Nothing is left") as caught:
            archive.hold(things[kind])
        assert caught.value.reason is Reason.ERASED
    archive.hold("nominals/N-1")  # the log knows the person: later records would be kept


@pytest.mark.parametrize("hours", [-1.0, 0.0, 24 * 3653 + 1.0])
def test_a_hold_ends_in_the_next_ten_years(archive: Archive, hours: float) -> None:
    """Neither a hold that is over at once nor one for ever."""
    target = f"alerts/{archive.alert('N-1')}"
    with pytest.raises(FrsError, match="end_time") as caught:
        archive.hold(target, hours)
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize(("reason", "owner"), [(" ", "Insp. Orla"), ("a complaint", "")])
def test_a_hold_has_a_reason_and_an_owner(archive: Archive, reason: str, owner: str) -> None:
    """Somebody answers for it."""
    with pytest.raises(FrsError) as caught:
        archive.holds.place(PROTECTION, f"alerts/{archive.alert('N-1')}", reason, owner, archive.now(1))
    assert caught.value.reason is Reason.INVALID_FIELD


def test_an_unknown_hold_is_said_so(archive: Archive) -> None:
    """Neither shown nor released."""
    attempts: tuple[Callable[[], object], ...] = (
        lambda: archive.holds.get("unknown"),
        lambda: archive.holds.release(PROTECTION, "unknown", "settled"),
    )
    for attempt in attempts:
        with pytest.raises(FrsError) as caught:
            attempt()
        assert caught.value.reason is Reason.HOLD_NOT_FOUND


def test_holds_are_listed_newest_first_in_pages(archive: Archive) -> None:
    """Those in force, or all of them."""
    target = f"alerts/{archive.alert('N-1')}"
    placed = []
    for _ in range(5):
        placed.append(archive.hold(target, hours=100).id)
        archive.clock.at += timedelta(seconds=1)
    archive.holds.release(PROTECTION, placed[1], "settled")
    found, token = [], ""
    while True:
        page = archive.holds.list(False, 2, token)
        found += [each.id for each in page.items]
        if not (token := page.next_token):
            break
    assert found == [placed[4], placed[3], placed[2], placed[0]]
    assert [each.id for each in archive.holds.list(True, 10, "").items] == placed[::-1]
    with pytest.raises(FrsError) as caught:
        archive.holds.list(True, 2, archive.holds.list(False, 2, "").next_token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_several_holds_keep_until_the_last_lets_go(archive: Archive) -> None:
    """Each is enough by itself."""
    alert_id = archive.alert("N-1")
    first, second = archive.hold(f"alerts/{alert_id}", 500), archive.hold("nominals/N-1", 1000)
    with archive.database.read() as connection:
        held = archive.holds.holding(connection, "alert", alert_id, archive.now())
        assert held == tuple(sorted([first.id, second.id]))
        assert archive.holds.holding(connection, "nominal", "N-1", archive.now()) == (second.id,)
    archive.clock.advance(hours=400)
    archive.holds.release(PROTECTION, first.id, "settled")
    assert archive.run().counts == {}
    archive.clock.advance(hours=600)
    assert archive.run().counts["alert"] == 1


def test_a_held_upload_outlives_its_job_and_its_deletion(archive: Archive) -> None:
    """Neither the end of the job that used it nor its creator destroys it."""
    upload_id = archive.upload()
    placed = archive.hold(f"uploads/{upload_id}")
    with pytest.raises(FrsError, match="A hold keeps") as caught:
        archive.uploads.delete(OFFICER, upload_id)
    assert caught.value.reason is Reason.UPLOAD_IN_USE
    archive.database.write(lambda tx: archive.uploads.destroy_unneeded(tx, OFFICER, [upload_id], "job"))
    archive.clock.advance(hours=100)
    assert archive.run().counts == {}
    assert b"".join(archive.uploads.open(upload_id))
    archive.holds.release(PROTECTION, placed.id, "settled")
    assert archive.run().counts == {"upload": 1}


def test_holding_says_what_keeps_each_kind(archive: Archive) -> None:
    """By the thing's id, for whoever decides about an erasure."""
    things = _everything(archive)
    placed = archive.hold("nominals/N-1")
    entry = archive.value(subject.c.id, subject.c.nominal == "N-1")
    expected = {"alert": 1, "job": 1, "search": 1, "event": 1, "upload": 0, "watchlist": 0}
    with archive.database.read() as connection:
        found = {
            kind: len(archive.holds.holding(connection, kind, name.split("/")[1], archive.now()))
            for kind, name in things.items()
        }
        assert found == expected
        assert archive.holds.holding(connection, "subject", str(entry), archive.now()) == (placed.id,)


def test_of_nominal_finds_holds_on_whatever_concerns_a_person(archive: Archive) -> None:
    """An alert, job, search, event or list that concerns the person, and media of a job that found them."""
    things = _everything(archive)
    media = archive.upload()
    archive.job("N-1", upload_id=media)
    placed = {kind: archive.hold(name).id for kind, name in things.items() if kind != "upload"}
    placed["media"] = archive.hold(f"uploads/{media}").id
    archive.hold(things["upload"])
    with archive.database.read() as connection:
        assert set(archive.holds.of_nominal(connection, "N-1", archive.now())) == set(placed.values())
        assert archive.holds.of_nominal(connection, "N-2", archive.now()) == (placed["watchlist"],)
        assert set(archive.holds.of_nominal(connection, "N-4", archive.now())) == {placed["search"]}
        assert archive.holds.of_nominal(connection, "N-1", archive.now(2000)) == ()
