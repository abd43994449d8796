"""The table of request rules is complete, and the interpreter keeps every kind of rule."""

from __future__ import annotations

import math
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.server import validation
from frs.server.fields import (
    Choice,
    Day,
    Flag,
    Free,
    Many,
    Name,
    Nested,
    Number,
    Octets,
    OutputOnly,
    Paths,
    PictureBytes,
    Rule,
    Text,
    When,
    Whole,
)
from frs.server.problems import problem
from frs.server.rules import RULES
from frs.server.validation import InvalidRequestError, Limits
from frs.v1 import (
    common_pb2,
    deployment_pb2,
    identity_pb2,
    live_pb2,
    operator_pb2,
    oversight_pb2,
    review_pb2,
    watchlist_pb2,
)

PROTOS = (
    "watchlist",
    "deployment",
    "live",
    "retrospective",
    "operator",
    "review",
    "officer",
    "vigilance",
    "identity",
    "oversight",
    "retention",
    "administration",
)
LIMITS = Limits(picture_bytes=1000, message_bytes=5000)
_F = FieldDescriptor
KINDS: dict[int, tuple[type, ...]] = {
    _F.TYPE_STRING: (Text, Name, Day),
    _F.TYPE_BYTES: (Octets, PictureBytes, Free),
    _F.TYPE_BOOL: (Flag,),
    _F.TYPE_ENUM: (Choice,),
    _F.TYPE_FLOAT: (Number,),
    _F.TYPE_INT32: (Whole,),
    _F.TYPE_INT64: (Whole,),
    _F.TYPE_MESSAGE: (Nested, When, Paths),
}


def validate(request: Message, limits: Limits) -> None:
    """Validate a message as it would come over the wire."""
    validation.validate(request, limits, request.ByteSize())


def requests() -> dict[str, Descriptor]:
    """Return each request message of each method, by full name."""
    found = {}
    for name in PROTOS:
        for service in import_module(f"frs.v1.{name}_pb2").DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[method.input_type.full_name] = method.input_type
    return found


def reachable() -> dict[str, Descriptor]:
    """Return the requests and every message of ours inside them that a client may set, through the table."""
    found, waiting = {}, list(requests().items())
    while waiting:
        entry, descriptor = waiting.pop()
        if entry in found:
            continue
        found[entry] = descriptor
        for field, rule in RULES[entry].items():
            inner = rule.each if isinstance(rule, Many) else rule
            if isinstance(inner, Nested):
                message = descriptor.fields_by_name[field].message_type
                assert message is not None
                waiting.append((inner.entry, message))
    return found


def test_every_request_message_stands_in_the_table_and_nothing_else() -> None:
    """Walking the services from the descriptors reaches exactly the table's entries."""
    assert set(requests()) <= set(RULES)
    found = reachable()
    assert set(found) == set(RULES)
    for entry, descriptor in found.items():
        assert entry.partition("#")[0] == descriptor.full_name


@pytest.mark.parametrize("entry", sorted(RULES))
def test_every_field_has_a_rule_of_its_kind(entry: str) -> None:
    """No field is left out or invented, and a rule fits the field's type."""
    descriptor = reachable()[entry]
    assert set(RULES[entry]) == set(descriptor.fields_by_name)
    for name, rule in RULES[entry].items():
        field = descriptor.fields_by_name[name]
        if isinstance(rule, OutputOnly):
            continue
        assert isinstance(rule, Many) == field.is_repeated, name
        inner = rule.each if isinstance(rule, Many) else rule
        assert isinstance(inner, KINDS[field.type]), name
        if isinstance(inner, Number):
            assert field.has_presence, f"{name}: absent and 0 could not be told apart"


def wrong(request: Message, limits: Limits = LIMITS) -> dict[str, str]:
    """Return the violations of a request by field."""
    with pytest.raises(InvalidRequestError) as caught:
        validate(request, limits)
    return {violation.field: violation.description for violation in caught.value.violations}


def threshold(**values: Any) -> watchlist_pb2.Threshold:
    return watchlist_pb2.Threshold(mode=common_pb2.MODE_LIVE, **values)


def a_watchlist(**changes: Any) -> watchlist_pb2.CreateWatchlistRequest:
    values: dict[str, Any] = {
        "purpose": "find them",
        "category": "wanted",
        "legal_basis": "common law",
        "authorising_officer": "Supt Ray",
        "expire_time": Timestamp(seconds=2_000_000_000),
    }
    watchlist = watchlist_pb2.Watchlist(**{**values, **changes})
    return watchlist_pb2.CreateWatchlistRequest(watchlist_id="night-1", watchlist=watchlist)


