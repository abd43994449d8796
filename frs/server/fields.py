"""The kinds of rule that a request's field can have; :mod:`frs.server.rules` is the table made of them.

Each is data. :mod:`frs.server.validation` interprets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """A string of ``minimum`` to ``maximum`` characters, spaces around it not counted, without control characters.

    Line breaks and tabs are allowed from 500 characters on. ``pattern`` must match the whole string where it is not
    empty, and ``form`` says so to a person.
    """

    minimum: int
    maximum: int
    pattern: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A resource name of ``pattern`` (see :mod:`frs.server.names`)."""

    pattern: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer, bounds included."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Number:
    """A finite float, bounds included; ``above`` excludes its bound. Absent is allowed where the field has presence."""

    maximum: float
    minimum: float | None = None
    above: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An enumeration's value that this version knows; a required one is not the unspecified value."""

    required: bool = True


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean: both values are meant."""


@dataclass(frozen=True, slots=True)
class When:
    """A timestamp between the years 1 and 9999."""

    required: bool = True


@dataclass(frozen=True, slots=True)
class Day:
    """An ISO 8601 calendar date as text, ``YYYY-MM-DD``."""


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes, by their number."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class PictureBytes:
    """An encoded picture: too many bytes are PICTURE_TOO_LARGE; the decoder judges the rest."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A message with its own entry in the table.

    With ``mask`` only the fields named by the request's FieldMask of that name are judged (all that are set when it is
    empty), and those in ``always``.
    """

    entry: str
    required: bool = True
    mask: str = ""
    always: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """A repeated field: how many, each by ``each``, and whether twice the same is refused."""

    each: Name | Text | Choice | Nested
    minimum: int
    maximum: int
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Paths:
    """A FieldMask that may name these fields."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutputOnly:
    """Set by the server; ignored in a request."""


@dataclass(frozen=True, slots=True)
class Free:
    """Judged elsewhere; ``where`` says by whom."""

    where: str


Rule: TypeAlias = (
    Text
    | Name
    | Whole
    | Number
    | Choice
    | Flag
    | When
    | Day
    | Octets
    | PictureBytes
    | Nested
    | Many
    | Paths
    | OutputOnly
    | Free
)
Rules: TypeAlias = dict[str, Rule]
