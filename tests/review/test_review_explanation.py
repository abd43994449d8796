"""Why the system proposed somebody: for who has looked for themself, with figures that were measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.embed.decoding import decode_picture
from frs.embed.engine import FaceEngine
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.review.explanation import sentences_for
from frs.review.explanations import Explanations
from frs.review.saliency import saliency_of
from frs.review.score_meaning import curve_for, false_matches, in_gallery, meaning_of
from frs.store.schema import review_case
from frs.types import Candidate, ScoreCurve
from tests.conftest import open_installation
from tests.manual_clock import ManualClock
from tests.match.stage import details
from tests.review.picture_desk import ELSEWHERE, OVERSIGHT, REVIEWER, PictureDesk, open_desk

CURVE = ScoreCurve("single", 1_000_000, 1000, ((0.5, 100_000), (0.6, 1000), (0.7, 10), (0.8, 0)), "a set, on a day")


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, engine: FaceEngine, starter_pack: Pack, sample_people: tuple[bytes, ...]
) -> Iterator[PictureDesk]:
    for place in open_installation(tmp_path_factory.mktemp("explained"), engine, starter_pack, ManualClock()):
        yield open_desk(place, sample_people)


@pytest.fixture
def explanations(desk: PictureDesk, engine: FaceEngine) -> Explanations:
    place, stage = desk.stage.installation, desk.stage
    return Explanations(place.store.database, place.audit, desk.pictures, engine, stage.settings.review, stage.clock)


def refusal(act: object, *said: object, **more: object) -> Reason:
    with pytest.raises(FrsError) as caught:
        act(*said, **more)  # type: ignore[operator]  # a bound method
    return caught.value.reason


def test_only_who_has_looked_for_themself_is_told(desk: PictureDesk, explanations: Explanations) -> None:
    """A reviewer gets an explanation after their own observation, oversight any time, nobody outside their scope."""
    clock, explain = desk.stage.clock, explanations.explain
    desk.claim(REVIEWER, clock.now() + timedelta(minutes=5))
    desk.observed(REVIEWER, None)
    assert refusal(explain, REVIEWER, desk.case) is Reason.OBSERVATION_REQUIRED
    assert refusal(explain, replace(REVIEWER, name="omar"), desk.case) is Reason.OBSERVATION_REQUIRED
    both = replace(REVIEWER, name="both", roles=REVIEWER.roles | OVERSIGHT.roles)
    assert refusal(explain, both, desk.case) is Reason.OBSERVATION_REQUIRED
    assert refusal(explain, ELSEWHERE, desk.case) is Reason.CASE_NOT_FOUND
    assert "review.explained" not in desk.stage.actions(alert=desk.alert)
    desk.observed(REVIEWER, clock.now())
    assert refusal(explain, REVIEWER, desk.case, "f" * 32) is Reason.INVALID_FIELD
    told = explain(REVIEWER, desk.case, desk.row.subject_id)
    assert told.candidate.score == desk.row.score
    assert (told.reference_source, told.reference_taken_on, told.reference_age_days) == ("custody", "2025-06-01", 274)
    assert told.seen_seconds == pytest.approx(desk.row.seen_seconds)
    assert told.meaning.gallery_size == 3
    assert told.saliency_png == b""
    assert explain(OVERSIGHT, desk.case).sentences == told.sentences
    event = desk.stage.events(alert=desk.alert)[-1]
    assert event.action == "review.explained"
    assert details(event) == {"case": desk.case, "subject": desk.row.subject_id, "with_saliency": False}


def test_the_map_shows_both_faces_to_who_may_see_them(desk: PictureDesk, explanations: Explanations) -> None:
    """Four tiles as one PNG for the holder of the claim; not once it has ended, nor when the case is closed."""
    clock, explain = desk.stage.clock, explanations.explain
    desk.claim(REVIEWER, clock.now() + timedelta(minutes=5))
    desk.observed(REVIEWER, clock.now())
    told = explain(REVIEWER, desk.case, with_saliency=True)
    assert told.saliency_png.startswith(b"\x89PNG")
    assert decode_picture(told.saliency_png, 1 << 24, 1 << 24).shape == (224, 4 * 224 + 3 * 8, 3)
    assert any("map" in sentence for sentence in told.sentences)
    assert details(desk.stage.events(alert=desk.alert)[-1])["with_saliency"] is True
    desk.claim(replace(REVIEWER, name="omar"), clock.now() + timedelta(minutes=5))
    assert refusal(explain, REVIEWER, desk.case, with_saliency=True) is Reason.CASE_NOT_CLAIMED
    desk.claim(REVIEWER, clock.now() - timedelta(seconds=1))
    assert refusal(explain, REVIEWER, desk.case, with_saliency=True) is Reason.CASE_NOT_CLAIMED
    desk.close()
    for who in (REVIEWER, OVERSIGHT):
        assert refusal(explain, who, desk.case, with_saliency=True) is Reason.CASE_CLOSED
        assert explain(who, desk.case).sentences


def test_what_is_gone_is_not_explained(desk: PictureDesk, explanations: Explanations) -> None:
    """Without its pictures a match has no explanation, and no figures are told of it."""
    sealed = desk.row.probe_sealed
    desk.change(probe_sealed=None)
    assert refusal(explanations.explain, OVERSIGHT, desk.case) is Reason.ERASED
    desk.change(probe_sealed=sealed)


def test_regions_that_carry_the_likeness_are_on_the_face(engine: FaceEngine, sample_people: tuple[bytes, ...]) -> None:
    """The same face twice: what carries the score lies in the middle of both, and both maps agree."""
    found = saliency_of(engine, sample_people[0], sample_people[0], 5)
    assert found.score > 0.99
    assert found.probe.shape == (5, 5)
    assert np.allclose(found.probe, found.reference, atol=1e-5)
    assert found.probe[1:4, 1:4].max() == found.probe.max() > 0
    with pytest.raises(FrsError) as caught:
        saliency_of(engine, _grey(), sample_people[0], 5)
    assert caught.value.reason is Reason.NO_FACE


def test_rates_are_read_off_the_curve() -> None:
    """At a counted score its count stands, between two the line of logarithms; beyond the last the last."""
    assert false_matches(CURVE, 0.6) == 1000
    assert false_matches(CURVE, 0.65) == pytest.approx(100)
    assert false_matches(CURVE, 0.75) == 10  # the greater of 10 and 0
    assert false_matches(CURVE, 0.95) == 0
    assert false_matches(CURVE, 0.3) == CURVE.comparisons
    told = meaning_of(CURVE, 0.6, 500)
    assert told.false_match_rate == 0.001
    assert told.false_match_rate_95 == pytest.approx((0.000939, 0.001064), rel=1e-3)  # exact, by binomtest
    assert told.stranger_rate == pytest.approx(1 - 0.999**500)
    assert meaning_of(CURVE, 0.99, 500).false_match_rate_95 == pytest.approx((0.0, 3.6889e-6), rel=1e-3)


@settings(max_examples=60)
@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 10**7))
def test_a_higher_score_is_never_commoner(one: float, other: float, people: int) -> None:
    """Rates fall with the score and grow with the gallery, within 0 and 1 and within their intervals."""
    low, high = (meaning_of(CURVE, score, people) for score in sorted((one, other)))
    assert low.false_match_rate >= high.false_match_rate
    assert low.stranger_rate >= high.stranger_rate
    for told in (low, high):
        assert 0 <= told.false_match_rate_95[0] <= told.false_match_rate <= told.false_match_rate_95[1] <= 1
        assert 0 <= told.stranger_rate_95[0] <= told.stranger_rate <= told.stranger_rate_95[1] <= 1
        assert told.stranger_rate <= in_gallery(told.false_match_rate, people + 1)
    assert math.isclose(in_gallery(1e-12, 1_000_000), 1e-6, rel_tol=1e-5)


def test_another_models_score_has_no_meaning_here(desk: PictureDesk, engine: FaceEngine) -> None:
    """A curve is of one model and profile, and of tracks or of single photographs; without one the words say so."""
    candidate = _candidate(desk, engine)
    assert candidate.frames > 1
    track = curve_for(engine.model, candidate)
    single = curve_for(engine.model, replace(candidate, frames=1))
    assert track is not None
    assert single is not None
    assert (track.of, single.of) == ("track", "single")
    assert curve_for(engine.model, replace(candidate, model="other@1")) is None
    assert curve_for(engine.model, replace(candidate, profile="plain")) is None
    unknown = meaning_of(None, candidate.score, 10)
    assert not unknown.calibrated
    text = " ".join(sentences_for(candidate, unknown, 2.0, ("custody", "2015-01-01", 4000)))
    assert "no calibration" in text
    assert "faces change" in text
    assert candidate.nominal not in text


@pytest.mark.parametrize(
    ("rank", "margin", "said"),
    [
        (1, None, ["There is nobody else on the lists searched to tell this person from."]),
        (1, 0.1, ["The next person on the lists scores 0.100 less."]),
        (2, 0.1, ["One candidate of the list scores higher than this one.", "The next person on the lists scores"]),
        (4, None, ["3 candidates score higher than this one."]),
    ],
)
def test_a_candidate_further_down_is_told_from_those_above(
    desk: PictureDesk, engine: FaceEngine, rank: int, margin: float | None, said: list[str]
) -> None:
    """The last of a list has nobody below, which is not to say that there is nobody else."""
    candidate = replace(_candidate(desk, engine), rank=rank, margin=margin)
    told = sentences_for(candidate, meaning_of(None, candidate.score, 10), 2.0, ("custody", "2025-01-01", 40))
    found = [sentence for sentence in told if sentence.startswith(("There is", "The next", "One cand", "3 cand"))]
    assert [sentence[: len(start)] for sentence, start in zip(found, said, strict=True)] == said


def _candidate(desk: PictureDesk, engine: FaceEngine) -> Candidate:
    return desk.stage.alerts.list().items[0].candidate


def _grey() -> bytes:
    from frs.embed.decoding import encode_jpeg

    return encode_jpeg(np.full((200, 200, 3), 120, np.uint8))


@pytest.mark.parametrize(
    ("score", "people", "said"),
    [
        (0.6, 40, "score this high in 1 of 1,000 comparisons (95% interval: 1 of 1,100 to 1 of 940)"),
        (0.6, 40, "With 40 people on the lists searched, 1 of 25 strangers would find somebody at this score (1 of 27"),
        (0.6, 400, "With 400 people on the lists searched, 33% of strangers would find somebody"),
        (0.9, 40, "never scored this high: they do in at most 1 of 270,000 comparisons"),
        (0.9, 1, "With one person on the lists searched, at most 1 of 270,000 strangers would find"),
    ],
)
def test_rates_are_said_as_people_say_them(
    desk: PictureDesk, engine: FaceEngine, score: float, people: int, said: str
) -> None:
    """One in so many, to two figures, with what it was counted in."""
    told = sentences_for(_candidate(desk, engine), meaning_of(CURVE, score, people), 2.0, ("", "", None))
    assert any(said in sentence for sentence in told), told
    assert any("1,000,000 comparisons of two photographs, among 1,000 people" in sentence for sentence in told)


def test_a_check_is_explained_as_an_alert_is(
    desk: PictureDesk, engine: FaceEngine, explanations: Explanations, sample_people: tuple[bytes, ...]
) -> None:
    """A known pair has the same pictures, figures and sentences as an alert; once an alert's would be gone, none."""
    shown, case = desk.plant_check(sample_people[0], _candidate(desk, engine))
    with desk.stage.installation.store.database.read() as connection:
        pictures = desk.pictures.of(connection, case)
    assert set(pictures.references) == {shown.candidate.reference}
    assert pictures.frame == b""  # alerts keep none either, as this check was made
    check = explanations.explain(OVERSIGHT, case)
    assert (check.reference_source, check.reference_age_days) == ("custody", 273)
    alerted = explanations.explain(OVERSIGHT, desk.case)
    assert check.sentences[1] == alerted.sentences[1]
    assert check.meaning == replace(alerted.meaning, gallery_size=3)
    desk.write(sa.update(review_case).where(review_case.c.id == case).values(shown=shown.without_pictures().as_json()))
    assert refusal(explanations.explain, OVERSIGHT, case) is Reason.ERASED


def test_a_candidate_list_is_explained_by_subject(
    desk: PictureDesk, engine: FaceEngine, explanations: Explanations, sample_people: tuple[bytes, ...]
) -> None:
    """Of a candidate list the one that is asked for; the first when none is; with no frame and no date of capture."""
    case, people = desk.plant_list(sample_people[0], _candidate(desk, engine))
    assert explanations.explain(OVERSIGHT, case).candidate.rank == 1
    told = explanations.explain(OVERSIGHT, case, people[1], with_saliency=True)
    assert (told.candidate.rank, told.candidate.subject) == (2, people[1])
    assert (told.seen_seconds, told.meaning.gallery_size, told.reference_age_days) == (1.5, 3, None)
    assert told.saliency_png
