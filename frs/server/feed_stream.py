"""A feed over a stream: every change after a position, then each as it happens, until the client leaves.

Promises: whom a change tells of is logged before it is sent; the stream's beginning and end are logged, the end with
the position that was reached; a change is told also when the pictures that were asked for have been erased.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.server.journal import Journal
from frs.server.ringing import Ringing, listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, References

BATCH = 50
"""Most changes that are read at once."""
_GONE = frozenset({Reason.ERASED, Reason.KEY_MISSING})
"""Of pictures that were asked for."""


class Positioned(Protocol):
    """A change."""

    @property
    def position(self) -> int:
        """Where it stands in the feed."""
        ...


EntryT = TypeVar("EntryT", bound=Positioned)
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Feed(Generic[EntryT, AnswerT]):
    """What is followed, and for whom."""

    actor: Actor
    deployment: str | None
    bell: Ringing
    opened: Action
    closed: Action
    require: Callable[[int], None]
    """Refuses a position, or a deployment, that the feed could only be silent about."""
    after: Callable[[int, int], Sequence[EntryT]]
    """Reads at most so many changes (second) after a position (first)."""
    tell_of: Callable[[Sequence[EntryT], Mapping[str, Json]], None]
    """Logs that the changes were shown without pictures, and what was asked for."""
    plain: Callable[[EntryT], AnswerT]
    shown: Callable[[EntryT], AnswerT]
    """With pictures; logs that they were shown."""


class FeedStreams:
    """Serves feeds."""

    def __init__(self, journal: Journal, waiting: Workers, stopping: Stopping) -> None:
        self._journal, self._waiting, self._stopping = journal, waiting, stopping

    async def follow(self, feed: Feed[EntryT, AnswerT], position: int, *, with_images: bool) -> AsyncGenerator[AnswerT]:
        """Yield an answer for each change after ``position``."""
        await self._waiting.run(feed.require, position)
        references = References(deployment=feed.deployment)
        opened: dict[str, Json] = {"after_position": position, "with_images": with_images}
        await self._waiting.run(self._journal.record, feed.actor, feed.opened, opened, references)
        try:
            with listening(feed.bell) as bell:
                while True:
                    self._stopping.require()
                    entries = await self._waiting.run(feed.after, position, BATCH)
                    if entries and not with_images:
                        await self._waiting.run(_tell_of, feed, entries)
                    for entry in entries:
                        yield await self._waiting.run(_shown, feed, entry) if with_images else feed.plain(entry)
                        position = entry.position
                    if not entries:
                        await self._stopping.wait_for(bell)
        finally:
            closed: dict[str, Json] = {"position": position}
            await self._waiting.run(self._journal.record, feed.actor, feed.closed, closed, references)


def _shown(feed: Feed[EntryT, AnswerT], entry: EntryT) -> AnswerT:
    try:
        return feed.shown(entry)
    except FrsError as error:
        if error.reason not in _GONE:  # its pictures have been erased; the change is still told
            raise
        _tell_of(feed, [entry])
    return feed.plain(entry)


def _tell_of(feed: Feed[EntryT, AnswerT], entries: Sequence[EntryT]) -> None:
    feed.tell_of(entries, {"asked": "feed", "positions": [entries[0].position, entries[-1].position]})
