"""The worked example of docs/verify.md: ``python -m tests.verifier.worked_example`` prints it.

A log of three events, with a key and a nonce that nobody should use: everything in it can be computed by hand.
"""

from __future__ import annotations

import base64
import hashlib
import json

from frs.audit import tree
from frs.audit.bundle import make_bundle
from frs.audit.canonical import canonical
from frs.audit.checkpoints import Checkpoint
from frs.audit.notes import NoteSigner
from frs.types import Json

ORIGIN = "example.org/frs"
SEED = bytes(range(32))
NONCE = bytes(range(32, 64))
PAYLOAD: Json = {
    "actor": {"name": "jo.ray", "roles": ["reviewer"], "credential": "certificate:0a"},
    "subjects": ["NOM-1"],
    "details": {"decision": "false", "reason": "other ears"},
    "policy": 1,
}
ACTOR = "a:" + hashlib.sha256(b"a pseudonym stands here").hexdigest()
SUBJECT = "s:" + hashlib.sha256(b"and here").hexdigest()


def leaf(seq: int, action: str, operation: str, commitment: str) -> bytes:
    """Return a leaf; only event 1 is about a person."""
    about: dict[str, Json] = {"watchlists": [], "subjects": []}
    about |= {"deployment": None, "alert": None, "search": None, "job": None}
    if seq == 1:
        about |= {"watchlists": [{"id": "wanted", "version": 3}], "subjects": [SUBJECT], "alert": "a7"}
    return canonical(
        {
            "v": 1,
            "seq": seq,
            "time": f"2027-03-01T09:00:0{seq}.000000Z",
            "action": action,
            "operation": operation,
            "actor": ACTOR,
            "refs": about,
            "payload": commitment,
        }
    )


def example() -> str:
    """Return the example as Markdown."""
    payload = canonical(PAYLOAD)
    commitment = hashlib.sha256(NONCE + payload).hexdigest()
    leaves = [
        leaf(0, "service.started", "system", hashlib.sha256(b"a payload that is not opened").hexdigest()),
        leaf(1, "alert.adjudicated", "review", commitment),
        leaf(2, "service.stopped", "system", hashlib.sha256(b"nor is this one").hexdigest()),
    ]
    hashes = [tree.leaf_hash(item) for item in leaves]
    pair = tree.node_hash(hashes[0], hashes[1])
    root = tree.node_hash(pair, hashes[2])
    signer = NoteSigner(ORIGIN, SEED)
    note = signer.sign(Checkpoint(ORIGIN, 3, root).text())
    bundle = make_bundle(1, leaves[1], [hashes[0], hashes[2]], note, signer.verifier.vkey, payload, NONCE)
    return "\n".join(
        [
            "The verifier key, as `log.vkey` has it:",
            *_block("", signer.verifier.vkey),
            f"The public key in it, in hexadecimal: `{signer.verifier.public_key.hex()}`; the key id is the",
            "beginning of SHA-256 of `example.org/frs`, a newline, the byte 01 and the public key:",
            f"`{signer.verifier.key_id.hex()}`.",
            "",
            "The payload of event 1, opened:",
            *_block("json", payload.decode()),
            f"Its nonce: `{NONCE.hex()}`. SHA-256 of the 32 bytes of the nonce and the payload's bytes:",
            f"`{commitment}`. The leaf says the same under `payload`:",
            *_block("json", leaves[1].decode()),
            f"The leaf's hash, SHA-256 of the byte 00 and the leaf: `{hashes[1].hex()}`.",
            "",
            "The proof has two hashes: those of the leaves of events 0 and 2,",
            *_block("", f"{hashes[0].hex()}\n{hashes[2].hex()}"),
            "Event 1 is the right one of its pair: SHA-256 of the byte 01, the first hash and the leaf's hash is",
            f"`{pair.hex()}`. That is the left half of a tree of three:",
            "SHA-256 of the byte 01, this and the second hash is the root,",
            f"`{root.hex()}`, in base64 `{base64.b64encode(root).decode()}`.",
            "",
            "The checkpoint has it in its third line; the signature is over its first three lines, newlines included:",
            *_block("", note.removesuffix("\n")),
            "All of it as the bundle that `frs audit bundle 1` would write:",
            *_block("json", json.dumps(bundle, indent=2, ensure_ascii=False)),
        ]
    )


def _block(kind: str, text: str) -> list[str]:
    return [f"```{kind}", text, "```"]


if __name__ == "__main__":
    print(example())
