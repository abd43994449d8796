"""The issuer's keys: rotation, an issuer that is down, hangs or answers rubbish, and that it is never hammered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from frs.access.issuer_keys import FLOOR_SECONDS
from frs.access.tokens import TokenVerifier
from frs.errors import FrsError, Reason
from frs.server.findings import Verdict
from frs.server.issuer_diagnosis import diagnose_issuer
from frs.settings import AccessSettings, Settings
from tests.issuer import Issuer, public_jwk
from tests.manual_clock import ManualClock

NOW = ManualClock().now()


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def verifier(issuer: Issuer, seconds: Seconds) -> TokenVerifier:
    return TokenVerifier(AccessSettings(issuer=issuer.issuer, issuer_timeout_seconds=0.3), seconds)


def reason(verifier: TokenVerifier, token: str) -> Reason | None:
    try:
        verifier.verify(token, NOW, None)
    except FrsError as error:
        return error.reason
    return None


def test_keys_are_asked_once_and_kept(issuer: Issuer, verifier: TokenVerifier, seconds: Seconds) -> None:
    """Until they are due."""
    for _ in range(20):
        assert reason(verifier, issuer.token(NOW)) is None
    assert issuer.asked == 1
    seconds.at += 300
    assert reason(verifier, issuer.token(NOW)) is None
    assert issuer.asked == 2


def test_a_rotated_key_is_seen_at_once_and_a_withdrawn_one_forgotten(
    issuer: Issuer, verifier: TokenVerifier, seconds: Seconds
) -> None:
    """A key id that is not known has the issuer asked."""
    old = issuer.token(NOW)
    assert reason(verifier, old) is None
    issuer.rotate(forget=True)
    seconds.at += FLOOR_SECONDS
    assert reason(verifier, issuer.token(NOW)) is None
    assert reason(verifier, old) is Reason.TOKEN_INVALID
    assert issuer.asked == 2


def test_made_up_key_ids_do_not_hammer_the_issuer(issuer: Issuer, verifier: TokenVerifier, seconds: Seconds) -> None:
    """One asking within the floor, whoever sends however many."""
    for number in range(50):
        assert reason(verifier, issuer.token(NOW, {"kid": f"made-up-{number}"})) is Reason.TOKEN_INVALID
    assert issuer.asked == 1
    seconds.at += FLOOR_SECONDS
    assert reason(verifier, issuer.token(NOW, {"kid": "made-up"})) is Reason.TOKEN_INVALID
    assert issuer.asked == 2


def test_known_keys_go_on_while_the_issuer_is_down(issuer: Issuer, verifier: TokenVerifier, seconds: Seconds) -> None:
    """Until they are stale; a key that is not known is told as the issuer's absence, quickly."""
    known, unknown = issuer.token(NOW), issuer.token(NOW, {"kid": "new"})
    assert reason(verifier, known) is None
    issuer.mode = "error"
    for _ in range(5):
        seconds.at += 1000
        assert reason(verifier, known) is None
        assert reason(verifier, unknown) is Reason.ISSUER_UNAVAILABLE
    seconds.at += 86400
    assert reason(verifier, known) is Reason.ISSUER_UNAVAILABLE
    issuer.mode = "well"
    seconds.at += FLOOR_SECONDS
    assert reason(verifier, known) is None
    assert verifier.keys.failure is None


def test_an_issuer_that_hangs_is_given_up(issuer: Issuer, verifier: TokenVerifier) -> None:
    """After the timeout as a whole; within the floor nobody waits for it again."""
    issuer.mode = "hang"
    began = time.monotonic()
    assert reason(verifier, issuer.token(NOW)) is Reason.ISSUER_UNAVAILABLE
    assert time.monotonic() - began < 2
    began = time.monotonic()
    for _ in range(20):
        assert reason(verifier, issuer.token(NOW)) is Reason.ISSUER_UNAVAILABLE
    assert time.monotonic() - began < 0.2


