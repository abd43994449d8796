"""Officers are sent what reviewers decided, one of them takes it, and the same one says what came of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.review.alert import AlertState
from frs.review.assignment import AssignmentState
from frs.store.schema import alert
from frs.types import Scope
from tests.review.officer_desk import OfficerDesk, officer

OLGA, OTTO = officer("olga"), officer("otto")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficerDesk]:
    made = OfficerDesk(tmp_path_factory.mktemp("officers"))
    yield made
    made.house.close()


def changes(desk: OfficerDesk, assignment: str) -> list[str]:
    return [
        entry.change for entry in desk.assignments.feed.after(Scope(), 0, None) if entry.assignment.id == assignment
    ]


def test_an_alert_goes_to_officers_once_reviewers_have_decided(desk: OfficerDesk) -> None:
    """Nothing while it is pending; then everything an officer needs, and no score."""
    where = desk.deployment()
    name = desk.alert(where)
    assert desk.assignments.list(OLGA, deployment_id=where).items == ()
    desk.adjudicate(name)
    (offered,) = desk.assignments.list(OLGA, deployment_id=where).items
    assert (offered.state, offered.adjudicated, offered.adjudication_reason) == ("offered", True, "ears")
    assert (offered.nominal, offered.justification, offered.grading) == ("N-100", "warrant 12/26", "red")
    assert (offered.place, offered.camera, offered.notice) == ("Market Square", "cam-1", "for trials only")
    assert not [field for field in offered.__slots__ if "score" in field or "threshold" in field]
    assert desk.events(name) == ["assignment.offered"]


@pytest.mark.parametrize("state", [AlertState.FALSE, AlertState.CANNOT_TELL])
def test_what_reviewers_decide_otherwise_never_reaches_an_officer(desk: OfficerDesk, state: AlertState) -> None:
    """False, and cannot tell: there is no assignment."""
    where = desk.deployment()
    desk.adjudicate(desk.alert(where), state)
    assert desk.assignments.list(OLGA, deployment_id=where).items == ()


def test_one_officer_takes_it_and_says_what_came_of_it(desk: OfficerDesk) -> None:
    """Being shown the pictures is logged; the alert is confirmed; the feed names each change once."""
    name = desk.offered()
    shown = desk.assignments.acknowledge(OLGA, name)
    assert (shown.probe, shown.reference) == (b"probe picture", b"reference picture")
    assert (shown.assignment.state, shown.assignment.acknowledged_by) == ("acknowledged", "olga")
    engaged = desk.assignments.engage(OLGA, name, "confirmed-true", "spoke at the fountain", "mixed")
    assert (engaged.state, engaged.engagement, engaged.self_defined_group) == ("engaged", "confirmed-true", "mixed")
    case = desk.alerts.get(OLGA, shown.assignment.alert).alert
    assert (case.state, case.engagement_by) == ("confirmed-true", "olga")
    assert changes(desk, name) == ["offered", "acknowledged", "engaged"]
    acts = ["assignment.offered", "assignment.acknowledged", "assignment.viewed", "alert.engagement"]
    assert desk.events(shown.assignment.alert)[:4] == acts


def test_another_officer_neither_takes_nor_reports_it(desk: OfficerDesk) -> None:
    """Nor does anybody report before it is taken, or twice."""
    name = desk.offered()
    refused(lambda: desk.assignments.engage(OLGA, name, "confirmed-true"), Reason.ASSIGNMENT_WRONG_STATE)
    desk.assignments.acknowledge(OLGA, name)
    refused(lambda: desk.assignments.acknowledge(OTTO, name), Reason.ASSIGNMENT_WRONG_STATE)
    refused(lambda: desk.assignments.acknowledge(OLGA, name), Reason.ASSIGNMENT_WRONG_STATE)
    refused(lambda: desk.assignments.engage(OTTO, name, "not-engaged"), Reason.ASSIGNMENT_WRONG_STATE)
    refused(lambda: desk.assignments.engage(OLGA, name, "arrested"), Reason.INVALID_FIELD)
    refused(lambda: desk.assignments.engage(OLGA, name, "confirmed-true", "", "martian"), Reason.INVALID_FIELD)
    desk.assignments.engage(OLGA, name, "not-engaged")
    refused(lambda: desk.assignments.engage(OLGA, name, "not-engaged"), Reason.ASSIGNMENT_WRONG_STATE)


def test_of_two_at_once_one_takes_it(desk: OfficerDesk) -> None:
    """The other is told so."""
    name, outcomes = desk.offered(), []

    def take(who: str) -> None:
        try:
            desk.assignments.acknowledge(officer(who), name)
            outcomes.append(who)
        except FrsError as error:
            outcomes.append(str(error.reason))

    threads = [threading.Thread(target=take, args=(who,)) for who in ("olga", "otto", "omar")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("ASSIGNMENT_WRONG_STATE") == 2


def test_where_policy_says_so_officers_are_sent_alerts_at_once(desk: OfficerDesk) -> None:
    """They see that nobody has decided; when reviewers agree they are told so, else it is withdrawn."""
    where = desk.deployment(at_once=True)
    first, second = desk.alert(where), desk.alert(where)
    assert [each.adjudicated for each in desk.assignments.list(OLGA, deployment_id=where).items] == [False, False]
    desk.adjudicate(first)
    desk.adjudicate(second, AlertState.FALSE)
    assert changes(desk, desk.of(first)) == ["offered", "adjudicated"]
    assert changes(desk, desk.of(second)) == ["offered", "withdrawn"]
    refused(lambda: desk.assignments.acknowledge(OLGA, desk.of(second)), Reason.ASSIGNMENT_WRONG_STATE)
    assert "assignment.withdrawn" in desk.events(second)


@pytest.mark.parametrize(
    ("decided", "state"),
    [(AlertState.TRUE, AlertState.CONFIRMED_FALSE), (AlertState.FALSE, AlertState.FALSE)],
)
def test_an_engagement_before_the_decision_is_kept(desk: OfficerDesk, decided: AlertState, state: AlertState) -> None:
    """The alert stays the reviewers' to decide; what the officer found joins their decision where they say true."""
    name = desk.alert(desk.deployment(at_once=True))
    assignment = desk.of(name)
    desk.assignments.acknowledge(OLGA, assignment)
    desk.assignments.engage(OLGA, assignment, "confirmed-false", "documents")
    assert desk.alerts.get(OLGA, name).alert.state is AlertState.PENDING
    desk.adjudicate(name, decided)
    case = desk.alerts.get(OLGA, name).alert
    assert (case.state, case.engagement_note) == (state, "documents")


