"""Scopes on certificates: what is written is read back, and a limit that is not understood lets nobody in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.access.actor import read_certificate
from frs.access.authority import Authority
from frs.access.registry import narrowed_scope
from frs.access.scope_uris import MOST_IN_SCOPE, SCOPE_URI, make_scope, scope_of, scope_uris
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.types import Role, Scope
from tests.access.test_actor_certificates import certificate, refused

IDS = st.sampled_from(["a", "b", "Night-7", "0f@x.y", "z_1"])
SITES = st.sampled_from(["north", "south", "a-1"])


def limits(of: st.SearchStrategy[str]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(of, min_size=1, max_size=4)


SCOPES = st.builds(Scope, limits(IDS), limits(IDS), limits(SITES))


@settings(max_examples=30)
@given(SCOPES)
def test_a_scope_is_read_back_as_it_was_written(scope: Scope) -> None:
    """Among whatever other URIs the certificate carries."""
    assert scope_of(["urn:frs:role:reviewer", *scope_uris(scope), "https://example.org"]) == scope


@given(st.text(max_size=40))
def test_whatever_a_scope_uri_says_it_is_a_known_limit_or_none_at_all(rest: str) -> None:
    """Never an unlimited scope: a misspelt limit refuses."""
    found = scope_of([SCOPE_URI + rest])
    assert found is None or not found.unlimited


@pytest.mark.parametrize("uri", ["region:north", "watchlist:", "watchlist:a/b", "site:North", "sites:north", ""])
def test_a_certificate_with_a_scope_of_another_kind_is_refused(uri: str) -> None:
    """Of a later version, or misspelt."""
    refused(certificate(["ana"], ["urn:frs:role:reviewer", SCOPE_URI + uri]))


def test_an_issued_certificate_carries_its_scope(tmp_path: Path) -> None:
    """Watchlists, deployments and sites, as they were given; none when none was."""
    authority = Authority.create(tmp_path, SystemClock())
    scope = make_scope(["warrants"], ["d1", "d2"], ["north"])
    issued = authority.issue("ana", [Role.REVIEWER], scope=scope)
    assert read_certificate(issued.certificate.read_bytes()).actor.scope == scope
    free = authority.issue("ben", [Role.REVIEWER])
    assert read_certificate(free.certificate.read_bytes()).actor.scope.unlimited


@pytest.mark.parametrize(
    "given",
    [{"watchlists": ["a/b"]}, {"deployments": [""]}, {"sites": ["Nord"]}, {"sites": [f"s{n}" for n in range(101)]}],
)
def test_what_is_no_name_or_too_many_is_refused(given: dict[str, list[str]]) -> None:
    """Told with the kind that is wrong."""
    assert MOST_IN_SCOPE == 100
    with pytest.raises(FrsError) as caught:
        make_scope(**given)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.metadata["field"] in {"watchlist", "deployment", "site"}


@settings(max_examples=60)
@given(SCOPES, SCOPES, st.lists(st.tuples(IDS, SITES), max_size=5), st.lists(IDS, max_size=5))
def test_a_narrowed_scope_is_within_both(
    granted: Scope, limit: Scope, deployments: list[tuple[str, str]], lists: list[str]
) -> None:
    """Whatever it lets through, both let through; and where one limits nothing, the other is what is left."""
    narrowed = narrowed_scope(granted, limit)
    named = [(name, "") for scope in (granted, limit) for name in scope.deployments or ()]
    placed = [("x", site) for scope in (granted, limit) for site in scope.sites or ()]
    for name, site in [*deployments, *named, *placed]:
        if narrowed.has_deployment(name, site):
            assert granted.has_deployment(name, site)
            assert limit.has_deployment(name, site)
    for name in {*lists, *(granted.watchlists or ()), *(limit.watchlists or ())}:
        both = granted.has_watchlist(name) and limit.has_watchlist(name)
        assert narrowed.has_watchlist(name) is both
    assert narrowed_scope(granted, Scope()) == granted
    assert narrowed_scope(Scope(), limit) == limit
