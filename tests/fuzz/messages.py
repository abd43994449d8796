"""Requests of any shape, made from the contract's descriptors: well-formed, nearly so, and absurd."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (0, 1, -1, 50, 2**31 - 1, -(2**31)),
    FieldDescriptor.TYPE_INT64: (0, 1, -1, 1000, 2**63 - 1, -(2**63)),
}
_FLOATS = (0.0, 0.5, -1.0, 1.0, 86_400.0, 1e308, float("inf"), float("-inf"), float("nan"))
_TEXTS = ("", " ", "a", "reason for the test", "\x00", "é\u202e", "../../etc/passwd", "' OR 1=1 --", "x" * 1001, "%s%n")
_NAMES = (
    *("watchlists", "deployments", "alerts", "cases", "jobs", "uploads", "searches", "assignments", "pairs"),
    *("identities", "events", "holds", "erasures"),
)
_DEEPEST = 4


def some_message(kind: type[Message], names: list[str], pictures: list[bytes], chance: random.Random) -> Message:
    """Return a message with a random part of its fields set. ``names`` are resources that exist."""
    made = kind()
    _fill(made, names, pictures, chance, 0)
    return made


def _fill(made: Any, names: list[str], pictures: list[bytes], chance: random.Random, depth: int) -> None:
    for field in made.DESCRIPTOR.fields:
        if chance.random() < 0.15 or depth > _DEEPEST:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            _fill_messages(made, field, names, pictures, chance, depth)
        elif field.is_repeated:
            count = chance.choice((0, 1, 1, 2, 30))
            getattr(made, field.name).extend(_value(field, names, pictures, chance) for _ in range(count))
        else:
            setattr(made, field.name, _value(field, names, pictures, chance))


def _fill_messages(
    made: Any, field: FieldDescriptor, names: list[str], pictures: list[bytes], chance: random.Random, depth: int
) -> None:
    if field.is_repeated:
        for _ in range(chance.choice((0, 1, 3))):
            _fill(getattr(made, field.name).add(), names, pictures, chance, depth + 1)
        return
    inner = getattr(made, field.name)
    inner.SetInParent()
    assert field.message_type is not None
    if field.message_type.full_name == "google.protobuf.Timestamp":
        inner.seconds = chance.choice((0, 1_800_000_000, 1_767_000_000, -62_135_596_801, 2**62))
        inner.nanos = chance.choice((0, 1, -1, 999_999_999, 2_000_000_000))
        return
    _fill(inner, names, pictures, chance, depth + 1)


def _value(field: FieldDescriptor, names: list[str], pictures: list[bytes], chance: random.Random) -> Any:
    if field.type in _INTEGERS:
        return chance.choice(_INTEGERS[field.type])
    if field.type in {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}:
        return chance.choice(_FLOATS)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return chance.choice([*field.enum_type.values_by_number, 99])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice([b"", b"\x00", chance.randbytes(50), *pictures])
    return _text(names, chance)


def _text(names: list[str], chance: random.Random) -> str:
    if chance.random() < 0.5 and names:
        return chance.choice(names)
    if chance.random() < 0.3:
        return f"{chance.choice(_NAMES)}/{chance.choice(('x', 'a' * 64, '', '..', 'a/b'))}"
    return chance.choice(_TEXTS)
