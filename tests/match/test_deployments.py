"""A deployment is opened only with lists that may be used for it, ends by the clock, and stops at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.match.deployment import DeploymentDraft, DeploymentState
from frs.match.deployments import Deployments
from frs.types import ListVersion
from frs.watchlist.model import ImageDraft, SubjectDraft
from tests.match.stage import MANAGER, OFFICER, THRESHOLD, Stage, details


@pytest.fixture
def listed(stage: Stage, sample_people: tuple[bytes, ...]) -> Stage:
    """Give a stage with one active, reviewed list of one person."""
    stage.activate("wanted", [("N-1", sample_people[0])])
    return stage


def refused(act: Callable[[], object]) -> Reason:
    with pytest.raises(FrsError) as error:
        act()
    return error.value.reason


def test_opening_says_what_was_opened(listed: Stage) -> None:
    """An open deployment runs at once, knows its lists' versions, and the log has the thresholds that will decide."""
    opened = listed.open("wanted", cooldown=5.0)
    version = listed.installation.watchlists.get("wanted").version
    assert opened.state is DeploymentState.RUNNING
    assert opened.watchlists == (ListVersion("wanted", version),)
    assert (opened.opened_by, opened.starts_at, opened.cooldown_seconds) == ("ada", listed.clock.now(), 5.0)
    assert listed.deployments.get(opened.id) == opened
    (event,) = listed.events(deployment=opened.id)
    assert event.action == "deployment.opened"
    said = details(event)
    assert (said["place"], said["purpose"]) == ("Market Square", "Find wanted people")
    (entry,) = said["lists"]
    assert (entry["watchlist"], entry["version"], entry["threshold"]) == ("wanted", version, THRESHOLD)
    assert listed.events(watchlist="wanted")[-1].seq == event.seq


def test_a_list_is_reviewed_before_each_deployment(listed: Stage) -> None:
    """The review of one deployment does not serve the next."""
    listed.open("wanted")
    assert refused(lambda: listed.open("wanted")) is Reason.WATCHLIST_NOT_REVIEWED
    listed.clock.advance(seconds=1)
    listed.installation.watchlists.review(OFFICER, "wanted")
    assert listed.open("wanted").state is DeploymentState.RUNNING


def test_a_list_is_reviewed_in_its_present_version(listed: Stage, sample_people: tuple[bytes, ...]) -> None:
    """A person who was put on the list after its review asks for another review."""
    lists = listed.installation.watchlists
    image = ImageDraft(sample_people[1], "custody", "2025-06-01")
    lists.enrol(OFFICER, "wanted", SubjectDraft("N-2", "Wanted on warrant", lawfully_held=True), [image])
    size = listed.installation.audit.size()
    assert refused(lambda: listed.open("wanted")) is Reason.WATCHLIST_NOT_REVIEWED
    assert listed.installation.audit.size() == size
    listed.clock.advance(seconds=1)
    lists.review(OFFICER, "wanted")
    assert listed.open("wanted").watchlists == (ListVersion("wanted", lists.get("wanted").version),)


