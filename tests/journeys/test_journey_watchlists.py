"""Watchlists over a real service: their life, who is on them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from frs.v1 import common_pb2, watchlist_pb2_grpc
from frs.v1 import watchlist_pb2 as pb
from tests.journeys.asking import refusal
from tests.journeys.conftest import Desk, ahead
from tests.journeys.pictures import bomb, empty_frame, sixty_megapixels
from tests.journeys.service import Service

pytestmark = pytest.mark.journey
NOWHERE = "watchlists/none/subjects/none"


@pytest.fixture
def manager(service: Service) -> Any:
    return service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")


@pytest.fixture
def superintendent(service: Service) -> Any:
    return service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "superintendent")


def enrolment(parent: str, *pictures: bytes, **subject: Any) -> pb.EnrolSubjectRequest:
    values = {"nominal": "NOM-7", "justification": "Warrant 7/26", "lawfully_held": True}
    return pb.EnrolSubjectRequest(
        parent=parent,
        subject=pb.Subject(**{**values, **subject}),
        images=[pb.ImageDraft(data=data, source="custody", taken_on="2026-01-31") for data in pictures],
    )


def test_the_life_of_a_list(manager: Any, superintendent: Any, desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Draft, approved, active, retired, in this order and by those whose duty it is; each change is a version."""
    made = desk.draft()
    assert (made.state, made.version, made.created_by) == (pb.WATCHLIST_STATE_DRAFT, 1, "manager")
    assert {item.mode: item.source for item in made.thresholds} == dict.fromkeys((1, 2, 3), "explicit")
    approve = pb.ApproveWatchlistRequest(name=made.name)
    assert refusal(superintendent.ApproveWatchlist, approve).reason == "WATCHLIST_EMPTY"
    assert refusal(manager.ApproveWatchlist, approve).reason == "PERMISSION_DENIED"
    desk.enrol(made.name, "NOM-0", sample_people[0])
    activate = pb.ActivateWatchlistRequest(name=made.name)
    assert refusal(superintendent.ActivateWatchlist, activate).reason == "WATCHLIST_WRONG_STATE"
    stale = pb.ApproveWatchlistRequest(name=made.name, version=1)
    assert refusal(superintendent.ApproveWatchlist, stale).reason == "WATCHLIST_CHANGED"
    approved = superintendent.ApproveWatchlist(approve)
    assert (approved.state, approved.approved_by) == (pb.WATCHLIST_STATE_APPROVED, "superintendent")
    active = superintendent.ActivateWatchlist(activate)
    assert (active.state, active.subject_count, active.image_count) == (pb.WATCHLIST_STATE_ACTIVE, 1, 1)
    retired = manager.RetireWatchlist(pb.RetireWatchlistRequest(name=made.name, reason="operation over"))
    assert retired.state == pb.WATCHLIST_STATE_RETIRED
    assert refusal(superintendent.ActivateWatchlist, activate).reason == "WATCHLIST_WRONG_STATE"


def test_a_change_names_its_fields(manager: Any, desk: Desk) -> None:
    """The mask says what changes; a version that is not the present one is refused; the rest stays."""
    made = desk.draft()
    change = pb.Watchlist(name=made.name, purpose="Missing people", category="missing", version=made.version)
    changed = manager.UpdateWatchlist(
        pb.UpdateWatchlistRequest(watchlist=change, update_mask=FieldMask(paths=["purpose"]))
    )
    assert (changed.purpose, changed.category) == ("Missing people", "wanted")
    again = pb.UpdateWatchlistRequest(watchlist=change, update_mask=FieldMask(paths=["category"]))
    assert refusal(manager.UpdateWatchlist, again).reason == "WATCHLIST_CHANGED"
    change.version = 0
    unmasked = manager.UpdateWatchlist(pb.UpdateWatchlistRequest(watchlist=change))
    assert (unmasked.category, unmasked.legal_basis) == ("missing", made.legal_basis)


