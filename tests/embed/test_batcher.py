"""Faces of different callers share calls, in bounds, and each caller gets its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.embed.batcher import Batcher
from frs.errors import FrsError, Reason

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float32]


class Recogniser:
    """Embeds a crop as its first pixel; can be held, and refuses the value 255."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Event()

    def embed(self, faces: Crops) -> Embeddings:
        self.sizes.append(len(faces))
        self.busy.set()
        assert self.go.wait(20)
        if (faces == 255).any():
            raise ValueError("a face that cannot be embedded")
        return faces[:, 0, 0, :1].astype(np.float32)


def crops(*values: int) -> Crops:
    return np.repeat(np.array(values, np.uint8), 12).reshape(-1, 2, 2, 3)


@contextmanager
def running(recogniser: Recogniser, max_batch: int = 8, wait: float = 0.0, queue: int = 64) -> Iterator[Batcher]:
    batcher = Batcher(recogniser.embed, max_batch, wait, queue)
    try:
        yield batcher
    finally:
        recogniser.go.set()
        batcher.close()


class Caller(threading.Thread):
    """A thread that carries what its call gave or raised."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act, self.result, self.error = act, None, None
        self.start()

    result: object
    error: FrsError | None

    def run(self) -> None:
        try:
            self.result = self.act()
        except FrsError as error:
            self.error = error

    def reason(self) -> Reason | None:
        self.join(20)
        return self.error.reason if self.error else None


def until(condition: Callable[[], bool]) -> None:
    latest = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < latest, "the condition did not come about"
        time.sleep(0.001)


@contextmanager
def held(recogniser: Recogniser, batcher: Batcher) -> Iterator[Caller]:
    """Keep the recogniser busy with one face, so that what comes next must queue."""
    recogniser.go.clear()
    recogniser.busy.clear()
    first = Caller(lambda: batcher.embed(crops(1)))
    assert recogniser.busy.wait(10)
    yield first
    recogniser.go.set()
    first.join(20)


def test_faces_come_back_in_order() -> None:
    """A request larger than a batch is split, and its rows come back in their order."""
    recogniser = Recogniser()
    with running(recogniser, max_batch=4) as batcher:
        assert batcher.embed(crops(*range(11)))[:, 0].tolist() == list(range(11))
    assert recogniser.sizes == [4, 4, 3]


def test_waiting_faces_share_a_call() -> None:
    """What queued while the recogniser was busy runs together; each caller gets its own rows."""
    recogniser = Recogniser()
    with running(recogniser) as batcher:
        with held(recogniser, batcher):
            callers = [Caller(partial(batcher.embed, crops(i, i + 100))) for i in (2, 3, 4)]
            until(lambda: batcher.counts().waiting == 6)
        for value, caller in zip((2, 3, 4), callers, strict=True):
            caller.join(20)
            assert isinstance(caller.result, np.ndarray)
            assert caller.result[:, 0].tolist() == [value, value + 100]
    assert recogniser.sizes == [1, 6]


def test_batch_is_never_larger_than_its_limit() -> None:
    """A request that would overfill a batch waits for the next."""
    recogniser = Recogniser()
    with running(recogniser, max_batch=5) as batcher:
        with held(recogniser, batcher):
            callers = [Caller(lambda: batcher.embed(crops(7, 7, 7))) for _ in range(3)]
            until(lambda: batcher.counts().waiting == 9)
        for caller in callers:
            caller.join(20)
    assert recogniser.sizes == [1, 3, 3, 3]


def test_lone_request_is_not_held_up() -> None:
    """With nobody else preparing faces a batch starts at once, whatever the wait."""
    with running(Recogniser(), wait=5.0) as batcher:
        began = time.monotonic()
        batcher.embed(crops(1))
        assert time.monotonic() - began < 1


def test_batch_waits_for_faces_that_are_announced() -> None:
    """While somebody prepares faces a batch waits for them, and they share the call."""
    recogniser = Recogniser()
    with running(recogniser, wait=10.0) as batcher:
        with batcher.preparing():
            first = Caller(lambda: batcher.embed(crops(1)))
            until(lambda: batcher.counts().waiting == 1)
            second = Caller(lambda: batcher.embed(crops(2)))
            until(lambda: batcher.counts().waiting == 2)
        assert first.reason() is second.reason() is None
    assert recogniser.sizes == [2]


def test_wait_is_bounded() -> None:
    """Faces that are announced and do not come hold a batch up for the wait, no longer."""
    with running(Recogniser(), wait=0.05) as batcher, batcher.preparing():
        began = time.monotonic()
        batcher.embed(crops(1))
        assert 0.04 < time.monotonic() - began < 2


def test_full_queue_refuses() -> None:
    """Beyond its bound the queue refuses at once, counts it, and takes faces again when there is room."""
    recogniser = Recogniser()
    with running(recogniser, queue=4) as batcher:
        with held(recogniser, batcher):
            waiting = Caller(lambda: batcher.embed(crops(1, 2, 3)))
            until(lambda: batcher.counts().waiting == 3)
            with pytest.raises(FrsError) as caught:
                batcher.embed(crops(1, 2))
            assert caught.value.reason is Reason.OVERLOADED
        assert waiting.reason() is None
        assert batcher.counts().refused == 1
        assert batcher.embed(crops(9))[0, 0] == 9


def test_passed_deadline_is_refused_without_running() -> None:
    """A face whose deadline passes in the queue is not embedded; others in the queue are."""
    recogniser = Recogniser()
    with running(recogniser) as batcher:
        with held(recogniser, batcher):
            late = Caller(lambda: batcher.embed(crops(2), time.monotonic() + 0.02))
            patient = Caller(lambda: batcher.embed(crops(3), time.monotonic() + 60))
            until(lambda: batcher.counts().waiting == 2)
            time.sleep(0.05)
        assert late.reason() is Reason.OVERLOADED
        assert patient.reason() is None
        assert batcher.counts().expired == 1
    assert recogniser.sizes == [1, 1]


def test_failure_reaches_only_its_cause() -> None:
    """When a shared call fails, only the request that makes it fail gets the failure."""
    recogniser = Recogniser()
    with running(recogniser) as batcher:
        with held(recogniser, batcher):
            good, bad, fine = (Caller(partial(batcher.embed, crops(v))) for v in (2, 255, 4))
            until(lambda: batcher.counts().waiting == 3)
        assert (good.reason(), bad.reason(), fine.reason()) == (None, Reason.INTERNAL, None)
        assert batcher.embed(crops(5))[0, 0] == 5


def test_failures_are_told_apart_in_the_callers() -> None:
    """Each failed caller has an exception of its own, with the message of what happened."""
    with running(Recogniser()) as batcher:
        errors = []
        for _ in range(2):
            with pytest.raises(FrsError, match="cannot be embedded") as caught:
                batcher.embed(crops(255))
            errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_close_answers_what_was_accepted() -> None:
    """Closing drains the queue; what comes after is refused."""
    recogniser = Recogniser()
    with running(recogniser) as batcher:
        with held(recogniser, batcher):
            waiting = [Caller(lambda: batcher.embed(crops(6))) for _ in range(3)]
            until(lambda: batcher.counts().waiting == 3)
            closing = Caller(batcher.close)
        closing.join(20)
        assert [caller.reason() for caller in waiting] == [None, None, None]
        with pytest.raises(FrsError) as caught:
            batcher.embed(crops(1))
        assert caught.value.reason is Reason.SHUTTING_DOWN
        batcher.close()


def test_counts_tell_batches_and_faces() -> None:
    """The counters hold calls, faces, and their mean."""
    with running(Recogniser(), max_batch=4) as batcher:
        assert batcher.counts().mean_batch == 0
        batcher.embed(crops(*range(6)))
        counts = batcher.counts()
    assert (counts.batches, counts.faces, counts.waiting, counts.mean_batch) == (2, 6, 0, 3.0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 254), min_size=1, max_size=9), min_size=1, max_size=12), st.integers(1, 8))
def test_any_mix_of_callers_gets_its_own_rows(requests: list[list[int]], max_batch: int) -> None:
    """However requests meet, every caller gets the embeddings of its own faces and no batch is too large."""
    recogniser = Recogniser()
    with running(recogniser, max_batch=max_batch, wait=0.001, queue=10_000) as batcher:
        callers = [Caller(partial(batcher.embed, crops(*r))) for r in requests]
        for request, caller in zip(requests, callers, strict=True):
            assert caller.reason() is None
            assert isinstance(caller.result, np.ndarray)
            assert caller.result[:, 0].tolist() == request
    assert max(recogniser.sizes) <= max_batch
    assert sum(recogniser.sizes) == sum(map(len, requests))
