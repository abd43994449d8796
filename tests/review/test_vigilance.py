"""Known pairs enter the queue unmarked, delay nothing that is red, count nowhere, and tell whether people look."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.errors import FrsError, Reason
from frs.review.case import Case, CaseKind, CaseState, Decision, ShownCase
from frs.review.explanation import Explanation
from frs.review.shown import ShownCheck
from frs.store.schema import alert_feed, assignment, camera_count
from frs.types import Actor
from frs.watchlist.model import Grading, ImageDraft, SubjectDraft
from tests.deciding import SEEN, decide
from tests.installation import Installation
from tests.match.stage import OFFICER
from tests.review.vigilance_house import OMAR, OMBUD, RITA, THRESHOLD, VigilanceHouse, midnight_to_midnight

ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(scope="module")
def one_house(module_installation: Installation, sample_people: tuple[bytes, ...]) -> VigilanceHouse:
    return VigilanceHouse(module_installation, sample_people)


@pytest.fixture
def house(one_house: VigilanceHouse) -> VigilanceHouse:
    one_house.fresh()
    one_house.begun = one_house.at.audit.size()
    return one_house


def details(house: VigilanceHouse, action: str) -> list[dict[str, Any]]:
    found = house.at.audit.list(EventFilter(action=action), 1000, "").items
    opened = [house.at.audit.get(event.seq, open_payload=True).payload for event in found if event.seq >= house.begun]
    return [dict(payload["details"]) for payload in opened if payload]  # type: ignore[arg-type]  # an object


def shape(value: object) -> object:
    """Return what kind of value stands where, without the values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [shape(inner) for inner in value]
    return type(value).__name__


def test_checks_come_at_the_rate_asked_for(house: VigilanceHouse) -> None:
    """With seeded chance: about three for ten alerts, all, or none."""
    house.rate(0.3)
    house.draw(500)
    assert 120 <= house.vigilance.due <= 180, "the middle 99.6 % of a binomial distribution"
    before = house.vigilance.due
    house.rate(0.0)
    house.draw(50)
    assert house.vigilance.due == before
    house.rate(1.0)
    house.draw(50)
    assert house.vigilance.due == before + 50


def test_each_check_comes_at_a_time_of_its_own(house: VigilanceHouse) -> None:
    """None at the instant of an alert, each within the delay, no two at once, no pair twice at once."""
    for probe, reference in ((2, 3), (3, 4), (4, 5), (5, 2)):
        house.pair(probe, reference)
    house.alerts(8)
    begun = house.clock.now()
    house.soon(80.0)
    checks = house.checks()
    assert len(checks) == 4, "eight are due for four pairs: a pair waits in one case only"
    for check in checks:
        assert timedelta() < check.opened_at - begun <= timedelta(seconds=68)
        assert check.opened_at.microsecond, "an alert here is raised on the second"
    assert len({check.pair_id for check in checks}) == len({check.opened_at for check in checks}) == 4


def test_nothing_a_reviewer_sees_tells_a_check_from_an_alert(house: VigilanceHouse) -> None:
    """In the list, claimed, observed, decided and closed: the same fields, of the same form, with plausible values."""
    house.pair(2, 3)
    cases = [*house.alerts(1), *[""]]
    house.soon()
    (check,) = house.checks()
    cases[1] = check.id
    listed = {each.id: each for each in house.cases.list(RITA)[0].items}
    assert listed.keys() == set(cases)
    (one, told), (other, told_of_it) = (_whole_way(house, name, listed[name]) for name in cases)
    assert shape(asdict(told_of_it)) == shape(asdict(told))
    assert (told_of_it.reference_source, told_of_it.reference_taken_on) == ("custody", "2025-06-01")
    assert told_of_it.meaning.gallery_size == told.meaning.gallery_size
    assert len(told_of_it.saliency_png) > 1000
    assert [shape(asdict(step)) for step in other] == [shape(asdict(step)) for step in one]
    for step, twin in zip(other, one, strict=True):
        for name in ("kind", "state", "grading", "deployment", "reviewers", "decided", "withheld", "decision", "job"):
            assert getattr(step, name) == getattr(twin, name), name
        assert step.escalates_at is None or step.escalates_at - step.opened_at == timedelta(seconds=120)
        assert step.stale_at is not None
        assert step.stale_at - step.opened_at == timedelta(seconds=1800)
        assert ID.fullmatch(step.id)
        assert step.camera == twin.camera, "the one camera that saw somebody"
        (shown,), (alerted,) = step.candidates, twin.candidates
        for name in ("rank", "watchlist", "watchlist_version", "threshold", "model", "profile", "notice"):
            assert getattr(shown, name) == getattr(alerted, name), name
        assert ID.fullmatch(shown.subject)
        assert ID.fullmatch(shown.reference)
        assert shown.nominal == "T-2-3"
        assert step.captured_at is not None
        assert step.captured_at.microsecond % 1000 == 0, "cameras here tell milliseconds"
        assert timedelta() < step.opened_at - step.captured_at < timedelta(seconds=4)
    final = other[-1].candidates[0]
    assert THRESHOLD <= final.score <= one[-1].candidates[0].score
    assert final.score != one[-1].candidates[0].score
    assert final.frames == one[-1].candidates[0].frames
    assert _actions(house, cases[0], "alert.adjudicated") == _actions(house, cases[1], "vigilance.")


