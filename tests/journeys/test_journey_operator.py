"""Operator-initiated searches over a real service: found, not found, refused, and the outcome that is owed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from frs.v1 import operator_pb2, operator_pb2_grpc, oversight_pb2, oversight_pb2_grpc, watchlist_pb2
from tests.journeys.asking import photograph, refusal
from tests.journeys.conftest import Desk, ahead
from tests.journeys.pictures import bomb, empty_frame, sixty_megapixels
from tests.journeys.service import Service

pytestmark = pytest.mark.journey


@pytest.fixture
def officer(service: Service) -> Any:
    return service.stub(operator_pb2_grpc.OperatorServiceStub, "officer")


def test_a_person_on_a_list_is_found_and_the_outcome_is_owed_once(
    service: Service, officer: Any, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """Candidates come with their explanation; the officer decides, once, and nobody else can."""
    answer = officer.Identify(photograph(sample_people[1], wanted.name))
    assert answer.matched
    assert answer.outcome_owed
    best = answer.candidates[0]
    assert (best.rank, best.nominal, best.watchlist) == (1, "NOM-1", wanted.name)
    assert best.score >= best.threshold
    assert best.model.startswith("starter@")
    assert best.reference_image_jpeg[:2] == b"\xff\xd8"
    assert (best.probe_quality.size, best.reference_quality.size) > (32, 32)
    assert [(item.watchlist, item.version) for item in answer.searched] == [(wanted.name, wanted.version)]
    owed = officer.ListSearches(operator_pb2.ListSearchesRequest(outcome_state=operator_pb2.OUTCOME_STATE_OWED))
    assert answer.search in [search.name for search in owed.searches]
    assert owed.owed_count == answer.outcomes_owed

    decision = operator_pb2.RecordOutcomeRequest(
        name=answer.search, outcome=operator_pb2.OUTCOME_SAME_PERSON, reason="tattoo on the neck"
    )
    other = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer2")
    assert refusal(other.RecordOutcome, decision).reason == "SEARCH_NOT_FOUND"
    theirs = other.ListSearches(operator_pb2.ListSearchesRequest()).searches
    assert answer.search not in [search.name for search in theirs]
    recorded = officer.RecordOutcome(decision)
    assert (recorded.officer, recorded.outcome) == ("officer", operator_pb2.OUTCOME_SAME_PERSON)
    assert recorded.candidates[0].reference_image_jpeg == b""
    assert refusal(officer.RecordOutcome, decision).reason == "OUTCOME_RECORDED"
    seen = service.stub(operator_pb2_grpc.OperatorServiceStub, "oversight").ListSearches(
        operator_pb2.ListSearchesRequest()
    )
    assert answer.search in [search.name for search in seen.searches]


def test_a_stranger_is_an_explicit_no_match(
    officer: Any, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """Nothing is owed, and there is nothing to decide."""
    answer = officer.Identify(photograph(sample_people[5], wanted.name))
    assert not answer.matched
    assert not answer.outcome_owed
    assert list(answer.candidates) == []
    assert answer.quality.size > 0
    decision = operator_pb2.RecordOutcomeRequest(
        name=answer.search, outcome=operator_pb2.OUTCOME_NOT_SAME_PERSON, reason="nobody found"
    )
    assert refusal(officer.RecordOutcome, decision).reason == "OUTCOME_NOT_OWED"


def test_every_search_is_in_the_log_before_its_answer(
    service: Service, officer: Any, wanted: watchlist_pb2.Watchlist, sample_people: tuple[bytes, ...]
) -> None:
    """The event names the search; the payload holds reason and power, the leaf does not."""
    answer = officer.Identify(photograph(sample_people[2], wanted.name, reason="found wandering"))
    stub = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    (event,) = stub.ListEvents(oversight_pb2.ListEventsRequest(search=answer.search, action="operator.search")).events
    whole = stub.GetEvent(oversight_pb2.GetEventRequest(name=event.name))
    assert "found wandering" in whole.payload_json
    assert b"found wandering" not in whole.leaf


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("empty", "PICTURE_EMPTY"),
        ("truncated", "PICTURE_TRUNCATED"),
        ("text", "PICTURE_UNREADABLE"),
        ("zeros", "PICTURE_UNREADABLE"),
        ("60 megapixels", "PICTURE_TOO_MANY_PIXELS"),
        ("bomb", "PICTURE_TOO_MANY_PIXELS"),
        ("21 MB", "PICTURE_TOO_LARGE"),
        ("22 MiB", "MESSAGE_TOO_LARGE"),
        ("nobody", "NO_FACE"),
        ("six people", "SEVERAL_FACES"),
    ],
)
def test_a_picture_that_cannot_be_searched_is_told(
    officer: Any,
    wanted: watchlist_pb2.Watchlist,
    sample_people: tuple[bytes, ...],
    group_picture: bytes,
    what: str,
    reason: str,
) -> None:
    """Each with its own reason, none with a crash or a long wait."""
    pictures: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "truncated": lambda: sample_people[0][: len(sample_people[0]) * 2 // 3],
        "text": lambda: b"<html>not a picture</html>",
        "zeros": lambda: b"\0" * 5000,
        "60 megapixels": sixty_megapixels,
        "bomb": bomb,
        "21 MB": lambda: sample_people[0] + b"\0" * (20 << 20),
        "22 MiB": lambda: b"x" * (22 << 20),
        "nobody": empty_frame,
        "six people": lambda: group_picture,
    }
    request = photograph(pictures[what](), wanted.name)
    started = time.monotonic()
    assert refusal(officer.Identify, request).reason == reason
    assert time.monotonic() - started < 15


def test_all_wrong_fields_are_named_at_once(officer: Any) -> None:
    """One answer, five problems."""
    request = operator_pb2.IdentifyRequest(watchlists=["night", "watchlists/a", "watchlists/a"], max_candidates=101)
    error = refusal(officer.Identify, request)
    assert error.reason == "INVALID_FIELD"
    assert set(error.violations) == {
        "reason",
        "legal_power",
        "device",
        "watchlists",
        "watchlists[0]",
        "max_candidates",
    }


def test_lists_that_may_not_be_searched_are_refused(
    service: Service, desk: Desk, officer: Any, sample_people: tuple[bytes, ...]
) -> None:
    """Unknown, draft, retired and expired lists, each with its reason; an expired one from its instant on."""
    person = sample_people[0]
    assert refusal(officer.Identify, photograph(person, "watchlists/none")).reason == "WATCHLIST_NOT_FOUND"
    draft = desk.draft()
    desk.enrol(draft.name, "NOM-D", person)
    assert refusal(officer.Identify, photograph(person, draft.name)).reason == "WATCHLIST_NOT_ACTIVE"
    short = desk.active_list([person], expire_time=ahead(seconds=2.5))
    assert officer.Identify(photograph(person, short.name)).matched
    time.sleep(2.5)
    assert refusal(officer.Identify, photograph(person, short.name)).reason == "WATCHLIST_EXPIRED"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("searches/0123456789abcdef0123456789abcdef", "SEARCH_NOT_FOUND"), ("searches/", "INVALID_FIELD")],
)
def test_an_outcome_for_a_search_that_is_not_there(officer: Any, name: str, reason: str) -> None:
    """Unknown ids and malformed names are told apart."""
    request = operator_pb2.RecordOutcomeRequest(name=name, outcome=operator_pb2.OUTCOME_SAME_PERSON, reason="abc")
    assert refusal(officer.RecordOutcome, request).reason == reason
