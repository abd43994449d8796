"""Tokens of the identity provider: who is accepted, and that everything else is refused with one of three reasons."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.access.authority import Authority
from frs.access.issuer_keys import ALGORITHMS
from frs.access.tokens import MOST_CHARACTERS, TokenVerifier
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.settings import AccessSettings
from frs.types import Role, Scope
from tests.issuer import Issuer, Mint, new_key, thumbprint
from tests.manual_clock import ManualClock

NOW = ManualClock().now()
TOLD = {Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def verifier(issuer: Issuer) -> TokenVerifier:
    made = TokenVerifier(AccessSettings(issuer=issuer.issuer))
    made.keys.refresh()
    return made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bound")
    authority = Authority.create(folder, SystemClock())
    authority.issue("ana", [Role.OVERSIGHT])
    authority.issue("eve", [Role.OVERSIGHT])
    return folder


def refused(verifier: TokenVerifier, token: str, certificate: bytes | None = None) -> FrsError:
    with pytest.raises(FrsError) as caught:
        verifier.verify(token, NOW, certificate)
    return caught.value


def test_a_token_names_who_acts(issuer: Issuer, verifier: TokenVerifier) -> None:
    """Name, roles, scope and the token's id; the period is the token's, give or take the skew."""
    scope = {"watchlists": ["night", "watchlists/day"], "sites": ["north"]}
    token = issuer.token(NOW, roles=["reviewer", "juggler"], jti="abc", frs_scope=scope)
    identity = verifier.verify(token, NOW, None)
    actor = identity.actor
    assert (actor.name, actor.roles, actor.credential) == ("ana", frozenset({Role.REVIEWER}), "token:abc")
    assert actor.scope == Scope(frozenset({"night", "day"}), None, frozenset({"north"}))
    assert identity.not_after == NOW + timedelta(seconds=330)
    assert identity.not_before == NOW - timedelta(seconds=30)


@pytest.mark.parametrize(
    ("changes", "reason", "why"),
    [
        ({"aud": "another"}, Reason.TOKEN_INVALID, "audience"),
        ({"aud": ["another", "third"]}, Reason.TOKEN_INVALID, "audience"),
        ({"aud": None}, Reason.TOKEN_INVALID, "audience"),
        ({"aud": {"frs": True}}, Reason.TOKEN_INVALID, "audience"),
        ({"iss": "https://elsewhere.example"}, Reason.TOKEN_INVALID, "another issuer"),
        ({"iss": None}, Reason.TOKEN_INVALID, "another issuer"),
        ({"iat": NOW.timestamp() - 400, "exp": NOW.timestamp() - 30}, Reason.TOKEN_EXPIRED, "expired"),
        ({"iat": NOW.timestamp() + 31}, Reason.TOKEN_INVALID, "not begun"),
        ({"nbf": NOW.timestamp() + 31}, Reason.TOKEN_INVALID, "not begun"),
        ({"exp": NOW.timestamp() + 3601}, Reason.TOKEN_INVALID, "lives longer"),
        ({"exp": NOW.timestamp() - 1, "iat": NOW.timestamp()}, Reason.TOKEN_INVALID, "lives longer"),
        ({"exp": None}, Reason.TOKEN_INVALID, "when it ends"),
        ({"iat": None}, Reason.TOKEN_INVALID, "when it ends"),
        ({"exp": 1e300}, Reason.TOKEN_INVALID, "cannot be understood"),
        ({"exp": True}, Reason.TOKEN_INVALID, "cannot be understood"),
        ({"nbf": "soon"}, Reason.TOKEN_INVALID, "cannot be understood"),
        ({"sub": None}, Reason.TOKEN_INVALID, "well-formed name"),
        ({"sub": "../ca"}, Reason.TOKEN_INVALID, "well-formed name"),
        ({"sub": "Loopback"}, Reason.TOKEN_INVALID, "well-formed name"),
        ({"roles": None}, Reason.TOKEN_INVALID, "no role"),
        ({"roles": ["superuser"]}, Reason.TOKEN_INVALID, "no role"),
        ({"roles": {"oversight": True}}, Reason.TOKEN_INVALID, "no role"),
        ({"frs_scope": {"watchlist": ["a"]}}, Reason.TOKEN_INVALID, "scope"),
        ({"frs_scope": {"sites": "north"}}, Reason.TOKEN_INVALID, "scope"),
        ({"frs_scope": {"sites": [""]}}, Reason.TOKEN_INVALID, "scope"),
        ({"frs_scope": ["north"]}, Reason.TOKEN_INVALID, "scope"),
        ({"cnf": {"jkt": "a"}}, Reason.TOKEN_INVALID, "bound in a way"),
        ({"cnf": "a"}, Reason.TOKEN_INVALID, "bound in a way"),
    ],
)
def test_a_token_that_is_not_for_this_service_now_is_refused(
    issuer: Issuer, verifier: TokenVerifier, changes: dict[str, Any], reason: Reason, why: str
) -> None:
    """Each with its reason, in a sentence that quotes nothing of the token."""
    error = refused(verifier, issuer.token(NOW, **changes))
    assert (error.reason, why in error.message) == (reason, True), error.message
    assert "ana" not in error.message


def test_clocks_may_differ_by_the_skew(issuer: Issuer, verifier: TokenVerifier) -> None:
    """Up to it either way, and not beyond."""
    at = NOW.timestamp()
    assert verifier.verify(issuer.token(NOW, iat=at - 300, exp=at - 29), NOW, None)
    assert verifier.verify(issuer.token(NOW, iat=at + 30), NOW, None)
    assert refused(verifier, issuer.token(NOW, iat=at - 300, exp=at - 30)).reason is Reason.TOKEN_EXPIRED


def test_an_empty_scope_lets_nothing_through(issuer: Issuer, verifier: TokenVerifier) -> None:
    """A list that is there and empty is a limit; one that is not there is none."""
    scope = verifier.verify(issuer.token(NOW, frs_scope={"watchlists": []}), NOW, None).actor.scope
    assert not scope.has_watchlist("night")
    assert scope.has_deployment("d", "")


def test_claims_are_found_where_the_settings_say(issuer: Issuer) -> None:
    """By a path, and by a key that has dots itself; roles may be words."""
    configured = AccessSettings(
        issuer=issuer.issuer, name_claim="https://force.example/name", roles_claim="realm.roles"
    )
    changes: dict[str, Any] = {"https://force.example/name": "jo", "realm": {"roles": "officer reviewer"}, "jti": "é"}
    token = issuer.token(NOW, **changes)
    actor = TokenVerifier(configured).verify(token, NOW, None).actor
    assert (actor.name, actor.roles) == ("jo", frozenset({Role.OFFICER, Role.REVIEWER}))
    assert actor.credential == f"token:{hashlib.sha256(token.encode()).hexdigest()[:32]}"


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_signature_algorithm_is_accepted(algorithm: str) -> None:
    """RSA, RSA-PSS, the NIST curves and Ed25519."""
    mint = Mint("http://127.0.0.1:9/realm")
    mint.rotate(algorithm, forget=True)
    verifier = TokenVerifier(AccessSettings(issuer=mint.issuer))
    verifier.keys._ask = mint.published
    assert verifier.verify(mint.token(NOW), NOW, None).actor.name == "ana"


def _forged(issuer: Issuer, header: dict[str, Any], sign: Any) -> str:
    parts = [header, issuer.claims(NOW)]
    signing = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{signing}.{base64.urlsafe_b64encode(sign(signing.encode())).rstrip(b'=').decode()}"


def test_algorithms_without_a_signature_are_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    """``none`` in any spelling, and HMAC keyed with the public key that everybody has."""
    public = json.dumps(issuer.published()[0]).encode()
    for algorithm in ("none", "None", "NONE", "HS256", "HS384", "HS512", "ES256K", "", None, ["ES256"]):
        header = {"alg": algorithm, "kid": issuer.current}
        for sign in (lambda _: b"", lambda data: hmac.digest(public, data, "sha256")):
            error = refused(verifier, _forged(issuer, header, sign))
            assert (error.reason, "algorithm" in error.message) == (Reason.TOKEN_INVALID, True)


def test_a_forged_signature_is_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    """Another key under a known id, a changed payload, and a token that was cut off."""
    stranger = jwt.encode(issuer.claims(NOW), new_key(), "ES256", {"kid": issuer.current})
    header, _, signature = issuer.token(NOW).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(issuer.claims(NOW, sub="eve")).encode()).decode().rstrip("=")
    for token in (stranger, f"{header}.{payload}.{signature}", f"{header}.{payload}.", f"{header}.{payload}"):
        assert refused(verifier, token).reason is Reason.TOKEN_INVALID


def test_tokens_for_other_purposes_are_refused(issuer: Issuer, verifier: TokenVerifier) -> None:
    """A logout token or a proof is no access token; critical extensions are not passed over."""
    assert verifier.verify(issuer.token(NOW, {"typ": "at+jwt"}), NOW, None)
    others: list[dict[str, Any]] = [{"typ": kind} for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", "x")]
    for header in (*others, {"kid": "k" * 300}, {"crit": ["exp"], "exp": 5}):
        assert refused(verifier, issuer.token(NOW, header)).reason is Reason.TOKEN_INVALID


def test_a_huge_token_is_refused_unread(issuer: Issuer, verifier: TokenVerifier) -> None:
    """However good its signature."""
    token = issuer.token(NOW, padding="x" * MOST_CHARACTERS)
    assert "too large" in refused(verifier, token).message


def test_a_bound_token_holds_on_its_own_connection_only(
    issuer: Issuer, verifier: TokenVerifier, certificates: Path
) -> None:
    """Whoever took it cannot replay it without the certificate's key: not over theirs, and not over none."""
    ana, eve = ((certificates / f"{name}.crt").read_bytes() for name in ("ana", "eve"))
    token = issuer.token(NOW, cnf={"x5t#S256": thumbprint(certificates / "ana.crt")}, jti="bound")
    identity = verifier.verify(token, NOW, ana)
    assert identity.actor.credential.startswith("token:bound+certificate:")
    for shown in (eve, None):
        assert "does not carry" in refused(verifier, token, shown).message
    assert refused(verifier, token, b"rubbish").reason is Reason.UNAUTHENTICATED


