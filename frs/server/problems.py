"""What is wrong with one field: a function for each kind of rule in :mod:`frs.server.fields`.

A description says what is asked for and never repeats the value, which may name a person.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date
from functools import lru_cache, singledispatch

from google.protobuf.message import Message

from frs.server import names
from frs.server.fields import Choice, Day, Name, Number, Octets, Paths, Rule, Text, When, Whole

MULTILINE_FROM = 500
_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z, as google.protobuf.Timestamp defines its range
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@singledispatch
def problem(rule: Rule, message: Message, field: str) -> str | None:  # noqa: ARG001  # the signature of every kind
    """Return what is wrong with the field under the rule, or None. Kinds that ask nothing have no function here."""
    return None


@problem.register
def _(rule: Text, message: Message, field: str) -> str | None:
    return _text_problem(rule, getattr(message, field))


def _text_problem(rule: Text, value: str) -> str | None:
    length = len(value.strip())
    if length == 0 and rule.minimum > 0:
        return "is required"
    if length < rule.minimum or len(value) > rule.maximum:
        span = f"{rule.minimum} to {rule.maximum}" if rule.minimum != rule.maximum else str(rule.maximum)
        return f"must have {span} characters"
    allowed = "\n\r\t" if rule.maximum >= MULTILINE_FROM else ""
    if any(unicodedata.category(character) == "Cc" and character not in allowed for character in value):
        return "must not hold control characters"
    if value and rule.pattern and not _compiled(rule.pattern).fullmatch(value):
        return f"must be {rule.form}"
    return None


@problem.register
def _(rule: Name, message: Message, field: str) -> str | None:
    return _name_problem(rule, getattr(message, field))


@problem.register
def _(rule: Whole, message: Message, field: str) -> str | None:
    if rule.minimum <= getattr(message, field) <= rule.maximum:
        return None
    return f"must be {rule.minimum} to {rule.maximum}"


@problem.register
def _(rule: Number, message: Message, field: str) -> str | None:
    if not message.HasField(field):
        return None
    value: float = getattr(message, field)
    low = rule.above if rule.above is not None else rule.minimum
    too_low = (rule.above is not None and value <= rule.above) or (rule.minimum is not None and value < rule.minimum)
    if math.isfinite(value) and not too_low and value <= rule.maximum:
        return None
    return f"must be a number {'above' if rule.above is not None else 'from'} {low:g} to {rule.maximum:g}"


@problem.register
def _(rule: Choice, message: Message, field: str) -> str | None:
    return _choice_problem(rule, getattr(message, field), message, field)


def _choice_problem(rule: Choice, value: int, message: Message, field: str) -> str | None:
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert kind is not None
    if value not in kind.values_by_number:
        return "is no value that this version knows"
    return "must be specified" if rule.required and value == 0 else None


@problem.register
def _(rule: When, message: Message, field: str) -> str | None:
    if not message.HasField(field):
        return "is required" if rule.required else None
    value = getattr(message, field)
    if _FIRST_SECOND <= value.seconds <= _LAST_SECOND and 0 <= value.nanos < 1_000_000_000:
        return None
    return "must be an instant between the years 1 and 9999"


@problem.register
def _(rule: Day, message: Message, field: str) -> str | None:  # noqa: ARG001  # the type alone chooses it
    value: str = getattr(message, field)
    if _DAY.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return None
    return "must be an ISO 8601 date, YYYY-MM-DD"


@problem.register
def _(rule: Octets, message: Message, field: str) -> str | None:
    if rule.minimum <= len(getattr(message, field)) <= rule.maximum:
        return None
    return f"must have {rule.minimum} to {rule.maximum} bytes"


@problem.register
def _(rule: Paths, message: Message, field: str) -> str | None:
    if all(path in rule.allowed for path in getattr(message, field).paths):
        return None
    return f"may name only {', '.join(rule.allowed)}"


def item_problem(rule: Name | Text | Choice, value: str | int, message: Message, field: str) -> str | None:
    """Return what is wrong with one value of a repeated field, or None."""
    match rule:
        case Name():
            return _name_problem(rule, str(value))
        case Text():
            return _text_problem(rule, str(value))
        case Choice():
            return _choice_problem(rule, int(value), message, field)


def _name_problem(rule: Name, value: str) -> str | None:
    if not value:
        return f"is required: a name of the form {rule.pattern}" if rule.required else None
    return None if names.matches(rule.pattern, value) else f"must be a name of the form {rule.pattern}"


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