def test_wrong_definitions_are_refused(manager: Any, desk: Desk) -> None:
    """All wrong fields at once; then what only the policy and the clock know."""
    bad = pb.CreateWatchlistRequest(
        watchlist_id="Night Watch",
        watchlist=pb.Watchlist(purpose="x", default_grading=9),  # type: ignore[arg-type]
    )
    assert set(refusal(manager.CreateWatchlist, bad).violations) == {
        "watchlist_id",
        "watchlist.purpose",
        "watchlist.category",
        "watchlist.legal_basis",
        "watchlist.authorising_officer",
        "watchlist.expire_time",
        "watchlist.default_grading",
    }
    made = desk.draft()
    copy = pb.Watchlist()
    copy.CopyFrom(made)
    identifier = made.name.rpartition("/")[2]
    request = pb.CreateWatchlistRequest(watchlist_id=identifier, watchlist=copy)
    assert refusal(manager.CreateWatchlist, request).reason == "WATCHLIST_EXISTS"
    copy.category = "nuisance"
    request = pb.CreateWatchlistRequest(watchlist_id=identifier + "-b", watchlist=copy)
    assert refusal(manager.CreateWatchlist, request).reason == "CATEGORY_NOT_ALLOWED"
    copy.category = "wanted"
    copy.expire_time.CopyFrom(ahead(seconds=-5))
    request = pb.CreateWatchlistRequest(watchlist_id=identifier + "-c", watchlist=copy)
    assert refusal(manager.CreateWatchlist, request).code.name in {"INVALID_ARGUMENT", "FAILED_PRECONDITION"}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("empty", "PICTURE_EMPTY"),
        ("truncated", "PICTURE_TRUNCATED"),
        ("text", "PICTURE_UNREADABLE"),
        ("60 megapixels", "PICTURE_TOO_MANY_PIXELS"),
        ("bomb", "PICTURE_TOO_MANY_PIXELS"),
        ("nobody", "NO_FACE"),
        ("six people", "SEVERAL_FACES"),
    ],
)
def test_a_picture_that_cannot_be_enrolled_keeps_nothing(
    manager: Any, desk: Desk, sample_people: tuple[bytes, ...], group_picture: bytes, what: str, reason: str
) -> None:
    """One bad picture among good ones refuses the whole enrolment."""
    pictures: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "truncated": lambda: sample_people[1][:1500],
        "text": lambda: b"not a picture",
        "60 megapixels": sixty_megapixels,
        "bomb": bomb,
        "nobody": empty_frame,
        "six people": lambda: group_picture,
    }
    made = desk.draft()
    request = enrolment(made.name, sample_people[0], pictures[what]())
    assert refusal(manager.EnrolSubject, request).reason == reason
    assert list(manager.ListSubjects(pb.ListSubjectsRequest(parent=made.name)).subjects) == []


