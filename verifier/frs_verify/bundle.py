"""Proof bundles: one event with all that is needed to check it, as one JSON object.

    {"format": "frs-log-proof", "version": 1, "origin": "...", "verifier_key": "...", "index": 7, "leaf": "...",
     "proof": ["<base64>", ...], "checkpoint": "<signed note>", "payload": "..." or null, "nonce": "<hex>" or null}

``verifier_key`` is never used for verification: it must be the key that the person who verifies holds already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frs_verify.checkpoint import Checkpoint, Trust
from frs_verify.encoding import decode_base64, parse_object, require_fields, text_of, whole_number
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError
from frs_verify.leaf import Leaf, check_payload, parse_leaf
from frs_verify.notes import LogKey
from frs_verify.tree import HASH_BYTES, check_inclusion, leaf_hash

FORMAT = "frs-log-proof"
VERSION = 1
_FIELDS = {"format", "version", "origin", "verifier_key", "index", "leaf", "proof", "checkpoint"}
_OPTIONAL = {"payload", "nonce"}


@dataclass(frozen=True)
class ProvenEvent:
    """An event that a bundle proves."""

    leaf: Leaf
    checkpoint: Checkpoint
    payload: dict[str, Any] | None
    """The opened payload, which is the one that the leaf commits to; None where the bundle has none."""


def verify_bundle(data: str | bytes, trust: Trust) -> ProvenEvent:
    """Verify a bundle's text. Raises DoesNotVerifyError that says what does not hold."""
    return verify_bundle_object(parse_object(data, "The bundle"), trust)


def verify_bundle_object(bundle: dict[str, Any], trust: Trust) -> ProvenEvent:
    """Verify a bundle that was read strictly (:func:`frs_verify.encoding.parse_object`)."""
    check_format(bundle, FORMAT, VERSION, "The bundle")
    require_fields(bundle, _FIELDS, _OPTIONAL, "The bundle")
    checkpoint = trust.read(text_of(bundle["checkpoint"], "The bundle's checkpoint"))
    check_named(bundle, checkpoint, trust, "The bundle")
    index = whole_number(bundle["index"], "The bundle's index")
    text = text_of(bundle["leaf"], f"The leaf of event {index}")
    proof = read_proof(bundle["proof"], index)
    check_inclusion(index, checkpoint.size, leaf_hash(text.encode("utf-8")), proof, checkpoint.root)
    leaf = parse_leaf(text, index)
    payload, nonce = bundle.get("payload"), bundle.get("nonce")
    if (payload is None) != (nonce is None):
        raise DoesNotVerifyError(f"The payload of event {index} and its nonce come together or not at all.", index)
    if payload is None:
        return ProvenEvent(leaf, checkpoint, None)
    return ProvenEvent(leaf, checkpoint, check_payload(leaf, text_of(payload, f"The payload of event {index}"), nonce))


def check_format(value: dict[str, Any], name: str, version: int, what: str) -> None:
    """Check that something says that it is of a format, in the version that is known."""
    if value.get("format") != name:
        raise DoesNotVerifyError(f"{what} does not say that it is {name!r}.")
    if type(value.get("version")) is not int or value["version"] != version:
        raise DoesNotVerifyError(f"{what} is of the unknown version {str(value.get('version'))[:20]}.")


def check_named(value: dict[str, Any], checkpoint: Checkpoint, trust: Trust, what: str) -> None:
    """Check that origin and verifier key, which are told for convenience, are those that the verification found."""
    if value["origin"] != checkpoint.origin:
        raise DoesNotVerifyError(f"{what} names another origin than its checkpoint, {checkpoint.origin!r}.")
    try:
        told = LogKey.parse(text_of(value["verifier_key"], f"The verifier key of {what.lower()}"))
    except CannotVerifyError as error:
        raise DoesNotVerifyError(f"{what} names a key that cannot be read: {error}") from None
    if (told.name, told.public_key) != (checkpoint.origin, trust.log.public_key):
        raise DoesNotVerifyError(f"{what} names another verifier key than the one that you hold.")


def read_proof(value: object, index: int) -> list[bytes]:
    """Read the hashes of an inclusion proof."""
    if not isinstance(value, list):
        raise DoesNotVerifyError(f"The proof of event {index} is no list.", index)
    try:
        proof = [decode_base64(item, f"A hash in the proof of event {index}") for item in value]
    except DoesNotVerifyError as error:
        raise DoesNotVerifyError(error.message, index) from None
    if any(len(digest) != HASH_BYTES for digest in proof):
        raise DoesNotVerifyError(f"A hash in the proof of event {index} has the wrong length.", index)
    return proof
