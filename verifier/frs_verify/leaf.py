"""Leaves: what the log says openly of an event, and the payload that it commits to.

A leaf is RFC 8785 canonical JSON, schema version 1::

    {"v": 1, "seq": 7, "time": "2026-03-01T09:00:00.000000Z", "action": "alert.raised", "operation": "use",
     "actor": "a:<64 hex>", "refs": {"watchlists": [{"id": "...", "version": 3}], "subjects": ["s:<64 hex>"],
     "deployment": "...", "alert": "...", "search": null, "job": null}, "payload": "<64 hex>"}

``payload`` is SHA-256 of a nonce of 32 bytes followed by the payload's JSON text in UTF-8.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frs_verify.encoding import canonical, decode_hex, parse_object, require_fields, text_of, whole_number
from frs_verify.failure import DoesNotVerifyError

SCHEMA_VERSION = 1
NONCE_BYTES = 32
_FIELDS = {"v", "seq", "time", "action", "operation", "actor", "refs", "payload"}
_REFS = {"watchlists", "subjects", "deployment", "alert", "search", "job"}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z")
_ACTION = re.compile(r"[a-z]+(?:-[a-z]+)*(?:[.][a-z]+(?:-[a-z]+)*)*")
_PERSON = {"actor": re.compile(r"a:[0-9a-f]{64}"), "subject": re.compile(r"s:[0-9a-f]{64}")}


@dataclass(frozen=True)
class Leaf:
    """A leaf that keeps its schema."""

    index: int
    time: str
    """UTC with microseconds; texts of this form sort as the instants do."""
    action: str
    operation: str
    actor: str
    refs: dict[str, Any]
    commitment: str


def parse_leaf(text: str, index: int) -> Leaf:
    """Read a leaf strictly: canonical, of the known schema, and at the index that it is given out for."""
    what = f"The leaf of event {index}"
    try:
        fields = parse_object(text, what)
        require_fields(fields, _FIELDS, set(), what)
        if type(fields["v"]) is not int or fields["v"] != SCHEMA_VERSION:
            raise DoesNotVerifyError(f"{what} has the unknown schema version {str(fields['v'])[:20]}.")
        if whole_number(fields["seq"], f"The index in the leaf of event {index}") != index:
            raise DoesNotVerifyError(f"{what} says that it is event {fields['seq']}.")
        action = _matching(fields["action"], _ACTION, f"The action of event {index}")
        operation = _matching(fields["operation"], _ACTION, f"The operation of event {index}")
        actor = _matching(fields["actor"], _PERSON["actor"], f"The actor of event {index}")
        _check_refs(fields["refs"], f"The references of event {index}")
        time = _time(fields["time"], f"The time of event {index}")
        decode_hex(fields["payload"], 32, f"The payload's commitment of event {index}")
        if canonical(fields) != text:
            raise DoesNotVerifyError(f"{what} is not canonical JSON.")
    except DoesNotVerifyError as error:
        raise DoesNotVerifyError(error.message, index) from None
    return Leaf(index, time, action, operation, actor, fields["refs"], fields["payload"])


def check_payload(leaf: Leaf, payload: str, nonce: object) -> dict[str, Any]:
    """Check that an opened payload is the one that the leaf commits to, and return it."""
    try:
        opened = decode_hex(nonce, NONCE_BYTES, f"The nonce of event {leaf.index}")
        digest = hashlib.sha256(opened + payload.encode("utf-8")).hexdigest()
        if not hmac.compare_digest(digest, leaf.commitment):
            raise DoesNotVerifyError(f"The payload of event {leaf.index} is not the one that its leaf commits to.")
        return parse_object(payload, f"The payload of event {leaf.index}")
    except UnicodeEncodeError:
        raise DoesNotVerifyError(f"The payload of event {leaf.index} is no text.", leaf.index) from None
    except DoesNotVerifyError as error:
        raise DoesNotVerifyError(error.message, leaf.index) from None


def _check_refs(refs: object, what: str) -> None:
    if not isinstance(refs, dict):
        raise DoesNotVerifyError(f"{what} are no object.")
    require_fields(refs, _REFS, set(), what)
    lists, people = refs["watchlists"], refs["subjects"]
    if not isinstance(lists, list) or not isinstance(people, list):
        raise DoesNotVerifyError(f"{what} have no lists of watchlists and subjects.")
    for listed in lists:
        if not isinstance(listed, dict):
            raise DoesNotVerifyError(f"{what} have a watchlist that is no object.")
        require_fields(listed, {"id", "version"}, set(), what)
        text_of(listed["id"], what)
        whole_number(listed["version"], what)
    for person in people:
        _matching(person, _PERSON["subject"], what)
    for kind in ("deployment", "alert", "search", "job"):
        if refs[kind] is not None:
            text_of(refs[kind], what)


def _matching(value: object, pattern: re.Pattern[str], what: str) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise DoesNotVerifyError(f"{what} is not written as leaves write it.")


def _time(value: object, what: str) -> str:
    text = _matching(value, _TIME, what)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise DoesNotVerifyError(f"{what} is no time.") from None
    return text
