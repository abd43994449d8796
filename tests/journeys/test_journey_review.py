"""A reviewer at the desk: ``frs review`` in a terminal and over a pipe, against a running service."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frs.access.authority import Authority
from frs.clock import SystemClock
from frs.types import Role, Scope
from frs.v1 import common_pb2, retrospective_pb2_grpc, review_pb2, review_pb2_grpc, watchlist_pb2
from tests.journeys.conftest import Desk
from tests.journeys.deciding import SEEN
from tests.journeys.pictures import frames
from tests.journeys.service import ROOT, Service, environment
from tests.journeys.streaming import frame, opening, play
from tests.journeys.terminal import Terminal
from tests.journeys.test_journey_retrospective import job, send

pytestmark = pytest.mark.journey
SECONDS = 30
INTERRUPTED = 130


class Screen:
    """What a process writes on its terminal, and the keys that are pressed there."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character

    def until(self, text: str) -> str:
        """Wait for a text; returns what was written up to it since the last wait."""
        end = time.monotonic() + SECONDS
        while text not in self.written:
            assert time.monotonic() < end, f"{text!r} was not written: {self.written[-2000:]}"
            if select.select([self._number], [], [], 0.2)[0]:
                self.written += self._decoder.decode(os.read(self._number, 65536))
        before, _, self.written = self.written.partition(text)
        return before + text

    def press(self, keys: str) -> None:
        os.write(self._number, keys.encode())


@contextmanager
def desk_of(service: Service, models: Path, *arguments: str) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """Run ``frs review`` at a terminal of 80 by 24 that draws colours."""
    folder = service.data / "desk"
    folder.mkdir(exist_ok=True)
    person, program = pty.openpty()
    command = [sys.executable, "-m", "frs.cli.main", "review", "--data", str(service.data), *arguments]
    drawing = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80", "LINES": "24"}
    terminal = environment(models, **drawing, TMPDIR=str(folder))
    with subprocess.Popen(command, cwd=ROOT, env=terminal, stdin=program, stdout=program, stderr=program) as running:
        os.close(program)
        try:
            yield Screen(person), running
        finally:
            if running.poll() is None:
                running.kill()
    os.close(person)
    assert not [*folder.iterdir()], "pictures are left"


def alerted(service: Service, desk: Desk, people: tuple[bytes, ...]) -> str:
    """Have people walk past a camera; returns the deployment."""
    deployment = desk.deployment(desk.active_list(people).name).name
    drawn = frames(people, 12)
    heard = play(service, [opening(deployment), *(frame(n, data) for n, data in enumerate(drawn, 1))])
    assert len(heard.alerts) == len(people)
    return deployment


def cases(service: Service, deployment: str, state: review_pb2.CaseState.ValueType) -> list[review_pb2.Case]:
    stub = service.stub(review_pb2_grpc.ReviewServiceStub, "reviewer")
    return list(stub.ListCases(review_pb2.ListCasesRequest(deployment=deployment, state=state)).cases)


def test_a_reviewer_at_a_terminal(service: Service, desk: Desk, models: Path, sample_people: tuple[bytes, ...]) -> None:
    """A keystroke an answer; the faces drawn; no score before the observation; what is not decided is given back."""
    deployment = alerted(service, desk, sample_people[:2])
    with desk_of(service, models, "--deployment", deployment, "--identity", "reviewer") as (screen, running):
        shown = screen.until("1/9 face shape")
        screen.press("advaaaaaagu\r")
        shown += screen.until("before the score is shown")
        assert "\u2580" in shown
        assert "1 more wait" in shown
        assert re.search(r"NOM-\d", shown)
        assert not re.search(r"0\.9\d|threshold", shown)
        screen.press("\r")
        assert re.search(r"score 0\.9\d+, threshold 0\.955", screen.until("Your decision"))
        screen.press("t")
        screen.until("Why?")
        screen.press("same ears\n")
        screen.until("1 decided")
        screen.until("1/9 face shape")
        (open_case,) = cases(service, deployment, review_pb2.CASE_STATE_CLAIMED)
        assert open_case.claimed_by == "reviewer"
        screen.press("q")
        screen.until("1 decided, 0 given back")
        assert running.wait(SECONDS) == 0
    (decided,) = cases(service, deployment, review_pb2.CASE_STATE_ADJUDICATED)
    assert decided.decision == review_pb2.DECISION_TRUE
    (made,) = decided.decisions
    assert (made.reason, len(made.observation.features)) == ("same ears", 9)
    (left,) = cases(service, deployment, review_pb2.CASE_STATE_PENDING)
    assert left.claimed_by == ""


