"""``frs demo``: everybody listed is found, nobody else, the log verifies; and it says so when that is not so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from frs.embed.video import read_video
from tests.journeys.service import ROOT, environment

pytestmark = pytest.mark.journey


def demonstrate(out: Path, models: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the demonstration with short scenes; return how it ended and its summary."""
    command = [sys.executable, "-W", "error", "-m", "frs.cli.main", "demo", "--out", str(out), "--models", str(models)]
    ran = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=environment(models),
        capture_output=True,
        text=True,
        timeout=230,
        check=False,
    )
    summary = out / "demo-summary.json"
    return ran, json.loads(summary.read_text()) if summary.exists() else {}


@pytest.fixture(scope="module")
def demonstration(
    tmp_path_factory: pytest.TempPathFactory, models: Path
) -> tuple[Path, subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run it once for this module."""
    out = tmp_path_factory.mktemp("demo") / "out"
    ran, summary = demonstrate(out, models, "--scene-seconds", "1.5")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return out, ran, summary


def test_it_finds_the_listed_and_nobody_else(demonstration: tuple[Path, Any, dict[str, Any]]) -> None:
    """Three of the six are found in the clip and in the incident's media; strangers raise no alert."""
    _, _, summary = demonstration
    assert (summary["people_listed"], summary["found"], summary["missed"], summary["false_alerts"]) == (3, 3, 0, 0)
    assert summary["strangers_shown"] >= 3
    assert len(summary["retrospective_found"]) == 3
    assert summary["operator_match"] in summary["found_nominals"]
    assert summary["operator_stranger_matched"] is False
    assert summary["failures"] == []


def test_every_alert_was_reviewed_and_the_log_verified(demonstration: tuple[Path, Any, dict[str, Any]]) -> None:
    """Two reviewers decide each without its score at first, an officer goes; each act is an event."""
    _, ran, summary = demonstration
    assert (summary["decisions"], summary["withheld"], summary["engaged"]) == (6, 6, 3)
    assert summary["checks"] == 2, "known pairs among the alerts"
    looked = "recognised 1 of 1 pairs of one person, took 0 of 1 pairs of two for one"
    assert summary["vigilance"] == {"reviewer": looked, "reviewer-two": looked}
    for who in ("manager", "superintendent", "camera", "reviewer", "reviewer-two", "officer", "oversight"):
        assert f"\n{who}$ frs " in ran.stdout
    assert {alert["state"] for alert in summary["alerts"]} == {"confirmed true"}
    assert all(alert["score"] >= alert["threshold"] and alert["frames"] >= 3 for alert in summary["alerts"])
    assert summary["log_verified"] is True
    assert summary["events"] >= 20
    assert summary["faces_per_second"] > 0
    assert summary["faces_seen"] >= 6


def test_it_leaves_pictures_and_tells_what_they_are(demonstration: tuple[Path, Any, dict[str, Any]]) -> None:
    """Sheet, explanation, blurred frame, clip and summary; the data and the enrolled plaintext pictures are gone."""
    out, ran, summary = demonstration
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.width > 3 * 400
    with Image.open(out / "explanation.png") as tiles, Image.open(out / "frame-blurred.jpg") as frame:
        assert tiles.width > 3 * tiles.height
        assert frame.size == (960, 540)
    assert summary["explanation"]
    frames = list(read_video(out / "clip.mp4", 0.0, 30.0, 4_000_000))
    assert len(frames) >= summary["frames"] > 20
    assert not (out / "data").exists()
    assert not list((out / "watchlist").rglob("*.jpg"))
    assert "Probe and reference share a photograph here" in ran.stdout
    assert "Not for operational use" in ran.stdout


def test_it_fails_when_a_listed_person_is_missed(tmp_path: Path, models: Path) -> None:
    """A live threshold that nobody reaches: the status is not 0, the missed are named, the server is stopped."""
    ran, summary = demonstrate(tmp_path, models, "--scene-seconds", "0.5", "--live-threshold", "1.0", "--json")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["missed"] == 3
    assert (summary["found"], summary["missed"], summary["alerts"]) == (0, 3, [])
    assert "DEMO/0001 was listed and not found" in summary["failures"]
    assert summary["log_verified"] is True


def test_it_fails_when_strangers_raise_alerts(tmp_path: Path, models: Path) -> None:
    """A live threshold that everybody reaches: false alerts are told apart by who was drawn, and decided false."""
    ran, summary = demonstrate(tmp_path, models, "--scene-seconds", "0.5", "--live-threshold", "0.5")
    assert ran.returncode == 1
    assert summary["false_alerts"] > 0
    wrong = [alert for alert in summary["alerts"] if not alert["right"]]
    assert {alert["state"] for alert in wrong} == {"false"}
    assert "FAILED: a false alert" in ran.stdout
