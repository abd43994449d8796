"""Events as they are stored: what a leaf says, what it does not say, and what it commits to."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frs.audit.actions import OPERATION, Action, Operation
from frs.audit.canonical import canonical
from frs.audit.event import build_record, commitment, open_payload
from frs.audit.leaves import LeafChecker
from frs.errors import FrsError, Reason
from frs.types import Actor, Event, Json, ListVersion, References, Role
from tests.audit_house import ALICE, AuditHouse, alert_event
from tests.manual_clock import ManualClock

NOW = ManualClock().now()


def test_leaf_is_as_documented(house: AuditHouse) -> None:
    """The leaf of a full event, field by field; names appear as keyed pseudonyms."""
    event = Event(
        "search.still",
        ALICE,
        References(
            (ListVersion("wanted", 3), ListVersion("missing", 1), ListVersion("wanted", 3)),
            ("N2", "N1", "N2"),
            "d1",
            "a1",
            "s1",
            "j1",
        ),
        {"reason": "because"},
    )
    record = build_record(event, 7, NOW, house.store.vault, 1)
    pseudonym = house.store.vault.pseudonym

    assert json.loads(record.leaf) == {
        "v": 1,
        "seq": 7,
        "time": "2026-03-02T09:00:00.000000Z",
        "action": "search.still",
        "operation": "combination",
        "actor": pseudonym("actor", "alice"),
        "refs": {
            "watchlists": [{"id": "missing", "version": 1}, {"id": "wanted", "version": 3}],
            "subjects": sorted([pseudonym("subject", "N1"), pseudonym("subject", "N2")]),
            "deployment": "d1",
            "alert": "a1",
            "search": "s1",
            "job": "j1",
        },
        "payload": hashlib.sha256(record.payload).hexdigest(),
    }
    assert rfc8785.dumps(json.loads(record.leaf)) == record.leaf


def test_payload_is_as_documented(house: AuditHouse) -> None:
    """The payload names the actor with roles and credential, the nominals, what the act gave, and the policy."""
    record = build_record(alert_event(1), 0, NOW, house.store.vault, 1)
    nonce, payload = record.payload[:32], record.payload[32:]

    assert json.loads(payload) == {
        "actor": {"name": "alice", "roles": ["officer", "reviewer"], "credential": "certificate:0a"},
        "subjects": ["N1"],
        "details": {"score": 0.71, "reason": "free text 1"},
        "policy": 1,
    }
    assert rfc8785.dumps(json.loads(payload)) == payload
    assert json.loads(record.leaf)["payload"] == commitment(nonce, payload)


def test_equal_events_have_different_commitments(house: AuditHouse) -> None:
    """The nonce keeps anyone from guessing a payload and comparing: the same payload never commits alike."""
    first, second = (build_record(alert_event(1), 0, NOW, house.store.vault, 1) for _ in range(2))
    assert json.loads(first.leaf)["payload"] != json.loads(second.leaf)["payload"]


TEXT = st.text(st.characters(codec="utf-8", categories=["Lu", "Ll", "Lo", "So"]), min_size=8, max_size=20).map(
    "Ω".__add__
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(name=TEXT, nominal=TEXT, reason=TEXT, credential=TEXT)
def test_leaf_holds_no_name_and_no_free_text(
    house: AuditHouse, name: str, nominal: str, reason: str, credential: str
) -> None:
    """Whatever actor, nominal, credential and reason are, none of them is in the leaf; all are in the payload."""
    actor = Actor(name, frozenset({Role.OFFICER}), credential)
    event = Event("operator.search", actor, References(subjects=(nominal,)), {"reason": reason, "nested": [reason]})
    record = build_record(event, 1, NOW, house.store.vault, 1)

    for secret in (name, nominal, reason, credential):
        assert secret.encode() not in record.leaf
        assert secret.encode() in record.payload
    fields = json.loads(record.leaf)
    assert re.fullmatch(r"a:[0-9a-f]{64}", fields["actor"])
    assert re.fullmatch(r"s:[0-9a-f]{64}", fields["refs"]["subjects"][0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    names=st.lists(st.text(st.characters(codec="utf-8")), max_size=3),
    version=st.integers(0, 2**53 - 1),
    other=st.none() | st.text(st.characters(codec="utf-8")),
)
def test_verifiers_canonical_form_is_that_of_rfc_8785(
    house: AuditHouse, names: list[str], version: int, other: str | None
) -> None:
    """Whatever a leaf refers to, the verifier takes the leaf for canonical, and a respelt one not."""
    references = References(
        tuple(ListVersion(name, version) for name in names), tuple(names), other, other, other, other
    )
    record = build_record(Event("log.read", ALICE, references), 0, NOW, house.store.vault, 1)
    leaf, said = record.leaf, json.loads(record.leaf)
    fields, problems = LeafChecker().check(leaf)

    assert not problems
    assert fields is not None
    assert (fields.version, fields.seq, fields.time) == (said["v"], said["seq"], said["time"])
    assert (fields.action, fields.actor, fields.payload) == (said["action"], said["actor"], said["payload"])
    assert sorted(fields.references) == list(record.references)
    assert LeafChecker().check(json.dumps(json.loads(leaf)).encode())[0] is None


PLAIN: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
JSON: st.SearchStrategy[Json] = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(value=JSON)
def test_canonical_form_is_that_of_rfc_8785(value: Json) -> None:
    """The quick way for plain values and the general function write the same bytes."""
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), [{"a": 2**60}], float("nan"), "\ud800", {"\ud800": 1}])
def test_value_without_canonical_form_is_refused(value: Json) -> None:
    """What RFC 8785 cannot write raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011  # several kinds
        canonical(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(details=st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=4))
