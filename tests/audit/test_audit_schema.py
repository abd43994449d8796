"""docs/audit-event.schema.json describes the events that the log writes, and nothing looser."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from frs.audit.actions import OPERATION, Action, Operation
from frs.audit.event import SCHEMA_VERSION
from frs.types import Actor, Event, ListVersion, References
from tests.audit_house import ALICE, AuditHouse, alert_event
from tests.json_schema import violations

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "audit-event.schema.json").read_text()
)
LEAF, PAYLOAD = SCHEMA["$defs"]["leaf"], SCHEMA["$defs"]["payload"]
SEARCH = References((ListVersion("a", 1), ListVersion("b", 2)), ("N2", "N1"), search="s1", job="j1")


def written(house: AuditHouse) -> list[tuple[Any, Any]]:
    """Return leaf and payload of events of several kinds, as they are read back."""
    events = [alert_event(1), Event("service.started", Actor.system()), Event("operator.search", ALICE, SEARCH)]
    seqs = house.append(*events, *(Event(action, ALICE) for action in Action))
    stored = [house.log.get(seq, open_payload=True) for seq in seqs]
    return [(json.loads(event.leaf), event.payload) for event in stored]


def test_every_event_is_as_the_schema_says(house: AuditHouse) -> None:
    """Leaf and payload, of every action."""
    for leaf, payload in written(house):
        assert violations(leaf, LEAF, SCHEMA) == []
        assert violations(payload, PAYLOAD, SCHEMA) == []


def test_the_schemas_version_is_the_codes() -> None:
    """A change of one without the other is found; so is an operation that one does not know."""
    assert LEAF["properties"]["v"]["const"] == SCHEMA_VERSION
    assert SCHEMA["$id"] == f"urn:frs:audit-event:{SCHEMA_VERSION}"
    assert set(LEAF["properties"]["operation"]["enum"]) == {str(each) for each in Operation} == set(OPERATION.values())


WRONG: list[tuple[str, Any]] = [
    ("v", 2),
    ("seq", -1),
    ("seq", "7"),
    ("time", "2026-03-01T09:00:00Z"),
    ("action", "Alert Raised"),
    ("operation", "deletion"),
    ("actor", "alice"),
    ("payload", "00"),
    ("refs", {}),
    ("refs", {"watchlists": [], "subjects": ["N1"], "deployment": None, "alert": None, "search": None, "job": None}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_leaf_is_found(house: AuditHouse, name: str, value: Any) -> None:
    """A nominal in place of a pseudonym, a name in place of an actor, another form of time."""
    leaf, _ = written(house)[0]
    assert violations({**leaf, name: value}, LEAF, SCHEMA)


@pytest.mark.parametrize("part", ["leaf", "payload"])
def test_a_missing_or_unknown_member_is_found(house: AuditHouse, part: str) -> None:
    """On every level: nothing can be added to an event, or left out, without another version of the schema."""
    leaf, payload = written(house)[2]
    value, schema = (leaf, LEAF) if part == "leaf" else (payload, PAYLOAD)
    inner = {"leaf": ["refs"], "payload": ["actor"]}[part]
    for path in ([], inner):
        here = value
        for step in path:
            here = here[step]
        for name in here:
            less = copy.deepcopy(value)
            place = less
            for step in path:
                place = place[step]
            del place[name]
            assert violations(less, schema, SCHEMA), (path, name)
            place["another"] = here[name]
            assert violations(less, schema, SCHEMA)
