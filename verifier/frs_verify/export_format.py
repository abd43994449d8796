"""Exports as they are written: a header, a line for each event, a trailer.

NDJSON is the format itself: each line is RFC 8785 canonical JSON and ends in a newline.

    {"checkpoint":"<note>","complete":true,"filter":{},"format":"frs-log-export","origin":"...","payloads":false,
     "proofs":true,"reason":"...","recipient":"...","verifier_key":"...","version":1}
    {"index":0,"leaf":"...","nonce":"<hex>","payload":"...","proof":["<base64>",...]}
    {"end":true,"events":1,"sha256":"<hex of SHA-256 over all lines before this one, newlines included>"}

CSV and Parquet hold the same header, the same columns and the same trailer, and beside them columns that repeat what
the leaf says, for people. A reader of either makes the NDJSON lines again, which the trailer's sum is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frs_verify.encoding import canonical, decode_hex, parse_object, require_fields, text_of, whole_number
from frs_verify.failure import DoesNotVerifyError

FORMAT = "frs-log-export"
VERSION = 1
COLUMNS = (
    "index",
    "time",
    "action",
    "operation",
    "actor",
    "watchlists",
    "subjects",
    "deployment",
    "alert",
    "search",
    "job",
    "payload",
    "nonce",
    "leaf",
    "proof",
)
"""Of CSV and Parquet, in this order."""
READABLE = ("time", "action", "operation", "actor", "watchlists", "subjects", "deployment", "alert", "search", "job")
"""Those that repeat the leaf."""
HEADER_KEY = b"frs-log-export-header"
TRAILER_KEY = b"frs-log-export-trailer"
"""Where Parquet's file metadata has the header's and the trailer's line."""
FILTERS = ("since", "until", "actor", "action", "watchlist", "subject", "deployment", "alert", "search", "job")
_HEADER = {
    "format",
    "version",
    "origin",
    "verifier_key",
    "checkpoint",
    "filter",
    "recipient",
    "reason",
    "payloads",
    "proofs",
    "complete",
}
_TRAILER = {"end", "events", "sha256"}


@dataclass(frozen=True)
class Line:
    """An event as an export gives it, nothing verified yet."""

    text: str
    """The NDJSON line without its newline."""
    index: int
    leaf: str
    proof: object
    payload: str | None
    nonce: object
    told: dict[str, str] | None = None
    """What the readable columns say; None in NDJSON, which has none."""


@dataclass(frozen=True)
class Header:
    """What an export says of itself."""

    checkpoint: str
    wanted: dict[str, str]
    recipient: str
    reason: str
    payloads: bool
    proofs: bool
    complete: bool
    fields: dict[str, Any]


@dataclass(frozen=True)
class Trailer:
    """How an export ends."""

    events: int
    sha256: bytes


def read_header(text: str) -> Header:
    """Read the first line."""
    fields = parse_object(text, "The header")
    if fields.get("format") != FORMAT:
        raise DoesNotVerifyError(f"The header does not say that it is {FORMAT!r}.")
    if type(fields.get("version")) is not int or fields["version"] != VERSION:
        raise DoesNotVerifyError(f"The header is of the unknown version {str(fields.get('version'))[:20]}.")
    require_fields(fields, _HEADER, set(), "The header")
    if canonical(fields) != text:
        raise DoesNotVerifyError("The header is not canonical JSON.")
    wanted = fields["filter"]
    if not isinstance(wanted, dict) or not all(isinstance(value, str) for value in wanted.values()):
        raise DoesNotVerifyError("The header's filter is none.")
    require_fields(wanted, set(), set(FILTERS), "The header's filter")
    for name in ("payloads", "proofs", "complete"):
        if type(fields[name]) is not bool:
            raise DoesNotVerifyError(f"The header's {name!r} is neither true nor false.")
    if fields["complete"] and wanted:
        raise DoesNotVerifyError("The header says that the export is complete, but names a filter.")
    if not fields["complete"] and not fields["proofs"]:
        raise DoesNotVerifyError("The header says that there are no proofs, but only a complete export needs none.")
    return Header(
        text_of(fields["checkpoint"], "The header's checkpoint"),
        wanted,
        text_of(fields["recipient"], "The header's recipient"),
        text_of(fields["reason"], "The header's reason"),
        fields["payloads"],
        fields["proofs"],
        fields["complete"],
        fields,
    )


def read_line(text: str, number: int) -> Line:
    """Read the line of an event; ``number`` is the line's, from 1, for messages."""
    what = f"Line {number}"
    fields = parse_object(text, what)
    require_fields(fields, {"index", "leaf"}, {"proof", "payload", "nonce"}, what)
    index = whole_number(fields["index"], f"The index in line {number}")
    if canonical(fields) != text:
        raise DoesNotVerifyError(f"The line of event {index} is not canonical JSON.", index)
    payload = text_of(fields["payload"], f"The payload of event {index}") if "payload" in fields else None
    if (payload is None) != ("nonce" not in fields):
        raise DoesNotVerifyError(f"The payload of event {index} and its nonce come together or not at all.", index)
    leaf = text_of(fields["leaf"], f"The leaf of event {index}")
    return Line(text, index, leaf, fields.get("proof"), payload, fields.get("nonce"))


def read_trailer(text: str) -> Trailer:
    """Read the last line."""
    fields = parse_object(text, "The trailer")
    require_fields(fields, _TRAILER, set(), "The trailer")
    if fields["end"] is not True or canonical(fields) != text:
        raise DoesNotVerifyError("The trailer is not written as trailers are.")
    return Trailer(
        whole_number(fields["events"], "The trailer's count"),
        decode_hex(fields["sha256"], 32, "The trailer's sum"),
    )


def is_trailer(text: str) -> bool:
    """Whether a line is a trailer and no event: canonical, an event's line begins with its index."""
    return text.startswith('{"end":')
