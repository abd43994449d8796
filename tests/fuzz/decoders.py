"""Everything that reads bytes from outside, with good examples and the failures it may answer with."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from frs.access.actor import read_certificate
from frs.access.authority import Authority
from frs.access.tokens import TokenVerifier
from frs.access.trust import read_trust
from frs.audit.checkpoints import read_checkpoint
from frs.audit.cosignatures import checkpoint_of
from frs.audit.event import parse_payload, parse_time
from frs.audit.notes import NoteSigner, NoteVerifier, parse_note
from frs.clock import SystemClock
from frs.embed.decoding import decode_picture
from frs.embed.manifest import parse_manifest
from frs.errors import FrsError
from frs.recovery.archive import Kind, read_archive
from frs.settings import AccessSettings
from frs.store.paging import page_token_decode, page_token_encode
from frs.types import Role
from frs.watchlist.definition import DefinitionError, parse_definition
from frs.witness.requests import parse_add_checkpoint, parse_add_erasures

SIGNER = NoteSigner("frs.local/fuzz", b"\x07" * 32)
_TREE_ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
_NOTE = SIGNER.sign(f"frs.local/fuzz\n3\n{_TREE_ROOT}\n").encode()
_LIST = b"""purpose: find people wanted on warrant
category: wanted
legal_basis: Warrants
authorising_officer: Supt A. Ray
expires: 2027-01-31T18:00:00Z
grading: amber
thresholds:
  live: {score: 0.9}
subjects:
  - nominal: N-1
    justification: warrant 12/26
    lawfully_held: true
    images:
      - {file: a.jpg, source: custody, taken_on: 2026-01-31}
"""


@dataclass(frozen=True)
class Decoder:
    """One reader of bytes from outside."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = (FrsError,)
    """What it may raise; anything else is a fault."""


def _pictures() -> tuple[bytes, ...]:
    drawn = Image.fromarray(np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8))
    made = []
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"):
        file = io.BytesIO()
        drawn.save(file, kind)
        made.append(file.getvalue())
    rotated = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn.save(rotated, "JPEG", exif=exif)
    return (*made, rotated.getvalue())


def _certificates() -> tuple[tuple[bytes, ...], bytes, bytes]:
    """Return certificates, the authority's own, and its list of revocations."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority.create(Path(folder), SystemClock())
        issued = authority.issue("ana", [Role.OFFICER])
        own = (Path(folder) / "ca.crt").read_bytes()
        return (issued.certificate.read_bytes(), own), own, (Path(folder) / "ca.crl").read_bytes()


_CERTIFICATES, _AUTHORITY, _REVOCATIONS = _certificates()
_TOKEN = (
    b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkiLCJzdWIiOiJhbmEifQ.AAAA"
)
# Nobody answers there: what is read here is the token's form, and not its signature.
_VERIFIER = TokenVerifier(AccessSettings(issuer="http://127.0.0.1:9", issuer_timeout_seconds=0.2))


def _archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.frs"
        path.write_bytes(data)
        read_archive(path, Kind.DATA)


def _checkpoint(data: bytes) -> None:
    read_checkpoint(data.decode("utf-8", "replace"), SIGNER.verifier.vkey)


DECODERS: dict[str, Decoder] = {
    "picture": Decoder(lambda data: decode_picture(data, 1 << 20, 1_000_000), _pictures()),
    "certificate": Decoder(read_certificate, _CERTIFICATES),
    "revocations": Decoder(lambda data: read_trust(_AUTHORITY, data), (_REVOCATIONS,)),
    "token": Decoder(
        lambda data: _VERIFIER.verify(data.decode("utf-8", "replace"), SystemClock().now(), None), (_TOKEN,)
    ),
    "watchlist-definition": Decoder(
        lambda data: parse_definition("night", data, "night"), (_LIST,), (DefinitionError,)
    ),
    "pack-manifest": Decoder(
        lambda data: parse_manifest(data, "here"), (json.dumps({"schema": 1, "name": "p", "dimension": 128}).encode(),)
    ),
    "page-token": Decoder(
        lambda data: page_token_decode(data.decode("latin-1"), "alerts", (int, str)),
        (page_token_encode("alerts", [7, "a"]).encode(), page_token_encode("jobs", ["b"]).encode()),
    ),
    "note": Decoder(lambda data: parse_note(data.decode("utf-8", "replace")), (_NOTE,)),
    "verifier-key": Decoder(
        lambda data: NoteVerifier.parse(data.decode("utf-8", "replace")), (SIGNER.verifier.vkey.encode(),)
    ),
    "checkpoint": Decoder(_checkpoint, (_NOTE,)),
    "checkpoint-text": Decoder(lambda data: checkpoint_of(data.decode("utf-8", "replace")), (_NOTE,)),
    "payload": Decoder(parse_payload, (b'{"actor":{"name":"ana"},"policy":3}',), (ValueError, RecursionError)),
    "event-time": Decoder(
        lambda data: parse_time(data.decode("latin-1")), (b"2026-03-01T09:00:00.000000Z",), (ValueError,)
    ),
    "witness-checkpoint": Decoder(parse_add_checkpoint, (b"old 1\n" + b"A" * 44 + b"\n\n" + _NOTE,), (ValueError,)),
    "witness-erasures": Decoder(
        parse_add_erasures,
        (b'old 2\n{"at":"2026-03-01T09:00:00.000000Z","owner":"alert:1","position":3}\n\n' + _NOTE,),
        (ValueError,),
    ),
    "backup": Decoder(_archive, (b"manifest.json\x00" * 40, b"\x00" * 1024)),
}
"""By name; what ``make fuzz`` finds is kept under that name. Requests have a fuzzer of their own."""
