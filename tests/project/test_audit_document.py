"""docs/audit-events.md lists every action with the operation that the log records for it."""

from __future__ import annotations

import re
from pathlib import Path

from frs.audit.actions import OPERATION, Action

ROOT = Path(__file__).resolve().parents[2]


def test_every_action_is_documented_with_its_operation() -> None:
    """The table and the code agree, in both directions."""
    text = (ROOT / "docs" / "audit-events.md").read_text()
    rows = re.findall(r"^\| `([a-z.-]+)` \| ([a-z]+) \|", text, flags=re.MULTILINE)
    assert dict(rows) == {str(action): str(OPERATION[action]) for action in Action}
    assert len(rows) == len(Action)


def test_every_action_is_logged_somewhere() -> None:
    """No action is only a name: each is used by the code outside the catalogue."""
    sources = [p for p in (ROOT / "frs").rglob("*.py") if p.name != "actions.py"]
    code = "\n".join(path.read_text() for path in sources)
    assert [action.name for action in Action if f"Action.{action.name}" not in code] == []
