"""Events as they are stored: the leaf that the tree commits to, and the payload that the leaf commits to.

The leaf is RFC 8785 canonical JSON and holds no name, image, template or free text::

    {"v": 1, "seq": 7, "time": "2026-03-01T09:00:00.000000Z", "action": "alert.raised",
     "operation": "combination", "actor": "a:<hex>",
     "refs": {"watchlists": [{"id": "...", "version": 3}], "subjects": ["s:<hex>"],
     "deployment": "...", "alert": "...", "search": null, "job": null}, "payload": "<hex>"}

People are pseudonyms (:meth:`frs.store.vault.Vault.pseudonym`). The payload is canonical JSON too::

    {"actor": {"name": "...", "roles": [...], "credential": "..."}, "subjects": ["<nominal>"], "details": {...},
     "policy": 3}

``payload`` in the leaf is SHA-256 of a random nonce of 32 bytes followed by the payload. Nonce and payload are stored
sealed under a key of the event's own: when that is destroyed the leaf still verifies and no longer tells.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from frs.audit.actions import OPERATION, Action
from frs.audit.canonical import canonical
from frs.errors import FrsError, Reason
from frs.store.vault import Vault
from frs.types import Event, Json

SCHEMA_VERSION = 1
NONCE_BYTES = 32
PAYLOAD_CONTEXT = b"audit payload"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z")
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its place in the log, ready to be stored."""

    seq: int
    time: datetime
    action: str
    actor: str
    """Pseudonym."""
    leaf: bytes
    payload: bytes
    """The nonce and the canonical payload, to be sealed."""
    references: tuple[tuple[str, str], ...]
    """(kind, value) pairs for filters; each pair once."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is read."""

    seq: int
    time: datetime
    action: str
    operation: str
    leaf: bytes
    payload: dict[str, Json] | None
    """The opened payload; None when it was not asked for or has been erased."""
    nonce: bytes | None
    erased: bool = False
    """Whether the payload was asked for and its key is destroyed."""


def format_time(time: datetime) -> str:
    """Return an instant as leaves write it: UTC, microseconds, ``Z``."""
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


def parse_time(text: str) -> datetime:
    """Read an instant as leaves write it. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a time as leaves write it")
    return datetime.fromisoformat(text)


def commitment(nonce: bytes, payload: bytes) -> str:
    """Return what a leaf says of its payload: SHA-256 of nonce and payload, in hexadecimal."""
    return hashlib.sha256(nonce + payload).hexdigest()


def parse_payload(payload: bytes) -> dict[str, Json]:
    """Read a canonical payload. Numbers are doubles (RFC 7493), so integers beyond their precision are floats."""
    parsed: dict[str, Json] = json.loads(payload, parse_int=_parse_number)
    return parsed


def build_record(event: Event, seq: int, time: datetime, vault: Vault, policy: int) -> Record:
    """Make leaf and payload; ``policy`` is the version of the installation's policy that the act was done under.

    Raises ValueError when the action is unknown or the payload is not JSON.
    """
    action = Action(event.action)
    actor = vault.pseudonym("actor", event.actor.name)
    refs = leaf_references(event, vault)
    payload: Json = {
        "actor": {
            "name": event.actor.name,
            "roles": [*sorted(str(role) for role in event.actor.roles)],
            "credential": event.actor.credential,
        },
        "subjects": [*sorted(set(event.references.subjects))],
        "details": dict(event.payload),
        "policy": policy,
    }
    encoded_payload = canonical(payload)
    nonce = secrets.token_bytes(NONCE_BYTES)
    leaf: dict[str, Json] = {
        "v": SCHEMA_VERSION,
        "seq": seq,
        "time": format_time(time),
        "action": str(action),
        "operation": str(OPERATION[action]),
        "actor": actor,
        "refs": refs,
        "payload": commitment(nonce, encoded_payload),
    }
    encoded = canonical(leaf)
    return Record(seq, time, str(action), actor, encoded, nonce + encoded_payload, reference_pairs(refs))


def leaf_references(event: Event, vault: Vault) -> dict[str, Json]:
    """Return the leaf's ``refs``: sorted, without repetition, people as pseudonyms."""
    refs = event.references
    lists = sorted({(listed.watchlist, listed.version) for listed in refs.watchlists})
    return {
        "watchlists": [{"id": name, "version": version} for name, version in lists],
        "subjects": [*sorted({vault.pseudonym("subject", nominal) for nominal in refs.subjects})],
        "deployment": refs.deployment,
        "alert": refs.alert,
        "search": refs.search,
        "job": refs.job,
    }


def reference_pairs(refs: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what the filters find an event by, from its leaf's ``refs``."""
    pairs = {("watchlist", str(listed["id"])) for listed in refs["watchlists"]}
    pairs |= {("subject", str(pseudonym)) for pseudonym in refs["subjects"]}
    pairs |= {(kind, str(refs[kind])) for kind in ("deployment", "alert", "search", "job") if refs[kind] is not None}
    return tuple(sorted(pairs))


def _parse_number(text: str) -> int | float:
    exact = int(text)
    return exact if abs(exact) < 2**53 else float(text)


def open_payload(seq: int, leaf: bytes, sealed: bytes, owner: str, vault: Vault) -> tuple[bytes, bytes]:
    """Return nonce and canonical payload of an event; ``owner`` is whose key seals it (``Origins.payload_owner``).

    Raises FrsError: KEY_MISSING when it was erased, LOG_INCONSISTENT when it was altered or is not the one that the
    leaf commits to.
    """
    return open_committed(seq, json.loads(leaf).get("payload"), sealed, owner, vault)


def open_committed(seq: int, committed: str, sealed: bytes, owner: str, vault: Vault) -> tuple[bytes, bytes]:
    """Open a payload as :func:`open_payload` does, given what the leaf says of it."""
    try:
        opened = vault.open(owner, sealed, PAYLOAD_CONTEXT)
    except FrsError as error:
        if error.reason is not Reason.KEY_WRONG:
            raise
        # The keyring itself was opened before, so that another key-encryption key would not help.
        message = f"The payload of event {seq} was altered: it does not open with the event's own key."
        raise FrsError(Reason.LOG_INCONSISTENT, message, seq=str(seq)) from error
    nonce, payload = opened[:NONCE_BYTES], opened[NONCE_BYTES:]
    if committed != commitment(nonce, payload):
        raise FrsError(Reason.LOG_INCONSISTENT, f"The payload of event {seq} is not the one its leaf commits to.")
    return nonce, payload
