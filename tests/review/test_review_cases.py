"""Cases: what is shown, who may take them, how they are decided, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from frs.errors import FrsError, Reason
from frs.review.case import CaseKind, CaseState, Decision, Observation, Occlusion
from frs.types import Actor, Role, Scope
from tests.deciding import SEEN, decide
from tests.installation import Installation
from tests.review.case_house import LENA, OMAR, OVERSIGHT, POLICY, RITA, SARA, CaseHouse, reviewer

TRUE, FALSE, CANNOT_TELL = Decision.TRUE, Decision.FALSE, Decision.CANNOT_TELL


@pytest.fixture(scope="module")
def house(module_installation: Installation) -> CaseHouse:
    return CaseHouse(module_installation)


def refused(act: Callable[[], object]) -> Reason:
    """Return why something was refused."""
    with pytest.raises(FrsError) as refusal:
        act()
    return refusal.value.reason


def test_an_alert_is_decided_by_one_reviewer(house: CaseHouse) -> None:
    """Claim, see, decide: the alert's row and feed follow, and the log has every step with the time it took."""
    name = house.alert(house.deployment())
    shown = house.cases.claim(RITA, name)
    assert shown.pictures is not None
    assert (shown.pictures.probe, [*shown.pictures.references.values()]) == (b"probe picture", [b"reference picture"])
    assert (shown.case.state, shown.case.claimed_by, shown.case.kind) == (CaseState.CLAIMED, "rita", CaseKind.ALERT)
    house.clock.advance(seconds=12)
    house.cases.observe(RITA, name, SEEN)
    house.clock.advance(seconds=3)
    case = house.cases.decide(RITA, name, FALSE, "another nose")
    assert (case.state, case.decision, case.decided, case.claimed_by) == (CaseState.ADJUDICATED, FALSE, 1, None)
    (made,) = case.decisions
    assert (made.reviewer, made.reason, made.look_seconds) == ("rita", "another nose", 15.0)
    assert made.observation == replace(SEEN, observed_at=house.clock.now() - timedelta(seconds=3))
    row = house.alert_row(name)
    assert (row.state, row.adjudicated_by, row.adjudication_reason) == ("false", "rita", "another nose")
    assert house.feed(name) == ["raised", "adjudicated"]
    steps = ["review.claimed", "review.viewed", "review.observed", "review.decided", "alert.adjudicated"]
    assert house.events(name) == steps
    decided = house.payload("review.decided")
    assert (decided["look_seconds"], decided["policy"], decided["reason"]) == (15.0, POLICY, "another nose")
    assert (house.settled[-1].decision, house.settled[-1].alert_id) == (FALSE, row.id)


def test_the_score_is_withheld_until_the_reviewer_says_what_they_see(house: CaseHouse) -> None:
    """Score, threshold, margin and frames are empty for who has not observed; another's observation opens nothing."""
    name = house.alert(house.deployment())
    before = house.cases.claim(RITA, name).case
    (hidden,) = before.candidates
    assert before.withheld
    assert (hidden.score, hidden.threshold, hidden.margin, hidden.frames) == (0.0, 0.0, None, 0)
    after = house.cases.observe(RITA, name, SEEN)
    (seen,) = after.candidates
    assert not after.withheld
    assert (seen.score, seen.threshold, seen.margin, seen.frames) == (0.97, 0.95, 0.2, 5)
    assert house.shown(OMAR, name).withheld
    both = Actor("both", RITA.roles | OVERSIGHT.roles, "certificate:0c")
    assert house.shown(both, name).withheld
    assert house.cases.get(both, name).pictures is None
    assert not house.shown(OVERSIGHT, name).withheld


def test_candidates_are_shown_in_an_order_that_tells_nothing(house: CaseHouse) -> None:
    """While the scores are withheld a list stands by nominal; afterwards by rank."""
    people = sorted((house.listed() for _ in range(3)), reverse=True)
    name = house.candidates(*people)
    case = house.cases.claim(RITA, name).case
    nominals = [each.nominal for each in case.candidates]
    assert (nominals, [each.rank for each in case.candidates]) == (sorted(nominals), [1, 2, 3])
    assert (case.kind, case.camera, case.captured_at) == (CaseKind.CANDIDATES, "till.jpg", None)
    ranked = house.cases.observe(RITA, name, SEEN).candidates
    assert [each.subject for each in ranked] == [person for person, _ in people]


