"""Page tokens: where a keyset listing goes on, opaque to the client and bound to the filter it was made for (AIP-158).

A token is no secret and grants nothing: the listing it continues is authorised and filtered anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from frs.errors import FrsError, Reason
from frs.types import Json

_CHECK_BYTES = 8
_LONGEST = 4096
_BEYOND = 2**63
"""No database has such a number."""


def page_token_encode(filter_fingerprint: str, last: list[Json]) -> str:
    """Return a token for the page after the row whose sort keys are ``last``."""
    body = json.dumps(last, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return base64.urlsafe_b64encode(_check(filter_fingerprint, body) + body).decode("ascii").rstrip("=")


def page_token_decode(
    token: str, filter_fingerprint: str, types: Sequence[type[int] | type[float] | type[str]] | None = None
) -> list[Json] | None:
    """Return the sort keys a token holds; None for an empty token, which means the first page.

    ``types`` are those the sort keys must have, in order. Raises FrsError(INVALID_PAGE_TOKEN) when the token was not
    made by :func:`page_token_encode` for this filter and these types.
    """
    if not token:
        return None
    try:
        if len(token) > _LONGEST:
            raise ValueError("too long")
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if check != _check(filter_fingerprint, body):
            raise ValueError("made for another listing")
        last = json.loads(body)
        if not isinstance(last, list) or (types is not None and [type(value) for value in last] != list(types)):
            raise ValueError("other sort keys")
        if any(isinstance(value, int) and not -_BEYOND <= value < _BEYOND for value in last):
            raise ValueError("a number that no row has")
    except (ValueError, RecursionError, binascii.Error) as error:
        raise FrsError(
            Reason.INVALID_PAGE_TOKEN, f"The page token does not belong to this listing ({error})."
        ) from error
    return last


def _check(filter_fingerprint: str, body: bytes) -> bytes:
    return hashlib.sha256(filter_fingerprint.encode("utf-8") + b"\x00" + body).digest()[:_CHECK_BYTES]