def test_a_sound_request_passes() -> None:
    """Output-only fields that a client sends back are ignored."""
    validate(a_watchlist(name="whatever", state=3, version=-7), LIMITS)


def test_all_problems_are_reported_at_once() -> None:
    """One answer names every field that is wrong, with its path, and never repeats a value."""
    request = a_watchlist(
        purpose=" a ", category="", thresholds=[threshold(), threshold(score=1.5), watchlist_pb2.Threshold()]
    )
    request.watchlist_id = "Nachtwache Müller"
    request.watchlist.ClearField("expire_time")
    found = wrong(request)
    assert set(found) == {
        "watchlist_id",
        "watchlist.purpose",
        "watchlist.category",
        "watchlist.expire_time",
        "watchlist.thresholds[1].score",
        "watchlist.thresholds[2].mode",
    }
    assert "Müller" not in repr(found)


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("purpose", "abc", True),
        ("purpose", "ab", False),
        ("purpose", "x" * 1000, True),
        ("purpose", "x" * 1001, False),
        ("purpose", "two\nlines", True),
        ("purpose", "bell\x07", False),
        ("authorising_officer", "two\nlines", False),
        ("authorising_officer", "   ", False),
        ("category", "x", True),
        ("default_grading", 0, True),
        ("default_grading", 99, False),
        ("expire_time", Timestamp(seconds=253_402_300_800), False),
        ("expire_time", Timestamp(seconds=1, nanos=-1), False),
    ],
)
def test_bounds_are_kept(field: str, value: Any, fine: bool) -> None:
    """Lengths, control characters, enumerations and instants are judged at their edges."""
    request = a_watchlist(**{field: value})
    if fine:
        validate(request, LIMITS)
    else:
        assert list(wrong(request)) == [f"watchlist.{field}"]


@pytest.mark.parametrize(
    ("score", "fine"),
    [(1.0, True), (-0.999, True), (-1.0, False), (1.001, False), (math.nan, False), (math.inf, False)],
)
def test_numbers_are_finite_and_in_range(score: float, fine: bool) -> None:
    """A threshold lies above -1 and at most at 1; NaN lies nowhere."""
    request = a_watchlist(thresholds=[threshold(score=score)])
    if fine:
        validate(request, LIMITS)
    else:
        assert list(wrong(request)) == ["watchlist.thresholds[0].score"]


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("watchlists/night", True),
        ("watchlists/", False),
        ("watchlist/night", False),
        ("watchlists/night/", False),
        ("watchlists/../x", False),
        ("watchlists/a b", False),
        ("night", False),
        ("", False),
        ("watchlists/" + "a" * 65, False),
        ("watchlists/night\n", False),
    ],
)
def test_names_have_their_form(name: str, fine: bool) -> None:
    """A resource name has its collection and an id, and nothing that is a path."""
    request = watchlist_pb2.GetWatchlistRequest(name=name)
    if fine:
        validate(request, LIMITS)
    else:
        assert list(wrong(request)) == ["name"]


def test_a_nested_message_that_is_missing_is_named_alone() -> None:
    """Its fields are not listed when it is not there."""
    assert list(wrong(deployment_pb2.OpenDeploymentRequest())) == ["deployment"]


def test_repeated_fields_are_counted_and_distinct() -> None:
    """Twenty lists at most, none twice; each name is judged by its number."""
    many = [f"watchlists/w{number}" for number in range(21)]
    for lists, expected in (
        (many, "watchlists"),
        (["watchlists/a", "watchlists/a"], "watchlists"),
        (["watchlists/a", "b"], "watchlists[1]"),
    ):
        request = operator_pb2.IdentifyRequest(
            photograph=b"x", reason="abc", legal_power="PACE", device="d", watchlists=lists
        )
        assert list(wrong(request)) == [expected]


def test_each_value_of_a_repeated_field_is_judged_by_its_kind() -> None:
    """Choices and texts as well as names: values that nobody knows, unspecified ones, and the same one twice."""
    features = [review_pb2.FeatureFinding(feature=review_pb2.FEATURE_NOSE, finding=review_pb2.FINDING_AGREES)]

    def observed(*occlusions: Any) -> review_pb2.RecordObservationRequest:
        seen = review_pb2.Observation(
            features=features,
            probe_quality=review_pb2.SEEN_QUALITY_GOOD,
            reference_quality=review_pb2.SEEN_QUALITY_POOR,
            occlusions=occlusions,
        )
        return review_pb2.RecordObservationRequest(name="cases/a", observation=seen)

    validate(observed(review_pb2.OCCLUSION_HAIR, review_pb2.OCCLUSION_MASK), LIMITS)
    assert list(wrong(observed(review_pb2.OCCLUSION_HAIR, 99))) == ["observation.occlusions[1]"]
    assert list(wrong(observed(0))) == ["observation.occlusions[0]"]
    assert list(wrong(observed(1, 1))) == ["observation.occlusions"]
    scope = identity_pb2.Scope(sites=["north", "No Site"])
    limited = identity_pb2.LimitIdentityRequest(name="identities/a", scope=scope, reason="for a test")
    assert list(wrong(limited)) == ["scope.sites[1]"]