def test_any_json_payload_comes_back(house: AuditHouse, details: dict[str, Json]) -> None:
    """Every JSON value that an act gives is stored and read back as it was."""
    (seq,) = house.append(Event("log.read", ALICE, References(), details))
    payload = house.log.get(seq, True).payload
    assert payload is not None
    assert payload["details"] == details


@pytest.mark.parametrize(
    "details",
    [{"big": 2**53}, {"nan": float("nan")}, {"infinite": float("inf")}, {"bytes": b"template"}, {"lone": "\ud800"}],
)
def test_payload_that_is_not_json_cannot_be_logged(house: AuditHouse, details: dict[str, Json]) -> None:
    """Bytes, infinite numbers and integers beyond JSON's range are refused: the act fails and nothing is logged."""
    with pytest.raises(FrsError) as caught:
        house.append(Event("log.read", ALICE, References(), details))
    assert caught.value.reason is Reason.LOG_UNAVAILABLE
    assert house.log.size() == 0


def test_unknown_action_cannot_be_logged(house: AuditHouse) -> None:
    """Only the actions of the list can be recorded."""
    with pytest.raises(FrsError) as caught:
        house.append(Event("watchlist.burned", ALICE))
    assert caught.value.reason is Reason.LOG_UNAVAILABLE


def test_an_event_that_cannot_be_logged_is_not_quoted(house: AuditHouse) -> None:
    """The refusal reaches clients, so it tells the kind of failure and nothing of the event."""
    secret = "NOM-4711 Ana Kova\u010d"
    for event in (Event(f"no such action {secret}", ALICE), Event("log.read", ALICE, payload={secret: {1, secret}})):  # type: ignore[dict-item]
        with pytest.raises(FrsError) as caught:
            house.append(event)
        assert caught.value.reason is Reason.LOG_UNAVAILABLE
        assert secret not in str(caught.value)
        assert secret not in caught.value.message


def test_payload_of_another_event_does_not_open(house: AuditHouse) -> None:
    """A sealed payload is bound to its event, and a payload that opens must be the one the leaf commits to."""
    vault = house.store.vault
    first, second = (build_record(alert_event(n), n, NOW, vault, 1) for n in (0, 1))
    sealed = vault.seal("event:0", first.payload, b"audit payload")
    vault.seal("event:1", b"makes the key")

    assert open_payload(0, first.leaf, sealed, "event:0", vault) == (first.payload[:32], first.payload[32:])
    with pytest.raises(FrsError) as caught:
        open_payload(1, second.leaf, sealed, "event:1", vault)
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert "payload of event 1 was altered" in caught.value.message
    with pytest.raises(FrsError) as caught:
        open_payload(0, second.leaf, sealed, "event:0", vault)
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def test_every_action_has_one_operation() -> None:
    """The table names the statutory operation of each action once, and every operation of the statute exists."""
    assert set(OPERATION) == set(Action)
    statute = {"collection", "alteration", "consultation", "disclosure", "combination", "erasure"}
    assert {str(operation) for operation in Operation} == statute | {"use", "review", "system"}
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", action) for action in Action)
