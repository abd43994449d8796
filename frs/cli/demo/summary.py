"""What the demonstration found: for people as a table, for machines as ``demo-summary.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from frs.cli.output import say, show_table
from frs.types import Json


@dataclass(slots=True)
class AlertLine:
    """One alert and the truth about it."""

    alert: str
    """Id of its case."""
    nominal: str
    shown: str
    """Who the picture shows, as it was drawn."""
    right: bool
    score: float
    threshold: float
    frames: int
    state: str = "pending"
    seen_at: str = ""
    """Capture time of the best picture."""


@dataclass(slots=True)
class Summary:
    """The outcome of one run."""

    people_listed: int = 0
    found: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    alerts: list[AlertLine] = field(default_factory=list)
    decisions: int = 0
    """Of reviewers."""
    withheld: int = 0
    """How often a reviewer was shown a case without its score."""
    checks: int = 0
    """Known pairs that were decided among the alerts."""
    vigilance: dict[str, str] = field(default_factory=dict)
    """What oversight reads of each reviewer on them."""
    engaged: int = 0
    """Assignments that the officer took and reported on."""
    explanation: list[str] = field(default_factory=list)
    """Why one alert was proposed, in sentences."""
    strangers_shown: int = 0
    faces_seen: int = 0
    frames: int = 0
    frames_per_second: float = 0.0
    faces_per_second: float = 0.0
    retrospective_found: list[str] = field(default_factory=list)
    lists_waiting: int = 0
    """Candidate lists of the retrospective search that wait for a reviewer."""
    operator_match: str = ""
    operator_stranger_matched: bool = False
    events: int = 0
    log_verified: bool = False
    log_problems: list[str] = field(default_factory=list)
    drained: bool = False
    model: str = ""
    provider: str = ""
    notice: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def false_alerts(self) -> list[AlertLine]:
        """Alerts whose picture does not show the person proposed."""
        return [line for line in self.alerts if not line.right]

    @property
    def failures(self) -> list[str]:
        """Return why the demonstration failed; empty when it succeeded."""
        problems = [f"{nominal} was listed and not found" for nominal in self.missed]
        problems += [f"a false alert for {line.nominal}: it shows {line.shown}" for line in self.false_alerts]
        problems += [f"nobody spoke to {line.nominal}" for line in self.alerts if line.right and not _engaged(line)]
        if not self.log_verified:
            problems.append(f"the log does not verify: {'; '.join(self.log_problems) or 'it was not checked'}")
        if not self.operator_match:
            problems.append("the operator search of a listed person found nobody")
        if self.operator_stranger_matched:
            problems.append("the operator search of a stranger found somebody")
        if not self.drained:
            problems.append("the server did not end cleanly")
        return problems

    def as_json(self) -> dict[str, Json]:
        """Return the summary as it is written to ``demo-summary.json``."""
        return {
            "people_listed": self.people_listed,
            "found": len(self.found),
            "missed": len(self.missed),
            "false_alerts": len(self.false_alerts),
            "found_nominals": list(self.found),
            "missed_nominals": list(self.missed),
            "strangers_shown": self.strangers_shown,
            "alerts": [
                {
                    "alert": line.alert,
                    "nominal": line.nominal,
                    "shown": line.shown,
                    "right": line.right,
                    "score": line.score,
                    "threshold": line.threshold,
                    "frames": line.frames,
                    "state": line.state,
                }
                for line in self.alerts
            ],
            "decisions": self.decisions,
            "withheld": self.withheld,
            "checks": self.checks,
            "vigilance": dict(self.vigilance),
            "engaged": self.engaged,
            "explanation": list(self.explanation),
            "faces_seen": self.faces_seen,
            "frames": self.frames,
            "frames_per_second": self.frames_per_second,
            "faces_per_second": self.faces_per_second,
            "retrospective_found": list(self.retrospective_found),
            "lists_waiting": self.lists_waiting,
            "operator_match": self.operator_match,
            "operator_stranger_matched": self.operator_stranger_matched,
            "events": self.events,
            "log_verified": self.log_verified,
            "log_problems": list(self.log_problems),
            "model": self.model,
            "provider": self.provider,
            "notice": self.notice,
            "seconds": dict(self.seconds),
            "failures": list(self.failures),
            "ok": not self.failures,
        }

    def write(self, path: Path) -> None:
        """Write ``demo-summary.json``."""
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def show(self, out: Path) -> None:
        """Print what happened."""
        show_table(
            ("alert", "proposes", "the picture shows", "score", "threshold", "frames", "decided"),
            [
                (a.alert[-8:], a.nominal, a.shown, f"{a.score:.3f}", f"{a.threshold:.3f}", a.frames, a.state)
                for a in self.alerts
            ],
            "Alerts",
        )
        verified = f"{self.events} events, verified" if self.log_verified else "DOES NOT VERIFY"
        stranger = "OF A STRANGER: A MATCH" if self.operator_stranger_matched else "of a stranger: no match"
        rows = [
            ("people listed", self.people_listed),
            ("found / missed", f"{len(self.found)} / {len(self.missed)}"),
            ("strangers shown", f"{self.strangers_shown}, false alerts {len(self.false_alerts)}"),
            ("faces seen", f"{self.faces_seen} in {self.frames} frames"),
            ("pace", f"{self.frames_per_second:.1f} frames/s, {self.faces_per_second:.1f} faces/s on {self.provider}"),
            ("reviewers", f"2, who decided {self.decisions} times; the score withheld until they said what they see"),
            ("known pairs among the alerts", f"{self.checks}"),
            *((f"  {name}", found) for name, found in self.vigilance.items()),
            ("officer", f"took {self.engaged} assignments"),
            ("retrospective search found", ", ".join(self.retrospective_found) or "nobody"),
            ("candidate lists", f"{self.lists_waiting} wait for a reviewer"),
            ("operator search", f"found {self.operator_match or 'nobody'}; {stranger}"),
            ("log", verified),
            ("time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())),
        ]
        show_table(("what", "result"), rows, "Summary")
        if self.explanation:
            say("Why the first was proposed, as its reviewers read it:")
            for sentence in self.explanation:
                say(f"  {sentence}")
            say(f"Which regions drove the score: {out}/explanation.png; what reviewers see: {out}/frame-blurred.jpg")
        say(f"Pictures and summary: {out}/contact-sheet.png, {out}/clip.mp4, {out}/demo-summary.json")
        say("Probe and reference share a photograph here: this shows the machinery, not accuracy on real cameras.")
        if self.notice:
            say(self.notice)
        for failure in self.failures:
            say(f"FAILED: {failure}")


def _engaged(line: AlertLine) -> bool:
    return line.state == "confirmed true"
