"""Refused calls in the log: a trace of each who tries, no flood, and never another answer."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from frs.access.names import require_name
from frs.audit.log import EventFilter
from frs.errors import FrsError, Reason
from frs.server.journal import Journal
from frs.server.refusals import PATIENCE_SECONDS, UNAUTHENTICATED, Allowance, Refusals
from frs.server.workers import Workers
from frs.settings import Settings
from tests.audit_house import ALICE, BOB, AuditHouse
from tests.installation import lay_out
from tests.manual_clock import ManualClock

ONE, OTHER = "/frs.v1.OperatorService/Identify", "/frs.v1.ReviewService/GetAlert"
DENIED = FrsError(Reason.PERMISSION_DENIED, "alice may not call Identify")
EXPIRED = FrsError(Reason.UNAUTHENTICATED, "the client certificate is not accepted: it has expired")


class Seconds:
    """A monotonic clock under the test's control."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def house(tmp_path: Path) -> Iterator[AuditHouse]:
    settings = Settings(data_dir=tmp_path / "data")
    lay_out(settings)
    house = AuditHouse(settings, ManualClock())
    yield house
    house.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def refusals(house: AuditHouse, seconds: Seconds) -> Iterator[Refusals]:
    workers = Workers("refusals", 1, 100)
    yield Refusals(Journal(house.store.database, house.log), workers, seconds)
    workers.close()


def run(*calls: Coroutine[Any, Any, None]) -> None:
    """Let calls be refused at the same time."""

    async def together() -> None:
        await asyncio.gather(*calls)

    asyncio.run(together())


def logged(house: AuditHouse) -> list[dict[str, Any]]:
    """Return the payloads of the refusals in the log, oldest first."""
    events = house.log.list(EventFilter(action="access.refused"), 100, "").items
    return [dict(house.log.get(event.seq, open_payload=True).payload or {}) for event in events]


def test_a_refusal_says_who_tried_what(house: AuditHouse, refusals: Refusals) -> None:
    """The identity with its credential, the method and why; the event is there when the answer is given."""
    run(refusals.tell(ALICE, ONE, DENIED, b"certificate"))
    (payload,) = logged(house)
    assert payload["actor"] == {"name": "alice", "roles": ["officer", "reviewer"], "credential": "certificate:0a"}
    assert payload["details"] == {
        "method": ONE,
        "reason": "PERMISSION_DENIED",
        "why": "alice may not call Identify",
        "unlogged_before": 0,
        "unlogged_elsewhere": 0,
    }


def test_a_flood_is_one_event_a_minute_with_the_number_of_the_others(
    house: AuditHouse, refusals: Refusals, seconds: Seconds
) -> None:
    """Per identity and method; another identity or method is another trace."""
    run(*(refusals.tell(ALICE, ONE, DENIED) for _ in range(500)))
    run(refusals.tell(ALICE, OTHER, DENIED), refusals.tell(BOB, ONE, DENIED))
    assert len(logged(house)) == 3
    seconds.now = 59.9
    run(refusals.tell(ALICE, ONE, DENIED))
    assert len(logged(house)) == 3
    seconds.now = 60.0
    run(refusals.tell(ALICE, ONE, DENIED))
    assert [each["details"]["unlogged_before"] for each in logged(house)] == [0, 0, 0, 500]


def test_callers_without_a_name_share_one_event_a_minute(house: AuditHouse, refusals: Refusals) -> None:
    """For each cause, whatever they call; the certificate is told by its SHA-256."""
    run(*(refusals.tell(None, f"/method/{n}", EXPIRED, b"PEM %d" % n) for n in range(50)))
    (payload,) = logged(house)
    assert payload["actor"] == {"name": "unauthenticated", "roles": [], "credential": ""}
    assert len(payload["details"]["certificate_sha256"]) == 64
    run(refusals.tell(None, ONE, FrsError(Reason.UNAUTHENTICATED, "the connection carries no client certificate")))
    assert logged(house)[-1]["details"]["certificate_sha256"] is None


