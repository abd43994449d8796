"""docs/verify.md is enough: its worked example is computed again with hashes and a signature check alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from frs_verify import export_format
from frs_verify.bundle import verify_bundle
from frs_verify.checkpoint import Trust
from frs_verify.export_format import COLUMNS, FILTERS
from frs_verify.notes import LogKey

from tests.verifier.worked_example import example

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "verify.md").read_text()
EXAMPLE = DOCUMENT.partition("## 8. A worked example")[2]


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_the_example_is_what_the_service_would_give_out() -> None:
    """Every byte of it."""
    assert example() in EXAMPLE


def test_the_example_is_computed_again_by_hand() -> None:
    """Without any of our code, from the blocks on the page; each number stands in the text."""
    blocks = re.findall(r"```[a-z]*\n(.*?)\n```", EXAMPLE, re.DOTALL)
    vkey, payload, leaf, hashes, note, bundle = blocks
    name, key_id, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[0] == 1
    assert sha256(name.encode(), b"\n", raw).hex()[:8] == key_id
    assert raw[1:].hex() in EXAMPLE
    nonce = bytes.fromhex(re.findall(r"Its nonce: `([0-9a-f]{64})`", EXAMPLE)[0])
    assert json.loads(leaf)["payload"] == sha256(nonce, payload.encode()).hex()
    first, second = (bytes.fromhex(line) for line in hashes.splitlines())
    hashed = sha256(b"\x00", leaf.encode())
    pair = sha256(b"\x01", first, hashed)
    root = sha256(b"\x01", pair, second)
    for number in (hashed.hex(), pair.hex(), root.hex(), base64.b64encode(root).decode()):
        assert f"`{number}`" in EXAMPLE
    text, signature = (note + "\n").split("\n\n")
    assert (text + "\n").splitlines() == ["example.org/frs", "3", base64.b64encode(root).decode()]
    signed = base64.b64decode(signature.split()[2])
    assert signed[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signed[4:], (text + "\n").encode())
    told = json.loads(bundle)
    assert (told["leaf"], told["payload"], told["checkpoint"]) == (leaf, payload, note + "\n")
    assert [base64.b64decode(item) for item in told["proof"]] == [first, second]


def test_the_example_s_bundle_verifies() -> None:
    """With the key on the page."""
    blocks = re.findall(r"```[a-z]*\n(.*?)\n```", EXAMPLE, re.DOTALL)
    proven = verify_bundle(blocks[-1], Trust(LogKey.parse(blocks[0])))
    assert proven.leaf.action == "alert.adjudicated"
    assert proven.payload is not None


def test_every_field_is_described() -> None:
    """Of bundle, header, line, trailer, filter and columns; a new one must be described before it is read."""
    fields = {"index", "leaf", "proof", "payload", "nonce", *export_format._HEADER, *export_format._TRAILER, *FILTERS}
    assert [name for name in sorted(fields) if f"`{name}`" not in DOCUMENT] == []
    assert ", ".join(COLUMNS) in DOCUMENT.replace("\n", " ")
    for name in (export_format.FORMAT, export_format.HEADER_KEY.decode(), export_format.TRAILER_KEY.decode()):
        assert f"`{name}`" in DOCUMENT
