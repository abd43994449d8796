"""A bundle verifies with the public key alone, and no field of it can be changed."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from frs_verify.bundle import verify_bundle
from frs_verify.certificate import verify_certificate
from frs_verify.checkpoint import Trust
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError
from frs_verify.notes import LogKey
from frs_verify.witnesses import WitnessKey

from frs.audit.actions import Action
from frs.audit.canonical import canonical
from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.cosignatures import Cosigner, add_signatures
from frs.audit.notes import NoteSigner
from frs.types import Event
from tests.audit_house import BOB, AuditHouse
from tests.verifier.exported import bundle_of

SEED = bytes(range(32))


def refused(text: str | bytes, trust: Trust) -> str:
    with pytest.raises(DoesNotVerifyError) as caught:
        verify_bundle(text, trust)
    assert caught.value.message.endswith(".")
    return caught.value.message


def test_a_bundle_verifies_and_tells_the_event(house: AuditHouse, trust: Trust) -> None:
    """With its payload where it was opened, and without."""
    for seq in (0, 7, 20):
        proven = verify_bundle(json.dumps(bundle_of(house, seq)), trust)
        assert (proven.leaf.index, proven.leaf.action) == (seq, "alert.raised")
        assert proven.payload is not None
        assert proven.payload["details"]["reason"] == f"free text {seq}"
        assert verify_bundle(json.dumps(bundle_of(house, seq, payload=False)), trust).payload is None


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the value with one thing in it changed, for everything in it, with the path to what was changed."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for path, changed in mutations(inner):
                yield f"{name}{path}", {**value, name: changed}
            yield f"{name} removed", {key: held for key, held in value.items() if key != name}
        yield "a field added", {**value, "more": 1}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            for path, changed in mutations(inner):
                yield f"[{number}]{path}", [*value[:number], changed, *value[number + 1 :]]
            yield f"[{number}] removed", [*value[:number], *value[number + 1 :]]
        yield " longer", [*value, value[-1] if value else ""]
        yield " reversed", value[::-1] if value[::-1] != value else [*value, ""]
    elif isinstance(value, str):
        yield " emptied", ""
        middle = len(value) // 2
        other = "B" if value[middle : middle + 1] != "B" else "C"
        yield " changed", value[:middle] + other + value[middle + 1 :]
        yield " cut", value[:-1]
        yield " longer", value + "A"
        yield " a null", None
    elif isinstance(value, bool):
        yield " the opposite", not value
        yield " a number", int(value)
    elif isinstance(value, int):
        yield " more", value + 1
        yield " less", value - 1
        yield " a float", float(value)
        yield " a text", str(value)
    elif value is None:
        yield " a text", "x"


def test_no_field_of_a_bundle_can_be_changed(house: AuditHouse, trust: Trust) -> None:
    """Removed, emptied, one character other, longer, shorter, of another type: each fails and says why."""
    bundle = bundle_of(house, 13)
    tried = set()
    for what, changed in mutations(bundle):
        if what in {"payload removed", "nonce removed"}:
            assert "together or not at all" in refused(json.dumps(changed), trust), what
            continue
        refused(json.dumps(changed), trust)
        tried.add(what.split()[0].partition("[")[0])
    assert tried >= set(bundle)


def test_no_character_of_leaf_payload_nonce_proof_or_note_can_be_changed(house: AuditHouse, trust: Trust) -> None:
    """Each in turn, by one bit."""
    bundle = bundle_of(house, 13)
    texts = {name: str(bundle[name]) for name in ("leaf", "payload", "nonce", "checkpoint")}
    for name, text in texts.items():
        for place in range(len(text)):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            refused(json.dumps({**bundle, name: changed}), trust)
    proof = bundle["proof"]
    assert isinstance(proof, list)
    for number, digest in enumerate(proof):
        for place in range(32):
            raw = bytearray(base64.b64decode(str(digest)))
            raw[place] ^= 1
            other = [*proof[:number], base64.b64encode(raw).decode(), *proof[number + 1 :]]
            assert "13" in refused(json.dumps({**bundle, "proof": other}), trust)


def test_failures_name_what_does_not_hold(house: AuditHouse, trust: Trust) -> None:
    """So that somebody who did not write the program knows where to look."""
    bundle = bundle_of(house, 13)
    other = bundle_of(house, 12)
    assert "Event 13 is not in the log that was signed" in refused(json.dumps({**bundle, "leaf": other["leaf"]}), trust)
    assert "payload of event 13 is not the one" in refused(json.dumps({**bundle, "nonce": other["nonce"]}), trust)
    assert "another origin" in refused(json.dumps({**bundle, "origin": "elsewhere"}), trust)
    assert "unknown version 2" in refused(json.dumps({**bundle, "version": 2}), trust)
    assert "unknown field 'more'" in refused(json.dumps({**bundle, "more": 1}), trust)
    assert "too short" in refused(json.dumps({**bundle, "proof": []}), trust)


def test_only_one_spelling_is_read(house: AuditHouse, trust: Trust) -> None:
    """A repeated key, NaN, base64 with other padding, half a surrogate pair: two readers could differ on them."""
    text = json.dumps(bundle_of(house, 13))
    assert "stands twice" in refused(text.replace('"version": 1,', '"version": 1, "version": 1,'), trust)
    assert "is no JSON" in refused(text.replace('"index": 13', '"index": NaN'), trust)
    assert "no UTF-8" in refused(text.replace('"index": 13', '"index": "\\ud800"'), trust)
    assert "no UTF-8" in refused(text.encode() + b"\xff", trust)
    assert "nested" in refused("[" * 200_000, trust)
    assert "no JSON object" in refused("[]", trust)
    refused("", trust)
    bundle = json.loads(text)
    loose = bundle["proof"][0][:-2] + ("B" if bundle["proof"][0][-2] == "A" else "R") + "="
    for spelling in (loose, bundle["proof"][0].rstrip("="), bundle["proof"][0] + "\n", "é" * 4):
        changed = {**bundle, "proof": [spelling, *bundle["proof"][1:]]}
        refused(json.dumps(changed), trust)


def test_another_key_verifies_nothing(house: AuditHouse) -> None:
    """Neither another log's nor this log's name with another key; and what is no key is told apart from that."""
    bundle = json.dumps(bundle_of(house, 3))
    for name, told in (("elsewhere", "your key of 'elsewhere'"), (house.log.origin, "no signature of your key")):
        stranger = Trust(LogKey.parse(NoteSigner(name, SEED).verifier.vkey))
        assert told in refused(bundle, stranger)
    for vkey in ("", "x", "name+00000000+AQ==", house.log.vkey[:-4], house.log.vkey.replace("+", "-", 1)):
        with pytest.raises(CannotVerifyError, match="no verifier key"):
            LogKey.parse(vkey)


def test_a_restored_log_verifies_with_the_key_of_its_first_name_and_nothing_else_does() -> None:
    """The same key signs the journal of erasures under another name: that is no checkpoint of the log."""
    text = Checkpoint("example.org/log", 0, hashlib.sha256().digest()).text()
    trust = Trust(LogKey.parse(NoteSigner("example.org/log", SEED).verifier.vkey))
    restored = "example.org/log/r-0123456789ab"
    note = NoteSigner(restored, SEED).sign(text.replace("example.org/log", restored))
    assert trust.read(note).origin == restored
    later = Trust(LogKey.parse(NoteSigner(restored, SEED).verifier.vkey))
    assert later.read(NoteSigner("example.org/log", SEED).sign(text)).size == 0
    for name in ("example.org/log/erasures", "example.org/log/r-01", "example.org/log2", f"{restored}/erasures"):
        other = NoteSigner(name, SEED).sign(text.replace("example.org/log", name))
        with pytest.raises(DoesNotVerifyError, match="is of the log"):
            trust.read(other)
    # Signed under one name, with another in the text.
    with pytest.raises(DoesNotVerifyError, match="no signature"):
        trust.read(NoteSigner("example.org/log", SEED).sign(text.replace("example.org/log", restored)))


def test_a_witness_is_asked_for_where_its_key_is_given(house: AuditHouse, trust: Trust) -> None:
    """Its cosignature verifies; without it, with another's, or changed anywhere, the bundle does not."""
    bundle = bundle_of(house, 13)
    note = str(bundle["checkpoint"])
    witness, stranger = Cosigner("witness.example/w", SEED), Cosigner("witness.example/w", bytes(32))
    cosigned = add_signatures(note, [witness.cosign(read_checkpoint(note, house.log.vkey), 1_800_000_000)])
    strict = Trust(trust.log, [WitnessKey.parse(witness.verifier.vkey)])
    assert "no cosignature" in refused(json.dumps(bundle), strict)
    proven = verify_bundle(json.dumps({**bundle, "checkpoint": cosigned}), strict)
    assert proven.checkpoint.cosigned == (("witness.example/w", 1_800_000_000),)
    verify_bundle(json.dumps({**bundle, "checkpoint": cosigned}), trust)  # others' signatures are left aside
    refused(
        json.dumps({**bundle, "checkpoint": cosigned}), Trust(trust.log, [WitnessKey.parse(stranger.verifier.vkey)])
    )
    start = len(note) + len("— witness.example/w ")
    for place in range(start, len(cosigned) - 1, 61):
        other = "A" if cosigned[place] != "A" else "B"
        refused(json.dumps({**bundle, "checkpoint": cosigned[:place] + other + cosigned[place + 1 :]}), strict)


