"""bench/RESULTS.md says what the result files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import results_table


def test_the_table_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing the table anew changes nothing: no number in it was typed by hand."""
    kept = results_table.TABLE.read_text()
    monkeypatch.setattr(results_table, "TABLE", tmp_path / "RESULTS.md")
    assert results_table.write_table().read_text() == kept
    assert "## Embedding" in kept
    assert "## Search" in kept
    assert "## Operator search" in kept
