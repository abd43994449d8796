"""Cosignatures as C2SP tlog-cosignature writes them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from hypothesis import given
from hypothesis import strategies as st

from frs.audit.checkpoints import Checkpoint
from frs.audit.cosignatures import (
    CosignatureVerifier,
    Cosigner,
    Kind,
    add_signatures,
    cosigned_message,
    ed25519_message,
)
from frs.audit.notes import NoteSigner, NoteVerifier, Signature, parse_note
from frs.errors import FrsError, Reason

TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
# The specification's example, with the log's signature and a witness's.
EXAMPLE = (
    TEXT + "\n— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+"
    "mbIUBkBIfZ+qnA==\n"
)
TIME = 1679315147  # the example's
NAME = "witness.example.com/w1"
COSIGNER = Cosigner(NAME, bytes(range(32)))
LOG = NoteSigner("example.com/behind-the-sofa", bytes(32))
NOTE = LOG.sign(TEXT)
CHECKPOINT = Checkpoint.parse(TEXT)


def cosigned(time: int = TIME) -> str:
    return add_signatures(NOTE, [COSIGNER.cosign(CHECKPOINT, time)])


def ed25519(name: str, time: int, text: str = TEXT) -> tuple[CosignatureVerifier, Signature]:
    """Return a version 1 witness, made here from the specification alone, and its cosignature."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
    public = key.public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    message = b"cosignature/v1\ntime " + str(time).encode() + b"\n" + text.encode()
    vkey = f"{name}+{key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}"
    return CosignatureVerifier.parse(vkey), Signature(name, key_id, time.to_bytes(8, "big") + key.sign(message))


def untrusted(verifier: CosignatureVerifier, note: str) -> None:
    with pytest.raises(FrsError) as caught:
        verifier.verify(note)
    assert caught.value.reason is Reason.WITNESS_UNTRUSTED


def test_the_specifications_example_has_the_time_it_names() -> None:
    """The example's cosignature: a key id, the time of its message, 64 bytes of Ed25519."""
    signature = parse_note(EXAMPLE).signatures[1]
    assert (signature.name, signature.key_id.hex()) == (NAME, "8d66cf3f")
    assert (len(signature.signature), int.from_bytes(signature.signature[:8], "big")) == (8 + 64, TIME)


def test_the_ed25519_message_is_the_specifications() -> None:
    """Header, time and the whole text, as printed there."""
    assert ed25519_message(TIME, TEXT) == (
        b"cosignature/v1\n"
        b"time 1679315147\n"
        b"example.com/behind-the-sofa\n"
        b"20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_the_ml_dsa_message_is_the_specifications_structure() -> None:
    """Label, names with their lengths, time, start 0, end, root: written out by hand here."""
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert cosigned_message(NAME, TIME, "example.com/behind-the-sofa", 20852163, root) == (
        bytes.fromhex("73756274726565 2f7631 0a00")  # subtree /v1 newline zero
        + b"\x16witness.example.com/w1"
        + bytes.fromhex("00000000641850cb")
        + b"\x1bexample.com/behind-the-sofa"
        + bytes(8)
        + bytes.fromhex("00000000013e2dc3")
        + root
    )


def test_an_ml_dsa_cosignature_is_verified_by_the_library_alone() -> None:
    """What stands in the line is key id, time and a signature over that message, with an empty context."""
    signature = COSIGNER.cosign(CHECKPOINT, TIME)
    public = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32))).public_key().public_bytes_raw()
    assert signature.key_id == hashlib.sha256(NAME.encode() + b"\n\x06" + public).digest()[:4]
    assert int.from_bytes(signature.signature[:8], "big") == TIME
    message = cosigned_message(NAME, TIME, CHECKPOINT.origin, CHECKPOINT.size, CHECKPOINT.root)
    MLDSA44PublicKey.from_public_bytes(public).verify(signature.signature[8:], message)


