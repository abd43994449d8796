"""Erasure certificates: what was destroyed, and the proof that the log says so.

    {"format": "frs-erasure-certificate", "version": 1, "contents": {...}, "proof": <a proof bundle>}

The bundle's event is ``erasure.done``; its payload has, under ``details``, ``certificate_sha256``: SHA-256 of the
contents as RFC 8785 canonical JSON. Without the opened payload the contents are nobody's word.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from frs_verify.bundle import ProvenEvent, check_format, verify_bundle_object
from frs_verify.checkpoint import Trust
from frs_verify.encoding import canonical, decode_hex, parse_object, require_fields
from frs_verify.failure import DoesNotVerifyError

FORMAT = "frs-erasure-certificate"
VERSION = 1
ACTION = "erasure.done"


@dataclass(frozen=True)
class Certificate:
    """A certificate that the log vouches for."""

    contents: dict[str, Any]
    proven: ProvenEvent


def verify_certificate(data: str | bytes, trust: Trust) -> Certificate:
    """Verify a certificate's text. Raises DoesNotVerifyError that says what does not hold."""
    certificate = parse_object(data, "The certificate")
    check_format(certificate, FORMAT, VERSION, "The certificate")
    require_fields(certificate, {"format", "version", "contents", "proof"}, set(), "The certificate")
    contents, proof = certificate["contents"], certificate["proof"]
    if not isinstance(contents, dict) or not isinstance(proof, dict):
        raise DoesNotVerifyError("The certificate has no contents or no proof.")
    proven = verify_bundle_object(proof, trust)
    leaf = proven.leaf
    if leaf.action != ACTION:
        raise DoesNotVerifyError(f"Event {leaf.index} is {leaf.action!r} and no erasure.", leaf.index)
    if proven.payload is None:
        message = (
            f"Event {leaf.index} is an erasure, but its payload is not in the proof: whether these are the "
            "certificate's contents cannot be told. Its retention may have ended; ask for an earlier copy."
        )
        raise DoesNotVerifyError(message, leaf.index)
    details = proven.payload.get("details")
    told = details.get("certificate_sha256") if isinstance(details, dict) else None
    expected = decode_hex(told, 32, f"The certificate's sum in event {leaf.index}")
    if not hmac.compare_digest(expected, hashlib.sha256(canonical(contents).encode("utf-8")).digest()):
        raise DoesNotVerifyError(f"The contents are not those that event {leaf.index} commits to.", leaf.index)
    return Certificate(contents, proven)