def test_a_candidate_list_at_a_terminal(
    service: Service, desk: Desk, models: Path, sample_people: tuple[bytes, ...], group_picture: bytes
) -> None:
    """Candidates have numbers and each is explained; an observation whose answer was lost is not asked for again.

    A terminal that is closed leaves no picture behind, and the case to others.
    """
    loose = watchlist_pb2.Threshold(mode=common_pb2.MODE_RETROSPECTIVE, score=0.5)
    listed = desk.active_list(sample_people[:3], thresholds=[loose]).name
    of_list = Scope(watchlists=frozenset({listed.removeprefix("watchlists/")}))
    Authority.load(service.data / "certs", SystemClock()).issue("desk", (Role.REVIEWER,), scope=of_list)
    investigator = service.stub(retrospective_pb2_grpc.RetrospectiveServiceStub, "investigator")
    investigator.CreateJob(job([send(investigator, group_picture)], listed))
    reviewing = service.stub(review_pb2_grpc.ReviewServiceStub, "desk")
    with desk_of(service, models, "--kind", "candidates", "--identity", "desk") as (screen, running):
        assert re.search(r"who is this\?.* 1 NOM-0 of .* 3 NOM-2 of", screen.until("1/9 face shape"), re.DOTALL)
        screen.press("aaaaaaaaagg\r")
        screen.until("before the score is shown")
        (held,) = reviewing.ListCases(review_pb2.ListCasesRequest(mine=True)).cases
        request = review_pb2.RecordObservationRequest(name=held.name, observation=SEEN)
        best = int(reviewing.RecordObservation(request).candidates[0].nominal.removeprefix("NOM-"))
        screen.press("\r")
        screen.until(f"Why {best + 1} NOM-{best} is proposed")
        screen.until("Your decision")
        screen.press("e3\n")
        screen.until("Why 3 NOM-2 is proposed")
        screen.until("Your decision")
        screen.press("2")
        screen.until("Why?")
        screen.press("same ears\n")
        screen.until("1/9 face shape")
        running.send_signal(signal.SIGHUP)  # the terminal was closed
        assert running.wait(SECONDS) == INTERRUPTED
    assert not reviewing.ListCases(review_pb2.ListCasesRequest(mine=True)).cases
    decided = reviewing.GetCase(review_pb2.GetCaseRequest(name=held.name))
    assert (decided.decision, decided.subject) == (review_pb2.DECISION_TRUE, held.candidates[1].subject)


def test_a_reviewer_over_a_pipe(service: Service, desk: Desk, sample_people: tuple[bytes, ...], tmp_path: Path) -> None:
    """The same questions as lines; too few features are asked for again; the decision is a line of JSON."""
    deployment = alerted(service, desk, sample_people[:1])
    first = ["agrees", *[""] * 8, "poor", "good", "", ""]
    again = ["", "d", "v", *[""] * 6, "usable", "good", "2", "", "n", "a beard", ""]
    typed = "\n".join([*first, *again, "f", "", "false", "another chin"]) + "\n"
    arguments = ("--deployment", deployment, "--most", "1", "--no-wait", "--json", "--out", str(tmp_path))
    ran = Terminal(service).run("review", *arguments, identity="reviewer2", typed=typed)
    assert ran.status == 0, ran.err
    case = json.loads(ran.out)
    assert (case["state"], case["decision"]) == ("CASE_STATE_ADJUDICATED", "DECISION_FALSE")
    (made,) = case["decisions"]
    assert (made["reviewer"], made["reason"], made["observation"]["note"]) == ("reviewer2", "another chin", "a beard")
    assert [each["finding"] for each in made["observation"]["features"]] == [
        "FINDING_AGREES",
        "FINDING_DIFFERS",
        "FINDING_NOT_VISIBLE",
    ]
    assert "\x1b" not in ran.err
    before, _, after = ran.err.partition("score 0.9")
    assert after, "the score is shown after the observation"
    assert before.count("1/9 face shape") == 2, "one feature is too few"
    kinds = sorted(path.stem.rpartition("-")[2] for path in tmp_path.glob("*.jpg"))
    assert kinds == ["frame", "probe", "reference"]


def test_who_may_not_review_is_told_so_at_once(service: Service) -> None:
    """Before any case is asked for."""
    ran = Terminal(service).run("review", "--no-wait", identity="camera")
    assert ran.status == 4
    assert "PERMISSION_DENIED" in ran.err
