"""docs/security.md names, for each threat, the tests that show what stops it; they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
THREATS = DOCUMENT.partition("## Threat model\n")[2]


def test_every_test_that_is_named_exists() -> None:
    """Each name is a file of tests, with its function where one is given; ``::name`` goes on in the same file."""
    named = re.findall(r"`([a-z_/0-9]+\.py)?(?:::(test_\w+))?`", THREATS)
    assert len(named) > 20
    file = ""
    for path, function in named:
        if not (path or function):
            continue
        file = path or file
        text = (ROOT / "tests" / file).read_text()
        assert not function or f"def {function}(" in text, f"{file}::{function}"


def test_every_threat_is_shown_by_a_test() -> None:
    """No row of the table is without one."""
    rows = [line for line in THREATS.splitlines() if line.startswith("| **")]
    assert len(rows) >= 15
    assert all(re.search(r"::test_|test_\w+\.py", row) for row in rows)