def test_pictures_are_for_who_holds_the_case(house: CaseHouse) -> None:
    """Others see the case without them; oversight sees them while it is open, not afterwards; all of it is logged."""
    name = house.alert(house.deployment())
    nina = reviewer("nina")
    assert house.cases.get(nina, name).pictures is None
    assert house.cases.get(OVERSIGHT, name).pictures is not None
    house.cases.claim(nina, name)
    assert house.cases.get(nina, name).pictures is not None
    assert house.cases.get(OMAR, name).pictures is None
    assert [each.case.id for each in house.cases.held(nina)] == [name]
    assert house.cases.held(reviewer("nobody")) == ()
    house.cases.observe(nina, name, SEEN)
    house.cases.decide(nina, name, TRUE, "same ears")
    assert house.cases.get(OVERSIGHT, name).pictures is None
    assert house.events(name).count("review.viewed") == 7


def test_what_a_step_needs_is_asked_for(house: CaseHouse) -> None:
    """No decision without a claim, an observation and a reason; an observation compares enough, and once."""
    name, cases = house.alert(house.deployment()), house.cases
    assert refused(lambda: cases.observe(RITA, name, SEEN)) is Reason.CASE_NOT_CLAIMED
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same")) is Reason.CASE_NOT_CLAIMED
    assert refused(lambda: cases.release(RITA, name)) is Reason.CASE_NOT_CLAIMED
    cases.claim(RITA, name)
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same")) is Reason.OBSERVATION_REQUIRED
    one = dict(list(SEEN.features.items())[:1])
    for wrong in (
        replace(SEEN, features=one),
        replace(SEEN, occlusions=frozenset[Occlusion]()),
        replace(SEEN, occlusions=frozenset({Occlusion.NONE, Occlusion.HAIR})),
    ):
        assert refused(lambda wrong=wrong: cases.observe(RITA, name, wrong)) is Reason.INVALID_FIELD  # type: ignore[misc]
    cases.observe(RITA, name, SEEN)
    assert refused(lambda: cases.observe(RITA, name, SEEN)) is Reason.OBSERVATION_RECORDED
    assert refused(lambda: cases.decide(RITA, name, TRUE, " ")) is Reason.INVALID_FIELD
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same", "somebody")) is Reason.INVALID_FIELD
    cases.decide(RITA, name, TRUE, "same")
    assert refused(lambda: cases.decide(RITA, name, FALSE, "after all not")) is Reason.CASE_CLOSED
    assert refused(lambda: cases.claim(OMAR, name)) is Reason.CASE_CLOSED
    assert refused(lambda: cases.claim(OMAR, "f" * 32)) is Reason.CASE_NOT_FOUND


def test_a_claim_keeps_others_out_and_runs_out(house: CaseHouse) -> None:
    """Of two who want a case one has it; a claim that ran out decides nothing, and what was observed is still there."""
    name, cases = house.alert(house.deployment(), "green"), house.cases
    cases.claim(RITA, name)
    assert refused(lambda: cases.claim(OMAR, name)) is Reason.CASE_TAKEN
    house.clock.advance(seconds=200)
    cases.observe(RITA, name, SEEN)  # who works on it keeps it
    house.clock.advance(seconds=299)
    assert refused(lambda: cases.claim(OMAR, name)) is Reason.CASE_TAKEN
    house.clock.advance(seconds=2)
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same")) is Reason.CASE_NOT_CLAIMED
    assert house.shown(RITA, name).state is CaseState.PENDING
    cases.claim(OMAR, name)
    assert refused(lambda: cases.claim(RITA, name)) is Reason.CASE_TAKEN
    cases.release(OMAR, name)
    case = cases.claim(RITA, name).case
    assert not case.withheld
    house.clock.advance(seconds=4)
    decided = cases.decide(RITA, name, TRUE, "same")
    assert decided.state is CaseState.ADJUDICATED
    assert [each.look_seconds for each in decided.decisions] == [4.0]  # of the claim that it was made in


def test_a_claim_is_extended_by_who_holds_it(house: CaseHouse) -> None:
    """Claiming again gives as long again; the event says that it extends."""
    name = house.alert(house.deployment())
    first = house.cases.claim(RITA, name).case
    house.clock.advance(seconds=100)
    again = house.cases.claim(RITA, name).case
    assert first.claim_until is not None
    assert again.claim_until is not None
    assert (again.claim_until - first.claim_until).total_seconds() == 100
    assert house.payload("review.claimed")["extends"] is True
    assert house.row(name).claimed_at < house.clock.now()


