"""docs/audit-events.md lists every action with the operation that the log records for it."""

from __future__ import annotations

import re
from pathlib import Path

from frs.access.payloads import openers
from frs.access.recording import RECORDING, LogsNothing
from frs.audit.actions import OPERATION, Action
from frs.types import Role

ROOT = Path(__file__).resolve().parents[2]


def test_every_action_is_documented_with_its_operation() -> None:
    """The table and the code agree, in both directions."""
    text = (ROOT / "docs" / "audit-events.md").read_text()
    rows = re.findall(r"^\| `([a-z.-]+)` \| ([a-z]+) \|", text, flags=re.MULTILINE)
    assert dict(rows) == {str(action): str(OPERATION[action]) for action in Action}
    assert len(rows) == len(Action)


def test_every_action_is_logged_somewhere() -> None:
    """No action is only a name: each is used by the code outside the catalogue and the table of recording."""
    sources = [p for p in (ROOT / "frs").rglob("*.py") if p.name not in {"actions.py", "recording.py"}]
    code = "\n".join(path.read_text() for path in sources)
    assert [action.name for action in Action if f"Action.{action.name}" not in code] == []


def test_every_call_without_an_event_is_documented() -> None:
    """The document gives a reason for exactly the methods that log nothing; the standard services in one row."""
    text = (ROOT / "docs" / "audit-events.md").read_text()
    table = text.partition("| call | why |")[2].partition("\n\n")[0]
    calls = "\n".join(row.partition(" | ")[0] for row in table.splitlines())
    named = set(re.findall(r"`([A-Z]\w+)`", calls))
    silent = {name for name, row in RECORDING.items() if isinstance(row, LogsNothing)}
    assert named == {name.rpartition("/")[2] for name in silent if name.startswith("/frs.v1.")}


def test_who_may_open_payloads_is_documented() -> None:
    """The row of the data protection officer names the actions that the table opens to them."""
    text = (ROOT / "docs" / "audit-events.md").read_text()
    row = next(line for line in text.splitlines() if line.endswith("| the data protection officer too |"))
    named = re.findall(r"`([a-z.*-]+)`", row)
    opened = {
        action
        for action in Action
        if any(action == name or (name.endswith("*") and action.startswith(name[:-1])) for name in named)
    }
    assert opened == {action for action in Action if Role.DATA_PROTECTION_OFFICER in openers(action)}