def test_who_took_one_that_was_withdrawn_may_still_report(desk: OfficerDesk) -> None:
    """They may have spoken to the person by then: that a false alert stopped somebody is on record."""
    name = desk.alert(desk.deployment(at_once=True))
    assignment = desk.of(name)
    desk.assignments.acknowledge(OLGA, assignment)
    desk.adjudicate(name, AlertState.FALSE)
    reported = desk.assignments.engage(OLGA, assignment, "confirmed-false", "somebody else")
    assert (reported.state, reported.engagement) == (AssignmentState.WITHDRAWN, "confirmed-false")
    assert desk.alerts.get(OLGA, name).alert.state is AlertState.FALSE


@pytest.mark.parametrize("by", ["site", "deployment"])
def test_scope_hides_as_if_it_did_not_exist(desk: OfficerDesk, by: str) -> None:
    """Deployment, site and watchlist; a listing, a feed and a call by name."""
    here, there = desk.deployment(site=f"north-{by}"), desk.deployment(site="south")
    mine, other = desk.offered(here), desk.offered(there)
    scope = Scope(sites=frozenset({"north-site"})) if by == "site" else Scope(deployments=frozenset({here}))
    limited = officer("limited", scope)
    assert [each.id for each in desk.assignments.list(limited).items] == [mine]
    assert {each.assignment.id for each in desk.assignments.feed.after(scope, 0, None)} == {mine}
    hidden = refused(lambda: desk.assignments.acknowledge(limited, other), Reason.ASSIGNMENT_NOT_FOUND)
    missing = refused(lambda: desk.assignments.acknowledge(limited, "f" * 32), Reason.ASSIGNMENT_NOT_FOUND)
    assert hidden.message.replace(other, "") == missing.message.replace("f" * 32, "")
    refused(lambda: desk.assignments.list(limited, deployment_id=there), Reason.DEPLOYMENT_NOT_FOUND)
    refused(lambda: desk.assignments.feed.require(scope, 0, there), Reason.DEPLOYMENT_NOT_FOUND)
    elsewhere = Scope(watchlists=frozenset({"missing-people"}))
    assert desk.assignments.list(officer("limited", elsewhere)).items == ()
    assert desk.assignments.feed.after(elsewhere, 0, None) == ()