def test_two_reviewers_must_agree(house: CaseHouse) -> None:
    """The second does not see the first's decision; the alert follows when both have decided alike."""
    name, cases = house.alert(house.deployment(reviewers=2)), house.cases
    first = decide(cases, RITA, name, TRUE, "same ears")
    assert (first.state, first.decided, first.reviewers, first.decisions) == (CaseState.PENDING, 1, 2, ())
    assert house.alert_row(name).state == "pending"
    assert refused(lambda: cases.claim(RITA, name)) is Reason.CASE_DECIDED
    house.clock.advance(seconds=1)
    second = cases.claim(OMAR, name).case
    assert (second.withheld, second.decisions, second.observation) == (True, (), None)
    cases.observe(OMAR, name, SEEN)
    case = cases.decide(OMAR, name, TRUE, "same scar")
    assert (case.state, case.decision, [made.reviewer for made in case.decisions]) == (
        CaseState.ADJUDICATED,
        TRUE,
        ["rita", "omar"],
    )
    row = house.alert_row(name)
    assert (row.state, row.adjudicated_by) == ("true", "rita, omar")
    assert row.adjudication_reason == "rita: same ears; omar: same scar"
    assert house.settled[-1].reasons == ("same ears", "same scar")


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([TRUE, FALSE, TRUE], TRUE),
        ([TRUE, FALSE, FALSE], FALSE),
        ([TRUE, CANNOT_TELL, CANNOT_TELL], CANNOT_TELL),
        ([TRUE, FALSE, CANNOT_TELL], CANNOT_TELL),
    ],
)
def test_a_third_decides_a_dispute(house: CaseHouse, answers: list[Decision], outcome: Decision) -> None:
    """Where two differ a third decides with them; three different answers are: cannot tell."""
    name = house.alert(house.deployment(reviewers=2))
    for who, answer in zip((RITA, OMAR, SARA), answers, strict=True):
        case = decide(house.cases, who, name, answer, f"{who.name} looked")
        if who is OMAR:
            assert (case.state, case.decided, case.reviewers) == (CaseState.PENDING, 2, 3)
    assert (case.state, case.decision) == (CaseState.ADJUDICATED, outcome)
    assert house.alert_row(name).state == str(outcome)


def test_a_candidate_list_names_who_it_is(house: CaseHouse) -> None:
    """A true one names one of those shown; its job's event says so, and no alert is touched."""
    (one, two), cases = (house.listed(), house.listed()), house.cases
    name = house.candidates(one, two)
    cases.claim(RITA, name)
    cases.observe(RITA, name, SEEN)
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same")) is Reason.INVALID_FIELD
    assert refused(lambda: cases.decide(RITA, name, TRUE, "same", "f" * 32)) is Reason.INVALID_FIELD
    assert refused(lambda: cases.decide(RITA, name, FALSE, "nobody", one[0])) is Reason.INVALID_FIELD
    case = cases.decide(RITA, name, TRUE, "same ears", two[0])
    assert (case.chosen_subject, case.job) == (two[0], house.row(name).job_id)
    assert house.payload("search.adjudicated")["subject"] == two[0]
    assert house.events(name)[-1] == "search.adjudicated"
    assert (house.settled[-1].kind, house.settled[-1].chosen_subject) == (CaseKind.CANDIDATES, two[0])


def test_two_who_choose_different_people_do_not_agree(module_installation: Installation) -> None:
    """True for one and true for another is a dispute; the same nominal from two lists is the same person."""
    house = CaseHouse(module_installation, reviewers=2)
    one, two = house.listed(), house.listed()
    name = house.candidates(one, two)
    decide(house.cases, RITA, name, TRUE, "the first", one[0])
    assert decide(house.cases, OMAR, name, TRUE, "the second", two[0]).reviewers == 3
    case = decide(house.cases, SARA, name, TRUE, "the second", two[0])
    assert (case.decision, case.chosen_subject) == (TRUE, two[0])


def test_who_had_a_part_in_it_is_never_the_only_reviewer(house: CaseHouse) -> None:
    """Enrolling, adding a picture, opening the deployment, submitting the job: somebody else must decide."""
    cases = house.cases
    plain = house.deployment()
    for name in (
        house.alert(plain, person=house.listed(enrolled_by="rita")),
        house.alert(plain, person=house.listed(added_by="rita")),
        house.alert(house.deployment(opened_by="rita")),
        house.candidates(submitted_by="rita"),
        house.candidates(house.listed(), house.listed(enrolled_by="rita")),
    ):
        assert refused(lambda name=name: cases.claim(RITA, name)) is Reason.NOT_INDEPENDENT  # type: ignore[misc]
        cases.claim(OMAR, name)
    loopback = Actor("rita", frozenset(Role), "loopback")
    assert cases.claim(loopback, house.alert(house.deployment(opened_by="rita"))).case.claimed_by == "rita"


