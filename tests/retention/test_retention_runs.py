"""Runs: each kind goes at its instant and not before, whole, with its keys, and what is counted stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.retention.periods import Kind
from frs.settings import RetentionSettings
from frs.store.schema import (
    alert,
    audit_event,
    audit_payload,
    hold,
    job,
    operator_search,
    reference_image,
    retention_run,
    subject,
    upload,
    watchlist,
)
from tests.retention.archive import PROTECTION, TICK, Archive


def _expired_list(archive: Archive) -> object:
    return archive.listed("N-1", "N-2", expires=0.001)


def _withdrawn(archive: Archive) -> object:
    _, people = archive.listed("N-1")
    archive.withdraw(people["N-1"])
    return people


def _released(archive: Archive) -> object:
    placed = archive.hold(f"alerts/{archive.alert('N-1')}")
    return archive.holds.release(PROTECTION, placed.id, "settled")


KINDS: dict[Kind, tuple[Callable[[Archive], object], float]] = {
    Kind.ALERT_PICTURES: (lambda archive: archive.alert("N-1"), 12),
    Kind.ALERT: (lambda archive: archive.alert("N-1"), 24),
    Kind.UPLOAD: (lambda archive: archive.upload(), 24),
    Kind.JOB: (lambda archive: archive.job("N-1"), 744),
    Kind.SEARCH: (lambda archive: archive.search("N-1"), 744),
    Kind.WATCHLIST: (_expired_list, 24.001),
    Kind.WITHDRAWN_SUBJECT: (_withdrawn, 744),
    Kind.HOLD: (_released, 744),
    Kind.PAYLOAD: (lambda archive: archive.event("N-1"), 26304),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_at_its_instant_and_not_a_microsecond_before(archive: Archive, kind: Kind) -> None:
    """A run just before the instant destroys nothing of the kind; the one at the instant does; a third nothing."""
    archive.compose(RetentionSettings(alert_picture_hours=12))
    make, hours = KINDS[kind]
    start = archive.now()
    make(archive)
    archive.clock.at = start + timedelta(hours=hours) - TICK
    before = archive.run()
    assert kind not in before.counts
    (due,) = [item for item in archive.plan(archive.now(1)).page.items if item.kind is kind][:1]
    assert due.due == start + timedelta(hours=hours)
    archive.clock.at += TICK
    assert archive.run().counts[kind] >= 1
    assert archive.run().counts.get(kind, 0) == 0
    assert archive.verify().problems == ()


def test_nothing_of_it_is_left_in_any_file(archive: Archive) -> None:
    """After a run no sealed byte is in any file; the log verifies, and still finds who was concerned by the nominal."""
    name, _ = archive.listed("N-1", "N-2", expires=1)
    archive.alert("N-1")
    upload_id = archive.upload()
    archive.job("N-1", "N-3")
    archive.search("N-1")
    planted = archive.sealed()
    assert len(planted) == 3 + 1 + 2 + 1 + 4
    assert archive.in_files(*planted.values()) == set(planted.values())
    logged = archive.actions("N-1")

    archive.clock.advance(hours=744)
    done = archive.run()
    assert done.counts == {
        "alert-pictures": 1, "alert": 1, "unreviewed": 1, "upload": 1, "job": 1, "search": 1, "watchlist": 1,
        "subjects": 2,
    }  # fmt: skip
    assert archive.in_files(*planted.values()) == set()
    named = [b"why N-1 is sought", b"robbery", b"will not say their name"]
    assert archive.in_files(*named) == set()
    assert archive.verify().problems == ()
    assert archive.actions("N-1") == [*logged, "subject.erased"]
    assert {"subject.enrolled", "alert.raised", "search.job-finished", "operator.search"} <= set(logged)
    assert archive.value(watchlist.c.state, watchlist.c.id == name) == "retired"
    assert archive.value(upload.c.state, upload.c.id == upload_id) == "destroyed"
    assert archive.rows(reference_image) == 0


def test_what_is_counted_stays(archive: Archive) -> None:
    """An erased alert keeps its times, score and outcome; one that nobody decided is unreviewed; feeds hear of it."""
    pending, decided = archive.alert("N-1"), archive.alert("N-2", state="confirmed-true")
    archive.clock.advance(hours=24)
    assert archive.run().counts == {"alert-pictures": 2, "alert": 2, "unreviewed": 1}
    with archive.database.read() as connection:
        rows = {row.id: row for row in connection.execute(sa.select(alert))}
    assert (rows[pending].state, rows[decided].state) == ("unreviewed", "confirmed-true")
    assert rows[decided].score == 0.97
    assert rows[decided].nominal == archive.vault.pseudonym("subject", "N-2")
    assert rows[decided].adjudication_reason == ""
    assert [row.probe_sealed for row in rows.values()] == [None, None]


def test_a_run_is_one_event_with_its_counts_and_policy(archive: Archive) -> None:
    """Who ran it, under which version, what went; a run that found nothing leaves none."""
    assert archive.run().seq is None
    archive.alert("N-1", state="false")
    archive.clock.advance(hours=24)
    archive.policy.version = 4
    done = archive.run()
    assert done.seq is not None
    assert archive.details(done.seq) == {
        "started_at": archive.now().isoformat(),
        "policy": 4,
        "counts": {"alert-pictures": 1, "alert": 1},
        "interrupted": False,
    }
    assert archive.actions(action="retention.run") == ["retention.run"]
    assert archive.rows(retention_run) == 0


def test_more_than_a_batch_goes_in_one_run(archive: Archive) -> None:
    """Batches follow one another until nothing is due; the counts are of all of them."""
    name, _ = archive.listed(*(f"N-{number}" for number in range(205)), expires=1)
    for number in range(103):
        archive.event(f"N-{number}")
    for _ in range(101):
        archive.search("N-1")
    archive.clock.advance(hours=744)
    counts = archive.run().counts
    assert (counts["search"], counts["subjects"], counts["watchlist"]) == (101, 205, 1)
    assert archive.rows(reference_image) == 0
    archive.clock.advance(hours=26304)
    appended = archive.at.audit.size()
    assert archive.run().counts["payload"] == appended
    assert archive.rows(audit_payload) == 1  # the event of the run itself
    assert archive.rows(audit_event) == appended + 1
    assert archive.verify().problems == ()
    assert archive.value(watchlist.c.state, watchlist.c.id == name) == "retired"


def test_an_expired_list_is_retired_by_the_run_that_empties_it(archive: Archive) -> None:
    """It is logged as any retirement; a list retired earlier is emptied after its retirement."""
    expired, _ = archive.listed("N-1", expires=1)
    retired, _ = archive.listed("N-2", expires=500, retired=True)
    archive.clock.advance(hours=24)
    assert archive.names() == [f"watchlist watchlists/{retired}"]
    assert archive.run().counts == {"watchlist": 1, "subjects": 1}
    assert "watchlist.retired" not in archive.actions()
    archive.clock.advance(hours=1)
    assert archive.run().counts == {"watchlist": 1, "subjects": 1}
    assert archive.value(watchlist.c.state, watchlist.c.id == expired) == "retired"
    assert archive.actions().count("watchlist.retired") == 1
    assert archive.names() == []


def test_an_upload_that_an_open_job_needs_stays(archive: Archive) -> None:
    """Its period does not take media from under a job that runs."""
    upload_id = archive.upload()
    job_id = archive.job(upload_id=upload_id, state="running")
    archive.clock.advance(hours=100)
    assert archive.run().counts == {}
    archive.database.write(
        lambda tx: tx.connection.execute(
            job.update().where(job.c.id == job_id).values(state="done", finished_at=archive.now())
        )
    )
    assert archive.run().counts == {"upload": 1}


def test_a_clock_that_goes_back_destroys_nothing_early(archive: Archive) -> None:
    """What is not due by the clock as it stands stays, whatever the clock said before."""
    archive.clock.advance(hours=100)
    archive.alert("N-1")
    archive.clock.advance(hours=-90)
    younger = archive.alert("N-2")
    archive.clock.advance(hours=23)
    assert archive.run().counts == {}
    archive.clock.advance(hours=1)
    assert archive.names() == [f"alert-pictures alerts/{younger}", f"alert alerts/{younger}"]
    assert archive.run().counts["alert"] == 1
    archive.clock.advance(hours=-1000)
    assert archive.run().counts == {}


def test_a_change_of_the_policy_applies_to_what_is_there(archive: Archive) -> None:
    """A shorter period takes what it now covers; a longer one keeps what has not gone yet."""
    archive.search("N-1")
    archive.clock.advance(hours=48)
    assert archive.run().counts == {}
    archive.compose(RetentionSettings(search_hours=2000))
    archive.clock.advance(hours=1000)
    assert archive.run().counts == {}
    archive.compose(RetentionSettings(search_hours=24))
    assert archive.run().counts == {"search": 1}


@pytest.mark.parametrize("hours", [1e7, 1e12, 1e300])
def test_a_period_beyond_the_calendar_keeps_for_ever(archive: Archive, hours: float) -> None:
    """A period that no date can end neither fails nor destroys."""
    archive.compose(RetentionSettings(alert_picture_hours=hours, alert_hours=hours, payload_hours=hours))
    archive.alert("N-1")
    archive.clock.advance(days=4000)
    assert archive.run().counts == {}
    assert archive.plan().page.items == ()


def test_one_thing_that_cannot_be_destroyed_keeps_no_other_waiting(archive: Archive) -> None:
    """Its error is told at the end; everything else that was due is gone and logged."""
    searches = [archive.search("N-1") for _ in range(5)]
    archive.alert("N-2")
    broken = operator_search.update().where(operator_search.c.id == searches[2]).values(candidates=[{"rank": 1}])
    archive.database.write(lambda tx: tx.connection.execute(broken))
    archive.clock.advance(hours=744)
    with pytest.raises(KeyError):
        archive.run()
    assert archive.names() == [f"search searches/{searches[2]}"]
    (seq,) = [event.seq for event in archive.at.audit.list(archive.filter("retention.run"), 10, "").items]
    assert archive.details(seq)["counts"] == {"alert-pictures": 1, "alert": 1, "unreviewed": 1, "search": 4}


def test_a_log_that_cannot_be_written_stops_no_destruction_that_was_committed(archive: Archive) -> None:
    """Without the log no run is reported as done, and the next run that can logs what went."""
    archive.search("N-1")
    archive.clock.advance(hours=744)
    archive.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_head RENAME TO away")))
    with pytest.raises(FrsError) as failed:
        archive.run()
    assert failed.value.reason is Reason.LOG_UNAVAILABLE
    archive.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE away RENAME TO audit_head")))
    archive.run()
    (seq,) = [event.seq for event in archive.at.audit.list(archive.filter("retention.run"), 10, "").items]
    assert archive.details(seq)["counts"] == {"search": 1}
    assert archive.details(seq)["interrupted"] is True


def test_a_run_that_is_asked_to_stop_ends_with_the_batch_in_hand(archive: Archive) -> None:
    """What went is logged; the rest goes next time."""
    for _ in range(150):
        archive.search("N-1")
    archive.clock.advance(hours=744)
    asked = iter([False] * 20)

    def stop() -> bool:
        return next(asked, True)

    first = archive.runs.run(PROTECTION, stop)
    second = archive.run()
    assert first.counts.get("search", 0) + second.counts.get("search", 0) == 150


def test_a_hold_that_is_long_over_forgets_whom_it_named(archive: Archive) -> None:
    """The nominal becomes the pseudonym and the reasons go; the dates, the owner and the log's events stay."""
    archive.alert("N-1")
    placed = archive.hold("nominals/N-1", hours=10)
    archive.clock.advance(hours=10 + 744)
    assert archive.run().counts["hold"] == 1
    found = archive.holds.get(placed.id)
    assert (found.target, found.reason) == (archive.vault.pseudonym("subject", "N-1"), "")
    assert (found.owner, found.placed_at) == (placed.owner, placed.placed_at)
    assert "hold.placed" in archive.actions("N-1")
    assert archive.value(hold.c.reason, hold.c.id == placed.id) == ""


