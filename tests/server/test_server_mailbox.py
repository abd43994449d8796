"""The live stream's mailbox and outbox: bounded whatever the two sides do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.server.mailbox import MAX_ANSWERS, Mailbox, Outbox
from frs.v1 import live_pb2


@given(st.integers(1, 6), st.lists(st.one_of(st.none(), st.integers()), max_size=40))
def test_the_newest_frames_win(capacity: int, steps: list[int | None]) -> None:
    """Against a model: at most ``capacity`` are held, the oldest give way, and none is lost without being named."""

    async def play() -> None:
        mailbox: Mailbox[int] = Mailbox(capacity, lossless=False)
        held: list[int] = []
        for step in steps:
            if step is None:
                assert await mailbox.take(0) == (held.pop(0) if held else None)
                continue
            gone = await mailbox.put(step)
            held.append(step)
            assert gone == held[: max(0, len(held) - capacity)]
            held = held[-capacity:]

    asyncio.run(play())


def test_a_lossless_mailbox_makes_the_reader_wait() -> None:
    """A full one takes the next frame only when one was taken out; nothing is dropped."""

    async def play() -> list[Any]:
        mailbox: Mailbox[int] = Mailbox(2, lossless=True)
        assert await mailbox.put(1) == await mailbox.put(2) == []
        waiting = asyncio.create_task(mailbox.put(3))
        await asyncio.sleep(0.02)
        blocked = not waiting.done()
        first = await mailbox.take(1)
        await asyncio.wait_for(waiting, 1)
        return [blocked, first, await mailbox.take(1), await mailbox.take(1), await mailbox.take(0)]

    assert asyncio.run(play()) == [True, 1, 2, 3, None]


def test_a_closed_mailbox_gives_what_it_holds() -> None:
    """Closing wakes who waits; what was taken in is still given out."""

    async def play() -> None:
        mailbox: Mailbox[int] = Mailbox(2, lossless=False)
        waiting = asyncio.create_task(mailbox.take(10))
        await asyncio.sleep(0)
        await mailbox.put(1)
        assert await waiting == 1
        await mailbox.put(2)
        mailbox.close()
        before = mailbox.finished
        assert await mailbox.take(10) == 2
        assert (before, mailbox.finished) == (False, True)
        assert await mailbox.take(10) is None

    asyncio.run(play())


def test_waiting_for_a_frame_ends_in_time() -> None:
    """A camera that sends nothing leaves the worker free to tick."""

    async def play() -> None:
        mailbox: Mailbox[int] = Mailbox(1, lossless=False)
        assert await mailbox.take(0.01) is None

    asyncio.run(asyncio.wait_for(play(), 1))


def test_progress_is_coalesced_and_follows_what_was_said() -> None:
    """A slow client gets the newest progress once, after the alerts that came before it."""

    async def play() -> list[str]:
        outbox = Outbox()
        for number in range(1, 6):
            outbox.report(live_pb2.StreamProgress(acknowledged_sequence=number))
        outbox.say(live_pb2.StreamResponse(alert=live_pb2.AlertRaised(alert="alerts/a")))
        outbox.close()
        got = []
        while (answer := await outbox.next()) is not None:
            got.append(answer.alert.alert or f"progress {answer.progress.acknowledged_sequence}")
        return got

    assert asyncio.run(play()) == ["alerts/a", "progress 5"]


def test_a_client_that_never_reads_costs_bounded_memory() -> None:
    """Beyond the bound the oldest answers are dropped."""

    async def play() -> int:
        outbox = Outbox()
        for number in range(MAX_ANSWERS + 50):
            outbox.say(live_pb2.StreamResponse(problem=live_pb2.FrameProblem(sequence=number)))
        outbox.close()
        first = await outbox.next()
        assert first is not None
        return first.problem.sequence

    assert asyncio.run(play()) == 50


@pytest.mark.parametrize("lossless", [True, False])
def test_cancelling_who_waits_leaves_it_sound(lossless: bool) -> None:
    """A reader or worker that is cancelled in its wait takes nothing with it."""

    async def play() -> None:
        mailbox: Mailbox[int] = Mailbox(1, lossless=lossless)
        taker = asyncio.create_task(mailbox.take(10))
        await asyncio.sleep(0)
        taker.cancel()
        await asyncio.gather(taker, return_exceptions=True)
        await mailbox.put(1)
        assert await mailbox.take(1) == 1

    asyncio.run(play())
