"""How a source is played: held back to real time, from the beginning again, or only its first frames."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from frs.feed.shots import Shot, Source


class _Played:
    """A source played in another way; what is not said here is the source's own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()
        self.live = source.live
        self.total = source.total

    def close(self) -> None:
        """Let go of the source; a wait ends at once."""
        self._closed.set()
        self._source.close()

    def troubles(self) -> list[str]:
        """Return the source's own."""
        return self._source.troubles()


class Paced(_Played):
    """A source at real time; it behaves as a camera does: late frames are not waited for."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.live = True

    def shots(self) -> Iterator[Shot]:
        """Yield each frame when it is due, measured from the first."""
        begun, first = 0.0, None
        for shot in self._source.shots():
            if first is None:
                begun, first = time.monotonic(), shot.captured_at
            due = begun + (shot.captured_at - first).total_seconds()
            if self._closed.wait(max(0.0, due - time.monotonic())):
                return
            yield shot


class Looped(_Played):
    """A recording from its beginning again whenever it ends, with capture times that go on."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.total = None

    def shots(self) -> Iterator[Shot]:
        """Yield the recording again and again; ends when closed."""
        last: datetime | None = None
        gap = timedelta(0)
        while not self._closed.is_set():
            shift: timedelta | None = None
            for shot in self._source.shots():
                if shift is None:  # the first frame of this round follows the last of the round before
                    shift = last + gap - shot.captured_at if last is not None else timedelta(0)
                at = shot.captured_at + shift
                if last is not None:
                    gap = at - last
                last = at
                yield Shot(shot.data, at)
            if shift is None:
                return


class Limited(_Played):
    """The first ``most`` frames of a source."""

    def __init__(self, source: Source, most: int) -> None:
        super().__init__(source)
        self._most = most
        self.total = min(source.total, most) if source.total is not None else most

    def shots(self) -> Iterator[Shot]:
        """Yield at most that many frames."""
        yield from itertools.islice(self._source.shots(), self._most)
