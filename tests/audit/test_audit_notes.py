"""Signed notes: the vectors of the specification and of Go's implementation, and what must be refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.audit.notes import NoteSigner, NoteVerifier, Signature, parse_note
from frs.errors import FrsError, Reason

# golang.org/x/mod/sumdb/note, whose format C2SP signed-note specifies.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_OTHER_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
GO_OTHER_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# c2sp.org/signed-note: a key and a note signed with it.
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def refused(note: str, vkey: str = GO_VKEY) -> str:
    with pytest.raises(FrsError) as caught:
        NoteVerifier.parse(vkey).verify(note)
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    return caught.value.message


def test_signing_gives_the_published_note() -> None:
    """With the published private key, text and name, the note is the published one (Ed25519 is deterministic)."""
    signer = NoteSigner("PeterNeumann", GO_SEED)

    assert signer.verifier.vkey == GO_VKEY
    assert signer.verifier.key_id.hex() == "c74f20a3"
    assert signer.sign(GO_TEXT) == f"{GO_TEXT}\n{GO_LINE}"


@pytest.mark.parametrize(
    ("note", "vkey", "text"),
    [
        (f"{GO_TEXT}\n{GO_LINE}", GO_VKEY, GO_TEXT),
        (f"{GO_TEXT}\n{GO_LINE}{GO_OTHER_LINE}", GO_VKEY, GO_TEXT),
        (f"{GO_TEXT}\n{GO_LINE}{GO_OTHER_LINE}", GO_OTHER_VKEY, GO_TEXT),
        (SPEC_NOTE, SPEC_VKEY, "This is an example message.\n"),
    ],
)
def test_published_notes_verify(note: str, vkey: str, text: str) -> None:
    """The published notes verify with the published keys; signatures of others on the note do not matter."""
    assert NoteVerifier.parse(vkey).verify(note) == text


def test_text_may_hold_empty_lines() -> None:
    """The last empty line separates text from signatures (the specification's first example has one in the text)."""
    note = (
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
        "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaq"
        "P3ZekRwNtIc=\n"
    )
    parsed = parse_note(note)

    assert parsed.text.endswith("sole:\n\ned è subito sera.\n")
    assert [signature.name for signature in parsed.signatures] == ["quasimodo.example/salvatore"]
    assert parsed.text + "\n" + parsed.signatures[0].line() == note


def test_no_byte_of_a_note_can_change() -> None:
    """Whichever character of a note is altered, it does not verify."""
    note = f"{GO_TEXT}\n{GO_LINE}"
    for position, character in enumerate(note):
        for other in {"A", "B", " ", "\n", chr(ord(character) ^ 1)} - {character}:
            refused(note[:position] + other + note[position + 1 :])


def test_no_character_of_a_key_can_change() -> None:
    """A vkey in which anything was altered is no key."""
    for position, character in enumerate(GO_VKEY):
        for other in {"A", "B", "+", "/"} - {character}:
            with pytest.raises(FrsError):
                NoteVerifier.parse(GO_VKEY[:position] + other + GO_VKEY[position + 1 :])


def test_note_without_our_signature_is_refused() -> None:
    """Signatures of other keys, even under our name, do not make a note ours."""
    assert "no signature" in refused(f"{GO_TEXT}\n{GO_OTHER_LINE}")
    impostor = NoteSigner("PeterNeumann", b"\x07" * 32)
    assert "no signature" in refused(impostor.sign(GO_TEXT))


def test_false_signature_of_our_key_is_refused() -> None:
    """A line with our name and key id but another's signature makes the note invalid."""
    ours = NoteVerifier.parse(GO_VKEY)
    false = Signature(ours.name, ours.key_id, bytes(64))
    assert "does not fit" in refused(f"{GO_TEXT}\n{false.line()}")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        GO_TEXT,
        GO_LINE,
        f"{GO_TEXT}{GO_LINE}",
        f"{GO_TEXT}\n{GO_LINE}".rstrip("\n"),
        f"{GO_TEXT}\n{GO_LINE}\n",
        f"{GO_TEXT}\n-{GO_LINE[1:]}",
        f"{GO_TEXT}\n{GO_LINE.replace('x08go', 'x08g o')}",
        f"{GO_TEXT}\n— PeterNeumann AAAA\n",
        f"{GO_TEXT}\n— Peter+Neumann x08go/ZJ\n",
        f"{GO_TEXT}\n" + GO_LINE * 101,
        f"{GO_TEXT}\r\n\n{GO_LINE}",
        f"\ud800{GO_TEXT}\n{GO_LINE}",
    ],
)
def test_malformed_notes_are_refused(note: str) -> None:
    """What is not a note as specified is refused as a whole."""
    refused(note)


@given(st.text(st.characters(exclude_categories=())))
def test_foreign_text_raises_one_error(text: str) -> None:
    """Any text at all, as note or as key, verifies or raises LOG_INCONSISTENT and nothing else."""
    refused(text)
    with pytest.raises(FrsError) as caught:
        NoteVerifier.parse(text)
    assert caught.value.reason is Reason.LOG_INCONSISTENT


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\tb", "a\x00b"])
def test_names_are_as_specified(name: str) -> None:
    """A key's name is not empty and holds no spaces of any kind, no plus sign and no control characters."""
    with pytest.raises(ValueError, match="cannot name"):
        NoteSigner(name, bytes(32))


@pytest.mark.parametrize("text", ["no newline", "", "tab\there\n", "carriage return\r\n"])
def test_text_that_is_no_notes_text_is_not_signed(text: str) -> None:
    """A text must end in a newline and hold no other control character."""
    with pytest.raises(ValueError, match="ends in a newline"):
        NoteSigner("name", bytes(32)).sign(text)
