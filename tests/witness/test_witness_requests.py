"""The parser of what comes over the network: whatever it is, a request or a ValueError comes of it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.audit.checkpoints import Checkpoint
from frs.audit.erasure_journal import JournalEntry
from frs.audit.notes import NoteSigner
from frs.witness.requests import parse_add_checkpoint, parse_add_erasures, parse_number

SIGNER = NoteSigner("example.com/log", bytes(32))
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=63)
SIZES = st.integers(0, 2**63 - 1)
# The specification's example of a request.
EXAMPLE = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— example.com/behind-the-sofa "
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
)


def body(old: object, proof: list[bytes], note: str) -> bytes:
    lines = [f"old {old}".encode(), *(base64.b64encode(node) for node in proof)]
    return b"".join(line + b"\n" for line in lines) + b"\n" + note.encode()


def note_of(size: int, root: bytes = bytes(32), more: str = "") -> str:
    return SIGNER.sign(Checkpoint("example.com/log", size, root).text() + more)


def test_the_specifications_example_is_read() -> None:
    """Old size, four hashes, and a checkpoint with two signatures."""
    asked = parse_add_checkpoint(EXAMPLE.encode())
    assert (asked.old, len(asked.proof)) == (20852014, 4)
    assert (asked.checkpoint.origin, asked.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)


@given(SIZES, SIZES, HASHES, st.binary(min_size=32, max_size=32))
def test_a_request_is_read_as_it_was_written(one: int, other: int, proof: list[bytes], root: bytes) -> None:
    """Any sizes and hashes."""
    old, size = sorted((one, other))
    asked = parse_add_checkpoint(body(old, proof, note_of(size, root)))
    assert (asked.old, asked.checkpoint.size, asked.checkpoint.root) == (old, size, root)
    assert list(asked.proof) == proof


def test_extension_lines_are_let_through() -> None:
    """The checkpoint's specification allows them."""
    assert parse_add_checkpoint(body(0, [], note_of(3, more="an extension\n"))).checkpoint.size == 3


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_anything_else_is_a_value_error(given: bytes) -> None:
    """Noise never gets through, and never breaks the parser."""
    for parse in (parse_add_checkpoint, parse_add_erasures):
        with pytest.raises(ValueError, match=r"."):
            parse(given)


@given(st.data())
def test_a_request_with_one_change_is_read_otherwise_or_not_at_all(data: st.DataObject) -> None:
    """A byte removed, doubled or replaced is never overlooked."""
    whole = EXAMPLE.encode()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2))
    changed = whole[:place] + byte + whole[place + 1 :]
    try:
        asked = parse_add_checkpoint(changed)
    except ValueError:
        return
    assert changed == whole or asked != parse_add_checkpoint(whole)


@pytest.mark.parametrize(
    "wrong",
    [
        body(4, [], note_of(3)),  # the old size is greater
        body("03", [], note_of(3)),
        body("", [], note_of(3)),
        body("-1", [], note_of(3)),
        body("٣", [], note_of(3)),
        body(2**63, [], note_of(3)),
        body(1, [bytes(32)] * 64, note_of(3)),
        body(1, [bytes(31)], note_of(3)),
        body(1, [], note_of(3)).replace(b"old 1\n", b"old 1\nAAAA\n"),
        body(1, [], note_of(2**63)),
        body(1, [], note_of(3)).removesuffix(b"\n"),
        body(1, [], note_of(3)).replace(b"old 1", b"old  1"),
        body(1, [], note_of(3)).replace(b"old 1\n", b"old 1\r\n"),
        body(1, [], SIGNER.sign("example.com/log\n3\n")),
        b"old 1\n" + note_of(3).encode(),
    ],
)
def test_what_breaks_a_rule_is_refused(wrong: bytes) -> None:
    """Sizes in one spelling and in order, at most 63 hashes, a note that is one."""
    with pytest.raises(ValueError, match=r"."):
        parse_add_checkpoint(wrong)


def test_a_submission_of_erasures_is_as_long_as_its_note_says() -> None:
    """Old size and entries lead to the note's size; at most 2,000 at once."""
    entries = [JournalEntry(n, f"event:{n}", datetime(2026, 1, 1, tzinfo=UTC)) for n in range(1, 4)]

    def sent(old: int, size: int, times: int = 1) -> bytes:
        lines = b"".join(entry.leaf() + b"\n" for entry in entries) * times
        return f"old {old}\n".encode() + lines + b"\n" + note_of(size).encode()

    assert parse_add_erasures(sent(2, 5)).entries == tuple(entries)
    for wrong in (sent(2, 6), sent(3, 5), sent(0, 2001, 667)):
        with pytest.raises(ValueError, match=r"."):
            parse_add_erasures(wrong)


@given(st.integers(0, 2**63 - 1))
def test_numbers_have_one_spelling(number: int) -> None:
    """Decimal, no leading zeroes, no signs, no more than 2**63 - 1."""
    assert parse_number(str(number)) == number
    for wrong in (f"0{number}", f"+{number}", f" {number}", str(number + 2**63), ""):
        with pytest.raises(ValueError, match=r"."):
            parse_number(wrong)