def test_what_policy_asks_of_an_enrolment(manager: Any, desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Lawfully held, a rationale under 18, a nominal once, an image once."""
    made, person = desk.draft(), sample_people[0]
    assert refusal(manager.EnrolSubject, enrolment(made.name, person, lawfully_held=False)).reason == "IMAGE_NOT_LAWFUL"
    assert refusal(manager.EnrolSubject, enrolment(made.name, person, under_18=True)).reason == "RATIONALE_REQUIRED"
    assert set(refusal(manager.EnrolSubject, enrolment(made.name, nominal="")).violations) == {
        "subject.nominal",
        "images",
    }
    first = manager.EnrolSubject(enrolment(made.name, person)).subject
    assert (first.nominal, first.grading) == ("NOM-7", common_pb2.GRADING_RED)
    assert refusal(manager.EnrolSubject, enrolment(made.name, sample_people[1])).reason == "SUBJECT_EXISTS"
    same = pb.AddSubjectImageRequest(
        parent=first.name, image=pb.ImageDraft(data=person, source="custody", taken_on="2026-01-31")
    )
    assert refusal(manager.AddSubjectImage, same).reason == "IMAGE_EXISTS"
    same.image.data = sample_people[1]
    added = manager.AddSubjectImage(same)
    assert len(added.subject.images) == 2
    removed = manager.RemoveSubjectImage(
        pb.RemoveSubjectImageRequest(name=added.subject.images[1].name, reason="wrong person")
    )
    assert [image.name for image in removed.images] == [first.images[0].name]


def test_names_must_be_true(manager: Any, desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """A subject under another list's name, or an image under another subject's, is not found."""
    one, two = desk.draft(), desk.draft()
    person = desk.enrol(one.name, "NOM-1", sample_people[0])
    other = desk.enrol(one.name, "NOM-2", sample_people[1])
    foreign = person.name.replace(one.name, two.name)
    assert refusal(manager.GetSubject, pb.GetSubjectRequest(name=foreign)).reason == "SUBJECT_NOT_FOUND"
    withdraw = pb.WithdrawSubjectRequest(name=foreign, reason="not here")
    assert refusal(manager.WithdrawSubject, withdraw).reason == "SUBJECT_NOT_FOUND"
    image = f"{person.name}/images/{other.images[0].name.rpartition('/')[2]}"
    remove = pb.RemoveSubjectImageRequest(name=image, reason="not theirs")
    assert refusal(manager.RemoveSubjectImage, remove).reason == "IMAGE_NOT_FOUND"
    assert manager.GetSubject(pb.GetSubjectRequest(name=person.name)).state == pb.SUBJECT_STATE_ENROLLED


def test_reviewers_withdraw_nobody(
    service: Service, desk: Desk, manager: Any, sample_people: tuple[bytes, ...]
) -> None:
    """Whether it exists or not: the person of a vigilance check does not, and the answer would tell the check."""
    person = manager.EnrolSubject(enrolment(desk.draft().name, sample_people[0])).subject
    reviewer = service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "reviewer")
    answers = [
        refusal(reviewer.WithdrawSubject, pb.WithdrawSubjectRequest(name=name, reason="somebody else"))
        for name in (person.name, person.name[:-32] + "0" * 32)
    ]
    assert [answer.reason for answer in answers] == ["PERMISSION_DENIED"] * 2
    assert answers[0] == answers[1]
    assert manager.GetSubject(pb.GetSubjectRequest(name=person.name)).state == pb.SUBJECT_STATE_ENROLLED


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("GetWatchlist", pb.GetWatchlistRequest(name="watchlists/none"), "WATCHLIST_NOT_FOUND"),
        ("ListSubjects", pb.ListSubjectsRequest(parent="watchlists/none"), "WATCHLIST_NOT_FOUND"),
        ("GetSubject", pb.GetSubjectRequest(name=NOWHERE), "SUBJECT_NOT_FOUND"),
        ("GetSubject", pb.GetSubjectRequest(name="none"), "INVALID_FIELD"),
        ("WithdrawSubject", pb.WithdrawSubjectRequest(name=NOWHERE, reason="abc"), "SUBJECT_NOT_FOUND"),
        ("ListWatchlists", pb.ListWatchlistsRequest(page_size=1001), "INVALID_FIELD"),
        ("ListWatchlists", pb.ListWatchlistsRequest(page_token="made up"), "INVALID_PAGE_TOKEN"),
    ],
)
def test_unknown_ids_and_wrong_pages(manager: Any, method: str, request_: Any, reason: str) -> None:
    """What is not there, what has another form, and what no listing gave out."""
    assert refusal(getattr(manager, method), request_).reason == reason


def test_pages_cover_everything_once(manager: Any, desk: Desk, sample_people: tuple[bytes, ...]) -> None:
    """Page by page, each subject appears once; a token belongs to its filters."""
    made = desk.draft()
    for number in range(3):
        desk.enrol(made.name, f"NOM-{number}", sample_people[number])
    seen, token = [], ""
    while True:
        page = manager.ListSubjects(pb.ListSubjectsRequest(parent=made.name, page_size=2, page_token=token))
        seen += [subject.nominal for subject in page.subjects]
        if not page.next_page_token:
            break
        token = page.next_page_token
    assert seen == ["NOM-0", "NOM-1", "NOM-2"]
    other = pb.ListSubjectsRequest(parent=desk.draft().name, page_size=2, page_token=token)
    assert refusal(manager.ListSubjects, other).reason == "INVALID_PAGE_TOKEN"
