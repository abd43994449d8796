"""Revocation: the authority's list, who is on it, and what a service makes of lists that cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from frs.access.authority import Authority, Issued
from frs.access.credentials import Credentials
from frs.access.issue_index import FILE as INDEX
from frs.access.issued import every_identity, revocations, standing
from frs.access.trust import Trust, read_trust
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.types import Role
from tests.manual_clock import ManualClock

NOW = SystemClock().now()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.create(tmp_path, SystemClock())
    made.issue_server()
    return made


def trust(folder: Path) -> Trust:
    return read_trust((folder / "ca.crt").read_bytes(), (folder / "ca.crl").read_bytes())


def refusal(act: Callable[[], object]) -> tuple[Reason, str]:
    with pytest.raises(FrsError) as caught:
        act()
    return caught.value.reason, caught.value.message


def revoke(authority: Authority, *issued: Issued, reason: str = "key-compromise") -> None:
    authority.revoke((int(each.serial, 16) for each in issued), reason)


def test_a_new_authority_has_an_empty_list(authority: Authority, tmp_path: Path) -> None:
    """Signed, with a number, so that one that is missing later is missed."""
    (made,) = trust(tmp_path).lists
    assert (made.number, made.revoked) == (1, {})


def test_a_revoked_certificate_is_refused_and_others_are_not(authority: Authority, tmp_path: Path) -> None:
    """By its serial number; the list is one that other tools can read and verify."""
    ana, ben = authority.issue("ana", [Role.FEED]), authority.issue("ben", [Role.FEED])
    revoke(authority, ana)
    now = trust(tmp_path)
    now.require(ben.certificate.read_bytes(), NOW)
    assert refusal(lambda: now.require(ana.certificate.read_bytes(), NOW))[0] is Reason.IDENTITY_REVOKED
    read = x509.load_pem_x509_crl((tmp_path / "ca.crl").read_bytes())
    root = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    assert read.is_signature_valid(root.public_key())  # type: ignore[arg-type]  # an EC key, as the authority makes it
    entry = read.get_revoked_certificate_by_serial_number(int(ana.serial, 16))
    assert entry is not None
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise


def test_the_list_only_grows(authority: Authority, tmp_path: Path) -> None:
    """Each has the next number; who was on the last is on this one, with the first reason."""
    ana, ben = authority.issue("ana", [Role.FEED]), authority.issue("ben", [Role.FEED])
    revoke(authority, ana)
    revoke(authority, ana, ben, reason="superseded")
    (now,) = trust(tmp_path).lists
    assert now.number == 3
    reasons = {each.serial: each.reason for each in revocations(tmp_path).values()}
    assert reasons == {ana.serial: "key-compromise", ben.serial: "superseded"}


def test_every_certificate_is_in_the_index_and_renewed_ones_can_be_revoked(
    authority: Authority, tmp_path: Path
) -> None:
    """The file holds the newest only; all are found by the name."""
    issued = [authority.issue("ana", [Role.FEED], renew=True) for _ in range(3)]
    found = standing(tmp_path, "ana", NOW)
    assert {each.serial for each in found} == {each.serial for each in issued}
    assert [each.path is not None for each in found].count(True) == 1
    revoke(authority, *issued[:2])
    assert [each.serial for each in standing(tmp_path, "ana", NOW)] == [issued[2].serial]
    assert standing(tmp_path, "ana", NOW + timedelta(days=400)) == []


def test_half_a_line_that_a_crash_left_harms_nothing(authority: Authority, tmp_path: Path) -> None:
    """It is passed over, and the next line stands on its own."""
    authority.issue("ana", [Role.FEED])
    with (tmp_path / INDEX).open("ab") as file:
        file.write(b'{"serial": "4')
    authority.issue("ana", [Role.OFFICER], renew=True)
    assert [set(each.roles) for each in every_identity(tmp_path)] in (
        [{Role.FEED}, {Role.OFFICER}],
        [{Role.OFFICER}, {Role.FEED}],
    )


def test_a_reason_is_one_that_the_standard_knows(authority: Authority) -> None:
    """Others are told with those there are."""
    reason, message = refusal(lambda: authority.revoke([1], "because"))
    assert reason is Reason.INVALID_FIELD
    assert "key-compromise" in message


def test_a_list_that_cannot_be_read_is_not_begun_anew(authority: Authority, tmp_path: Path) -> None:
    """Who was on it would be accepted again."""
    (tmp_path / "ca.crl").write_bytes(b"rubbish")
    assert refusal(lambda: authority.revoke([1], "unspecified"))[0] is Reason.CREDENTIALS_UNUSABLE
    assert (tmp_path / "ca.crl").read_bytes() == b"rubbish"


def test_a_list_of_another_authority_is_not_taken(authority: Authority, tmp_path: Path) -> None:
    """Also when it names the same authority but has another key's signature."""
    Authority.create(tmp_path / "other", SystemClock())
    crl = (tmp_path / "other" / "ca.crl").read_bytes()
    root = (tmp_path / "ca.crt").read_bytes()
    assert refusal(lambda: read_trust(root, crl)) == (
        Reason.CREDENTIALS_UNUSABLE,
        "ca.crl was not signed by the authority",
    )
    forged = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate(root).subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    assert refusal(lambda: read_trust(root, forged))[0] is Reason.CREDENTIALS_UNUSABLE


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_list_and_never_crash(data: bytes) -> None:
    """Whatever lies there."""
    root = _ROOT
    for content in (data, b"-----BEGIN X509 CRL-----\n" + data + b"\n-----END X509 CRL-----"):
        assert refusal(lambda content=content: read_trust(root, content))[0] is Reason.CREDENTIALS_UNUSABLE  # type: ignore[misc]


