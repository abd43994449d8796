"""Strict readers of JSON, base64 and hexadecimal: a value has one spelling, so that no two files mean the same.

JSON: a repeated key, NaN, Infinity, half surrogate pairs and text that is no UTF-8 are refused. :func:`canonical`
writes RFC 8785 for the values that these formats use, which are texts, whole numbers, booleans, null, lists and objects
with ASCII keys: for them the escapes and the order of keys of Python's ``json`` are those of the RFC.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, NoReturn

from frs_verify.failure import DoesNotVerifyError

_HEX = re.compile(r"(?:[0-9a-f]{2})*")
LARGEST_INTEGER = 2**53 - 1
"""Beyond, numbers are not exact in JSON (RFC 7493)."""


def parse_json(text: str | bytes, what: str) -> Any:
    """Read JSON strictly; ``what`` names it in the message."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if "\\u" in text or not text.isascii():
            canonical(value).encode("utf-8")  # half a surrogate pair is no character (RFC 7493)
        return value
    except (ValueError, RecursionError) as error:
        raise DoesNotVerifyError(f"{what} cannot be read as JSON: {_short(error)}.") from None


def parse_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Read a JSON object strictly."""
    value = parse_json(text, what)
    if not isinstance(value, dict):
        raise DoesNotVerifyError(f"{what} is no JSON object.")
    return value


def canonical(value: Any) -> str:
    """Return the one way to write a value of texts, integers, booleans, null, lists and objects (RFC 8785)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def decode_base64(text: object, what: str) -> bytes:
    """Read base64 (RFC 4648, section 4) that is padded and written in the one canonical way."""
    if isinstance(text, str):
        try:
            raw = base64.b64decode(text.encode("ascii"), validate=True)
            if base64.b64encode(raw).decode("ascii") == text:
                return raw
        except (ValueError, binascii.Error):
            pass
    raise DoesNotVerifyError(f"{what} is no canonical base64.")


def decode_hex(text: object, size: int, what: str) -> bytes:
    """Read ``size`` bytes in lower-case hexadecimal."""
    if isinstance(text, str) and len(text) == 2 * size and _HEX.fullmatch(text):
        return bytes.fromhex(text)
    raise DoesNotVerifyError(f"{what} is not {2 * size} lower-case hexadecimal digits.")


def require_fields(value: dict[str, Any], needed: set[str], optional: set[str], what: str) -> None:
    """Check that an object has the fields of its format and no others."""
    if missing := sorted(needed - value.keys()):
        raise DoesNotVerifyError(f"{what} has no {missing[0]!r}.")
    if unknown := sorted(value.keys() - needed - optional):
        raise DoesNotVerifyError(f"{what} has the unknown field {unknown[0][:60]!r}.")


def whole_number(value: object, what: str) -> int:
    """Return a whole number from 0 that JSON holds exactly; true and 1.0 are none."""
    if type(value) is int and 0 <= value <= LARGEST_INTEGER:
        return value
    raise DoesNotVerifyError(f"{what} is no whole number from 0.")


def text_of(value: object, what: str) -> str:
    """Return a text."""
    if isinstance(value, str):
        return value
    raise DoesNotVerifyError(f"{what} is no text.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key[:60]!r} stands twice in one object")
            seen.add(key)
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _short(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it holds what is no UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