def test_the_edge_logs_whom_it_turns_away(house: AuditHouse, refusals: Refusals, run_edge: Callable[..., Any]) -> None:
    """A role that may not, under its name; a certificate that expired while connected, under nobody's."""

    def register(server: grpc.aio.Server, _: object) -> None:
        server.add_generic_rpc_handlers([_Everything()])

    edge = run_edge(register)
    edge.interceptor._refusals = refusals

    def call(method: str) -> grpc.StatusCode:
        with edge.channel("feed") as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(method)(b"", timeout=10)
        code: grpc.StatusCode = caught.value.code()
        return code

    assert call(ONE) is grpc.StatusCode.PERMISSION_DENIED
    edge.interceptor._clock = ManualClock(datetime(2099, 1, 1, tzinfo=UTC))
    assert call(ONE) is grpc.StatusCode.UNAUTHENTICATED
    assert call(OTHER) is grpc.StatusCode.UNAUTHENTICATED
    refused, expired = logged(house)
    assert (refused["actor"]["name"], refused["actor"]["roles"]) == ("feed", ["feed"])
    assert (refused["details"]["method"], refused["details"]["reason"]) == (ONE, "PERMISSION_DENIED")
    assert (expired["actor"]["name"], expired["details"]["reason"]) == ("unauthenticated", "UNAUTHENTICATED")
    assert "has expired" in expired["details"]["why"]
    certificate = (edge.certs / "feed.crt").read_bytes()
    assert expired["details"]["certificate_sha256"] == hashlib.sha256(certificate).hexdigest()


class _Everything(grpc.GenericRpcHandler):
    """A service that has every method and never gets to serve one."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ARG002  # gRPC's signature
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)


def test_nobody_is_called_unauthenticated() -> None:
    """No identity may bear the name that stands for callers without one."""
    with pytest.raises(FrsError):
        require_name(UNAUTHENTICATED.name)


def test_a_log_that_fails_changes_nothing_for_the_caller(
    house: AuditHouse, refusals: Refusals, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is told, and the next event counts the refusal that has none."""

    def fail(*_: object) -> None:
        raise FrsError(Reason.LOG_UNAVAILABLE, "no log")

    with monkeypatch.context() as broken, capture_logs() as told:
        broken.setattr(house.log, "append", fail)
        run(refusals.tell(ALICE, ONE, DENIED), refusals.tell(ALICE, ONE, DENIED))
    assert [entry["event"] for entry in told] == ["a refused call could not be logged"]
    assert logged(house) == []
    seconds.now = 60.0
    run(refusals.tell(ALICE, ONE, DENIED))
    assert logged(house)[0]["details"]["unlogged_before"] == 2


def test_a_log_that_hangs_delays_a_refusal_for_a_moment_only(house: AuditHouse, refusals: Refusals) -> None:
    """The answer is given; the event follows when the disk does."""
    let_go = threading.Event()

    async def call() -> float:
        loop = asyncio.get_running_loop()
        started = loop.time()
        blocked = loop.run_in_executor(None, house.store.database.write, lambda _: let_go.wait(30))
        await asyncio.sleep(0.05)
        await refusals.tell(ALICE, ONE, DENIED)
        waited = loop.time() - started
        let_go.set()
        await blocked
        while refusals._writing:
            await asyncio.sleep(0.01)
        return waited

    assert asyncio.run(call()) < PATIENCE_SECONDS + 2
    assert len(logged(house)) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40), st.booleans()), max_size=60))
def test_every_refusal_is_logged_or_counted_by_the_next_event(calls: list[tuple[int, float, bool]]) -> None:
    """Whatever order they come in and whichever events fail, none is lost and none counted twice."""
    seconds = Seconds()
    allowance = Allowance(seconds)
    told = 0
    for who, later, fails in calls:
        seconds.now += later
        key = (str(who), ONE)
        taken = allowance.take(key)
        if taken is not None:
            told += 1 + sum(taken)
            if fails:
                allowance.give_back(key, *taken)
                told -= 1 + sum(taken)
    seconds.now += 61
    for who in range(6):
        taken = allowance.take((str(who), ONE))
        assert taken is not None
        told += sum(taken)
    assert told == len(calls)


def test_what_is_remembered_is_bounded() -> None:
    """Of very many keys the oldest are forgotten, and their numbers are carried by the next event."""
    allowance = Allowance(Seconds())
    for number in range(3000):
        assert allowance.take((str(number), ONE)) is not None or number
        allowance.take((str(number), ONE))
    assert len(allowance._entries) == 1000
    taken = allowance.take(("another", ONE))
    assert taken is not None
    assert taken[1] >= 1
