"""Cases under whatever people, time and erasure do, in whatever order; two at once; a log that refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from frs.errors import FrsError, Reason
from frs.review.case import OPEN, CaseState, Decision
from frs.review.settling import Answer, settle
from frs.types import Actor
from tests.deciding import SEEN, decide
from tests.installation import Installation
from tests.review.case_house import LENA, OMAR, RITA, SARA, CaseHouse

PEOPLE = st.sampled_from((RITA, OMAR, SARA, LENA))
ANSWERS = st.sampled_from(Decision)


@pytest.fixture(scope="module")
def house(module_installation: Installation) -> CaseHouse:
    return CaseHouse(module_installation)


class Cases(RuleBasedStateMachine):
    """One alert, four reviewers of whom one enrolled the person; a model beside it that knows the rules alone."""

    house: CaseHouse

    @initialize(reviewers=st.sampled_from((1, 2)))
    def raised(self, reviewers: int) -> None:
        self.case = self.house.alert(self.house.deployment(reviewers), person=self.house.listed(enrolled_by="lena"))
        self.reviewers, self.opened = reviewers, self.house.clock.now()
        self.holder, self.until = "", self.opened
        self.seen, self.answers = set[str](), dict[str, Decision]()
        self.state = CaseState.PENDING
        self.outcome: Decision | None = None

    @property
    def held(self) -> str:
        return self.holder if self.house.clock.now() < self.until else ""

    @property
    def stale(self) -> bool:
        return (self.house.clock.now() - self.opened).total_seconds() >= 1800

    def closed(self) -> Reason | None:
        return Reason.CASE_CLOSED if self.state not in OPEN or self.stale else None

    def may_claim(self, name: str) -> Reason | None:
        if self.closed():
            return self.closed()
        if name in self.answers:
            return Reason.CASE_DECIDED
        if self.held not in ("", name):
            return Reason.CASE_TAKEN
        return Reason.NOT_INDEPENDENT if name == "lena" and self.reviewers == 1 else None

    def may_work(self, name: str) -> Reason | None:
        if self.closed():
            return self.closed()
        if name in self.answers:
            return Reason.CASE_DECIDED
        return None if self.held == name else Reason.CASE_NOT_CLAIMED

    def tried(self, act: Callable[[], object], expected: Reason | None) -> bool:
        """Do what is to succeed or to be refused as the model says; True when it was done."""
        size = self.house.audit.size()
        if expected is None:
            act()
            return True
        with pytest.raises(FrsError) as refused:
            act()
        assert refused.value.reason is expected
        assert self.house.audit.size() == size
        return False

    @rule(who=PEOPLE)
    def claim(self, who: Actor) -> None:
        if self.tried(lambda: self.house.cases.claim(who, self.case), self.may_claim(who.name)):
            self.holder, self.state = who.name, CaseState.CLAIMED
            self.until = self.house.row(self.case).claim_until

    @rule(who=PEOPLE)
    def release(self, who: Actor) -> None:
        mine = self.state is CaseState.CLAIMED and self.held == who.name
        if self.tried(lambda: self.house.cases.release(who, self.case), None if mine else Reason.CASE_NOT_CLAIMED):
            self.holder, self.state = "", CaseState.PENDING

    @rule(who=PEOPLE)
    def observe(self, who: Actor) -> None:
        expected = self.may_work(who.name) or (Reason.OBSERVATION_RECORDED if who.name in self.seen else None)
        if self.tried(lambda: self.house.cases.observe(who, self.case, SEEN), expected):
            self.seen.add(who.name)
            self.until = self.house.row(self.case).claim_until

    @rule(who=PEOPLE, answer=ANSWERS)
    def decide(self, who: Actor, answer: Decision) -> None:
        expected = self.may_work(who.name) or (None if who.name in self.seen else Reason.OBSERVATION_REQUIRED)
        if self.tried(lambda: self.house.cases.decide(who, self.case, answer, "looked"), expected):
            self.answers[who.name] = answer
            stands = settle([Answer(each) for each in self.answers.values()], self.reviewers)
            self.holder, self.state = "", CaseState.PENDING if stands is None else CaseState.ADJUDICATED
            self.outcome = None if stands is None else stands.decision

    @rule(seconds=st.sampled_from((1, 40, 300, 1000)))
    def pass_time(self, seconds: int) -> None:
        self.house.clock.advance(seconds=seconds)

    @rule()
    def look(self) -> None:
        self.house.cases.look()
        if self.state in OPEN and self.stale:
            self.holder, self.state = "", CaseState.EXPIRED
        elif self.state is CaseState.CLAIMED and not self.held:
            self.holder, self.state = "", CaseState.PENDING

    @rule()
    def erase(self) -> None:
        alert_id = self.house.row(self.case).alert_id
        self.house.database.write(lambda tx: self.house.cases.close_unreviewed(tx, alert_id=alert_id))
        if self.state in OPEN:
            self.holder, self.state = "", CaseState.UNREVIEWED

    @invariant()
    def rows_agree(self) -> None:
        row, alert = self.house.row(self.case), self.house.alert_row(self.case)
        assert row.state == self.state
        assert (row.closed_at is None) == (self.state in OPEN)
        assert (row.claimed_by or "") == self.holder
        assert row.decided == len(self.answers)
        assert row.decision == (None if self.outcome is None else str(self.outcome))
        follows = {CaseState.PENDING: "pending", CaseState.CLAIMED: "pending"}.get(self.state, str(self.state))
        assert alert.state == (row.decision or follows)
        assert (alert.adjudicated_at is not None) == (self.outcome is not None)
        assert {one.reviewer for one in self.house.work(self.case) if one.decided_at} == set(self.answers)


def test_whatever_happens_a_case_moves_along_its_arrows(house: CaseHouse) -> None:
    """State, claim, decisions and the alert's row are what the rules say; what is refused leaves no event."""
    machine = type("Bound", (Cases,), {"house": house})
    limits = hypothesis_settings(max_examples=8, stateful_step_count=14, deadline=None)
    run_state_machine_as_test(machine, settings=limits)


