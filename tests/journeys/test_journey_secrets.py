"""Nothing of people and no secret reaches what the service tells its operator: logs, metrics, health, leaves, errors.

Values are planted wherever a request can carry them, in calls that succeed, that are refused and that cannot be
decoded; then everything that the service has written or shows to an operator is searched for them.
"""

from __future__ import annotations

import base64
import contextlib
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from frs.v1 import (
    operator_pb2,
    operator_pb2_grpc,
    oversight_pb2,
    oversight_pb2_grpc,
    watchlist_pb2,
    watchlist_pb2_grpc,
)
from tests.journeys.conftest import Desk
from tests.journeys.service import Service

NOMINAL = "NOM-PLANTED-8213"
WORDS = "planted-words-5512"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.planted-token-9903.signature"
PLANTED = (NOMINAL, WORDS, "planted-token-9903")


@contextlib.contextmanager
def told() -> Iterator[list[str]]:
    """Collect what the refused call inside tells its caller."""
    said: list[str] = []
    with pytest.raises(grpc.RpcError) as caught:
        yield said
    error: Any = caught.value
    said += [str(error.details()), repr(error.trailing_metadata())]


def refusals(service: Service, desk: Desk, picture: bytes) -> list[str]:
    """Make calls that are refused, each with planted values; return what they were told."""
    said: list[str] = []
    lists = service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "manager")
    with told() as words:
        subject = watchlist_pb2.Subject(nominal=NOMINAL, justification=WORDS)
        image = watchlist_pb2.ImageDraft(data=b"no picture", source=WORDS, taken_on="2026-01-31")
        lists.EnrolSubject(watchlist_pb2.EnrolSubjectRequest(parent=desk.draft().name, subject=subject, images=[image]))
    said += words
    officers = service.stub(operator_pb2_grpc.OperatorServiceStub, "officer")
    with told() as words:
        officers.Identify(
            operator_pb2.IdentifyRequest(photograph=picture[:2000], reason=WORDS, legal_power=WORDS, device=WORDS)
        )
    said += words
    with told() as words:  # not this identity's to call
        service.stub(watchlist_pb2_grpc.WatchlistServiceStub, "officer").WithdrawSubject(
            watchlist_pb2.WithdrawSubjectRequest(name=f"watchlists/x/subjects/{NOMINAL}", reason=WORDS)
        )
    said += words
    with told() as words:
        lists.ListWatchlists(watchlist_pb2.ListWatchlistsRequest(), metadata=(("authorization", f"Bearer {TOKEN}"),))
    said += words
    raw: Any = service.channel("manager").unary_unary("/frs.v1.WatchlistService/CreateWatchlist")
    with told() as words:
        raw(b"\xff\xff" + WORDS.encode())
    return said + words


def test_nothing_planted_reaches_what_an_operator_sees(
    service: Service, desk: Desk, sample_people: tuple[bytes, ...]
) -> None:
    """Not in the service's log, its metrics, its health, the leaves of the log or what refused callers are told."""
    made = desk.draft(purpose=WORDS)
    desk.enrol(made.name, NOMINAL, sample_people[0])
    said = refusals(service, desk, sample_people[0])
    pages = [
        urllib.request.urlopen(f"http://{service.metrics_address}{path}", timeout=10).read().decode()
        for path in ("/metrics", "/health")
    ]
    oversight = service.stub(oversight_pb2_grpc.OversightServiceStub, "oversight")
    leaves = [
        leaf.decode() for item in oversight.StreamLeaves(oversight_pb2.StreamLeavesRequest()) for leaf in item.leaves
    ]
    shown = {"log": service.errors(), "pages": "\n".join(pages), "leaves": "\n".join(leaves), "told": "\n".join(said)}
    face = base64.b64encode(sample_people[0][200:260]).decode()
    for where, text in shown.items():
        assert text, where
        found = [planted for planted in (*PLANTED, face) if planted in text]
        assert found == [], f"{found} in {where}"
