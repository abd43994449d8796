"""The installation's certificate authority: what it writes, what it refuses."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import ClientVerifier, PolicyBuilder, Store

from frs.access.actor import actor_of
from frs.access.authority import Authority
from frs.access.issued import identities, own_certificates
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.types import Role


class FixedClock:
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "certs", SystemClock())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _verifier(folder: Path) -> ClientVerifier:
    root = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    return PolicyBuilder().store(Store([root])).build_client_verifier()


def test_keys_are_for_their_owner_only(authority: Authority, tmp_path: Path) -> None:
    """Every private key has mode 0600; certificates may be read; the folder is its owner's."""
    authority.issue_server()
    authority.issue("ana", [Role.REVIEWER])
    certs = tmp_path / "certs"
    assert {path.name: _mode(path) for path in certs.glob("*.key")} == {
        "ca.key": 0o600,
        "server.key": 0o600,
        "ana.key": 0o600,
    }
    assert {_mode(path) for path in certs.glob("*.crt")} == {0o644}
    assert _mode(certs) == 0o700


def test_issued_certificate_verifies_and_names_the_actor(authority: Authority, tmp_path: Path) -> None:
    """A client certificate verifies against ca.crt and gives back its name, roles and serial."""
    issued = authority.issue("ana", [Role.REVIEWER, Role.OFFICER])
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    verified = _verifier(tmp_path / "certs").verify(certificate, [])
    assert verified.chain[0] == certificate
    actor = actor_of(issued.certificate.read_bytes(), datetime.now(UTC))
    assert actor.name == "ana"
    assert actor.roles == {Role.REVIEWER, Role.OFFICER}
    assert actor.credential == f"certificate:{certificate.serial_number:x}"
    key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_a_client_certificate_cannot_serve_and_cannot_sign(authority: Authority) -> None:
    """Identities are for client authentication only and are no authorities."""
    certificate = x509.load_pem_x509_certificate(authority.issue("ana", [Role.FEED]).certificate.read_bytes())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_server_certificate_is_for_loopback_and_the_hosts_given(authority: Authority) -> None:
    """The server's certificate names localhost, both loopback addresses, and each host or address asked for."""
    issued = authority.issue_server(["faces.force.example", "10.1.2.3", "localhost"])
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "faces.force.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.1.2.3"]


def test_a_second_authority_in_the_same_place_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Creating again changes nothing and says so."""
    before = (tmp_path / "certs" / "ca.key").read_bytes()
    with pytest.raises(FrsError) as caught:
        Authority.create(tmp_path / "certs", SystemClock())
    assert caught.value.reason is Reason.ALREADY_INITIALISED
    assert (tmp_path / "certs" / "ca.key").read_bytes() == before


@pytest.mark.parametrize("written", [("ca.key",), ("ca.key", "ca.crl")])
def test_an_authority_that_was_cut_off_is_made_again(tmp_path: Path, written: tuple[str, ...]) -> None:
    """What was written before its certificate is of an authority that nobody knows; one that issued is kept."""
    Authority.create(tmp_path, SystemClock())
    for name in {"ca.key", "ca.crl", "ca.crt"} - set(written):
        (tmp_path / name).unlink()
    made = Authority.create(tmp_path, SystemClock())
    made.issue("ana", [Role.FEED])
    made.revoke((), "unspecified")
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(FrsError) as caught:
        Authority.create(tmp_path, SystemClock())
    assert caught.value.reason is Reason.ALREADY_INITIALISED


def test_issuing_twice_is_refused_unless_it_renews(authority: Authority) -> None:
    """A name is issued once; renewing gives a new serial."""
    first = authority.issue("ana", [Role.FEED]).certificate.read_bytes()
    with pytest.raises(FrsError, match="already been issued") as caught:
        authority.issue("ana", [Role.FEED])
    assert caught.value.reason is Reason.IDENTITY_EXISTS
    second = authority.issue("ana", [Role.REVIEWER], renew=True).certificate.read_bytes()
    now = datetime.now(UTC)
    assert actor_of(first, now).credential != actor_of(second, now).credential


@pytest.mark.parametrize(
    "name", ["", "ca", "Server", "loopback", "frs-system", "../x", "a/b", "-a", "a" * 65, "a\nb", "é"]
)
def test_names_that_would_confuse_are_refused(authority: Authority, name: str) -> None:
    """Names of the service's own files, paths and control characters are no identities."""
    with pytest.raises(FrsError) as caught:
        authority.issue(name, [Role.FEED])
    assert caught.value.reason is Reason.INVALID_FIELD


def test_an_identity_without_a_role_is_refused(authority: Authority) -> None:
    """There is nothing such an identity could do."""
    with pytest.raises(FrsError, match="at least one role"):
        authority.issue("ana", [])


def test_no_certificate_outlives_the_authority(tmp_path: Path) -> None:
    """Whatever is asked for, an identity ends with its authority at the latest."""
    authority = Authority.create(tmp_path, SystemClock())
    issued = authority.issue("ana", [Role.FEED], days=50 * 365)
    root = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    assert issued.not_after == root.not_valid_after_utc


def test_a_key_of_another_authority_is_not_taken(tmp_path: Path) -> None:
    """ca.key must be the key of ca.crt; what cannot be read or is missing is said plainly."""
    Authority.create(tmp_path / "a", SystemClock())
    Authority.create(tmp_path / "b", SystemClock())
    assert Authority.load(tmp_path / "a", SystemClock()).issue("x", [Role.FEED]).certificate.exists()
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    for content, reason in ((None, Reason.KEY_WRONG), (b"rubbish", Reason.KEY_WRONG)):
        if content is not None:
            (tmp_path / "a" / "ca.key").write_bytes(content)
        with pytest.raises(FrsError) as caught:
            Authority.load(tmp_path / "a", SystemClock())
        assert caught.value.reason is reason
    (tmp_path / "a" / "ca.key").unlink()
    with pytest.raises(FrsError) as caught:
        Authority.load(tmp_path / "a", SystemClock())
    assert caught.value.reason is Reason.NOT_INITIALISED


def test_listing_shows_identities_and_own_certificates(authority: Authority, tmp_path: Path) -> None:
    """What was issued is listed with roles and expiry; files that are no certificates are left out."""
    authority.issue_server()
    authority.issue("ben", [Role.FEED])
    authority.issue("ana", [Role.REVIEWER])
    (tmp_path / "certs" / "note.crt").write_text("not a certificate")
    found = identities(tmp_path / "certs")
    assert [item.name for item in found] == ["ana", "ben"]
    assert [set(item.roles) for item in found] == [{Role.REVIEWER}, {Role.FEED}]
    assert all(item.not_after > datetime.now(UTC) + timedelta(days=360) for item in found)
    assert [item.name for item in own_certificates(tmp_path / "certs")] == ["ca", "server"]


def test_an_expired_certificate_is_nobody(tmp_path: Path) -> None:
    """A connection may outlive a certificate: its period is checked at every request."""
    then = datetime.now(UTC) - timedelta(days=400)
    pem = Authority.create(tmp_path, FixedClock(then)).issue("ana", [Role.FEED]).certificate.read_bytes()
    assert actor_of(pem, then).name == "ana"
    for now, why in ((datetime.now(UTC), "expired"), (then - timedelta(days=1), "not begun")):
        with pytest.raises(FrsError, match=why) as caught:
            actor_of(pem, now)
        assert caught.value.reason is Reason.UNAUTHENTICATED
