"""``frs review``: one case after the other. Look, say what you see, then see the score, then decide and say why.

A case is held for the reviewer while they look at it and given back when they leave it; its pictures are files for the
reviewer alone, and destroyed when they go on, unless they asked for a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path

from rich.text import Text

from frs.cli.client import Client, call
from frs.cli.keystrokes import ENTER, InputEndedError
from frs.cli.output import write_private
from frs.cli.review_form import Form
from frs.cli.review_page import Page
from frs.cli.review_screen import Screen
from frs.cli.terminal_pictures import Look, beside, drawn
from frs.cli.work_feed import WorkFeed
from frs.errors import FrsError, Reason, Status
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub

IDLE_SECONDS = 2.0
"""Without a case for so long, nothing waits."""
_ALONE_SECONDS = 1.0
_LONG_SECONDS = 300.0  # a map of regions, on a processor
_LEAST_REASON = 3
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
_ALWAYS = {
    "i": "pictures again",
    "w": "whole frame",
    "x": "keep the claim",
    "r": "give it back",
    "q": "leave",
    "?": "keys",
}


class GivenBackError(Exception):
    """The reviewer leaves this case to others."""


class LeftError(Exception):
    """The reviewer leaves the desk."""


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
        idle = 0.0
        while wait or idle < IDLE_SECONDS:
            try:
                feed.want()
                arrived = feed.wait(0.25)
            except FrsError as error:
                if error.status is not Status.UNAVAILABLE:
                    raise
                self._screen.say(f"{error.message}; connecting again")
                arrived = feed.wait(1.0)
                idle += 1.0
            if arrived is not None:
                self._hand_back()
                return arrived
            idle += 0.25
            if idle >= _ALONE_SECONDS:  # nothing else came: what was given back goes now, though it may come back
                self._hand_back()
            done = f"{self.tally.decided} decided" if self.tally.decided else "the desk is open"
            if self._screen.waiting(f"Nothing waits for you; {done}. q leaves.", 0.25) == "q":
                return None
        return None

    def _one(self, case: pb.Case, waiting: int) -> None:
        page = Page(self._screen, self._look, self._folder, case, waiting)
        finished = False
        try:
            self._hold(case)
            page.show()
            self._review(page)
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

    def _review(self, page: Page) -> None:
        case = page.case
        form = Form(page.probe_name)
        while not case.HasField("observation"):
            ask = self._asking(page)
            seen = form.fill(ask, self._screen.line)
            case = self._try(page, partial(self._observe, page, seen)) or case
        page.show_scores(case)
        self._explain(page, page.case.candidates[0].subject if page.of_alert else "")
        while True:
            decision, subject = self._decision(page)
            reason = self._reason()
            if reason:
                request = pb.DecideCaseRequest(name=case.name, decision=decision, reason=reason, subject=subject)
                decided = self._try(page, partial(call, self._client, self._stub.DecideCase, request))
                if decided is not None:
                    break
        self.tally.decided += 1
        self._tell(decided)
        if decided.state == pb.CASE_STATE_ADJUDICATED:
            self._screen.say("Recorded: the case is closed.", "bold green")
        else:
            self._screen.say("Recorded: another reviewer decides it too.", "bold green")

    def _observe(self, page: Page, seen: pb.Observation) -> pb.Case | None:
        try:
            request = pb.RecordObservationRequest(name=page.case.name, observation=seen)
            observed = call(self._client, self._stub.RecordObservation, request)
        except FrsError as error:
            if error.reason is not Reason.INVALID_FIELD:
                raise
            self._screen.say(error.message, "bold red")  # too few features: the form is asked again, as it stands
            return None
        self._hold(observed)
        return observed

    def _try(self, page: Page, act: Callable[[], pb.Case | None]) -> pb.Case | None:
        """Do something with the service; where the claim has ended take it again, where nobody answers ask."""
        while True:
            try:
                return act()
            except FrsError as error:
                if error.reason is Reason.CASE_NOT_CLAIMED:
                    self._claim(page)
                    self._screen.say("Your claim had ended; the case is yours again.")
                elif error.status is Status.UNAVAILABLE:
                    self._screen.say(error.message, "bold red")
                    self._asking(page)("Try again?", {ENTER: "try again"}, lambda: ())
                elif error.reason is Reason.INVALID_FIELD:
                    self._screen.say(error.message, "bold red")
                    return None
                else:
                    raise

    def _hold(self, case: pb.Case) -> None:
        if case.HasField("claim_expire_time"):
            self._screen.claim_ends(case.claim_expire_time.ToDatetime(UTC))

    def _claim(self, page: Page) -> None:
        self._hold(call(self._client, self._stub.ClaimCase, pb.ClaimCaseRequest(name=page.case.name)))

    def _asking(self, page: Page) -> Callable[[str, Mapping[str, str], Callable[[], Sequence[Text]]], str]:
        """Return what asks within a case: some keys mean the same everywhere."""

        def ask(question: str, choices: Mapping[str, str], panel: Callable[[], Sequence[Text]]) -> str:
            always = {key: word for key, word in _ALWAYS.items() if key not in choices}
            while True:
                listed = {**choices, "?": _ALWAYS["?"]}
                match self._screen.ask(question, listed, panel, always):
                    case "i" if "i" in always:
                        page.show()
                    case "w" if "w" in always:
                        page.show_frame()
                    case "x" if "x" in always:
                        self._claim(page)
                    case "r" if "r" in always:
                        raise GivenBackError
                    case "q" if "q" in always:
                        raise LeftError
                    case "?":
                        told = ", ".join(f"{key} {word}" for key, word in always.items())
                        self._screen.say(f"At any time: {told}; Ctrl-C leaves too.")
                    case chosen:
                        return chosen

        return ask

    def _decision(self, page: Page) -> tuple[pb.Decision.ValueType, str]:
        """Ask for the decision; returns it and whom it names."""
        candidates = page.case.candidates
        if page.of_alert:
            words = {"t": "true: the same person", "f": "false: another person"}
        else:
            numbers = {str(number): each.nominal for number, each in enumerate(candidates[:9], 1)}
            words = {**numbers, "f": "none of them"}
            if len(candidates) > len(numbers):
                words["n"] = "a higher number"
        words |= {"c": "cannot tell", "m": "map of what drives the score"}
        while True:
            chosen = self._asking(page)("Your decision", words, lambda: ())
            match chosen:
                case "t":
                    return pb.DECISION_TRUE, ""
                case "f":
                    return pb.DECISION_FALSE, ""
                case "c":
                    return pb.DECISION_CANNOT_TELL, ""
                case "m":
                    self._map(page)
                    continue
                case "n":
                    chosen = self._screen.line("Which number?")
            if chosen.isdecimal() and 0 < int(chosen) <= len(candidates):
                return pb.DECISION_TRUE, candidates[int(chosen) - 1].subject

    def _reason(self) -> str:
        while True:
            reason = self._screen.line("Why? What you saw; it is logged. Empty goes back:")
            if not reason or len(reason) >= _LEAST_REASON:
                return reason

    def _explain(self, page: Page, subject: str, *, with_map: bool = False) -> pb.Explanation | None:
        request = pb.ExplainCaseRequest(name=page.case.name, subject=subject, with_saliency=with_map)
        try:
            explained = call(self._client, self._stub.ExplainCase, request, _LONG_SECONDS)
        except FrsError as error:
            self._screen.say(f"No explanation: {error.message}")
            return None
        for sentence in () if with_map else explained.sentences:
            self._screen.say(f"  {sentence}")
        return explained

    def _map(self, page: Page) -> None:
        candidates, subject = page.case.candidates, ""
        if len(candidates) > 1:
            given = self._screen.line("Of which number?")
            if not (given.isdecimal() and 0 < int(given) <= len(candidates)):
                return
            subject = candidates[int(given) - 1].subject
        explained = self._explain(page, subject, with_map=True)
        if explained is None or not explained.saliency_png:
            return
        path = self._folder / f"{page.case.name.removeprefix('cases/')}-map.png"
        write_private(path, explained.saliency_png)
        self._screen.say("The face, the reference, and the regions of each that drive the similarity:")
        if self._look is Look.FILES:
            self._screen.say(f"  {path}")
        else:
            self._screen.draw_raw(drawn(beside([explained.saliency_png], self._screen.columns - 1, 11), self._look))