def test_unreviewed_draft_expired_unknown_and_uncalibrated_lists_are_refused(
    stage: Stage, sample_people: tuple[bytes, ...]
) -> None:
    """Each reason has its own name, and nothing is opened."""
    stage.activate("bare", [("N-1", sample_people[0])], threshold=None)
    stage.activate("wanted", [("N-1", sample_people[0])])
    lists = stage.installation.watchlists
    found = lists.get("bare")
    if not found.thresholds:
        assert refused(lambda: stage.open("bare")) is Reason.THRESHOLD_MISSING
    assert refused(lambda: stage.open("nowhere")) is Reason.WATCHLIST_NOT_FOUND
    lists.retire(OFFICER, "bare", "no longer needed")
    assert refused(lambda: stage.open("wanted", "bare")) is Reason.WATCHLIST_NOT_ACTIVE
    stage.clock.advance(days=31)
    assert refused(lambda: stage.open("wanted")) is Reason.WATCHLIST_EXPIRED
    assert stage.deployments.list(10).items == ()
    assert stage.events(action="deployment") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: replace(d, purpose=" "), "purpose"),
        (lambda d: replace(d, place=""), "place"),
        (lambda d: replace(d, authorising_officer=""), "authorising_officer"),
        (lambda d: replace(d, watchlists=()), "watchlists"),
        (lambda d: replace(d, watchlists=("wanted", "wanted")), "watchlists"),
        (lambda d: replace(d, ends_at=d.ends_at - timedelta(hours=4)), "end_time"),
        (lambda d: replace(d, ends_at=d.ends_at + timedelta(days=31)), "end_time"),
        (lambda d: replace(d, starts_at=d.ends_at), "end_time"),
        (lambda d: replace(d, cooldown_seconds=-1.0), "cooldown_seconds"),
        (lambda d: replace(d, cooldown_seconds=float("nan")), "cooldown_seconds"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(
    listed: Stage, change: Callable[[DeploymentDraft], DeploymentDraft], field: str
) -> None:
    """The field is named; nothing is opened or logged."""
    size = listed.installation.audit.size()
    with pytest.raises(FrsError) as error:
        listed.deployments.open(OFFICER, change(listed.draft("wanted")))
    assert (error.value.reason, error.value.metadata["field"]) == (Reason.INVALID_FIELD, f"deployment.{field}")
    assert listed.installation.audit.size() == size


def test_the_clock_moves_a_deployment_from_scheduled_to_ended(listed: Stage) -> None:
    """Scheduled before its start, running from it, over at its end's instant; the end is logged once."""
    draft = replace(listed.draft("wanted"), starts_at=listed.clock.now() + timedelta(hours=1))
    opened = listed.deployments.open(OFFICER, draft)
    assert opened.state is DeploymentState.SCHEDULED
    assert refused(lambda: listed.deployments.require_running(opened.id)) is Reason.DEPLOYMENT_NOT_OPEN
    listed.clock.advance(hours=1)
    assert listed.deployments.require_running(opened.id).state is DeploymentState.RUNNING
    listed.clock.advance(hours=3)
    assert listed.deployments.get(opened.id).state is DeploymentState.ENDED
    assert refused(lambda: listed.deployments.require_running(opened.id)) is Reason.DEPLOYMENT_ENDED
    listed.clock.advance(hours=1)
    assert (listed.deployments.close_due(), listed.deployments.close_due()) == (1, 0)
    ended = listed.deployments.get(opened.id)
    assert (ended.closed_at, ended.closed_by) == (draft.ends_at, "frs-system")
    assert listed.actions(deployment=opened.id) == ["deployment.opened", "deployment.ended"]
    assert refused(lambda: listed.deployments.end(OFFICER, opened.id, "")) is Reason.DEPLOYMENT_ENDED


@pytest.mark.parametrize("way", ["end", "stop"])
def test_a_person_closes_a_deployment_once(listed: Stage, way: str) -> None:
    """Ended or stopped: who, when and why are kept and logged; a second time is refused; it outlasts a restart."""
    opened = listed.open("wanted")
    listed.clock.advance(minutes=5)
    close = getattr(listed.deployments, way)
    closed = close(OFFICER, opened.id, "crowd crush")
    state = {"end": "ended", "stop": "stopped"}[way]
    assert (closed.state, closed.closed_by, closed.close_reason) == (state, "ada", "crowd crush")
    assert closed.closed_at == listed.clock.now()
    assert refused(lambda: close(OFFICER, opened.id, "again")) is Reason.DEPLOYMENT_ENDED
    assert listed.actions(deployment=opened.id) == ["deployment.opened", f"deployment.{state}"]
    listed.restart()
    assert listed.deployments.get(opened.id) == closed


def test_unknown_deployments_and_stops_without_a_reason_are_refused(listed: Stage) -> None:
    """An unknown id is told as such by every method; an emergency stop needs a reason."""
    unknown = "0" * 32
    for act in (
        lambda: listed.deployments.get(unknown),
        lambda: listed.deployments.end(OFFICER, unknown, ""),
        lambda: listed.deployments.stop(OFFICER, unknown, "why not"),
        lambda: listed.deployments.gate(unknown),
    ):
        assert refused(act) is Reason.DEPLOYMENT_NOT_FOUND
    opened = listed.open("wanted")
    assert refused(lambda: listed.deployments.stop(OFFICER, opened.id, " ")) is Reason.INVALID_FIELD
    assert listed.deployments.get(opened.id).state is DeploymentState.RUNNING


def test_a_stop_that_cannot_be_logged_halts_all_the_same(listed: Stage) -> None:
    """When the log refuses the stop, the caller is told so and nothing is matched any more."""
    opened = listed.open("wanted")
    gate = listed.deployments.gate(opened.id)
    database = listed.installation.store.database
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE audit_payload RENAME TO hidden")))
    assert refused(lambda: listed.deployments.stop(OFFICER, opened.id, "crush")) in (
        Reason.LOG_UNAVAILABLE,
        Reason.STORAGE_FAILED,
    )
    assert refused(gate.require_open) is Reason.DEPLOYMENT_ENDED
    assert listed.deployments.get(opened.id).state is DeploymentState.STOPPED
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE hidden RENAME TO audit_payload")))
    assert listed.deployments.stop(OFFICER, opened.id, "crush").state is DeploymentState.STOPPED
    assert listed.actions(deployment=opened.id) == ["deployment.opened", "deployment.stopped"]


def test_a_stop_that_cannot_be_looked_up_halts_all_the_same(listed: Stage) -> None:
    """When the deployment cannot even be read, the streams that run are halted and no other begins."""
    opened = listed.open("wanted")
    gate = listed.deployments.gate(opened.id)
    database = listed.installation.store.database
    after_restart = Deployments(
        database, listed.installation.audit, listed.installation.watchlists, listed.settings, listed.clock
    )
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE deployment RENAME TO hidden")))
    for deployments in (listed.deployments, after_restart):
        assert refused(partial(deployments.stop, OFFICER, opened.id, "crush")) is Reason.STORAGE_FAILED
    assert gate.shut_as is DeploymentState.STOPPED
    database.write(lambda tx: tx.connection.execute(sa.text("ALTER TABLE hidden RENAME TO deployment")))
    assert refused(after_restart.gate(opened.id).require_open) is Reason.DEPLOYMENT_ENDED
    assert after_restart.get(opened.id).state is listed.deployments.get(opened.id).state is DeploymentState.STOPPED
    assert listed.deployments.stop(OFFICER, opened.id, "crush").state is DeploymentState.STOPPED
    assert listed.actions(deployment=opened.id) == ["deployment.opened", "deployment.stopped"]


def test_two_openings_at_once_do_not_share_a_review(listed: Stage) -> None:
    """Of several who open a deployment with the same reviewed list in the same moment one succeeds."""
    gate, outcomes = threading.Barrier(4), list[str]()

    def open_one() -> None:
        gate.wait()
        try:
            outcomes.append(str(listed.open("wanted").state))
        except FrsError as error:
            outcomes.append(str(error.reason))

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["WATCHLIST_NOT_REVIEWED"] * 3 + ["running"]


def test_listing_pages_newest_first(listed: Stage, sample_people: tuple[bytes, ...]) -> None:
    """Pages follow on without gaps; a token of another listing is refused."""
    names = []
    for _ in range(3):
        names.append(listed.open("wanted").id)
        listed.clock.advance(seconds=1)
        listed.installation.watchlists.review(OFFICER, "wanted")
        listed.clock.advance(seconds=1)
    first = listed.deployments.list(2)
    second = listed.deployments.list(2, first.next_token)
    assert [item.id for item in first.items + second.items] == names[::-1]
    assert second.next_token == ""
    assert refused(lambda: listed.deployments.list(2, first.next_token + "x")) is Reason.INVALID_PAGE_TOKEN


def test_lists_that_were_emptied_are_not_deployed(listed: Stage, sample_people: tuple[bytes, ...]) -> None:
    """When nobody is left on any list the opening is refused; one list with somebody is enough."""
    lists = listed.installation.watchlists
    (subject,) = lists.list_subjects("wanted").items
    lists.withdraw(MANAGER, subject.id, "found")
    size = listed.installation.audit.size()
    assert refused(lambda: listed.open("wanted")) is Reason.WATCHLIST_EMPTY
    assert listed.installation.audit.size() == size
    listed.activate("missing", [("N-2", sample_people[1])])
    assert listed.open("wanted", "missing").state is DeploymentState.RUNNING


def test_a_change_after_the_opening_needs_no_new_opening(listed: Stage, sample_people: tuple[bytes, ...]) -> None:
    """The lists are searched as they are now; the deployment keeps saying how they stood when it was opened."""
    opened = listed.open("wanted")
    subject = listed.installation.watchlists.list_subjects("wanted").items[0]
    listed.installation.watchlists.withdraw(MANAGER, subject.id, "found")
    assert listed.deployments.get(opened.id).watchlists == opened.watchlists
    assert listed.installation.watchlists.get("wanted").version > opened.watchlists[0].version