def _actions(house: VigilanceHouse, case: str, without: str) -> list[str]:
    """Return what the log says reviewers did on a case: an alert's end and a check's are for oversight."""
    events = [house.at.audit.get(seq, open_payload=True) for seq in range(house.begun, house.at.audit.size())]
    own = [e.action for e in events if e.payload and dict(e.payload["details"]).get("case") == case]  # type: ignore[arg-type]
    return [action for action in own if not action.startswith(without)]


def _whole_way(house: VigilanceHouse, name: str, listed: Case) -> tuple[list[Case], Explanation]:
    """Return what a reviewer sees of a case from the list to its end, and what is explained to them."""
    claimed: ShownCase = house.cases.claim(RITA, name)
    assert claimed.pictures is not None
    assert claimed.pictures.probe.startswith(b"\xff\xd8")
    (reference,) = claimed.pictures.references
    assert reference == claimed.case.candidates[0].reference
    house.clock.advance(seconds=5)
    observed = house.cases.observe(RITA, name, SEEN)
    explained = house.explanations.explain(RITA, name, with_saliency=True)
    decided = house.cases.decide(RITA, name, Decision.TRUE, "the same scar")
    return [listed, claimed.case, observed, decided, house.cases.get(RITA, name).case], explained


def test_a_check_never_delays_a_red_alert(house: VigilanceHouse) -> None:
    """None enters while a red one is open; red is handed out first; where all are red there are none."""
    house.pair(2, 3)
    (red,) = house.alerts(1, grading="red")
    house.soon(300.0)
    assert house.checks() == []
    decide(house.cases, OMAR, red, Decision.FALSE, "another nose")
    house.soon(61.0)
    (check,) = house.checks()
    assert check.grading == "amber"
    (second,) = house.alerts(1, grading="red")
    first = house.cases.take(RITA)
    assert first is not None
    assert first.case.id == second
    house.soon(1700.0)
    assert [each.id for each in house.checks()] == [check.id], "the one due for the second waits as long as it is open"
    house.everybody_is("red")
    house.clock.advance(seconds=200)
    house.cases.look()
    house.alerts(1, grading="amber")
    house.soon(120.0)
    assert len(house.checks()) == 1


def test_a_check_counts_nowhere_but_for_its_reviewer(house: VigilanceHouse) -> None:
    """No feed, assignment, camera or alert figure moves; hits and false accepts do, as a simulation knows them."""
    for probe, reference in ((2, 2), (3, 3), (2, 3), (3, 4), (4, 5)):
        house.pair(probe, reference)
    period = midnight_to_midnight(house.clock.now())
    for case in house.alerts(5):
        decide(house.cases, RITA, case, Decision.TRUE, "the same scar")
    before, rows = house.statistics.read(OMBUD, *period), _counted(house)
    house.soon(80.0)
    checks = house.checks()
    assert len(checks) == 5
    expected: dict[tuple[str, bool], int] = {}
    for check in checks:
        raised = next(each for each in details(house, "vigilance.raised") if each["case"] == check.id)
        who = house.chance.choice([RITA, OMAR])
        says = Decision.TRUE if who is OMAR or raised["matching"] else Decision.FALSE  # Omar looks at nothing
        decide(house.cases, who, check.id, says, "the same scar")
        expected[who.name, raised["matching"]] = expected.get((who.name, raised["matching"]), 0) + 1
    after = house.statistics.read(OMBUD, *period)
    assert (after.total, after.deployments, after.reviewers) == (before.total, before.deployments, before.reviewers)
    assert _counted(house) == rows
    assert not before.vigilance
    found = {each.reviewer: each for each in after.vigilance or ()}
    for name in {name for name, _ in expected}:
        assert found[name].hits.denominator == found[name].hits.numerator == expected.get((name, True), 0)
        assert found[name].false_accepts.denominator == expected.get((name, False), 0)
        assert found[name].false_accepts.numerator == (expected.get((name, False), 0) if name == "omar" else 0)
    told = details(house, "vigilance.decided")
    assert len(told) == len(checks)
    assert all(each["right"] for event in told for each in event["decisions"] if each["reviewer"] == "rita")
    wrong = [each for event in told for each in event["decisions"] if not each["right"]]
    assert len(wrong) == expected.get(("omar", False), 0)