def test_both_kinds_verify_beside_each_other_and_the_logs_signature() -> None:
    """Each verifier finds its own line; the log's stays valid."""
    verifier, signature = ed25519("old.example", 1700000000)
    note = add_signatures(cosigned(), [signature])
    assert COSIGNER.verifier.verify(note) == TIME
    assert verifier.verify(note) == 1700000000
    assert LOG.verifier.verify(note) == TEXT
    assert verifier.kind is Kind.ED25519


def test_keys_survive_their_text_form() -> None:
    """A vkey is read as it was written."""
    for verifier in (COSIGNER.verifier, ed25519("old.example", 1)[0]):
        assert CosignatureVerifier.parse(f" {verifier.vkey}\n") == verifier


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+",
        "name+00000000+BA==",
        "name+00000000+" + base64.b64encode(b"\x06" + bytes(1312)).decode(),  # another key id
        COSIGNER.verifier.vkey.replace("w1", "w2"),
        COSIGNER.verifier.vkey[:-4],
        ed25519("x", 1)[0].vkey.replace("+B", "+A"),
        NoteVerifier("a log's key", bytes(32)).vkey,
        "a b" + COSIGNER.verifier.vkey.removeprefix(NAME),
        "n" * 256 + "+00000000+" + base64.b64encode(b"\x06" + bytes(1312)).decode(),
    ],
)
def test_what_is_no_key_of_a_witness_is_refused(vkey: str) -> None:
    """Wrong types, lengths, key ids and names are told apart from keys."""
    with pytest.raises(FrsError) as caught:
        CosignatureVerifier.parse(vkey)
    assert caught.value.reason is Reason.WITNESS_UNTRUSTED


def test_a_cosignature_of_another_checkpoint_fails() -> None:
    """Size, root and origin are signed."""
    line = COSIGNER.cosign(CHECKPOINT, TIME)
    for text in (
        TEXT.replace("20852163", "20852164"),
        TEXT.replace("CsUY", "DsUY"),
        TEXT.replace("sofa", "sofb"),
    ):
        untrusted(COSIGNER.verifier, add_signatures(LOG.sign(text), [line]))
    untrusted(COSIGNER.verifier, NOTE)


def test_extension_lines_do_not_matter_to_ml_dsa_and_do_to_ed25519() -> None:
    """The specification's two messages differ in this."""
    longer = LOG.sign(TEXT + "an extension\n")
    assert COSIGNER.verifier.verify(add_signatures(longer, [COSIGNER.cosign(CHECKPOINT, TIME)])) == TIME
    verifier, line = ed25519("old.example", TIME)
    untrusted(verifier, add_signatures(longer, [line]))


@given(st.integers(0, 8 + 2420 - 1), st.integers(1, 255))
def test_every_byte_of_a_cosignature_counts(place: int, change: int) -> None:
    """A changed time or signature fails."""
    line = COSIGNER.cosign(CHECKPOINT, TIME)
    raw = bytearray(line.signature)
    raw[place] ^= change
    untrusted(COSIGNER.verifier, add_signatures(NOTE, [Signature(line.name, line.key_id, bytes(raw))]))


def test_a_cosignature_without_a_time_or_too_short_fails() -> None:
    """Time zero says nothing on the newest tree; a line that is cut off is no signature."""
    line = COSIGNER.cosign(CHECKPOINT, TIME)
    for raw in (bytes(8) + line.signature[8:], line.signature[:-1], b"\xff" * 8 + line.signature[8:], b"x"):
        untrusted(COSIGNER.verifier, add_signatures(NOTE, [Signature(line.name, line.key_id, raw)]))
    for time in (0, -1, 2**63):
        with pytest.raises(ValueError, match="no time"):
            COSIGNER.cosign(CHECKPOINT, time)


def test_names_that_do_not_fit_are_refused() -> None:
    """A cosigner's name and a log's origin have 1 to 255 bytes."""
    for name in ("", "n" * 256, "a b", "a+b"):
        with pytest.raises(ValueError, match="name"):
            Cosigner(name, bytes(32))
    with pytest.raises(ValueError, match="255"):
        COSIGNER.cosign(Checkpoint("o" * 256, 1, bytes(32)), TIME)
