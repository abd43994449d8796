"""The log's events on one person, with so much of their payloads as concerns that person alone."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from frs.audit.concerning import Concerning
from frs.audit.event import format_time
from frs.audit.origins import Origins
from frs.audit.reading import read_event
from frs.audit.texts import texts_of
from frs.store.vault import Vault
from frs.types import Json

WITHHELD = "withheld: it names other people"
ERASED = "erased"


def person_events(
    connection: sa.Connection, vault: Vault, origins: Origins, nominal: str, pseudonym: str, logged: Concerning
) -> list[Json]:
    """Return every event on a person, in the order of the log. FrsError LOG_INCONSISTENT when one was altered."""
    found: list[Json] = []
    for seq in logged.actions:
        event = read_event(connection, seq, vault, origins)
        refs = json.loads(event.leaf)["refs"]
        said: Json = ERASED if event.payload is None else own_part(event.payload, (nominal, pseudonym))
        found.append(
            {
                "event": seq,
                "time": format_time(event.time),
                "action": event.action,
                "operation": event.operation,
                "watchlists": refs["watchlists"],
                **{kind: refs[kind] for kind in ("deployment", "alert", "search", "job")},
                "payload": said,
            }
        )
    return found


def own_part(payload: dict[str, Any], names: Collection[str]) -> Json:
    """Return the payload without what is about others; :data:`WITHHELD` when their nominals would still be in it."""
    others = [name for name in payload.get("subjects", []) if name not in names]
    kept: dict[str, Json] = {
        "by": payload.get("actor", {}).get("name"),
        "details": _without_others(payload.get("details"), names),
        "policy": payload.get("policy"),
    }
    named = any(other in text for text in texts_of(kept) for other in others)
    return WITHHELD if named else kept


def _without_others(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without_others(inner, names) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_others(inner, names) for inner in value if not _another(inner, names)]
    return value


def _another(value: Any, names: Collection[str]) -> bool:
    return isinstance(value, dict) and "nominal" in value and value["nominal"] not in names
