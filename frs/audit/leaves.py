"""Checks of leaves in themselves: that each is canonical, in its place, and not earlier than the one before.

A leaf is read in one of two ways that agree (a test compares): nearly every leaf matches one regular expression that
is the canonical form of an event whose texts need no escapes; any other is parsed, and written again to compare.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from frs.audit.canonical import canonical
from frs.audit.event import SCHEMA_VERSION, parse_time, reference_pairs
from frs.audit.report import Problem

_FIELDS = {"v", "seq", "time", "action", "operation", "actor", "refs", "payload"}
_REFS = {"watchlists", "subjects", "deployment", "alert", "search", "job"}

_PLAIN = r'[^"\\\x00-\x1f]*'  # what RFC 8785 writes as it is
_TEXT = f'"({_PLAIN})"'
_MAYBE = f'(?:null|"({_PLAIN})")'
_WHOLE = "(?:0|-?[1-9][0-9]{0,14})"  # exact in a double, so written as it is
_ITEM = rf'{{"id":"{_PLAIN}","version":{_WHOLE}}}'
_CANONICAL = re.compile(
    rf'{{"action":{_TEXT},"actor":{_TEXT},"operation":{_TEXT},"payload":{_TEXT},"refs":{{'
    rf'"alert":{_MAYBE},"deployment":{_MAYBE},"job":{_MAYBE},"search":{_MAYBE},'
    rf'"subjects":\[((?:"{_PLAIN}"(?:,"{_PLAIN}")*)?)\],'
    rf'"watchlists":\[((?:{_ITEM}(?:,{_ITEM})*)?)\]}},'
    rf'"seq":({_WHOLE}),"time":"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}[.][0-9]{{6}}Z)",'
    rf'"v":({_WHOLE})}}'
)
_LIST_ID = re.compile(f'"id":"({_PLAIN})"')


class LeafFields(NamedTuple):
    """What a leaf says. Texts are as they stand there, whatever they are."""

    version: object
    seq: object
    time: str
    action: str
    actor: str
    payload: str
    references: tuple[tuple[str, str], ...]
    """(kind, value) pairs by which filters find the event, each once."""


class LeafChecker:
    """Checks leaves one after the other, from event 0 on."""

    def __init__(self) -> None:
        self._next = 0
        self._time = ""

    def skip(self) -> None:
        """Pass over a leaf that is known to be altered: what it says is not compared with its neighbours."""
        self._next += 1

    def check(self, leaf: bytes) -> tuple[LeafFields | None, list[Problem]]:
        """Return the leaf's fields, or None when it cannot be read, and what is wrong with it."""
        seq, self._next = self._next, self._next + 1
        try:
            fields = read_leaf(leaf)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return None, [Problem(f"Event {seq} cannot be read: {error}.", seq)]
        if fields.version == SCHEMA_VERSION and fields.seq == seq and fields.time >= self._time:
            self._time = fields.time
            return fields, []
        return fields, list(self._placed(seq, fields))

    def _placed(self, seq: int, fields: LeafFields) -> Iterator[Problem]:
        if fields.version != SCHEMA_VERSION:
            yield Problem(f"Event {seq} has the unknown schema version {fields.version}.", seq)
        if fields.seq != seq:
            yield Problem(f"Event {seq} says that it is number {fields.seq}: events are missing or out of order.", seq)
        if fields.time < self._time:  # one form, so that texts order as the instants do
            yield Problem(f"Event {seq} is earlier than the event before it.", seq)
        self._time = fields.time


def read_leaf(leaf: bytes) -> LeafFields:
    """Read a leaf strictly. Raises ValueError, TypeError, KeyError or RecursionError when it is not one."""
    match = _CANONICAL.fullmatch(leaf.decode("utf-8"))
    if match is None:
        return _parse(leaf)
    action, actor, _, payload, alert, deployment, job, search, subjects, lists, seq, time, version = match.groups()
    datetime.fromisoformat(time)  # the form is right; the instant must exist
    references = []
    if alert is not None:
        references.append(("alert", alert))
    if deployment is not None:
        references.append(("deployment", deployment))
    if job is not None:
        references.append(("job", job))
    if search is not None:
        references.append(("search", search))
    if subjects:
        references += [("subject", pseudonym) for pseudonym in _distinct(subjects[1:-1].split('","'))]
    if lists:
        references += [("watchlist", name) for name in _distinct(_LIST_ID.findall(lists))]
    return LeafFields(int(version), int(seq), time, action, actor, payload, tuple(references))


def _distinct(values: list[str]) -> Iterable[str]:
    return values if len(values) == 1 else set(values)


def _parse(leaf: bytes) -> LeafFields:
    fields = json.loads(leaf)
    if not isinstance(fields, dict) or set(fields) != _FIELDS or set(fields["refs"]) != _REFS:
        raise ValueError("its fields are not those of an event")
    if canonical(fields) != leaf:
        raise ValueError("it is not canonical JSON")
    parse_time(fields["time"])
    return LeafFields(
        fields["v"],
        fields["seq"],
        fields["time"],
        fields["action"],
        fields["actor"],
        fields["payload"],
        reference_pairs(fields["refs"]),
    )
