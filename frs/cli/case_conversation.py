"""A reviewer and one case: look, say what you see, then see the score and what explains it, then decide and say why.

Some keys mean the same at every question: the pictures again, the whole frame, keeping the claim, giving the case back,
leaving. Where a claim has ended the case is taken again, if nobody else has it; where the service does not answer the
reviewer is asked whether to try again, and nothing that they said is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import partial

from rich.text import Text

from frs.cli.client import Client, call
from frs.cli.keystrokes import ENTER
from frs.cli.review_form import Form
from frs.cli.review_page import Page
from frs.cli.review_screen import Screen
from frs.errors import FrsError, Reason, Status
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub

_LONG_SECONDS = 300.0  # a map of regions, on a processor
_LEAST_REASON = 3
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


class Conversation:
    """About one case that the reviewer holds."""

    def __init__(self, client: Client, stub: ReviewServiceStub, screen: Screen, page: Page) -> None:
        self._client, self._stub, self._screen, self._page = client, stub, screen, page

    def hold(self) -> pb.Case:
        """Have the reviewer look and decide; returns the case as it is then.

        Raises GivenBackError, LeftError, InputEndedError, and FrsError when the case is no longer theirs.
        """
        page = self._page
        case = page.case
        self._note_claim(case)
        page.show()
        form = Form(page.probe_name)
        while not case.HasField("observation"):
            seen = form.fill(self._ask, self._screen.line)
            case = self._try(partial(self._observe, seen)) or case
        page.show_scores(case)
        self._explain()
        while True:
            decision, subject = self._decision()
            reason = self._reason()
            if reason:
                request = pb.DecideCaseRequest(name=case.name, decision=decision, reason=reason, subject=subject)
                decided = self._try(partial(call, self._client, self._stub.DecideCase, request))
                if decided is not None:
                    return decided

    def _observe(self, seen: pb.Observation) -> pb.Case | None:
        try:
            request = pb.RecordObservationRequest(name=self._page.case.name, observation=seen)
            observed = call(self._client, self._stub.RecordObservation, request)
        except FrsError as error:
            if error.reason is Reason.OBSERVATION_RECORDED:  # its answer was lost, or another desk of theirs was first
                return call(self._client, self._stub.GetCase, pb.GetCaseRequest(name=self._page.case.name))
            if error.reason is not Reason.INVALID_FIELD:
                raise
            self._screen.say(error.message, "bold red")  # too few features: the form is asked again, as it stands
            return None
        self._note_claim(observed)
        return observed

    def _try(self, act: Callable[[], pb.Case | None]) -> pb.Case | None:
        """Do something with the service; where the claim has ended take it again, where nobody answers ask."""
        while True:
            try:
                return act()
            except FrsError as error:
                if error.reason is Reason.CASE_NOT_CLAIMED:
                    self._claim()
                    self._screen.say("Your claim had ended; the case is yours again.")
                elif error.status is Status.UNAVAILABLE:
                    self._screen.say(error.message, "bold red")
                    self._ask("Try again?", {ENTER: "try again"}, lambda: ())
                elif error.reason is Reason.INVALID_FIELD:
                    self._screen.say(error.message, "bold red")
                    return None
                else:
                    raise

    def _note_claim(self, case: pb.Case) -> None:
        if case.HasField("claim_expire_time"):
            self._screen.claim_ends(case.claim_expire_time.ToDatetime(UTC))

    def _claim(self) -> None:
        request = pb.ClaimCaseRequest(name=self._page.case.name)
        self._note_claim(call(self._client, self._stub.ClaimCase, request))

    def _ask(self, question: str, choices: Mapping[str, str], panel: Callable[[], Sequence[Text]]) -> str:
        """Ask; the keys that mean the same everywhere are answered here."""
        always = {key: word for key, word in _ALWAYS.items() if key not in choices}
        while True:
            chosen = self._screen.ask(question, {**choices, "?": _ALWAYS["?"]}, panel, always)
            match chosen if chosen in always else "":
                case "i":
                    self._page.show()
                case "w":
                    self._page.show_frame()
                case "x":
                    self._claim()
                case "r":
                    raise GivenBackError
                case "q":
                    raise LeftError
                case "?":
                    told = ", ".join(f"{key} {word}" for key, word in always.items())
                    self._screen.say(f"At any time: {told}; Ctrl-C leaves too.")
                case _:
                    return chosen

    def _decision(self) -> tuple[pb.Decision.ValueType, str]:
        """Ask for the decision; returns it and whom it names."""
        candidates = self._page.case.candidates
        if self._page.of_alert:
            words = {"t": "true: the same person", "f": "false: another person"}
        else:
            numbers = {str(number): each.nominal for number, each in enumerate(candidates[:9], 1)}
            words = {**numbers, "f": "none of them"}
            if len(candidates) > len(numbers):
                words["n"] = "a higher number"
            if len(candidates) > 1:
                words["e"] = "explain another"
        words |= {"c": "cannot tell", "m": "map of what drives the score"}
        while True:
            chosen = self._ask("Your decision", words, lambda: ())
            match chosen:
                case "t":
                    return pb.DECISION_TRUE, ""
                case "f":
                    return pb.DECISION_FALSE, ""
                case "c":
                    return pb.DECISION_CANNOT_TELL, ""
                case "m" | "e":
                    self._explain_one(with_map=chosen == "m")
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

    def _explain(self, subject: str = "", *, with_map: bool = False) -> pb.Explanation | None:
        """Say why somebody is proposed: without a subject, whoever scores highest."""
        request = pb.ExplainCaseRequest(name=self._page.case.name, subject=subject, with_saliency=with_map)
        try:
            explained = call(self._client, self._stub.ExplainCase, request, _LONG_SECONDS)
        except FrsError as error:
            self._screen.say(f"No explanation: {error.message}")
            for notice in sorted({each.notice for each in self._page.case.candidates if each.notice}):
                self._screen.say(f"  {notice}", "dim")
            return None
        if with_map:
            return explained
        for number, each in enumerate(self._page.case.candidates, 1):
            if not self._page.of_alert and each.subject == explained.candidate.subject:
                self._screen.say(f"  Why {number} {each.nominal} is proposed:", "bold")
        for sentence in explained.sentences:
            self._screen.say(f"  {sentence}")
        return explained

    def _explain_one(self, *, with_map: bool) -> None:
        candidates, subject = self._page.case.candidates, ""
        if len(candidates) > 1:
            given = self._screen.line("Of which number?")
            if not (given.isdecimal() and 0 < int(given) <= len(candidates)):
                return
            subject = candidates[int(given) - 1].subject
        explained = self._explain(subject, with_map=with_map)
        if explained is not None and explained.saliency_png:
            self._page.show_map(explained.saliency_png)
