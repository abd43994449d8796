"""When the demonstration has failed: each condition by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frs.cli.demo.summary import AlertLine, Summary


def success() -> Summary:
    """Return the summary of a run in which all went well."""
    return Summary(
        people_listed=1,
        found=["N/1"],
        alerts=[
            AlertLine(
                "a1", "N/1", "person 1", right=True, score=0.98, threshold=0.945, frames=3, state="confirmed true"
            )
        ],
        operator_match="N/1",
        events=30,
        log_verified=True,
        drained=True,
    )


def test_a_run_in_which_all_went_well_has_no_failure() -> None:
    """What the other tests change is what makes them fail."""
    assert success().failures == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("missed", ["N/2"], "N/2 was listed and not found"),
        ("log_verified", False, "the log does not verify"),
        ("operator_match", "", "a listed person found nobody"),
        ("operator_stranger_matched", True, "a stranger found somebody"),
        ("drained", False, "did not end cleanly"),
    ],
)
def test_each_failure_is_told(field: str, value: object, told: str) -> None:
    """One thing that went wrong is one sentence."""
    summary = success()
    setattr(summary, field, value)
    assert [told in failure for failure in summary.failures] == [True]


def test_an_alert_that_shows_somebody_else_is_a_failure() -> None:
    """It is counted as false and says whom it shows."""
    summary = success()
    summary.alerts.append(AlertLine("a2", "N/1", "passer-by A", right=False, score=0.95, threshold=0.945, frames=3))
    assert summary.as_json()["false_alerts"] == 1
    assert summary.failures == ["a false alert for N/1: it shows passer-by A"]


def test_the_summary_is_written_as_json(tmp_path: Path) -> None:
    """With the counts that the README names."""
    success().write(tmp_path / "demo-summary.json")
    written = json.loads((tmp_path / "demo-summary.json").read_text())
    assert written["ok"] is True
    for name in ("people_listed", "found", "missed", "false_alerts", "events", "log_verified", "faces_per_second"):
        assert name in written