def test_an_update_is_judged_by_its_mask() -> None:
    """Only masked fields are judged; without a mask those that are set; the name always; unknown paths never pass."""
    update: Any = watchlist_pb2.UpdateWatchlistRequest
    validate(update(watchlist={"name": "watchlists/a", "purpose": "new purpose"}), LIMITS)
    masked = update(watchlist={"name": "watchlists/a"}, update_mask={"paths": ["purpose"]})
    assert list(wrong(masked)) == ["watchlist.purpose"]
    validate(update(watchlist={"name": "watchlists/a", "category": ""}, update_mask={"paths": []}), LIMITS)
    assert list(wrong(update(watchlist={"purpose": "new purpose"}))) == ["watchlist.name"]
    assert list(wrong(update(watchlist={"name": "watchlists/a"}, update_mask={"paths": ["state"]}))) == ["update_mask"]


def test_too_large_pictures_and_messages_have_their_own_reasons() -> None:
    """A wrong field is told before a large picture; a large message before everything."""
    request = operator_pb2.IdentifyRequest(photograph=b"x" * 1001, reason="abc", legal_power="PACE", device="d")
    with pytest.raises(FrsError) as caught:
        validate(request, LIMITS)
    assert (caught.value.reason, caught.value.metadata["field"]) == (Reason.PICTURE_TOO_LARGE, "photograph")
    assert list(wrong(operator_pb2.IdentifyRequest(photograph=b"x" * 1001))) == ["reason", "legal_power", "device"]
    with pytest.raises(FrsError) as caught:
        validate(operator_pb2.IdentifyRequest(photograph=b"x" * 5001), LIMITS)
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE


def test_an_empty_picture_is_for_the_decoder_to_refuse() -> None:
    """PICTURE_EMPTY is its reason, so the rules let it through."""
    validate(operator_pb2.IdentifyRequest(reason="abc", legal_power="PACE", device="d"), LIMITS)


def test_a_frames_bytes_are_the_frames_own_problem() -> None:
    """A live frame passes with any picture; its time and its sequence are required."""
    request: Any = live_pb2.StreamRequest
    validate(request(frame={"capture_time": {"seconds": 1}, "sequence": 1, "data": b"x" * 2000}), LIMITS)
    assert set(wrong(request(frame={"data": b"x"}))) == {"frame.capture_time", "frame.sequence"}


@given(st.text(max_size=12))
def test_a_date_is_a_date(text: str) -> None:
    """Exactly the ISO calendar dates pass."""
    message = watchlist_pb2.ImageDraft(taken_on=text)
    try:
        expected = date.fromisoformat(text).isoformat() == text
    except ValueError:
        expected = False
    assert (problem(Day(), message, "taken_on") is None) == expected


@pytest.mark.parametrize("text", ["2024-02-29", "2023-02-29", "2024-2-9", "20240229", "2024-13-01", "2024-W01-1"])
def test_dates_near_the_truth(text: str) -> None:
    """Leap days, missing zeros and other ISO forms."""
    message = watchlist_pb2.ImageDraft(taken_on=text)
    assert (problem(Day(), message, "taken_on") is None) == (text == "2024-02-29")


@given(st.binary(max_size=200))
def test_no_bytes_make_validation_fail_otherwise(data: bytes) -> None:
    """Whatever parses as a request is passed or refused with a reason."""
    for kind in (
        watchlist_pb2.CreateWatchlistRequest,
        watchlist_pb2.UpdateWatchlistRequest,
        live_pb2.StreamRequest,
        oversight_pb2.ListEventsRequest,
    ):
        request: Message = kind()
        try:
            request.ParseFromString(data)
        except Exception:  # noqa: BLE001  # what does not parse never reaches validation
            continue
        try:
            validate(request, LIMITS)
        except FrsError as error:
            assert error.reason in {Reason.INVALID_FIELD, Reason.MESSAGE_TOO_LARGE}  # noqa: PT017


def test_a_rule_that_asks_nothing_finds_nothing() -> None:
    """Kinds without a function of their own ask nothing."""
    rule: Rule
    for rule in (Flag(), OutputOnly(), Free("elsewhere")):
        assert problem(rule, watchlist_pb2.Subject(), "under_18") is None
