"""A refusal by the watchlist room names the field by its path in the request, as the contract has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from frs.server.consultations import Consultations
from frs.server.instants import stamp
from frs.server.journal import Journal
from frs.server.watchlists import WatchlistServicer
from frs.server.workers import Workers
from frs.v1 import common_pb2, watchlist_pb2, watchlist_pb2_grpc
from tests.installation import Installation
from tests.server.rpc_errors import RichError, rich
from tests.watchlist.watchlist_drafts import MANAGER, image, person, watchlist_draft

LIVE = watchlist_pb2.Threshold(mode=common_pb2.MODE_LIVE, score=0.5)


@pytest.fixture
def service(
    run_edge: Callable[..., Any], module_installation: Installation
) -> Iterator[watchlist_pb2_grpc.WatchlistServiceStub]:
    """Give the real service, called over TLS."""
    at, workers = module_installation, Workers("test", 1, 4)
    consultations = Consultations(Journal(at.store.database, at.audit))

    def register(server: grpc.aio.Server, _: object) -> None:
        servicer = WatchlistServicer(at.watchlists, consultations, workers, workers, at.clock)
        watchlist_pb2_grpc.add_WatchlistServiceServicer_to_server(servicer, server)

    with run_edge(register).channel() as channel:
        yield watchlist_pb2_grpc.WatchlistServiceStub(channel)
    workers.close()


def refusal(call: Callable[[Any], Any], request: Any) -> RichError:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return rich(caught.value)


def definition(at: Installation, **changes: Any) -> watchlist_pb2.Watchlist:
    values: dict[str, Any] = {
        "purpose": "find people",
        "category": "wanted",
        "legal_basis": "PACE 1984",
        "authorising_officer": "Supt A",
        "expire_time": stamp(at.clock.now() + timedelta(days=1)),
    }
    return watchlist_pb2.Watchlist(**(values | changes))


def test_a_definitions_fields(
    service: watchlist_pb2_grpc.WatchlistServiceStub, module_installation: Installation
) -> None:
    """Expiry, thresholds and category, in a new definition and in a changed one."""
    at = module_installation
    at.watchlists.create(MANAGER, watchlist_draft(at.clock.now(), "kept"))
    for changes, reason, field in (
        ({"expire_time": stamp(at.clock.now())}, "INVALID_FIELD", "watchlist.expire_time"),
        ({"thresholds": [LIVE, LIVE]}, "INVALID_FIELD", "watchlist.thresholds"),
        ({"category": "enemies"}, "CATEGORY_NOT_ALLOWED", "watchlist.category"),
    ):
        made = watchlist_pb2.CreateWatchlistRequest(watchlist_id="new", watchlist=definition(at, **changes))
        changed = watchlist_pb2.UpdateWatchlistRequest(watchlist=definition(at, name="watchlists/kept", **changes))
        for error in (refusal(service.CreateWatchlist, made), refusal(service.UpdateWatchlist, changed)):
            assert (error.reason, error.metadata["field"]) == (reason, field)
            if reason == "INVALID_FIELD":
                assert list(error.violations) == [field]
                assert error.message.startswith(f"{field} must ")


def test_a_subjects_fields(service: watchlist_pb2_grpc.WatchlistServiceStub, module_installation: Installation) -> None:
    """What is said of the person, and of which of the pictures."""
    at = module_installation
    at.watchlists.create(MANAGER, watchlist_draft(at.clock.now(), "people"))
    good = watchlist_pb2.ImageDraft(data=b"x", source="custody", taken_on="2020-01-02")
    late = watchlist_pb2.ImageDraft(data=b"y", source="custody", taken_on="9999-01-02")
    for changes, images, reason, field in (
        ({"lawfully_held": False}, [good], "IMAGE_NOT_LAWFUL", "subject.lawfully_held"),
        ({"under_18": True}, [good], "RATIONALE_REQUIRED", "subject.under_18_rationale"),
        ({"under_18_rationale": "x"}, [good], "INVALID_FIELD", "subject.under_18_rationale"),
        ({}, [late], "INVALID_FIELD", "images[0].taken_on"),
        ({}, [good, late], "INVALID_FIELD", "images[1].taken_on"),
    ):
        values: dict[str, Any] = {"nominal": "N-1", "justification": "warrant 12", "lawfully_held": True}
        subject = watchlist_pb2.Subject(**(values | changes))
        request = watchlist_pb2.EnrolSubjectRequest(parent="watchlists/people", subject=subject, images=images)
        error = refusal(service.EnrolSubject, request)
        assert (error.reason, error.metadata["field"]) == (reason, field)
        assert list(error.violations) == ([field] if reason == "INVALID_FIELD" else [])


def test_an_added_pictures_fields(
    service: watchlist_pb2_grpc.WatchlistServiceStub,
    module_installation: Installation,
    sample_people: tuple[bytes, ...],
) -> None:
    """The one picture of the request is called by that name."""
    at = module_installation
    at.watchlists.create(MANAGER, watchlist_draft(at.clock.now(), "pictures"))
    made = at.watchlists.enrol(MANAGER, "pictures", person(), [image(sample_people[0])]).subject
    late = watchlist_pb2.ImageDraft(data=b"y", source="custody", taken_on="9999-01-02")
    request = watchlist_pb2.AddSubjectImageRequest(parent=f"watchlists/pictures/subjects/{made.id}", image=late)
    error = refusal(service.AddSubjectImage, request)
    assert (error.reason, error.metadata["field"]) == ("INVALID_FIELD", "image.taken_on")
    assert list(error.violations) == ["image.taken_on"]