def test_one_of_two_reviewers_may_have_had_a_part(house: CaseHouse) -> None:
    """Where two decide, one who enrolled the subject may be one of them; a second such person may not."""
    person = house.listed(enrolled_by="rita", added_by="omar")
    name = house.alert(house.deployment(reviewers=2, opened_by="lena"), person=person)
    decide(house.cases, RITA, name, TRUE, "same ears")
    for other in (OMAR, LENA):
        assert refused(lambda other=other: house.cases.claim(other, name)) is Reason.NOT_INDEPENDENT  # type: ignore[misc]
    assert decide(house.cases, SARA, name, TRUE, "same ears").decision is TRUE


def test_a_case_outside_the_scope_does_not_exist(house: CaseHouse) -> None:
    """By its deployment, its site or any list that it shows: no listing, and the refusal of what is unknown."""
    where = house.deployment(site="north")
    name = house.alert(where)
    mixed = house.candidates(house.listed("wanted"), house.listed("missing"))
    inside = (Scope(deployments=frozenset({where})), Scope(sites=frozenset({"north"})))
    outside = (Scope(deployments=frozenset({"other"})), Scope(sites=frozenset({"south"})))
    for scope in inside:
        assert house.shown(reviewer("far", scope), name).id == name
    for scope in (*outside, Scope(watchlists=frozenset({"missing"}))):
        far = reviewer("far", scope)
        for act in (house.cases.get, house.cases.claim, house.cases.release):
            assert refused(lambda act=act, far=far: act(far, name)) is Reason.CASE_NOT_FOUND  # type: ignore[misc]
        listed, _ = house.cases.list(far, page_size=1000)
        assert name not in [case.id for case in listed.items]
    assert refused(lambda: house.cases.get(reviewer("far", Scope(watchlists=frozenset({"missing"}))), mixed)) is (
        Reason.CASE_NOT_FOUND
    )
    everything = reviewer("far", Scope(watchlists=frozenset({"missing", "wanted"})))
    assert house.shown(everything, mixed).id == mixed


def test_a_case_without_pictures_cannot_be_claimed(house: CaseHouse) -> None:
    """There is nothing to compare: the refusal says so, and whoever takes work is given the next."""
    where = house.deployment()
    name, other = house.alert(where), house.alert(where)
    gone = "UPDATE alert SET probe_sealed = NULL WHERE id = (SELECT alert_id FROM review_case WHERE id = :name)"
    house.execute(gone, name=name)
    assert refused(lambda: house.cases.claim(RITA, name)) is Reason.ERASED
    assert house.row(name).state == "pending"
    taken = house.cases.take(RITA, deployment=where)
    assert taken is not None
    assert taken.case.id == other
    assert house.cases.take(RITA, deployment=where) is None


def test_observations_are_kept_as_they_were_made(house: CaseHouse) -> None:
    """What is read back is what was recorded."""
    name = house.alert(house.deployment())
    seen = Observation(SEEN.features, SEEN.probe_quality, SEEN.reference_quality, frozenset({Occlusion.MASK}), "n")
    house.cases.claim(RITA, name)
    assert house.cases.observe(RITA, name, seen).observation == replace(seen, observed_at=house.clock.now())


def test_who_had_not_decided_looks_anew_when_a_candidate_is_erased(house: CaseHouse) -> None:
    """Their observation went with the person; the reviewer who had decided stays one who has."""
    name = house.candidates()
    house.execute("UPDATE review_case SET reviewers = 2 WHERE id = :name", name=name)
    decide(house.cases, RITA, name, FALSE, "other ears")
    house.clock.advance(seconds=1)
    house.cases.claim(OMAR, name)
    house.cases.observe(OMAR, name, SEEN)
    probe = house.row(name).probe_id
    house.database.write(lambda tx: house.cases.empty_texts(tx, probe_id=probe))
    assert refused(lambda: house.cases.decide(OMAR, name, FALSE, "other chin")) is Reason.OBSERVATION_REQUIRED
    assert house.shown(OMAR, name).withheld
    house.cases.observe(OMAR, name, SEEN)
    closed = house.cases.decide(OMAR, name, FALSE, "other chin")
    assert [(each.reviewer, each.reason) for each in closed.decisions] == [("rita", ""), ("omar", "other chin")]
