"""Enrolment: who comes onto a list, what is refused, what is warned of, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.errors import FrsError, Reason
from frs.store.schema import reference_image, subject
from frs.types import Picture, QualityReason, new_id
from frs.watchlist.model import Grading, SubjectState, WatchlistChanges, WatchlistState
from tests.installation import Installation
from tests.watchlist.watchlist_drafts import MANAGER, OFFICER, Desk, actions, details, image, person, watchlist_draft


@pytest.fixture
def desk(module_installation: Installation) -> Desk:
    """Return an installation with an empty draft of a name of its own."""
    name = f"list-{new_id()}"
    module_installation.watchlists.create(MANAGER, watchlist_draft(module_installation.clock.now(), name))
    return Desk(module_installation, name)


def picture(data: bytes) -> Picture:
    return decode_picture(data, 1 << 24, 1 << 24)


def beside(one: bytes, other: bytes, scale: float = 1.0) -> bytes:
    """Return one picture with another, scaled, to its right."""
    left, right = picture(one), picture(other)
    right = cv2.resize(right, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((max(len(left), len(right)), left.shape[1] + right.shape[1], 3), 128, np.uint8)
    canvas[: len(left), : left.shape[1]] = left
    canvas[: len(right), left.shape[1] :] = right
    return encode_jpeg(canvas)


def refused(desk: Desk, reason: Reason, match: str, draft: Any, *images: Any) -> FrsError:
    """Enrol, expect the refusal, and check that it is logged and that nothing was kept."""
    before = desk.found()
    with pytest.raises(FrsError, match=match) as caught:
        desk.watchlists.enrol(MANAGER, desk.name, draft, images)
    assert caught.value.reason is reason
    assert desk.found() == before
    assert desk.at.galleries.revision(desk.name) == before.revision
    assert actions(desk.at, watchlist=desk.name)[-1] == "enrolment.refused"
    assert details(desk.at, "enrolment.refused")["reason"] == reason
    return caught.value


def test_a_person_is_enrolled_with_images_and_found(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """What was said is stored, the images are searchable at once, and the log tells all but the pictures."""
    draft = person("N-7", grading=Grading.RED, under_18=True, under_18_rationale="missing, aged 9")
    images = [image(sample_people[0]), image(sample_people[0] + b"\x00", "family", "2024-12-31")]
    made = desk.watchlists.enrol(MANAGER, desk.name, draft, images)
    assert made.warnings == ()
    assert made.subject == desk.watchlists.get_subject(made.subject.id)
    assert (made.subject.nominal, made.subject.grading, made.subject.state) == ("N-7", "red", SubjectState.ENROLLED)
    assert [(i.source, i.taken_on) for i in made.subject.images] == [
        ("custody", "2025-06-01"),
        ("family", "2024-12-31"),
    ]
    assert all(i.quality.usable and i.model == desk.at.engine.model.id for i in made.subject.images)
    changed = desk.found()
    assert (changed.version, changed.revision, changed.subject_count, changed.image_count) == (2, 1, 1, 2)
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[0]).faces[:1])
    (hits,) = desk.at.galleries.search(probe, [desk.name], 5)
    assert [(hit.subject, hit.score > 0.99) for hit in hits] == [(made.subject.id, True)]
    told = details(desk.at, "subject.enrolled")
    assert [i["sha256"] for i in told["images"]] == [i.sha256 for i in made.subject.images]
    assert told["under_18_rationale"] == "missing, aged 9"
    assert actions(desk.at, watchlist=desk.name, subject="N-7") == ["subject.enrolled"]


def test_the_lists_grading_is_taken_when_none_is_stated(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A subject without a grading has the list's."""
    desk.watchlists.update(MANAGER, desk.name, WatchlistChanges(grading=Grading.GREEN))
    assert desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject.grading == "green"


def test_a_picture_without_a_face_is_refused(desk: Desk) -> None:
    """No face, no enrolment; the second picture of two is named."""
    blank = encode_jpeg(np.full((300, 300, 3), 120, np.uint8))
    error = refused(desk, Reason.NO_FACE, "Image 1: No face", person(), image(blank))
    assert error.metadata["image"] == "1"


