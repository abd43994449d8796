"""A stream that is interrupted ends, even where the interruption itself got lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from frs.cli.interruption import interruptible


class Call:
    """A call as gRPC gives it: iterated over and cancelled."""

    def __init__(self, *, swallow: bool) -> None:
        self.cancelled, self._swallow = False, swallow

    def cancel(self) -> None:
        self.cancelled = True

    def __iter__(self) -> Iterator[int]:
        yield 1
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            if not self._swallow:
                raise
        if self.cancelled:
            raise RuntimeError("cancelled")
        yield 2


@pytest.mark.parametrize("swallow", [False, True])
def test_an_interruption_cancels_the_call_and_is_raised(swallow: bool) -> None:
    """Whether Python raised it where it could be seen or not; the handler that was there before is back."""
    before = signal.getsignal(signal.SIGINT)
    call, seen = Call(swallow=swallow), list[int]()
    with pytest.raises(KeyboardInterrupt), interruptible(call):
        seen.extend(call)
    assert call.cancelled
    assert signal.getsignal(signal.SIGINT) is before


def test_other_failures_pass() -> None:
    """What ends a call by itself arrives as it is."""
    with pytest.raises(ValueError, match="its own"), interruptible(Call(swallow=False)):
        raise ValueError("its own")