def test_a_person_finds_when_their_entry_went(archive: Archive) -> None:
    """Each batch refers to the people whom it erased and their lists; one that is held is in none of them."""
    name, people = archive.listed(*(f"N-{number}" for number in range(150)), "N-held", retired=True)
    _, withdrawn = archive.listed("N-1", "N-left")
    archive.hold("nominals/N-held")
    archive.withdraw(withdrawn["N-1"])
    archive.clock.advance(hours=24)
    archive.run()
    assert archive.actions("N-149").count("subject.erased") == 1
    assert "subject.erased" not in archive.actions("N-held") + archive.actions("N-left")
    events = archive.at.audit.list(archive.filter("subject.erased"), 10, "").items
    refs = [json.loads(event.leaf)["refs"] for event in events]
    assert sorted(len(each["subjects"]) for each in refs) == [50, 100]
    assert {listed["id"] for each in refs for listed in each["watchlists"]} == {name}
    payloads = [archive.at.audit.get(event.seq, open_payload=True).payload for event in events]
    assert "N-149" not in json.dumps(payloads)
    told = [archive.details(event.seq) for event in events]
    assert {said["kind"] for said in told} == {"watchlist"}
    erased = {each for said in told for each in said["entries"]}  # type: ignore[union-attr]
    assert erased == set(people.values()) - {people["N-held"]}
    archive.clock.advance(hours=720)
    archive.run()
    assert archive.actions("N-1").count("subject.erased") == 2
    assert archive.verify().problems == ()