def test_one_bad_picture_refuses_the_whole_enrolment(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Nothing is kept of the good picture either."""
    blank = encode_jpeg(np.full((300, 300, 3), 120, np.uint8))
    refused(desk, Reason.NO_FACE, "Image 2", person(), image(sample_people[0]), image(blank))
    with desk.at.store.database.read() as connection:
        for table in (subject, reference_image):
            assert connection.execute(sa.select(table).where(table.c.watchlist_id == desk.name)).all() == []


def test_a_picture_of_several_people_is_refused(desk: Desk, group_picture: bytes) -> None:
    """It is not for the machine to choose who is meant."""
    error = refused(desk, Reason.SEVERAL_FACES, "shows 6 faces", person(), image(group_picture))
    assert error.metadata["faces"] == "6"


def test_two_people_of_like_size_are_refused(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A second face of half the size may be the one that is meant."""
    both = beside(sample_people[0], sample_people[2], 0.7)
    refused(desk, Reason.SEVERAL_FACES, "shows 2 faces", person(), image(both))


def test_a_small_face_in_the_background_is_passed_over_and_said(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Under a quarter of the area it is nobody who could be meant; the answer says that it was passed over."""
    crowd = beside(sample_people[0], sample_people[2], 0.33)
    assert len(desk.at.engine.analyse(crowd).faces) == 2
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(crowd)])
    assert len(made.warnings) == 1
    assert "Image 1: a face in the background" in made.warnings[0]
    assert len(made.subject.images) == 1


def test_poor_quality_is_refused_with_its_reasons(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A blurred face is refused with the reason and the measurements."""
    blurred = encode_jpeg(cv2.GaussianBlur(picture(sample_people[0]), (0, 0), 4))
    error = refused(desk, Reason.FACE_QUALITY_TOO_LOW, "too-blurred .*sharpness", person(), image(blurred))
    assert "too-blurred" in error.metadata["reasons"].split(", ")


def test_enrolment_asks_for_a_larger_face_than_matching(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A face that is large enough to be matched may be too small to be enrolled."""
    whole = picture(sample_people[0])
    small = encode_jpeg(cv2.resize(whole, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), 98)
    (face, *_) = desk.at.engine.analyse(small).faces
    least = desk.at.settings.quality
    assert least.min_face < face.quality.size < least.min_face_enrol
    error = refused(desk, Reason.FACE_QUALITY_TOO_LOW, "too-small", person(), image(small))
    assert QualityReason.TOO_SMALL in error.metadata["reasons"]


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + b"\x00" * 50])
def test_what_is_no_picture_is_refused(desk: Desk, data: bytes) -> None:
    """Empty, foreign and broken files are refused by their number."""
    with pytest.raises(FrsError, match="Image 1"):
        desk.watchlists.enrol(MANAGER, desk.name, person(), [image(data)])
    assert actions(desk.at, watchlist=desk.name)[-1] == "enrolment.refused"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lawfully_held": False}, Reason.IMAGE_NOT_LAWFUL),
        ({"under_18": True}, Reason.RATIONALE_REQUIRED),
        ({"under_18": True, "under_18_rationale": "  "}, Reason.RATIONALE_REQUIRED),
        ({"nominal": " "}, Reason.INVALID_FIELD),
        ({"justification": "x"}, Reason.INVALID_FIELD),
    ],
)
def test_the_policy_on_entries_holds(
    desk: Desk, sample_people: tuple[bytes, ...], changes: dict[str, Any], reason: Reason
) -> None:
    """Lawfulness, the rationale for minors, a nominal and a justification are demanded, and refusals logged."""
    refused(desk, reason, r"\w", person(**changes), image(sample_people[0]))


@pytest.mark.parametrize("taken_on", ["2026-13-01", "20250601", "yesterday", "", "2999-03-04"])
def test_a_picture_has_a_date_in_the_past(desk: Desk, sample_people: tuple[bytes, ...], taken_on: str) -> None:
    """Dates are ISO 8601 in full, and a picture is not from the future."""
    refused(desk, Reason.INVALID_FIELD, "taken_on", person(), image(sample_people[0], taken_on=taken_on))


def test_the_number_of_images_is_limited(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """None is too few, more than the policy allows too many."""
    refused(desk, Reason.INVALID_FIELD, "images", person())
    many = [image(sample_people[0] + bytes([n])) for n in range(21)]
    refused(desk, Reason.TOO_MANY_IMAGES, "21 images", person(), *many)


def test_a_nominal_stands_once_on_a_list(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A second enrolment of the nominal is refused while the first stands, and allowed once it is withdrawn."""
    first = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    refused(desk, Reason.SUBJECT_EXISTS, first.id, person(), image(sample_people[1]))
    desk.watchlists.withdraw(MANAGER, first.id, "warrant executed")
    again = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    assert again.id != first.id


def test_the_same_picture_is_enrolled_once_for_a_subject(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Twice in one request or added again: refused."""
    one = image(sample_people[0])
    refused(desk, Reason.IMAGE_EXISTS, "given twice", person(), one, one)
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [one]).subject
    with pytest.raises(FrsError, match="already") as caught:
        desk.watchlists.add_image(MANAGER, made.id, one)
    assert caught.value.reason is Reason.IMAGE_EXISTS
    assert caught.value.metadata["existing"] == made.images[0].id
    assert actions(desk.at, watchlist=desk.name)[-1] == "enrolment.refused"


def test_an_added_image_is_searched(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A second image is a second reference of the same subject."""
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    added = desk.watchlists.add_image(MANAGER, made.id, image(sample_people[3], "passport"))
    assert [i.source for i in added.subject.images] == ["custody", "passport"]
    probe = desk.at.engine.embed(desk.at.engine.analyse(sample_people[3]).faces[:1])
    (hits,) = desk.at.galleries.search(probe, [desk.name], 5)
    assert [(hit.subject, hit.reference) for hit in hits] == [(made.id, added.subject.images[1].id)]
    assert actions(desk.at, watchlist=desk.name, subject="N-1") == ["subject.enrolled", "subject.image-added"]


def test_more_images_than_the_policy_allows_are_not_added(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """The limit counts what is enrolled."""
    many = [image(sample_people[0] + bytes([n])) for n in range(20)]
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), many).subject
    with pytest.raises(FrsError) as caught:
        desk.watchlists.add_image(MANAGER, made.id, image(sample_people[0]))
    assert caught.value.reason is Reason.TOO_MANY_IMAGES


def test_a_first_image_like_somebody_elses_is_warned_of(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Where an image reaches a threshold of the list with another subject, the answer and the log name that subject."""
    first = desk.watchlists.enrol(MANAGER, desk.name, person("N-1"), [image(sample_people[0])]).subject
    second = desk.watchlists.enrol(MANAGER, desk.name, person("N-2"), [image(sample_people[0] + b" ")])
    assert len(second.warnings) == 1
    assert f"closer to subject {first.id} at " in second.warnings[0]
    assert details(desk.at, "subject.enrolled")["warnings"] == list(second.warnings)
    third = desk.watchlists.enrol(MANAGER, desk.name, person("N-3"), [image(sample_people[3])])
    assert third.warnings == ()


def test_an_image_closer_to_another_than_to_its_own_is_warned_of(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """An added image that belongs to somebody else on the list is noticed, though it is not refused."""
    first = desk.watchlists.enrol(MANAGER, desk.name, person("N-1"), [image(sample_people[0])]).subject
    second = desk.watchlists.enrol(MANAGER, desk.name, person("N-2"), [image(sample_people[3])]).subject
    wrong = desk.watchlists.add_image(MANAGER, second.id, image(sample_people[0] + b" "))
    assert len(wrong.warnings) == 1
    assert f"subject {first.id} " in wrong.warnings[0]
    right = desk.watchlists.add_image(MANAGER, second.id, image(sample_people[3] + b" "))
    assert right.warnings == ()


def test_an_expired_list_takes_nobody(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Without authority nothing is collected."""
    desk.at.clock.advance(days=30)
    refused(desk, Reason.WATCHLIST_EXPIRED, "expired", person(), image(sample_people[0]))


def test_unknown_lists_and_subjects_are_said_so(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A name that does not exist is no refusal and leaves no event."""
    before = actions(desk.at, watchlist=desk.name)
    with pytest.raises(FrsError) as caught:
        desk.watchlists.enrol(MANAGER, "nowhere", person(), [image(sample_people[0])])
    assert caught.value.reason is Reason.WATCHLIST_NOT_FOUND
    with pytest.raises(FrsError) as caught:
        desk.watchlists.add_image(MANAGER, "nobody", image(sample_people[0]))
    assert caught.value.reason is Reason.SUBJECT_NOT_FOUND
    assert actions(desk.at, watchlist=desk.name) == before


def test_biometrics_lie_sealed_alone(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Neither the template's nor the picture's bytes are in any file of the data directory."""
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    face = desk.at.engine.analyse(sample_people[0]).faces[0]
    template = desk.at.engine.embed([face])[0]
    with desk.at.store.database.read() as connection:
        crop = desk.watchlists.reference_crop(connection, made.images[0].id)
    assert decode_picture(crop, 1 << 24, 1 << 24).shape[2] == 3
    held = b"".join(path.read_bytes() for path in sorted(Path(desk.at.settings.data_dir).rglob("*")) if path.is_file())
    assert made.id.encode() in held
    for secret in (template.tobytes()[:64], crop[100:164], sample_people[0][100:164]):
        assert secret not in held


def test_an_approved_list_must_be_approved_anew(desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A new entry or image in an approved list sends it back to draft."""
    made = desk.watchlists.enrol(MANAGER, desk.name, person(), [image(sample_people[0])]).subject
    desk.watchlists.approve(OFFICER, desk.name)
    desk.watchlists.add_image(MANAGER, made.id, image(sample_people[0] + b" "))
    found = desk.found()
    assert (found.state, found.approved_by, found.approved_at) == (WatchlistState.DRAFT, None, None)
