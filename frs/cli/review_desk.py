"""``frs review``: one case after the other, until nothing waits or the reviewer leaves.

A case is held for the reviewer while they look at it and given back when they leave it; its pictures are files for the
reviewer alone, and destroyed when they go on, unless they asked for a folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from frs.cli.case_conversation import Conversation, GivenBackError, LeftError
from frs.cli.client import Client, call
from frs.cli.keystrokes import InputEndedError
from frs.cli.review_page import Page
from frs.cli.review_screen import Screen
from frs.cli.terminal_pictures import Look
from frs.cli.work_feed import WorkFeed
from frs.errors import FrsError, Reason, Status
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub

IDLE_SECONDS = 2.0
"""Without a case for so long, nothing waits."""
_ALONE_SECONDS, _LOOK_SECONDS, _AGAIN_SECONDS = 1.0, 0.25, 2.0
_ENDED = frozenset(
    {
        Reason.CASE_TAKEN,
        Reason.CASE_CLOSED,
        Reason.CASE_NOT_FOUND,
        Reason.CASE_DECIDED,
        Reason.NOT_INDEPENDENT,
        Reason.ERASED,
    }
)


@dataclass(slots=True)
class Tally:
    """What was done."""

    decided: int = 0
    given_back: int = 0


class Desk:
    """A reviewer at work."""

    def __init__(
        self,
        client: Client,
        stub: ReviewServiceStub,
        screen: Screen,
        look: Look,
        folder: Path,
        *,
        keep_pictures: bool,
        tell: Callable[[pb.Case], None] = lambda _: None,
    ) -> None:
        """``tell`` is given each case that was decided."""
        self._client, self._stub, self._screen = client, stub, screen
        self._look, self._folder, self._keep = look, folder, keep_pictures
        self._tell = tell
        self._to_give_back = ""
        self.tally = Tally()

    def work(self, feed: WorkFeed, most: int = 0, *, wait: bool = True) -> Tally:
        """Take cases until the reviewer leaves or ``most`` are decided (0: all); without ``wait`` while any wait."""
        call(self._client, self._stub.ListCases, pb.ListCasesRequest(page_size=1))  # who may not is told so at once
        try:
            while not most or self.tally.decided < most:
                arrived = self._next(feed, wait=wait)
                if arrived is None:
                    break
                self._one(arrived.case, arrived.pending_count)
        except (LeftError, InputEndedError):
            pass
        finally:
            self._hand_back()
        return self.tally

    def _next(self, feed: WorkFeed, *, wait: bool) -> pb.WorkResponse | None:
        begun, lost, lost_at = time.monotonic(), "", 0.0
        while wait or time.monotonic() - begun < IDLE_SECONDS:
            try:
                feed.want()
                if (arrived := feed.wait(_LOOK_SECONDS)) is not None:
                    self._hand_back()
                    return arrived
            except FrsError as error:
                if error.status is not Status.UNAVAILABLE:
                    raise
                lost, lost_at = self._lost(lost, error), time.monotonic()
            if lost and time.monotonic() - lost_at > 2 * _AGAIN_SECONDS:
                lost = ""  # a stream without cases says nothing: one that lasts was answered
            if time.monotonic() - begun >= _ALONE_SECONDS and not lost:
                self._hand_back()  # nothing else came: what was given back goes now, though it may come back
            told = f"{lost}; connecting again" if lost else f"Nothing waits for you; {self.tally.decided} decided"
            pressed = self._screen.waiting(f"{told}. q leaves.", _AGAIN_SECONDS if lost else _LOOK_SECONDS)
            if pressed == "q":
                return None
        return None

    def _lost(self, before: str, error: FrsError) -> str:
        """Tell that the service does not answer, where no line for it is drawn anew; returns how it is told."""
        if not self._screen.in_place:
            if error.message != before:
                self._screen.say(f"{error.message}; connecting again")
            time.sleep(_AGAIN_SECONDS)
        return error.message

    def _one(self, case: pb.Case, waiting: int) -> None:
        page = Page(self._screen, self._look, self._folder, case, waiting, self.tally.decided)
        finished = False
        try:
            self._done(Conversation(self._client, self._stub, self._screen, page).hold())
            finished = True
        except GivenBackError:
            self.tally.given_back += 1
            self._to_give_back = case.name
            self._screen.say("Given back.")
            finished = True
        except FrsError as error:
            if error.reason not in _ENDED:
                raise
            self._screen.say(f"{error.message} On to the next.")
            finished = True
        finally:
            self._screen.claim_ends(None)
            if not finished:
                self._to_give_back = case.name
                self._hand_back()
            if not self._keep:
                for path in self._folder.glob(f"{case.name.removeprefix('cases/')}-*"):
                    path.unlink(missing_ok=True)

    def _done(self, decided: pb.Case) -> None:
        self.tally.decided += 1
        self._tell(decided)
        settled = decided.state == pb.CASE_STATE_ADJUDICATED
        told = "Recorded: the case is closed." if settled else "Recorded: another reviewer decides it too."
        self._screen.say(told, "bold green")

    def _hand_back(self) -> None:
        """Release what was given back: only when the next has come, or it would be the next."""
        name, self._to_give_back = self._to_give_back, ""
        if not name:
            return
        try:
            call(self._client, self._stub.ReleaseCase, pb.ReleaseCaseRequest(name=name), 5)
        except FrsError as error:  # the claim ends by itself
            if error.reason is not Reason.CASE_NOT_CLAIMED:
                self._screen.say(f"{error.message} Your claim ends by itself.")
