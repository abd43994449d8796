"""Reading a client certificate: whatever the bytes, an actor or UNAUTHENTICATED."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from frs.access.actor import actor_of
from frs.errors import FrsError, Reason
from frs.types import Role

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(names: list[str], alternatives: list[str] | None) -> bytes:
    """Make a certificate as another authority might: any common names, any URIs or none."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    if alternatives is not None:
        uris = [x509.UniformResourceIdentifier(uri) for uri in alternatives]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


GOOD = certificate(["ana"], ["urn:frs:role:reviewer"])


def refused(pem: bytes) -> None:
    with pytest.raises(FrsError) as caught:
        actor_of(pem, NOW)
    assert caught.value.reason is Reason.UNAUTHENTICATED


def test_roles_come_from_the_uris() -> None:
    """Unknown roles and other URIs are left aside."""
    uris = ["urn:frs:role:reviewer", "urn:frs:role:of-tomorrow", "https://example.org", "urn:frs:role:feed"]
    actor = actor_of(certificate(["ana.b@force"], uris), NOW)
    assert actor.name == "ana.b@force"
    assert actor.roles == {Role.REVIEWER, Role.FEED}


@pytest.mark.parametrize(
    ("names", "uris"),
    [
        (["ana"], None),
        (["ana"], []),
        (["ana"], ["urn:frs:role:of-tomorrow"]),
        (["ana"], ["urn:frs:role:Reviewer"]),
        ([], ["urn:frs:role:feed"]),
        (["ana", "ben"], ["urn:frs:role:feed"]),
        (["frs-system"], ["urn:frs:role:administrator"]),
        (["LOOPBACK"], ["urn:frs:role:administrator"]),
        (["ana\nben"], ["urn:frs:role:feed"]),
        ([" "], ["urn:frs:role:feed"]),
    ],
)
def test_what_does_not_name_one_identity_with_roles_is_refused(names: list[str], uris: list[str] | None) -> None:
    """No name, two names, a name of the service itself, no role: nobody."""
    refused(certificate(names, uris))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_never_crash(data: bytes) -> None:
    """Random bytes are no certificate."""
    refused(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(place: int, value: int) -> None:
    """A certificate with one byte changed gives an actor or UNAUTHENTICATED and nothing else."""
    changed = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
    try:
        outcome = bool(actor_of(changed, NOW).roles)
    except FrsError as error:
        outcome = error.reason is Reason.UNAUTHENTICATED
    assert outcome


def test_an_enormous_certificate_is_refused_unread() -> None:
    """Nothing larger than 64 KiB is parsed."""
    refused(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 100_000)
