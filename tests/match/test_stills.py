"""Retrospective search of one still: every usable face, on an authority that lasts, logged first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frs.embed.decoding import crop_face, encode_jpeg
from frs.errors import FrsError, Reason
from frs.match.stills import StillResult
from frs.types import QualityReason
from tests.installation import Installation
from tests.match import clips
from tests.match.search_desk import INVESTIGATOR, SAME, SearchDesk, found_in


@pytest.fixture
def desk(installation: Installation) -> Iterator[SearchDesk]:
    yield from SearchDesk.over(installation)


def search(desk: SearchDesk, picture: bytes, *lists: str, most: int = 0, hours: float = 1) -> StillResult:
    return desk.stills.search(INVESTIGATOR, picture, desk.authority(hours), lists or ("wanted",), most)


def test_every_face_is_searched(desk: SearchDesk, sample_people: tuple[bytes, ...], group_picture: bytes) -> None:
    """In a picture of six, the two who are listed are found each at their own face; the others match nobody."""
    listed = desk.listed("wanted", {"N-1": clips.retaken(sample_people[1]), "N-4": clips.retaken(sample_people[4])})
    result = search(desk, group_picture)
    assert [face.number for face in result.faces] == [1, 2, 3, 4, 5, 6]
    by_place = sorted(result.faces, key=lambda face: face.box[0])
    assert [[each.nominal for each in face.candidates] for face in by_place] == [[], ["N-1"], [], [], ["N-4"], []]
    assert result.matched
    candidate = by_place[1].candidates[0]
    assert candidate.score >= candidate.threshold == SAME
    assert set(result.references) == {face.candidates[0].reference for face in (by_place[1], by_place[4])}
    assert [(entry.watchlist, entry.version) for entry in result.searched] == [("wanted", listed.version)]
    event = desk.last_event("search.still")
    assert (event["reason"], event["incident"], event["authorisation"]) == ("robbery", "INC-7", "AUTH-3")
    found = [each["nominal"] for face in event["faces"] for each in face["candidates"]]
    assert (sorted(found), len(event["faces"])) == (["N-1", "N-4"], 6)


def test_a_face_that_cannot_be_used_is_returned_with_the_reasons(
    desk: SearchDesk, sample_people: tuple[bytes, ...]
) -> None:
    """A blurred and a small face are named and not searched; the good one beside them is."""
    desk.listed("wanted", {"N-0": sample_people[0], "N-1": sample_people[1], "N-2": sample_people[2]}, score=0.5)
    picture = clips.side_by_side(
        clips.read(sample_people[0]), clips.read(clips.blurred(sample_people[1])), clips.scaled(sample_people[2], 0.2)
    )
    result = search(desk, picture)
    good, blurred, small = sorted(result.faces, key=lambda face: face.box[0])
    assert good.candidates[0].nominal == "N-0"
    assert QualityReason.TOO_BLURRED in blurred.quality.reasons
    assert QualityReason.TOO_SMALL in small.quality.reasons
    assert blurred.candidates == small.candidates == ()


def test_a_picture_without_a_face_matches_nobody(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """It is a search like any other: answered, and logged."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    result = search(desk, clips.blank())
    assert (result.faces, result.matched, result.references) == ((), False, {})
    assert desk.last_event("search.still")["faces"] == []


def test_an_authorisation_ends_at_its_instant(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """By the service's clock: at the expiry the search is refused, and the refusal is logged."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    authority = desk.authority(hours=1)
    desk.clock.advance(minutes=59, seconds=59)
    assert desk.stills.search(INVESTIGATOR, sample_people[0], authority, ("wanted",), 0).matched
    desk.clock.advance(seconds=1)
    with pytest.raises(FrsError) as refused:
        desk.stills.search(INVESTIGATOR, sample_people[0], authority, ("wanted",), 0)
    assert refused.value.reason is Reason.AUTHORISATION_EXPIRED
    event = desk.last_event("search.refused")
    assert (event["refused"], event["incident"]) == ("AUTHORISATION_EXPIRED", "INC-7")


def test_a_list_that_may_not_be_searched_refuses_all(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """One list that is a draft, unknown or expired refuses the search; none is silently left out."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    desk.listed("draft", {"N-1": sample_people[0]}, active=False)
    desk.listed("short", {"N-1": sample_people[0]}, days=1)
    desk.clock.advance(days=1)
    for name, reason in (
        ("draft", Reason.WATCHLIST_NOT_ACTIVE),
        ("short", Reason.WATCHLIST_EXPIRED),
        ("nowhere", Reason.WATCHLIST_NOT_FOUND),
    ):
        with pytest.raises(FrsError) as refused:
            search(desk, sample_people[0], "wanted", name)
        assert refused.value.reason is reason


def test_candidates_are_limited_for_each_face(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """The request's limit holds for each face by itself."""
    desk.listed("wide", {f"N-{number}": picture for number, picture in enumerate(sample_people)}, score=0.5)
    picture = clips.side_by_side(clips.read(sample_people[0]), clips.read(sample_people[3]))
    result = search(desk, picture, "wide", most=2)
    assert [len(face.candidates) for face in result.faces] == [2, 2]
    assert {face.candidates[0].nominal for face in result.faces} == {"N-0", "N-3"}
    assert [len(face.candidates) for face in search(desk, picture, "wide").faces] == [6, 6]


def test_a_search_that_cannot_be_logged_gives_no_candidates(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """With the log broken there is only the error."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    desk.break_log()
    with pytest.raises(FrsError) as refused:
        search(desk, sample_people[0])
    assert refused.value.reason is Reason.LOG_UNAVAILABLE


def test_nothing_of_the_still_is_left(desk: SearchDesk, sample_people: tuple[bytes, ...]) -> None:
    """Found or not, no file holds bytes of the picture, of its faces or of their templates; nor does memory."""
    desk.listed("wanted", {"N-1": sample_people[0]})
    picture = clips.side_by_side(clips.read(sample_people[0]), clips.read(sample_people[3]))
    analysis = desk.engine.analyse(picture)
    traces = {"picture": picture}
    for number, (face, template) in enumerate(zip(analysis.faces, desk.engine.embed(analysis.faces), strict=True)):
        traces[f"crop {number}"] = encode_jpeg(crop_face(analysis.picture, face.box))
        traces[f"aligned {number}"] = face.aligned.tobytes()
        traces[f"template {number}"] = template.tobytes()
    with desk.watching_analyses() as seen:
        assert search(desk, picture).matched
    assert not seen[0].picture.any()
    assert found_in(desk.data_dir, traces) == set()
    desk.close()
    assert found_in(desk.data_dir, traces) == set()