def test_a_certificate_of_an_authority_that_is_no_longer_trusted(authority: Authority, tmp_path: Path) -> None:
    """The connection may be older than the change of ca.crt; both are trusted while both are in it."""
    ana = authority.issue("ana", [Role.FEED]).certificate.read_bytes()
    other = tmp_path / "other"
    Authority.create(other, SystemClock())
    both = (tmp_path / "ca.crt").read_bytes() + (other / "ca.crt").read_bytes()
    lists = (tmp_path / "ca.crl").read_bytes() + (other / "ca.crl").read_bytes()
    read_trust(both, lists).require(ana, NOW)
    alone = read_trust((other / "ca.crt").read_bytes(), (other / "ca.crl").read_bytes())
    assert refusal(lambda: alone.require(ana, NOW))[0] is Reason.UNAUTHENTICATED


def test_no_clock_makes_a_revoked_certificate_valid(authority: Authority, tmp_path: Path) -> None:
    """Set back before the revocation, or on beyond the list's own end."""
    ana = authority.issue("ana", [Role.FEED], days=3650)
    revoke(authority, ana)
    now = trust(tmp_path)
    for at in (NOW - timedelta(days=1), NOW, NOW + timedelta(days=5000)):
        assert refusal(lambda at=at: now.require(ana.certificate.read_bytes(), at))[0] is Reason.IDENTITY_REVOKED  # type: ignore[misc]


def test_a_clock_set_back_before_a_certificate_began(authority: Authority, tmp_path: Path) -> None:
    """Is told as that; when the clock is right again, the certificate is good again."""
    ana = authority.issue("ana", [Role.FEED]).certificate.read_bytes()
    clock = ManualClock(NOW - timedelta(days=1))
    assert "has not begun" in refusal(lambda: trust(tmp_path).require(ana, clock.now()))[1]
    clock.advance(days=1)
    trust(tmp_path).require(ana, clock.now())


# --- taking over while serving ---


def look(credentials: Credentials, times: int = 2) -> bool:
    """Look as often as it takes for a fault to be told."""
    return sum(credentials.look() for _ in range(times)) > 0


