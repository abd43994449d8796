"""Page tokens: they bring back the sort keys for the same listing and nothing for any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.store.paging import page_token_decode, page_token_encode
from frs.types import Json

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
KEYS = st.lists(st.none() | st.booleans() | NUMBERS | st.text(), max_size=4)


@given(st.text(st.characters(codec="utf-8")), KEYS)
def test_token_brings_back_its_keys(fingerprint: str, last: list[bool | int | float | str | None]) -> None:
    """Whatever the sort keys, the token of a listing returns them for that listing."""
    token = page_token_encode(fingerprint, list(last))

    assert page_token_decode(token, fingerprint) == last
    assert token.replace("-", "").replace("_", "").isalnum()


def test_empty_token_is_the_first_page() -> None:
    """No token means the beginning."""
    assert page_token_decode("", "anything") is None


def test_token_of_another_listing_is_refused() -> None:
    """A token does not work with other filters."""
    token = page_token_encode("watchlist=a", [7])
    with pytest.raises(FrsError, match="another listing") as caught:
        page_token_decode(token, "watchlist=b")
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_keys_of_other_types_are_refused() -> None:
    """A listing gets the types that it sorts by or an error; a boolean is not an integer."""
    assert page_token_decode(page_token_encode("f", ["a", 7]), "f", (str, int)) == ["a", 7]
    others: list[list[Json]] = [["a"], ["a", "7"], [7, "a"], ["a", True], ["a", 7, 8]]
    for last in others:
        with pytest.raises(FrsError, match="other sort keys"):
            page_token_decode(page_token_encode("f", last), "f", (str, int))


@given(st.text())
def test_foreign_text_raises_one_error(token: str) -> None:
    """Any text that is not a token of the listing raises INVALID_PAGE_TOKEN and nothing else."""
    if token == "":
        return
    with pytest.raises(FrsError) as caught:
        page_token_decode(token, "listing")
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def test_altered_token_is_refused() -> None:
    """No character of a token can be changed."""
    token = page_token_encode("listing", [123456, "abc"])
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        with pytest.raises(FrsError):
            page_token_decode(token[:position] + other + token[position + 1 :], "listing")


def test_monstrous_token_is_refused() -> None:
    """Deep or long tokens are refused before they cost anything."""
    for body in ("[" * 100_000, "A" * 1_000_000):
        with pytest.raises(FrsError):
            page_token_decode(body, "listing")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**100])
def test_numbers_that_no_row_has_are_refused(number: int) -> None:
    """Anybody can make a token: one whose number the database could not even be asked for is the caller's error."""
    with pytest.raises(FrsError) as caught:
        page_token_decode(page_token_encode("events", [number]), "events", (int,))
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN
    assert page_token_decode(page_token_encode("events", [2**63 - 1]), "events", (int,)) == [2**63 - 1]