def test_a_token_ends_with_the_certificate_of_its_connection(
    issuer: Issuer, verifier: TokenVerifier, tmp_path: Path
) -> None:
    """A free token over a certificate names both, and outlives neither."""
    clock = ManualClock()
    issued = Authority.create(tmp_path, clock).issue("gateway", [Role.FEED], days=1)
    shown = issued.certificate.read_bytes()
    later = issued.not_after - timedelta(seconds=60)
    assert verifier.verify(issuer.token(later), later, shown).not_after == issued.not_after
    with pytest.raises(FrsError) as caught:
        verifier.verify(issuer.token(issued.not_after), issued.not_after, shown)
    assert caught.value.reason is Reason.TOKEN_EXPIRED


_SEGMENT = st.one_of(
    st.text(max_size=40),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5).map(
        lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    ),
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5u"]),
        st.sampled_from(["ES256", "RS256", "none", "", "JWT"]) | st.integers() | st.none(),
    ).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_SEGMENT, min_size=1, max_size=4).map(".".join))
def test_whatever_the_text_the_answer_is_a_reason(verifier: TokenVerifier, text: str) -> None:
    """Never another exception, and never an identity."""
    with pytest.raises(FrsError) as caught:
        verifier.verify(text, NOW, None)
    assert caught.value.reason in TOLD


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "roles", "iat", "exp", "nbf", "jti", "cnf", "frs_scope"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_whatever_the_issuer_signs_the_answer_is_an_identity_or_a_reason(
    issuer: Issuer, verifier: TokenVerifier, changes: dict[str, Any]
) -> None:
    """Claims of any kind and shape raise nothing else."""
    key, algorithm = issuer.keys[issuer.current]
    payload = json.dumps({**issuer.claims(NOW), **changes}).encode()
    token = jwt.api_jws.encode(payload, key, algorithm, {"kid": issuer.current})
    try:
        identity = verifier.verify(token, NOW, None)
    except FrsError as error:
        assert error.reason in TOLD  # noqa: PT017
    else:
        assert identity.actor.roles