def _counted(house: VigilanceHouse) -> tuple[object, ...]:
    with house.database.read() as connection:
        cameras = connection.execute(sa.select(camera_count).order_by(camera_count.c.camera_id)).all()
        tables = (alert_feed, assignment)
        return (*map(tuple, cameras), *(connection.scalar(sa.select(sa.func.count()).select_from(t)) for t in tables))


def test_the_score_is_the_pairs_own_where_it_reaches_the_threshold(house: VigilanceHouse) -> None:
    """Else one as past alerts had it; what is true of the pair is in the log alone."""
    own = house.pair(2, 2)
    drawn = house.pair(3, 4)
    house.alerts(12)
    house.soon(80.0)
    shown = {check.pair_id: ShownCheck.from_json(check.shown).candidate for check in house.checks()}
    raised = {each["pair"]: each for each in details(house, "vigilance.raised")}
    assert shown[own].score == raised[own]["score"] > 0.99
    assert raised[drawn]["score"] < THRESHOLD <= shown[drawn].score <= 0.99
    assert (raised[own]["matching"], raised[drawn]["matching"]) == (True, False)
    assert len(shown) == 2, "a pair that waits is not drawn again"


def test_checks_grow_old_as_alerts_do(house: VigilanceHouse) -> None:
    """A day later the pictures are gone, the nominal is a pseudonym, the texts are empty; what was decided counts."""
    house.pair(2, 3)
    house.alerts(1)
    house.soon()
    (check,) = house.checks()
    decide(house.cases, RITA, check.id, Decision.CANNOT_TELL, "too dark")
    assert house.ageing.age() == 0
    house.clock.advance(hours=25)
    assert house.ageing.age() == 1
    assert house.ageing.age() == 0
    closed = house.cases.get(RITA, check.id).case
    assert closed.candidates[0].nominal == house.vault.pseudonym("subject", "T-2-3")
    (decision,) = closed.decisions
    assert (decision.reason, decision.observation, decision.decision) == ("", None, Decision.CANNOT_TELL)
    with house.database.read() as connection, pytest.raises(FrsError) as erased:
        house.cases._desk.pictures.of(connection, check.id)
    assert erased.value.reason is Reason.ERASED
    assert [pair.shown for pair in house.pairs.list(OFFICER).items] == [1]


def test_a_pair_that_is_removed_leaves_the_queue(house: VigilanceHouse) -> None:
    """Its open check ends as an erased alert's case does, and one that a list has come to name is not drawn."""
    removed = house.pair(2, 3)
    house.alerts(1)
    house.soon()
    (check,) = house.checks()
    house.pairs.remove(OFFICER, removed, "consent was withdrawn")
    assert house.cases.get(RITA, check.id).case.state is CaseState.UNREVIEWED
    house.pair(4, 5, "NOM-9")
    draft = SubjectDraft("NOM-9", "Warrant", Grading.AMBER, lawfully_held=True)
    house.at.watchlists.enrol(OFFICER, "wanted", draft, [ImageDraft(house.pictures[5], "custody", "2025-06-01")])
    house.alerts(1)
    house.soon()
    assert len(house.checks()) == 1


def test_who_brought_a_pair_is_never_its_only_reviewer(house: VigilanceHouse) -> None:
    """They know the answer: the check waits for somebody else."""
    house.pair(2, 3)
    (case,) = house.alerts(1)
    house.soon()
    (check,) = house.checks()
    both = Actor(OFFICER.name, OFFICER.roles | RITA.roles, OFFICER.credential)
    decide(house.cases, RITA, case, Decision.TRUE, "the same scar")
    assert house.cases.take(both, kind=CaseKind.ALERT) is None
    taken = house.cases.take(RITA, kind=CaseKind.ALERT)
    assert taken is not None
    assert taken.case.id == check.id


def test_no_check_enters_a_deployment_that_is_over(house: VigilanceHouse) -> None:
    """What was due for it is forgotten, and so is what a red alert held up for too long."""
    house.pair(2, 3)
    house.alerts(1)
    house.stage.deployments.end(OFFICER, house.where, "over")
    house.soon(300.0)
    assert house.checks() == []
    assert house.vigilance.look() is None