def test_the_published_ed25519_cosignature_verifies() -> None:
    """The example of C2SP tlog-cosignature has no published key; one made to the letter of the specification does."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(SEED)
    public = private.public_key().public_bytes_raw()
    name, time = "witness.example.com/w1", 1679315147
    note = NoteSigner("example.com/log", bytes(32)).sign(
        f"example.com/log\n20852163\n{base64.b64encode(bytes(range(32))).decode()}\n"
    )
    text = note.rpartition("\n\n")[0] + "\n"
    key_id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    signature = private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    line = base64.b64encode(key_id + time.to_bytes(8, "big") + signature).decode()
    vkey = f"{name}+{key_id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}"
    log = LogKey.parse(NoteSigner("example.com/log", bytes(32)).verifier.vkey)
    found = Trust(log, [WitnessKey.parse(vkey)]).read(f"{note}— {name} {line}\n")
    assert found.cosigned == ((name, time),)


def test_an_erasure_certificate_is_the_one_that_the_log_names(house: AuditHouse, trust: Trust) -> None:
    """Its contents, its event and the proof of it; without the payload nobody vouches for the contents."""
    contents = {"certificate": "e1", "destroyed": {"subjects": 1}, "outside": [{"place": "Jürgen's", "kind": "backup"}]}
    digest = hashlib.sha256(canonical(contents)).hexdigest()  # type: ignore[arg-type]
    (seq,) = house.append(Event(Action.ERASURE_DONE, BOB, payload={"certificate_sha256": digest}))
    house.log.checkpoint()
    whole: dict[str, Any] = {
        "format": "frs-erasure-certificate",
        "version": 1,
        "contents": contents,
        "proof": bundle_of(house, seq),
    }
    assert verify_certificate(json.dumps(whole), trust).contents == contents
    changed: list[tuple[str, Any]] = list(mutations({k: v for k, v in whole.items() if k != "proof"}))
    changed += [("payload", {**whole, "proof": bundle_of(house, seq, payload=False)})]
    changed += [("another event", {**whole, "proof": bundle_of(house, 3)})]
    changed += [("proof", {**whole, "proof": inner}) for _, inner in mutations(whole["proof"])]
    for what, value in changed:
        with pytest.raises(DoesNotVerifyError):
            verify_certificate(json.dumps({"proof": whole["proof"], **copy.deepcopy(value)}), trust)
        assert what
