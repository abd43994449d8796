"""The stream of work: claims on the reviewer's credit, what is held first after a reconnection, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from frs.errors import FrsError, Reason
from frs.review.case import CaseState, Decision
from frs.server.journal import Journal
from frs.server.review_work import ReviewWork
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor
from frs.v1 import review_pb2 as pb
from tests.deciding import SEEN
from tests.installation import Installation
from tests.review.case_house import OMAR, RITA, CaseHouse, reviewer

SECONDS = 10


@pytest.fixture(scope="module")
def house(module_installation: Installation) -> CaseHouse:
    return CaseHouse(module_installation)


class Service:
    """Gives out work until its context ends."""

    def __init__(self, house: CaseHouse) -> None:
        self.waiting, self.stopping = Workers("test", 2, 100), Stopping()
        self.work = ReviewWork(house.cases, Journal(house.database, house.audit), self.waiting, self.stopping)


class Reviewer:
    """A reviewer's side of the stream."""

    def __init__(self, service: Service, actor: Actor, **first: Any) -> None:
        self._requests: asyncio.Queue[pb.WorkRequest | None] = asyncio.Queue()
        self.send(**first)
        self.answers = service.work.serve(actor, self._outgoing())
        self.pending: asyncio.Future[str] | None = None

    def send(self, **request: Any) -> None:
        self._requests.put_nowait(pb.WorkRequest(**request))

    def half_close(self) -> None:
        self._requests.put_nowait(None)

    async def case(self) -> str:
        """Return the bare id of the next case."""
        async with asyncio.timeout(SECONDS):
            return (await anext(self.answers)).case.name.removeprefix("cases/")

    async def arrived(self) -> str:
        """Return what came after nothing had come."""
        assert self.pending is not None
        return await self.pending

    async def nothing(self) -> None:
        """Fail if something is sent."""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.next()), 0.2)

    def next(self) -> asyncio.Future[str]:
        """Begin to wait for the next case."""
        self.pending = asyncio.ensure_future(self.case())
        return self.pending

    async def _outgoing(self) -> AsyncIterator[pb.WorkRequest]:
        while (request := await self._requests.get()) is not None:
            yield request


@asynccontextmanager
async def at_work(service: Service, actor: Actor, **first: Any) -> AsyncIterator[Reviewer]:
    working = Reviewer(service, actor, **first)
    async with aclosing(working.answers):
        yield working
        if working.pending is not None and not working.pending.done():
            working.pending.cancel()
            await asyncio.wait({working.pending})


