"""Operator-initiated searches: answered at once, logged first, and leaving nothing of the face."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from frs.audit.log import EventFilter
from frs.embed.decoding import crop_face, decode_picture, encode_jpeg
from frs.errors import FrsError, Reason
from frs.match.operator import IdentifyResult
from frs.match.outcomes import Outcome, OutcomeState
from frs.match.standing import standing
from frs.server.conversions.operator import identify_message
from frs.settings import OperatorSettings
from frs.store.schema import operator_search
from frs.types import Actor, QualityReason
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import OFFICER, OTHER_OFFICER, OVERSIGHT, SAME, SearchDesk, found_in, plant


@pytest.fixture
def desk(installation: Installation) -> Iterator[SearchDesk]:
    yield from SearchDesk.over(installation)


def identify(desk: SearchDesk, picture: bytes, *lists: str, most: int = 0, actor: Actor = OFFICER) -> IdentifyResult:
    return desk.operator.identify(actor, picture, "refused details", "s. 1 Act", "phone-7", lists, most)


def test_a_listed_person_is_found_with_the_explanation(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The candidate carries score, threshold, margin, model, list version, both qualities and the reference image."""
    listed = desk.listed("wanted", {"N-1": sample_people[0], "N-2": sample_people[1]})
    result = identify(desk, clips.retaken(sample_people[0]), "wanted")
    (candidate,) = result.candidates
    assert (candidate.rank, candidate.nominal, candidate.watchlist) == (1, "N-1", "wanted")
    assert candidate.score >= candidate.threshold == SAME
    assert candidate.margin is not None
    assert 0 < candidate.margin < candidate.score
    assert (candidate.model, candidate.profile) == (desk.engine.model.id, desk.engine.model.profile)
    assert candidate.notice == result.notice != ""
    assert candidate.watchlist_version == listed.version
    assert candidate.probe_quality == result.quality
    assert candidate.reference_quality.usable
    assert decode_picture(result.references[candidate.reference], 1 << 20, 1 << 24).shape[2] == 3
    assert [(entry.watchlist, entry.version) for entry in result.searched] == [("wanted", listed.version)]
    assert (result.matched, result.outcome_owed, result.outcomes_owed) == (True, True, 1)
    event = desk.last_event("operator.search")
    assert event["reason"] == "refused details"
    assert (event["legal_power"], event["device"]) == ("s. 1 Act", "phone-7")
    (searched,) = event["searched"]
    assert (searched["watchlist"], searched["version"], searched["templates"]) == ("wanted", listed.version, 2)
    assert (searched["threshold"], searched["model"]) == (SAME, desk.engine.model.id)
    assert [each["nominal"] for each in event["candidates"]] == ["N-1"]
    assert event["probe"].startswith("p:")


