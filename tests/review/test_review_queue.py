"""Work: who is given what, in which order, and what happens when nobody takes it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.match.outcomes import OutcomeState
from frs.review.case import CaseKind, CaseState, Decision
from frs.review.overdue import count_overdue
from frs.review.waiting import Waiting
from frs.store.schema import operator_search
from frs.types import Scope
from tests.deciding import decide
from tests.installation import Installation
from tests.review.case_house import LENA, OMAR, RITA, SARA, CaseHouse, reviewer


@pytest.fixture(scope="module")
def house(module_installation: Installation) -> CaseHouse:
    return CaseHouse(module_installation)


def taken(house: CaseHouse, who: str, where: str | None = None, kind: CaseKind | None = None) -> str | None:
    """Return what somebody new is given next."""
    shown = house.cases.take(reviewer(who), deployment=where, kind=kind)
    return None if shown is None else shown.case.id


def test_the_most_urgent_case_comes_first(house: CaseHouse) -> None:
    """Red, amber, green; within a grading what has escalated, then the oldest; listings stand in the same order."""
    where = house.deployment()
    green, amber, red, later = (house.alert(where, grading) for grading in ("green", "amber", "red", "red"))
    house.execute("UPDATE review_case SET escalations = 1 WHERE id = :name", name=later)
    page, waiting = house.cases.list(RITA, deployment=where)
    assert {case.id for case in page.items[:2]} == {red, later}
    assert [case.id for case in page.items[2:]] == [amber, green]
    assert waiting >= 4
    assert [taken(house, f"w{n}", where) for n in range(5)] == [later, red, amber, green, None]


def test_work_is_limited_by_deployment_kind_and_scope(house: CaseHouse) -> None:
    """A reviewer is given only what they asked for and may see."""
    here, there = house.deployment(), house.deployment()
    mine, theirs = house.alert(here), house.alert(there)
    listed = house.candidates()
    assert taken(house, "k1", kind=CaseKind.CANDIDATES) == listed
    far = reviewer("far", Scope(deployments=frozenset({there})))
    assert house.cases.pending(far) == 1
    shown = house.cases.take(far)
    assert shown is not None
    assert shown.case.id == theirs
    assert house.cases.take(far) is None
    assert taken(house, "k2", here) == mine


def test_nobody_is_given_what_they_may_not_decide(house: CaseHouse) -> None:
    """Not what they decided, not what they had a part in: they are given the next, or nothing."""
    where = house.deployment(reviewers=2, opened_by="lena")
    name = house.alert(where)
    decide(house.cases, RITA, name, Decision.TRUE, "same ears")
    assert house.cases.take(RITA, deployment=where) is None
    alone = house.deployment(opened_by="omar")
    house.alert(alone)
    assert house.cases.take(OMAR, deployment=alone) is None
    assert house.cases.take(SARA, deployment=alone) is not None
    assert house.cases.take(LENA, deployment=where) is not None


def test_a_check_waits_behind_every_red_alert(house: CaseHouse) -> None:
    """A vigilance check, shown as an alert, is handed out when no red alert waits anywhere."""
    house.clear()
    where = house.deployment()
    check, red = house.check(where, "red"), house.alert(where)
    case = house.shown(RITA, check)
    assert (case.kind, case.state, case.camera, case.stale_at) == (
        CaseKind.ALERT,
        CaseState.PENDING,
        "cam-1",
        house.shown(RITA, red).stale_at,
    )
    listed, _ = house.cases.list(RITA, deployment=where, kind=CaseKind.ALERT)
    assert {each.id for each in listed.items} == {check, red}
    assert taken(house, "v1", where) == red
    row = house.row(check)
    assert (row.state, row.kind) == ("pending", "vigilance")
    with pytest.raises(FrsError) as refused:  # its pair was never there: nothing to show
        house.cases.claim(RITA, check)
    assert refused.value.reason is Reason.ERASED


def test_pages_follow_on(house: CaseHouse) -> None:
    """Pages of open and of closed cases repeat and skip nothing; a token is of its own listing."""
    where = house.deployment()
    names = [house.alert(where, grading) for grading in ("green", "red", "amber", "red", "green")]
    for name in names[:2]:
        decide(house.cases, SARA, name, Decision.FALSE, "another chin")
        house.clock.advance(seconds=1)
    for state, size in ((None, 3), (CaseState.PENDING, 3), (CaseState.ADJUDICATED, 2)):
        found, token = [], ""
        while True:
            page, _ = house.cases.list(RITA, state=state, deployment=where, page_size=2, page_token=token)
            found += [case.id for case in page.items]
            token = page.next_token
            if not token:
                break
        assert len(found) == len(set(found)) == size
    page, _ = house.cases.list(RITA, deployment=where, page_size=1)
    with pytest.raises(FrsError) as refused:
        house.cases.list(RITA, page_size=1, page_token=page.next_token)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN
    house.cases.claim(RITA, names[2])
    mine, _ = house.cases.list(RITA, deployment=where, mine=True)
    assert [case.id for case in mine.items] == [names[2]]
    assert [case.id for case in house.cases.list(OMAR, deployment=where, state=CaseState.CLAIMED)[0].items] == [
        names[2]
    ]


@pytest.mark.parametrize(("grading", "seconds"), [("red", 30), ("amber", 120), ("green", 600)])
def test_a_case_that_nobody_takes_escalates(house: CaseHouse, grading: str, seconds: int) -> None:
    """By grading, and again after twice as long; what somebody holds does not escalate."""
    name = house.alert(house.deployment(), grading)
    house.clock.advance(seconds=seconds - 1)
    house.cases.look()
    assert house.row(name).escalations == 0
    house.clock.advance(seconds=1)
    house.cases.look()
    row = house.row(name)
    assert (row.escalations, (row.escalates_at - house.clock.now()).total_seconds()) == (1, 2 * seconds)
    assert house.events(name) == ["review.escalated"]


def test_what_somebody_holds_does_not_escalate(house: CaseHouse) -> None:
    """A claim stops it; a case that is given back after its time escalates at once, for the second time."""
    name = house.alert(house.deployment())
    house.clock.advance(seconds=30)
    house.cases.look()
    house.clock.advance(seconds=59)
    house.cases.claim(RITA, name)
    house.clock.advance(seconds=1)
    house.cases.look()
    assert house.row(name).escalations == 1
    house.cases.release(RITA, name)
    assert house.cases.look() >= 1
    assert (house.row(name).escalations, house.payload("review.escalated")["times"]) == (2, 2)


def test_a_claim_that_ran_out_ends(house: CaseHouse) -> None:
    """The case waits again, the log names who held it, and the bell rings for those who wait."""
    name, rings = house.alert(house.deployment()), list[int]()
    house.cases.claim(RITA, name)
    house.clock.advance(seconds=300)
    unsubscribe = house.cases.bell.subscribe(lambda: rings.append(1))
    assert house.cases.look() >= 1
    unsubscribe()
    row = house.row(name)
    assert (row.state, row.claimed_by, row.claim_until) == ("pending", None, None)
    assert "review.released" in house.events(name)
    ended = house.payload("review.released")
    assert (ended["ran_out"], ended["held_by"]) == (True, "rita")
    assert rings


def test_a_stale_alert_expires(house: CaseHouse) -> None:
    """Even while somebody holds it: the row and the feed say so, nobody is named as having decided, and it is told."""
    where = house.deployment()
    name, listed = house.alert(where), house.candidates()
    house.clock.advance(seconds=1700)
    house.cases.claim(RITA, name)
    house.clock.advance(seconds=100)
    with pytest.raises(FrsError) as refused:
        house.cases.claim(RITA, name)
    assert refused.value.reason is Reason.CASE_CLOSED
    house.cases.look()
    row = house.alert_row(name)
    assert (row.state, row.adjudicated_at, row.adjudicated_by) == ("expired", None, None)
    assert house.feed(name) == ["raised", "expired"]
    assert house.events(name)[-1] == "alert.expired"
    assert (name, CaseKind.ALERT, row.id, "expired") in house.closed
    assert house.row(listed).state == "pending"
    case = house.shown(RITA, name)
    assert (case.state, case.decision, case.claimed_by) == (CaseState.EXPIRED, None, None)
    house.clock.advance(hours=24)
    house.cases.look()
    assert house.row(listed).escalations == 1


def test_looking_again_does_nothing(house: CaseHouse) -> None:
    """What was due has been done: the next look at the same moment finds nothing."""
    house.alert(house.deployment())
    house.clock.advance(seconds=30)
    house.cases.look()
    size = house.audit.size()
    assert house.cases.look() == 0
    assert house.audit.size() == size


def test_an_overdue_outcome_is_told_once(house: CaseHouse) -> None:
    """One that is owed for an hour is in the log with its officer; what is recorded, or not owed, is never overdue."""
    house.cases.look()
    owed = house.search()
    house.search(state=OutcomeState.NONE_OWED)
    house.clock.advance(seconds=3599)
    house.cases.look()
    assert house.overdue() == 0
    house.clock.advance(seconds=1)
    house.cases.look()
    told = house.payload("operator.outcome-overdue")
    assert (told["officer"], told["due_seconds"]) == ("olga", 3600.0)
    assert house.overdue() == 1
    house.cases.look()
    assert house.overdue() == 1
    with house.database.read() as connection:
        at = connection.scalar(sa.select(operator_search.c.overdue_at).where(operator_search.c.id == owed))
        assert at == house.clock.now()
        assert count_overdue(connection) == 1


def test_what_waits_is_counted_without_checks(house: CaseHouse) -> None:
    """By grading: who waits, who is held, what has escalated, and for how long the oldest has been open."""
    house.clear()
    where = house.deployment()
    house.alert(where)
    house.clock.advance(seconds=31)
    house.cases.look()
    house.cases.claim(RITA, house.alert(where))
    house.check(where, "red")
    found = house.cases.waiting().by_grading
    assert found["red"] == Waiting(pending=1, claimed=1, escalated=1, oldest_seconds=31.0)
    assert found["green"] == Waiting()


def test_what_is_erased_undecided_is_unreviewed(house: CaseHouse) -> None:
    """The case ends, the texts of those who worked on it go, who decided what stays; again is harmless."""
    where = house.deployment(reviewers=2)
    name, listed = house.alert(where), house.candidates()
    decide(house.cases, RITA, name, Decision.TRUE, "the scar of N-100")
    alert_id, probe_id = house.row(name).alert_id, house.row(listed).probe_id
    for _ in range(2):
        house.database.write(lambda tx: house.cases.close_unreviewed(tx, alert_id=alert_id))
    assert house.database.write(lambda tx: house.cases.close_unreviewed(tx, probe_id=probe_id)) == 1
    assert (house.row(name).state, house.alert_row(name).state) == ("unreviewed", "unreviewed")
    assert house.row(listed).state == "unreviewed"
    (work,) = house.work(name)
    assert (work.reason, work.observation, work.decision, work.reviewer) == ("", None, "true", "rita")
    assert house.events(name).count("review.unreviewed") == 1
    assert [told for told in house.closed if told[0] == name] == [(name, CaseKind.ALERT, alert_id, "unreviewed")]
    (made,) = house.shown(OMAR, name).decisions
    assert (made.reason, made.observation) == ("", None)


def test_what_is_erased_after_the_decision_keeps_it(house: CaseHouse) -> None:
    """A decided case stays decided; its reasons are empty."""
    name = house.alert(house.deployment())
    decide(house.cases, RITA, name, Decision.FALSE, "not N-100")
    alert_id = house.row(name).alert_id
    assert house.database.write(lambda tx: house.cases.close_unreviewed(tx, alert_id=alert_id)) == 0
    case = house.shown(OMAR, name)
    assert (case.state, case.decision, case.decisions[0].reason) == (CaseState.ADJUDICATED, Decision.FALSE, "")
