"""Real time: a source that could run ahead is held back to the pace at which its frames were taken."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from frs.feed.shots import Shot, Source


class Paced:
    """A source at real time; it behaves as a camera does: late frames are not waited for."""

    live = True

    def __init__(self, source: Source) -> None:
        self._source = source
        self.total = source.total

    def shots(self) -> Iterator[Shot]:
        """Yield each frame when it is due, measured from the first."""
        begun: float | None = None
        first = 0.0
        for shot in self._source.shots():
            taken = shot.captured_at.timestamp()
            if begun is None:
                begun, first = time.monotonic(), taken
            wait = begun + (taken - first) - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            yield shot

    def troubles(self) -> list[str]:
        """Return the source's own."""
        return self._source.troubles()


class Limited:
    """The first ``most`` frames of a source."""

    def __init__(self, source: Source, most: int) -> None:
        self._source = source
        self._most = most
        self.live = source.live
        self.total: int | None = min(source.total, most) if source.total is not None else most

    def shots(self) -> Iterator[Shot]:
        """Yield at most that many frames."""
        yield from itertools.islice(self._source.shots(), self._most)

    def troubles(self) -> list[str]:
        """Return the source's own."""
        return self._source.troubles()