def test_an_erased_alert_is_withdrawn_and_nobody_is_sent_without_a_picture(desk: OfficerDesk) -> None:
    """One whose pictures are gone cannot be taken: it stays offered until the alert itself goes."""
    name = desk.offered()
    (of,) = [each.alert for each in desk.assignments.list(OLGA).items if each.id == name]
    gone = {"probe_sealed": None, "reference_sealed": None}
    desk.database.write(lambda tx: tx.connection.execute(sa.update(alert).where(alert.c.id == of).values(gone)))
    refused(lambda: desk.assignments.acknowledge(OLGA, name), Reason.ERASED)
    refused(lambda: desk.assignments.view(OLGA, name), Reason.ERASED)
    for _ in range(2):
        desk.database.write(lambda tx: desk.assignments.withdraw(tx, of, "erased"))
    assert changes(desk, name) == ["offered", "withdrawn"]


def test_a_feed_refuses_a_position_it_has_not_come_to(desk: OfficerDesk) -> None:
    """Who comes with one, perhaps from another installation, would miss what is before it."""
    head = desk.assignments.feed.after(Scope(), 0, None, 10_000)[-1].position
    desk.assignments.feed.require(Scope(), head, None)
    refused(lambda: desk.assignments.feed.require(Scope(), head + 1, None), Reason.INVALID_FIELD)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["acknowledge", "engage", "true", "false", "withdraw"]), max_size=6))
def test_whatever_happens_in_whatever_order(desk: OfficerDesk, steps: list[str]) -> None:
    """States follow the arrows, the feed has one entry a change, and who engages is who acknowledged."""
    name = desk.alert(desk.deployment(at_once=True))
    assignment, decided = desk.of(name), False
    for step in steps:
        before = len(changes(desk, assignment))
        told = None
        try:
            if step == "acknowledge":
                desk.assignments.acknowledge(OLGA, assignment)
            elif step == "engage":
                desk.assignments.engage(OLGA, assignment, "confirmed-true")
            elif step == "withdraw":
                desk.database.write(lambda tx: desk.assignments.withdraw(tx, name, "expired"))
            elif not decided:
                decided = True
                desk.adjudicate(name, AlertState.TRUE if step == "true" else AlertState.FALSE)
        except FrsError as error:
            told = error.reason
        assert told in {None, Reason.ASSIGNMENT_WRONG_STATE}
        assert told is None or len(changes(desk, assignment)) == before
    seen = changes(desk, assignment)
    assert seen[0] == "offered"
    assert all(seen.count(kind) == 1 for kind in set(seen))
    assert "engaged" not in seen or "acknowledged" in seen[: seen.index("engaged")]
    state = {"engaged": "engaged", "withdrawn": "withdrawn"}
    last = [kind for kind in seen if kind != "adjudicated"][-1]
    (found,) = [each for each in desk.assignments.list(OLGA, page_size=1000).items if each.id == assignment]
    assert found.state == ("withdrawn" if "withdrawn" in seen else state.get(last, last))


def refused(act: object, reason: Reason) -> FrsError:
    assert callable(act)
    with pytest.raises(FrsError) as told:
        act()
    assert told.value.reason is reason
    return told.value