def test_an_entry_that_cannot_be_logged_stays(archive: Archive) -> None:
    """Erasing a person and saying so are one act: without the log the person is erased by a later run."""
    _, people = archive.listed("N-1", retired=True)
    archive.clock.advance(hours=24)
    archive.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_head RENAME TO away")))
    with pytest.raises(FrsError) as failed:
        archive.run()
    assert failed.value.reason is Reason.LOG_UNAVAILABLE
    assert archive.value(subject.c.nominal, subject.c.id == people["N-1"]) == "N-1"
    archive.database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE away RENAME TO audit_head")))
    assert archive.run().counts == {"watchlist": 1, "subjects": 1}


def test_a_withdrawn_person_is_named_no_longer(archive: Archive) -> None:
    """The nominal and the justification go after the period; the withdrawal's date stays."""
    _, people = archive.listed("N-1", "N-2")
    archive.withdraw(people["N-1"])
    archive.clock.advance(hours=744)
    assert archive.run().counts == {"withdrawn-subject": 1}
    with archive.database.read() as connection:
        row = connection.execute(sa.select(subject).where(subject.c.id == people["N-1"])).one()
    assert (row.nominal, row.justification, row.state) == (archive.vault.pseudonym("subject", "N-1"), "", "erased")
    assert row.withdrawn_at is not None
    assert archive.value(subject.c.nominal, subject.c.id == people["N-2"]) == "N-2"
