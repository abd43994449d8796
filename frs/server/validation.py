"""Judges a request by :mod:`frs.server.rules` and reports every problem at once.

The answer to a request that breaks rules is INVALID_FIELD with one violation for each problem (a field's path and what
is asked of it; never the value, which may name a person). A picture or message that is too large has its own reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from frs.errors import FrsError, Reason
from frs.server.fields import Many, Nested, PictureBytes
from frs.server.problems import item_problem, problem
from frs.server.rules import RULES


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    field: str
    """Path within the request, for example ``images[2].source``."""
    description: str


class InvalidRequestError(FrsError):
    """INVALID_FIELD with every violation of the request."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        first = self.violations[0]
        more = f" (and {len(self.violations) - 1} more)" if len(self.violations) > 1 else ""
        super().__init__(Reason.INVALID_FIELD, f"{first.field}: {first.description}{more}", field=first.field)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes that the settings give."""

    picture_bytes: int
    message_bytes: int


def validate(request: Message, limits: Limits, size: int) -> None:
    """Raise :class:`FrsError` unless the request keeps every rule of its entry; messages of others pass.

    ``size`` is that of the message as it came, bytes: to measure the parsed one anew costs as much as parsing it.
    """
    if size > limits.message_bytes:
        raise FrsError(
            Reason.MESSAGE_TOO_LARGE,
            f"the message has {size} bytes; the limit is {limits.message_bytes}",
            limit_bytes=str(limits.message_bytes),
        )
    entry = request.DESCRIPTOR.full_name
    if entry not in RULES:
        return
    judge = _Judge(limits)
    judge.message(request, entry, "")
    if judge.violations:
        raise InvalidRequestError(judge.violations)
    if judge.large_pictures:
        raise FrsError(
            Reason.PICTURE_TOO_LARGE,
            f"{judge.large_pictures[0]}: the picture has more than {limits.picture_bytes} bytes",
            field=judge.large_pictures[0],
            limit_bytes=str(limits.picture_bytes),
        )


class _Judge:
    """Walks one request and gathers what is wrong."""

    def __init__(self, limits: Limits) -> None:
        self.violations: list[Violation] = []
        self.large_pictures: list[str] = []
        self._limits = limits

    def message(self, message: Message, entry: str, prefix: str, only: frozenset[str] | None = None) -> None:
        for field, rule in RULES[entry].items():
            if only is not None and field not in only:
                continue
            path = prefix + field
            match rule:
                case Nested():
                    self._nested(message, field, rule, path)
                case Many():
                    self._many(message, field, rule, path)
                case PictureBytes():
                    if len(getattr(message, field)) > self._limits.picture_bytes:
                        self.large_pictures.append(path)
                case _:
                    self._add(path, problem(rule, message, field))

    def _nested(self, message: Message, field: str, rule: Nested, path: str) -> None:
        if not message.HasField(field):
            if rule.required:
                self._add(path, "is required")
            return
        inner: Message = getattr(message, field)
        only: frozenset[str] | None = None
        if rule.mask:
            paths = getattr(message, rule.mask).paths
            only = frozenset(paths or [item.name for item, _ in inner.ListFields()]) | frozenset(rule.always)
        self.message(inner, rule.entry, path + ".", only)

    def _many(self, message: Message, field: str, rule: Many, path: str) -> None:
        values = getattr(message, field)
        if not rule.minimum <= len(values) <= rule.maximum:
            self._add(path, f"must have {rule.minimum} to {rule.maximum} items")
            return
        for number, value in enumerate(values):
            here = f"{path}[{number}]"
            if isinstance(rule.each, Nested):
                self.message(value, rule.each.entry, here + ".")
            else:
                self._add(here, item_problem(rule.each, value, message, field))
        if rule.distinct and len(set(values)) != len(values):
            self._add(path, "must not name the same thing twice")

    def _add(self, path: str, description: str | None) -> None:
        if description is not None:
            self.violations.append(Violation(path, description))