def test_nobody_found_is_an_explicit_no_match(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A stranger gives no candidates and owes no outcome; the event says so and does not commit to the photograph."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    result = identify(desk, clips.retaken(sample_people[3]), "wanted")
    assert (result.matched, result.candidates, result.references) == (False, (), {})
    assert (result.outcome_owed, result.outcomes_owed) == (False, 0)
    event = desk.last_event("operator.search")
    assert event["candidates"] == []
    assert "probe" not in event


def test_at_most_as_many_candidates_as_asked_and_allowed(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The request may ask for fewer than the setting, not for more; the margin is known all the same."""
    everybody = {f"N-{number}": picture for number, picture in enumerate(sample_people)}
    desk.listed("wide", everybody, score=0.5)
    assert len(identify(desk, clips.retaken(sample_people[0]), "wide").candidates) == 5
    assert len(identify(desk, clips.retaken(sample_people[0]), "wide", most=100).candidates) == 5
    (only,) = identify(desk, clips.retaken(sample_people[0]), "wide", most=1).candidates
    assert only.nominal == "N-0"
    assert only.margin is not None


def test_no_named_list_means_every_list_that_may_be_searched(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """Active lists with an operator threshold are searched; others are left out, and the event says which and why."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    desk.listed("missing", {"N-1": sample_people[0]})
    desk.listed("other", {"N-1": sample_people[0]}, model="another@1")
    desk.listed("short", {"N-1": sample_people[0]}, days=1)
    desk.listed("draft", {"N-1": sample_people[0]}, active=False)
    desk.clock.advance(days=2)
    result = identify(desk, clips.retaken(sample_people[0]))
    assert {candidate.watchlist for candidate in result.candidates} == {"wanted", "missing"}
    assert {entry.watchlist for entry in result.searched} == {"wanted", "missing"}
    assert result.left_out == {"other": Reason.THRESHOLD_OTHER_MODEL, "short": Reason.WATCHLIST_EXPIRED}
    assert desk.last_event("operator.search")["left_out"] == result.left_out
    told = {each.watchlist: each.reason for each in identify_message(result).left_out}
    assert told == {"watchlists/other": "THRESHOLD_OTHER_MODEL", "watchlists/short": "WATCHLIST_EXPIRED"}
    assert identify(desk, clips.retaken(sample_people[0]), "wanted").left_out == {}
    for named, reason in (("other", Reason.THRESHOLD_OTHER_MODEL), ("short", Reason.WATCHLIST_EXPIRED)):
        with pytest.raises(FrsError) as refused:
            identify(desk, sample_people[0], named)
        assert refused.value.reason is reason


def test_the_same_person_in_two_lists_is_no_margin(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Two entries of one nominal rank both; the margin is to another person or unknown."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    desk.listed("missing", {"N-1": sample_people[0]})
    assert [candidate.margin for candidate in identify(desk, sample_people[0]).candidates] == [None, None]


def test_without_any_active_list_nothing_is_searched(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """An installation without an active list says so."""
    with pytest.raises(FrsError, match="No active watchlist") as refused:
        identify(desk, sample_people[0])
    assert refused.value.reason is Reason.WATCHLIST_NOT_ACTIVE


def test_when_only_lists_of_another_model_are_active_that_is_the_answer(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """The officer is not told that no list is active, also where another list has expired; the refusal is logged."""
    desk.listed("other", {"N-1": sample_people[0]}, model="another@1")
    desk.listed("short", {"N-1": sample_people[0]}, days=1)
    desk.clock.advance(days=2)
    with pytest.raises(FrsError) as refused:
        identify(desk, sample_people[0])
    assert refused.value.reason is Reason.THRESHOLD_OTHER_MODEL
    assert refused.value.metadata["watchlist"] == "other"
    assert desk.last_event("operator.refused")["refused"] == "THRESHOLD_OTHER_MODEL"


def test_when_every_list_has_expired_none_is_active(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """What is not a matter of the model stays what it was."""
    desk.listed("short", {"N-1": sample_people[0]}, days=1)
    desk.clock.advance(days=2)
    with pytest.raises(FrsError) as refused:
        identify(desk, sample_people[0])
    assert refused.value.reason is Reason.WATCHLIST_NOT_ACTIVE


def test_refusals_are_logged(desk: SearchDesk, sample_people: tuple[bytes, ...], group_picture: bytes) -> None:
    """No face, several, a poor one, a broken picture, an unknown list: each is refused with its reason and logged."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    attempts: list[tuple[Callable[[], object], Reason]] = [
        (lambda: identify(desk, clips.blank()), Reason.NO_FACE),
        (lambda: identify(desk, group_picture), Reason.SEVERAL_FACES),
        (lambda: identify(desk, clips.blurred(sample_people[0])), Reason.FACE_QUALITY_TOO_LOW),
        (lambda: identify(desk, sample_people[0][:-900]), Reason.PICTURE_TRUNCATED),
        (lambda: identify(desk, b""), Reason.PICTURE_EMPTY),
        (lambda: identify(desk, sample_people[0], "nowhere"), Reason.WATCHLIST_NOT_FOUND),
    ]
    for attempt, reason in attempts:
        with pytest.raises(FrsError) as refused:
            attempt()
        assert refused.value.reason is reason
        event = desk.last_event("operator.refused")
        assert (event["refused"], event["reason"], event["device"]) == (reason, "refused details", "phone-7")
    assert desk.count(operator_search) == 0


def test_poor_quality_names_its_reasons(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The officer is told what is wrong with the photograph."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    with pytest.raises(FrsError, match="too-blurred") as refused:
        identify(desk, clips.blurred(sample_people[0]))
    assert QualityReason.TOO_BLURRED in refused.value.metadata["reasons"]


def test_a_face_that_dominates_is_searched(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A bystander much smaller than the person photographed does not refuse the search; an equal one does."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    behind = clips.side_by_side(clips.read(sample_people[0]), clips.scaled(sample_people[1], 0.5))
    assert [each.nominal for each in identify(desk, behind).candidates] == ["N-1"]
    beside = clips.side_by_side(clips.read(sample_people[0]), clips.scaled(sample_people[1], 0.9))
    with pytest.raises(FrsError) as refused:
        identify(desk, beside)
    assert refused.value.reason is Reason.SEVERAL_FACES


@pytest.mark.parametrize("keep", [False, True])
def test_nothing_of_the_photograph_is_left(desk: SearchDesk, sample_people: tuple[bytes, ...], keep: bool) -> None:
    """After a match and after a non-match no file holds bytes of the photograph, its crop or its template."""
    desk.change(operator=OperatorSettings(keep_matched_probe=keep))
    desk.listed("wanted", {"N-1": sample_people[0]})
    for person, matched in ((0, True), (3, False)):
        photograph = clips.retaken(sample_people[person])
        analysis = desk.engine.analyse(photograph)
        face = analysis.faces[0]
        traces = {
            "photograph": photograph,
            "crop": encode_jpeg(crop_face(analysis.picture, face.box)),
            "aligned": face.aligned.tobytes(),
            "template": desk.engine.embed([face])[0].tobytes(),
        }
        assert identify(desk, photograph).matched is matched
        assert found_in(desk.data_dir, traces) == set()
    desk.close()
    assert found_in(desk.data_dir, traces) == set()


def test_the_search_for_traces_finds_what_is_there(tmp_path: Path, sample_people: tuple[bytes, ...]) -> None:
    """The check above sees a trace: it finds one that is planted in the middle of a file."""
    plant(tmp_path / "deep" / "file", sample_people[0])
    assert found_in(tmp_path, {"photograph": sample_people[0], "other": sample_people[1]}) == {"photograph"}


def test_the_photograph_is_overwritten_in_memory(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The pixels and the aligned face that the engine handed out are blank once the answer is there."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    with desk.watching_analyses() as seen:
        identify(desk, clips.retaken(sample_people[0]))
        identify(desk, clips.retaken(sample_people[3]))
        with pytest.raises(FrsError):
            identify(desk, clips.blurred(sample_people[0]))
    assert len(seen) == 3
    for analysis in seen:
        assert not analysis.picture.any()
        assert not any(face.aligned.any() for face in analysis.faces)


def test_a_kept_probe_is_sealed_and_goes_with_the_outcome(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Under the policy a matched face is kept for the officer's decision and destroyed with it: bytes and key."""
    desk.change(operator=OperatorSettings(keep_matched_probe=True))
    desk.listed("wanted", {"N-1": sample_people[0]})
    stranger = identify(desk, clips.retaken(sample_people[3]))
    result = identify(desk, clips.retaken(sample_people[0]))
    assert desk.kept_probe(stranger.search) is None
    sealed = desk.kept_probe(result.search)
    assert sealed is not None
    kept = decode_picture(desk.vault.open(f"search:{result.search}", sealed), 1 << 20, 1 << 24)
    assert len(desk.engine.detect(kept)) == 1
    desk.operator.record_outcome(OFFICER, result.search, Outcome.SAME, "same scar")
    assert desk.kept_probe(result.search) is None
    with pytest.raises(FrsError) as gone:
        desk.vault.open(f"search:{result.search}", sealed)
    assert gone.value.reason is Reason.KEY_MISSING
    assert found_in(desk.data_dir, {"sealed": sealed}) == set()
    assert desk.actions("operator")[-2:] == ["operator.outcome", "operator.probe-destroyed"]


def test_an_outcome_is_recorded_once_by_the_officer_who_searched(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """The decision stands with its reason; a second one, and one that is not owed, are refused."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    found = identify(desk, clips.retaken(sample_people[0]))
    nobody = identify(desk, clips.retaken(sample_people[3]))
    recorded = desk.operator.record_outcome(OFFICER, found.search, Outcome.CANNOT_TELL, "poor light")
    assert (recorded.state, recorded.outcome) == (OutcomeState.RECORDED, Outcome.CANNOT_TELL)
    assert (recorded.outcome_reason, recorded.outcome_at) == ("poor light", desk.clock.now())
    event = desk.last_event("operator.outcome")
    assert (event["outcome"], event["reason"]) == ("cannot-tell", "poor light")
    for search, reason in ((found.search, Reason.OUTCOME_RECORDED), (nobody.search, Reason.OUTCOME_NOT_OWED)):
        with pytest.raises(FrsError) as refused:
            desk.operator.record_outcome(OFFICER, search, Outcome.SAME, "again")
        assert refused.value.reason is reason
    page, owed = desk.operator.list(OFFICER, everyone=False, page_size=10, page_token="")
    assert (owed, {item.id: item.outcome for item in page.items}) == (
        0,
        {found.search: Outcome.CANNOT_TELL, nobody.search: None},
    )


def test_to_another_officer_the_search_does_not_exist(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """A foreign search is refused like an unknown one; oversight, who may see it, is told it is not theirs."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    search = identify(desk, clips.retaken(sample_people[0])).search
    for actor, name, reason in (
        (OTHER_OFFICER, search, Reason.SEARCH_NOT_FOUND),
        (OTHER_OFFICER, "0" * 32, Reason.SEARCH_NOT_FOUND),
        (OVERSIGHT, search, Reason.OUTCOME_NOT_YOURS),
    ):
        with pytest.raises(FrsError) as refused:
            desk.operator.record_outcome(actor, name, Outcome.SAME, "not mine")
        assert refused.value.reason is reason
    assert desk.operator.list(OTHER_OFFICER, everyone=False, page_size=10, page_token="")[0].items == ()


def test_of_two_decisions_at_once_one_stands(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The update is guarded: one thread records, every other is told that it has been recorded."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    search = identify(desk, clips.retaken(sample_people[0])).search
    answers: list[str] = []
    ready = threading.Barrier(4)

    def decide(outcome: Outcome) -> None:
        ready.wait()
        try:
            desk.operator.record_outcome(OFFICER, search, outcome, "at once")
            answers.append(outcome)
        except FrsError as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=decide, args=(each,)) for each in (*Outcome, Outcome.SAME)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[:3] == [Reason.OUTCOME_RECORDED] * 3
    (item,) = desk.operator.list(OFFICER, everyone=False, page_size=10, page_token="")[0].items
    assert item.outcome in answers
    assert desk.actions("operator.outcome") == ["operator.outcome"]


def test_searches_are_listed_newest_first_in_pages(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """An officer sees their own, whoever may see all sees all; owed ones can be picked out and are counted."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    match, stranger = clips.retaken(sample_people[0]), clips.retaken(sample_people[3])
    mine = []
    for picture in (match, stranger, match):
        mine.append(identify(desk, picture).search)
        desk.clock.advance(seconds=1)
    foreign = identify(desk, match, actor=OTHER_OFFICER).search
    first, owed = desk.operator.list(OFFICER, everyone=False, page_size=2, page_token="")
    assert ([item.id for item in first.items], owed) == ([mine[2], mine[1]], 2)
    rest, _ = desk.operator.list(OFFICER, everyone=False, page_size=2, page_token=first.next_token)
    assert ([item.id for item in rest.items], rest.next_token) == ([mine[0]], "")
    owing, _ = desk.operator.list(OFFICER, everyone=False, page_size=9, page_token="", state=OutcomeState.OWED)
    assert [item.id for item in owing.items] == [mine[2], mine[0]]
    everything, all_owed = desk.operator.list(OVERSIGHT, everyone=True, page_size=9, page_token="")
    assert ([item.id for item in everything.items], all_owed) == ([foreign, *reversed(mine)], 3)
    assert everything.items[0].candidates[0].nominal == "N-1"
    with pytest.raises(FrsError) as refused:
        desk.operator.list(OTHER_OFFICER, everyone=False, page_size=2, page_token=first.next_token)
    assert refused.value.reason is Reason.INVALID_PAGE_TOKEN


def test_a_search_that_cannot_be_logged_does_not_answer(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """With the log broken there is an error and no candidate, and no search is recorded."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    desk.break_log()
    with pytest.raises(FrsError) as refused:
        identify(desk, clips.retaken(sample_people[0]))
    assert refused.value.reason is Reason.LOG_UNAVAILABLE
    assert desk.count(operator_search) == 0


def test_an_outcome_that_cannot_be_logged_is_not_recorded(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The decision and its event happen together or not at all."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    search = identify(desk, clips.retaken(sample_people[0])).search
    desk.break_log()
    with pytest.raises(FrsError):
        desk.operator.record_outcome(OFFICER, search, Outcome.SAME, "sure")
    with desk.database.read() as connection:
        assert connection.scalar(sa.select(operator_search.c.outcome)) == "owed"


def test_whoever_is_withdrawn_before_the_commit_is_not_shown(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """The transaction that records a search leaves out candidates who may no longer be shown, and ranks anew."""
    desk.listed("wanted", {"N-1": sample_people[0], "N-2": sample_people[1]}, score=0.5)
    first, second = identify(desk, clips.retaken(sample_people[0])).candidates
    desk.withdraw(first.subject)
    with desk.database.read() as connection:
        ((left,),) = standing(connection, [(first, second)], desk.clock.now())
    assert (left.subject, left.rank) == (second.subject, 1)
    desk.clock.advance(days=1000)
    with desk.database.read() as connection:
        assert standing(connection, [(second,)], desk.clock.now()) == ((),)


def test_no_search_committed_after_a_withdrawal_names_the_person(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """While officers search at once, a withdrawal cuts: by the log's order, no later search has the candidate."""
    desk.listed("wanted", {"N-1": sample_people[0], "N-2": sample_people[1]})
    picture = clips.retaken(sample_people[0])
    subject = identify(desk, picture).candidates[0].subject
    stop = threading.Event()
    found: list[bool] = []

    def search() -> None:
        while not stop.is_set():
            found.append(identify(desk, picture).matched)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    desk.until(lambda: len(found) >= 3)
    desk.withdraw(subject)
    settled = len(found)
    desk.until(lambda: len(found) >= settled + 6)
    stop.set()
    for thread in threads:
        thread.join()
    log = desk.installation.audit
    (withdrawn,) = log.list(EventFilter(action="subject.withdrawn"), 10, "").items
    searches = log.list(EventFilter(action="operator.search"), 1000, "").items
    named = {event.seq: bool(json.loads(event.leaf)["refs"]["subjects"]) for event in searches}
    assert all(matched == (seq < withdrawn.seq) for seq, matched in named.items())
    assert {True, False} == set(named.values())
    assert not any(found[settled + len(threads) :])