def race(*acts: Callable[[], object]) -> list[str]:
    """Do several things in the same moment; returns ``done`` or why not, sorted."""
    gate, outcomes = threading.Barrier(len(acts)), list[str]()

    def run(act: Callable[[], object]) -> None:
        gate.wait()
        try:
            act()
            outcomes.append("done")
        except FrsError as error:
            outcomes.append(str(error.reason))

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_two_who_claim_at_once_do_not_both_have_it(house: CaseHouse) -> None:
    """Exactly one of four holds the case, and four who ask for work are given four cases."""
    where = house.deployment()
    names = [house.alert(where) for _ in range(4)]
    people = (RITA, OMAR, SARA, LENA)
    taken = race(*(lambda who=who: house.cases.claim(who, names[0]) for who in people))
    assert taken == ["CASE_TAKEN"] * 3 + ["done"]
    holder = house.row(names[0]).claimed_by
    others = [who for who in people if who.name != holder]
    given = race(*(lambda who=who: house.cases.take(who, deployment=where) for who in others))
    assert given == ["done"] * 3
    assert sorted(house.row(name).claimed_by for name in names) == sorted(who.name for who in people)


def test_one_decision_counts_when_two_are_sent_at_once(house: CaseHouse) -> None:
    """A reviewer who decides twice in the same moment decided once; one event says so, and the alert follows it."""
    for _ in range(3):
        name = house.alert(house.deployment())
        house.cases.claim(RITA, name)
        house.cases.observe(RITA, name, SEEN)
        both = [
            lambda answer=answer, name=name: house.cases.decide(RITA, name, answer, "looked")
            for answer in (Decision.TRUE, Decision.FALSE)
        ]
        assert race(*both) == ["CASE_CLOSED", "done"]
        assert house.alert_row(name).state == house.row(name).decision
        assert house.events(name).count("alert.adjudicated") == 1


def test_expiry_and_decision_at_once_give_one_end(house: CaseHouse) -> None:
    """Whichever is first stands; the alert is told of once."""
    name = house.alert(house.deployment())
    house.clock.advance(seconds=1700)
    house.cases.claim(RITA, name)
    house.cases.observe(RITA, name, SEEN)
    house.clock.advance(seconds=100)
    outcomes = race(lambda: house.cases.decide(RITA, name, Decision.TRUE, "late"), house.cases.look)
    assert outcomes == ["CASE_CLOSED", "done"]
    assert house.feed(name) == ["raised", "expired"]


def test_what_a_listener_refuses_does_not_happen(house: CaseHouse) -> None:
    """Whoever must act with a decision and cannot keeps it from being made."""
    other = CaseHouse(house.at)
    name = other.alert(other.deployment())
    other.cases.on_settled(lambda *_: (_ for _ in ()).throw(FrsError(Reason.STORAGE_FULL, "no room")))
    with pytest.raises(FrsError, match="no room"):
        decide(other.cases, RITA, name, Decision.TRUE, "same")
    assert (other.row(name).state, other.alert_row(name).state, other.feed(name)) == ("claimed", "pending", ["raised"])
    assert other.work(name)[0].decided_at is None
    assert house.cases.decide(RITA, name, Decision.TRUE, "same").decision is Decision.TRUE


def test_what_cannot_be_logged_does_not_happen(installation: Installation) -> None:
    """When the log refuses nothing is claimed, shown, observed, decided, escalated or expired."""
    house = CaseHouse(installation)
    held, waiting = house.alert(house.deployment()), house.alert(house.deployment())
    house.cases.claim(RITA, held)
    house.cases.observe(RITA, held, SEEN)
    before = house.row(held), house.row(waiting)
    house.database.write(lambda tx: tx.connection.execute(sa.text("DROP TABLE audit_payload")))
    house.clock.advance(seconds=45)
    acts: tuple[Callable[[], object], ...] = (
        lambda: house.cases.claim(OMAR, waiting),
        lambda: house.cases.take(OMAR),
        lambda: house.cases.get(OMAR, waiting),
        lambda: house.cases.held(RITA),
        lambda: house.cases.release(RITA, held),
        lambda: house.cases.decide(RITA, held, Decision.TRUE, "same"),
        house.cases.look,
    )
    for act in acts:
        with pytest.raises(FrsError) as refused:
            act()
        assert refused.value.reason in (Reason.LOG_UNAVAILABLE, Reason.STORAGE_FAILED)
    assert (house.row(held), house.row(waiting)) == before
    assert house.alert_row(held).state == "pending"
