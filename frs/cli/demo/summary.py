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
    nominal: str
    shown: str
    """Who the picture shows, as it was drawn."""
    right: bool
    score: float
    threshold: float
    frames: int
    state: str = "pending"


@dataclass(slots=True)
class Summary:
    """The outcome of one run."""

    people_listed: int = 0
    found: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    alerts: list[AlertLine] = field(default_factory=list)
    strangers_shown: int = 0
    faces_seen: int = 0
    frames: int = 0
    frames_per_second: float = 0.0
    faces_per_second: float = 0.0
    retrospective_found: list[str] = field(default_factory=list)
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
            "faces_seen": self.faces_seen,
            "frames": self.frames,
            "frames_per_second": self.frames_per_second,
            "faces_per_second": self.faces_per_second,
            "retrospective_found": list(self.retrospective_found),
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
        rows = [
            ("people listed", self.people_listed),
            ("found / missed", f"{len(self.found)} / {len(self.missed)}"),
            ("strangers shown", f"{self.strangers_shown}, false alerts {len(self.false_alerts)}"),
            ("faces seen", f"{self.faces_seen} in {self.frames} frames"),
            ("pace", f"{self.frames_per_second:.1f} frames/s, {self.faces_per_second:.1f} faces/s on {self.provider}"),
            ("retrospective search found", ", ".join(self.retrospective_found) or "nobody"),
            ("operator search", f"found {self.operator_match or 'nobody'}; of a stranger: no match"),
            ("log", verified),
            ("time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())),
        ]
        if self.operator_stranger_matched:
            rows[6] = ("operator search", f"found {self.operator_match or 'nobody'}; OF A STRANGER: A MATCH")
        show_table(("what", "result"), rows, "Summary")
        say(f"Pictures and summary: {out}/contact-sheet.png, {out}/clip.mp4, {out}/demo-summary.json")
        say("Probe and reference share a photograph here: this shows the machinery, not accuracy on real cameras.")
        if self.notice:
            say(self.notice)
        for failure in self.failures:
            say(f"FAILED: {failure}")