def play(house: CaseHouse, story: Callable[[Service], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        service = Service(house)
        try:
            await story(service)
        finally:
            service.waiting.close()

    house.clear()
    asyncio.run(run())


def test_no_more_is_claimed_than_there_is_credit_for(house: CaseHouse) -> None:
    """Two of three, the most urgent first and with pictures; the third when the reviewer can take it."""

    async def story(service: Service) -> None:
        where = house.deployment()
        green, red, amber = (house.alert(where, grading) for grading in ("green", "red", "amber"))
        async with at_work(service, RITA, credit=2) as rita:
            first = await anext(rita.answers)
            assert (first.case.name, first.pending_count) == (f"cases/{red}", 2)
            assert (first.case.claimed_by, first.case.score_withheld) == ("rita", True)
            assert (first.case.probe_image_jpeg, first.case.candidates[0].score) == (b"probe picture", 0)
            assert await rita.case() == amber
            await rita.nothing()
            assert house.row(green).state == CaseState.PENDING
            rita.send(credit=1)
            assert await rita.arrived() == green

    play(house, story)
    payload = house.payload("review.work-closed")
    assert (payload["actor"]["name"], payload["cases"]) == ("rita", 3)


def test_who_reconnects_is_sent_what_they_hold_first(house: CaseHouse) -> None:
    """Nothing is released when the stream breaks; what was observed is there, and only then comes new work."""

    async def story(service: Service) -> None:
        where = house.deployment()
        held = house.alert(where, "green")
        async with at_work(service, RITA, credit=1) as rita:
            assert await rita.case() == held
            house.cases.observe(RITA, held, SEEN)
        urgent = house.alert(where, "red")
        assert house.row(held).claimed_by == "rita"
        async with at_work(service, RITA, credit=2) as rita:
            again = (await anext(rita.answers)).case
            assert (again.name, again.score_withheld) == (f"cases/{held}", False)
            assert again.HasField("observation")
            assert await rita.case() == urgent

    play(house, story)


def test_a_case_whose_claim_ended_meanwhile_is_anybodys(house: CaseHouse) -> None:
    """The one who reconnects is not sent it when somebody else has taken it."""

    async def story(service: Service) -> None:
        lost = house.alert(house.deployment())
        async with at_work(service, RITA, credit=1) as rita:
            assert await rita.case() == lost
        house.clock.advance(seconds=house.settings.review.claim_seconds + 1)
        async with at_work(service, OMAR, credit=1) as omar, at_work(service, RITA, credit=1) as rita:
            assert await omar.case() == lost
            await rita.nothing()

    play(house, story)


def test_no_case_is_sent_to_two_reviewers(house: CaseHouse) -> None:
    """However many wait for it; each case goes to one, and none is left."""

    async def story(service: Service) -> None:
        where = house.deployment()
        async with (
            at_work(service, RITA, credit=8) as rita,
            at_work(service, OMAR, credit=8) as omar,
        ):
            waiting = {rita: rita.next(), omar: omar.next()}
            opened = {house.alert(where, "red") for _ in range(6)}
            sent: list[str] = []
            while len(sent) < len(opened):
                async with asyncio.timeout(SECONDS):
                    await asyncio.wait(waiting.values(), return_when=asyncio.FIRST_COMPLETED)
                for who, next_one in [*waiting.items()]:
                    if next_one.done():
                        sent.append(next_one.result())
                        waiting[who] = who.next()
            assert sorted(sent) == sorted(opened)

    play(house, story)


def test_work_comes_when_it_arises_and_of_the_kind_that_was_chosen(house: CaseHouse) -> None:
    """A waiting reviewer is sent a case when it is opened; other deployments and kinds are others' work."""

    async def story(service: Service) -> None:
        here, there = house.deployment(), house.deployment()
        house.alert(there)
        house.candidates()
        chosen = {"deployment": f"deployments/{here}", "kind": pb.CASE_KIND_ALERT}
        async with at_work(service, RITA, credit=1, **chosen) as rita:
            await rita.nothing()
            mine = house.alert(here)
            assert await rita.arrived() == mine
        async with at_work(service, OMAR, credit=1, kind=pb.CASE_KIND_CANDIDATES) as omar:
            assert (await anext(omar.answers)).case.kind == pb.CASE_KIND_CANDIDATES

    play(house, story)


def test_who_has_decided_is_not_sent_the_case_again(house: CaseHouse) -> None:
    """With two reviewers needed it goes to the other one, who sees nothing of the first decision."""

    async def story(service: Service) -> None:
        name = house.alert(house.deployment(reviewers=2))
        async with at_work(service, RITA, credit=2) as rita:
            assert await rita.case() == name
            house.cases.observe(RITA, name, SEEN)
            house.cases.decide(RITA, name, Decision.TRUE, "same ears")
            await rita.nothing()
            async with at_work(service, OMAR, credit=1) as omar:
                other = (await anext(omar.answers)).case
            assert (other.name, other.decisions_made, len(other.decisions)) == (f"cases/{name}", 1, 0)
            assert other.score_withheld

    play(house, story)


def test_what_was_given_back_comes_again_when_nothing_else_waits(house: CaseHouse) -> None:
    """However urgent it is: who goes on does not meet two cases that they gave back in turn."""

    async def story(service: Service) -> None:
        where = house.deployment()
        red, amber, green = (house.alert(where, grading) for grading in ("red", "amber", "green"))
        async with at_work(service, RITA, credit=1) as rita:
            for name in (red, amber, green, red):
                assert await rita.case() == name
                house.cases.release(RITA, name)
                rita.send(credit=1)

    play(house, story)


def test_a_stream_that_will_send_no_more_ends(house: CaseHouse) -> None:
    """When the credit is used up and the reviewer has half-closed."""

    async def story(service: Service) -> None:
        name = house.alert(house.deployment())
        async with at_work(service, reviewer("nina"), credit=1) as nina:
            nina.half_close()
            assert await nina.case() == name
            async with asyncio.timeout(SECONDS):
                assert await anext(nina.answers, None) is None

    play(house, story)


@pytest.mark.parametrize("later", [{"deployment": "deployments/other"}, {"kind": pb.CASE_KIND_ALERT}])
def test_only_the_first_message_chooses(house: CaseHouse, later: dict[str, Any]) -> None:
    """A later one that chooses, and a stream without any message, break the protocol."""

    async def story(service: Service) -> None:
        async with at_work(service, RITA, credit=1) as rita:
            rita.send(**later)
            with pytest.raises(FrsError) as refused:
                await rita.case()
            assert refused.value.reason is Reason.STREAM_PROTOCOL
        silent = Reviewer(service, RITA)
        silent._requests.get_nowait()
        silent.half_close()
        with pytest.raises(FrsError) as refused:
            await silent.case()
        assert refused.value.reason is Reason.STREAM_PROTOCOL

    play(house, story)


def test_a_server_that_stops_tells_who_waits(house: CaseHouse) -> None:
    """At once, and the end of the stream is in the log."""

    async def story(service: Service) -> None:
        async with at_work(service, RITA, credit=1) as rita:
            await rita.nothing()
            service.stopping.begin()
            with pytest.raises(FrsError) as refused:
                await rita.arrived()
            assert refused.value.reason is Reason.SHUTTING_DOWN

    play(house, story)
    assert house.payload("review.work-closed")["cases"] == 0