def test_an_issuer_that_is_not_there_is_told_as_such() -> None:
    """Nobody listens."""
    gone = Issuer()
    gone.close()
    verifier = TokenVerifier(AccessSettings(issuer=gone.issuer))
    assert reason(verifier, gone.token(NOW)) is Reason.ISSUER_UNAVAILABLE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"null",
        b'{"issuer": 5}',
        b"[" * 100_000,
        b"{" + b" " * 600_000 + b"}",
    ],
)
def test_rubbish_is_no_answer(issuer: Issuer, verifier: TokenVerifier, body: bytes) -> None:
    """Neither for the configuration nor for the keys."""
    issuer.body = body
    assert reason(verifier, issuer.token(NOW)) is Reason.ISSUER_UNAVAILABLE


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://127.0.0.1:1/other"},
        {"jwks_uri": "http://provider.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"jwks_uri": "https://user@provider.example/keys"},
    ],
)
def test_a_configuration_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, verifier: TokenVerifier, changes: dict[str, Any]
) -> None:
    """Another issuer's, or an address that anybody could answer for."""
    issuer.changes = changes
    assert reason(verifier, issuer.token(NOW)) is Reason.ISSUER_UNAVAILABLE
    assert issuer.asked == 0


def test_keys_that_are_none_are_left_out(issuer: Issuer, verifier: TokenVerifier, seconds: Seconds) -> None:
    """Shared secrets, encryption keys, short and broken ones; the sound key beside them is used."""
    sound = issuer.published()[0]
    weak = public_jwk(rsa.generate_private_key(65537, 1024), "weak")
    published: list[Any] = [
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {**sound, "kid": "for-encryption", "use": "enc"},
        {**sound, "kid": "other-algorithm", "alg": "HS256"},
        {**sound, "kid": "broken", "x": "AA"},
        {"kty": "EC", "kid": "empty"},
        weak,
        {**sound, "kid": 5, "kty": ["EC"]},
        "text",
        sound,
    ]
    verifier.keys._ask = lambda: [each for each in published if isinstance(each, dict)]
    assert reason(verifier, issuer.token(NOW)) is None
    for name in ("secret", "for-encryption", "other-algorithm", "broken", "empty", "weak"):
        assert reason(verifier, issuer.token(NOW, {"kid": name})) is Reason.TOKEN_INVALID


def test_a_token_without_a_key_id_needs_an_issuer_with_one_key(
    issuer: Issuer, verifier: TokenVerifier, seconds: Seconds
) -> None:
    """Of its algorithm."""
    token = issuer.token(NOW, {"kid": ""})
    assert reason(verifier, token) is None
    issuer.rotate()
    verifier.keys._ask = issuer.published
    seconds.at += 300
    assert reason(verifier, token) is Reason.TOKEN_INVALID


@pytest.mark.parametrize(
    "issuer_setting",
    ["http://provider.example", "ftp://provider.example", "provider", "https://", "https://a@b.example", "https://a#b"],
)
def test_an_issuer_that_anybody_could_answer_for_is_refused_at_the_start(issuer_setting: str) -> None:
    """Plain http beyond loopback above all."""
    with pytest.raises(FrsError) as caught:
        TokenVerifier(AccessSettings(issuer=issuer_setting))
    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_an_authority_that_cannot_be_read_is_refused_at_the_start() -> None:
    """It would leave the system's authorities in its place."""
    with pytest.raises(FrsError, match="issuer_ca"):
        TokenVerifier(AccessSettings(issuer="https://provider.example", issuer_ca="/not/there"))


def test_published_keys_are_json(issuer: Issuer) -> None:
    """The test's own issuer says what a real one does."""
    assert {"kty", "kid", "use"} <= set(json.loads(json.dumps(issuer.published()))[0])


def test_the_doctor_asks_the_issuer(issuer: Issuer) -> None:
    """As the service does: well with a key that may sign, wrong without one, and down as the catalogue says."""
    asked = Settings(access=AccessSettings(issuer=issuer.issuer))
    (finding,) = diagnose_issuer(asked)
    assert (finding.verdict, finding.details) == (Verdict.WELL, {"keys": 1})
    issuer.keys.clear()
    (finding,) = diagnose_issuer(asked)
    assert finding.verdict is Verdict.WRONG
    issuer.mode = "error"
    with pytest.raises(FrsError) as caught:
        list(diagnose_issuer(asked))
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE
    assert list(diagnose_issuer(Settings())) == []
    with pytest.raises(FrsError, match=r"access\.issuer"):
        list(diagnose_issuer(Settings(access=AccessSettings(token_address="localhost:0"))))