def test_what_changed_is_taken_over_and_told_once(authority: Authority, tmp_path: Path) -> None:
    """A new server certificate, and a revocation; a look that finds nothing new tells nothing."""
    credentials = Credentials(tmp_path)
    told: list[tuple[str, frozenset[str]]] = []
    credentials.on_loaded(lambda _, after: told.append((after.server.serial, after.trust.revoked)))
    assert not look(credentials)
    server = authority.issue_server()
    assert look(credentials)
    ana = authority.issue("ana", [Role.FEED])
    revoke(authority, ana)
    assert look(credentials)
    assert told == [(server.serial, frozenset()), (server.serial, frozenset({ana.serial}))]
    assert credentials.fault == ""


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("server.crt", b"rubbish", "server.crt or server.key cannot be read"),
        ("server.key", b"", "server.crt or server.key cannot be read"),
        ("ca.crt", b"rubbish", "ca.crt cannot be read"),
        ("ca.crl", b"rubbish", "ca.crl cannot be read"),
        ("ca.crl", None, "ca.crl is missing"),
        ("server.key", None, "cannot read server.key"),
    ],
)
def test_a_broken_file_keeps_what_was_and_says_so(
    authority: Authority, tmp_path: Path, file: str, content: bytes | None, fault: str
) -> None:
    """Until it is mended; the other part goes on being taken over meanwhile."""
    ana = authority.issue("ana", [Role.FEED])
    revoke(authority, ana)
    credentials = Credentials(tmp_path)
    good = (tmp_path / file).read_bytes()
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    before = credentials.loaded
    assert not credentials.look()
    assert credentials.fault == "", "two files are replaced one after the other"
    assert not credentials.look()
    assert credentials.fault == fault
    assert credentials.loaded == before
    assert refusal(lambda: credentials.loaded.trust.require(ana.certificate.read_bytes(), NOW))[0] is (
        Reason.IDENTITY_REVOKED
    )
    (tmp_path / file).write_bytes(good)
    assert not credentials.look()
    assert credentials.fault == ""


def test_the_server_s_key_of_another_certificate_is_not_shown(authority: Authority, tmp_path: Path) -> None:
    """Between the two renames of a renewal the old pair stays."""
    credentials = Credentials(tmp_path)
    old = (tmp_path / "server.crt").read_bytes()
    authority.issue_server()
    new = (tmp_path / "server.crt").read_bytes()
    (tmp_path / "server.crt").write_bytes(old)
    assert not look(credentials)
    assert credentials.fault == "server.key is not the key of server.crt"
    (tmp_path / "server.crt").write_bytes(new)
    assert look(credentials)
    assert credentials.fault == ""


def test_an_older_list_makes_nothing_valid_again(authority: Authority, tmp_path: Path) -> None:
    """Put back from a copy, it is a fault and the newest stays in force."""
    older = (tmp_path / "ca.crl").read_bytes()
    ana = authority.issue("ana", [Role.FEED])
    revoke(authority, ana)
    credentials = Credentials(tmp_path)
    (tmp_path / "ca.crl").write_bytes(older)
    assert not look(credentials)
    assert credentials.fault == "ca.crl is older than the list in use"
    assert credentials.loaded.trust.revoked == {ana.serial}


def test_a_service_without_a_list_says_that_nothing_is_known_to_be_revoked(
    authority: Authority, tmp_path: Path
) -> None:
    """It serves, with a warning that does not go away; a list that comes is taken."""
    crl = (tmp_path / "ca.crl").read_bytes()
    (tmp_path / "ca.crl").unlink()
    credentials = Credentials(tmp_path)
    assert not look(credentials)
    assert "nothing is known to be revoked" in credentials.fault
    (tmp_path / "ca.crl").write_bytes(crl)
    assert look(credentials)
    assert credentials.fault == ""


def test_a_service_does_not_start_on_files_that_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    """There is nothing to keep."""
    (tmp_path / "ca.crl").write_bytes(b"rubbish")
    assert refusal(lambda: Credentials(tmp_path))[0] is Reason.CREDENTIALS_UNUSABLE
    (tmp_path / "server.crt").unlink()
    assert refusal(lambda: Credentials(tmp_path))[0] is Reason.NOT_INITIALISED


def _root() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


_ROOT = _root()
