"""The people who decide in the demonstration: two reviewers who do not see each other's work, and an officer.

They answer by the truth of the drawing, as people would by looking.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from frs.cli.demo.clip import Presence
from frs.cli.demo.commands import Commands
from frs.cli.demo.pairs import PAIRS
from frs.cli.demo.summary import AlertLine, Summary
from frs.cli.demo.truth import Shown, load_probe

REVIEWERS = ("reviewer", "reviewer-two")
OFFICER = "officer"
_FEATURES = ("nose", "ears", "mouth")
WhoIsShown = Callable[[Sequence[Shown]], Mapping[str, Presence | None]]


class People:
    """Reviewers and an officer, each with an identity of their own."""

    def __init__(self, commands: Commands, summary: Summary, out: Path, folder: Path) -> None:
        """``out`` is what stays after the demonstration; ``folder`` holds what the people are shown."""
        self._frs, self._summary, self._out = commands, summary, out
        self.pictures = folder / REVIEWERS[0]
        self._folder = folder

    def review(self, deployment: str, who_is_shown: WhoIsShown) -> None:
        """Decide every alert of the deployment, twice; the lines of the summary say whom each picture shows."""
        first, second = REVIEWERS
        listed = self._frs.run("review", "list", "--deployment", deployment, identity=first)
        for case in (case for case in listed if _known(case) is not None):
            self._decide_pair(case)
        alerts = sorted((case for case in listed if _known(case) is None), key=lambda case: case["capture_time"])
        claimed = [self._claim(first, case["name"]) for case in alerts]
        answers = who_is_shown([self._probe(case) for case in claimed])
        for case in claimed:
            line = self._observe(case, answers.get(_id(case)))
            if line.right and not self._summary.explanation:
                self._explain(case)
            self._decide(first, case["name"], line)
        for case, line in zip(claimed, self._summary.alerts, strict=True):
            self._claim(second, case["name"])
            self._say(second, case["name"], line.right)
            settled = self._decide(second, case["name"], line)
            line.state = settled["decision"].removeprefix("DECISION_").lower().replace("_", " ")

    def engage(self) -> None:
        """Take every assignment as the officer, and say that it was the person."""
        lines = {(line.nominal, line.seen_at): line for line in self._summary.alerts}
        for offered in self._frs.run("officer", "list", identity=OFFICER):
            pictures = str(self._folder / OFFICER)
            taken = self._frs.run("officer", "take", _id(offered), "--out", pictures, identity=OFFICER)
            outcome = ("engage", _id(taken), "confirmed-true", "--note", "spoken to")
            engaged = self._frs.run("officer", *outcome, identity=OFFICER)
            line = lines[taken["nominal"], taken["capture_time"]]
            line.state = engaged["engagement"].removeprefix("ENGAGEMENT_").lower().replace("_", " ")
            self._summary.engaged += 1

    def _decide_pair(self, case: dict[str, Any]) -> None:
        """Decide a known pair as people would who look; in the queue nothing tells it from an alert."""
        is_one_person = bool(_known(case))
        said = ("true", "--reason", "same face") if is_one_person else ("false", "--reason", "another person")
        for reviewer in REVIEWERS:
            pictures = str(self._folder / reviewer)
            self._frs.run("review", "claim", case["name"], "--out", pictures, identity=reviewer)
            self._say(reviewer, case["name"], is_one_person)
            self._frs.run("review", "decide", case["name"], *said, identity=reviewer)
        self._summary.checks += 1

    def _claim(self, reviewer: str, name: str) -> dict[str, Any]:
        pictures = str(self._folder / reviewer)
        case: dict[str, Any] = self._frs.run("review", "claim", name, "--out", pictures, identity=reviewer)
        self._summary.withheld += bool(case["score_withheld"])
        return case

    def _probe(self, case: dict[str, Any]) -> Shown:
        captured = datetime.fromisoformat(case["capture_time"])
        return load_probe(_id(case), captured, self.pictures / f"{_id(case)}-probe.jpg")

    def _observe(self, case: dict[str, Any], presence: Presence | None) -> AlertLine:
        """Say what the first reviewer sees; only then the score is known."""
        (proposed,) = case["candidates"]
        right = presence is not None and presence.person.nominal == proposed["nominal"]
        (scored,) = self._say(REVIEWERS[0], case["name"], right)["candidates"]
        shown = presence.person.name if presence is not None else "nobody who was drawn"
        scores = scored["score"], scored["threshold"], scored["frames"]
        line = AlertLine(_id(case), proposed["nominal"], shown, right, *scores, seen_at=case["capture_time"])
        self._summary.alerts.append(line)
        return line

    def _say(self, reviewer: str, name: str, right: bool) -> dict[str, Any]:
        finding = "agrees" if right else "differs"
        features = [part for feature in _FEATURES for part in ("--feature", f"{feature}={finding}")]
        qualities = ("--probe-quality", "usable", "--reference-quality", "good")
        observed: dict[str, Any] = self._frs.run("review", "observe", name, *features, *qualities, identity=reviewer)
        return observed

    def _decide(self, reviewer: str, name: str, line: AlertLine) -> dict[str, Any]:
        said = ("true", "--reason", "same face") if line.right else ("false", "--reason", "another person")
        decided: dict[str, Any] = self._frs.run("review", "decide", name, *said, identity=reviewer)
        self._summary.decisions += 1
        return decided

    def _explain(self, case: dict[str, Any]) -> None:
        """Keep why one alert was proposed, and the frame as the reviewer saw it."""
        png = self._out / "explanation.png"
        told = self._frs.run("review", "explain", case["name"], "--out", str(png), identity=REVIEWERS[0])
        self._summary.explanation = list(told["sentences"])
        frame = self.pictures / f"{_id(case)}-frame.jpg"
        if frame.exists():
            shutil.copyfile(frame, self._out / "frame-blurred.jpg")


def _known(case: dict[str, Any]) -> bool | None:
    """Return whether a known pair shows one person; None for an alert. Only who made the pairs can say."""
    return PAIRS.get(case["candidates"][0]["nominal"])


def _id(record: dict[str, Any]) -> str:
    return str(record["name"].rpartition("/")[2])
