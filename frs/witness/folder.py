"""The witness's own folder: its key, its verifier key and its records.

``key`` is for the owner alone and holds the name and the 32-byte ML-DSA-44 seed as JSON; ``witness.vkey`` is what logs
and auditors are given; ``witness.sqlite`` are the records. The key is not in the records, so that a copy of those
cannot sign.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from frs.audit.cosignatures import Cosigner
from frs.errors import FrsError, Reason
from frs.store.durable import create_file, make_folder, write_file

KEY_FILE = "key"
VKEY_FILE = "witness.vkey"
RECORDS_FILE = "witness.sqlite"
SERVER_FILE = "witness.json"
_SEED_BYTES = 32
_KIND = "ml-dsa-44"


def create_witness(folder: Path, name: str = "") -> Cosigner:
    """Make the folder and its key; the name, made up when empty, SHOULD be an address without its scheme.

    Raises FrsError: ALREADY_INITIALISED, INVALID_FIELD for a name that cannot name a key, STORAGE_FAILED.
    """
    name = name or f"frs.local/witness/{secrets.token_hex(8)}"
    seed = secrets.token_bytes(_SEED_BYTES)
    try:
        cosigner = Cosigner(name, seed)
    except ValueError as error:
        raise FrsError(Reason.INVALID_FIELD, f"name: {error}", field="name") from error
    key = {"name": name, "type": _KIND, "seed": seed.hex()}
    try:
        make_folder(folder)
        create_file(folder / KEY_FILE, json.dumps(key).encode() + b"\n")
        write_file(folder / VKEY_FILE, f"{cosigner.verifier.vkey}\n".encode())
    except FileExistsError:
        raise FrsError(Reason.ALREADY_INITIALISED, f"{folder} has a witness's key already.") from None
    except OSError as error:
        raise FrsError(Reason.STORAGE_FAILED, f"{folder} cannot be prepared: {error.strerror}.") from error
    return cosigner


def read_witness(folder: Path) -> Cosigner:
    """Return the key of a folder. Raises FrsError: NOT_INITIALISED, KEY_WRONG when it cannot be read as one."""
    path = folder / KEY_FILE
    try:
        said = json.loads(path.read_bytes())
        if said["type"] != _KIND:
            raise ValueError("another kind of key")
        return Cosigner(said["name"], bytes.fromhex(said["seed"]))
    except FileNotFoundError:
        raise FrsError(
            Reason.NOT_INITIALISED, f"There is no witness at {folder}: run `frs witness init --data {folder}`."
        ) from None
    except OSError as error:
        raise FrsError(Reason.KEY_MISSING, f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise FrsError(Reason.KEY_WRONG, f"{path} is not a witness's key.") from error
