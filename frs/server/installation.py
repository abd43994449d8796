"""Preparing a data directory: what ``frs init`` does, so that ``frs serve`` can start in it.

Keyring with the log's signing key, database, authority with the server's and the first administrator's certificates,
and the log's verifier key in ``log.vkey``, which is written last: a directory that has it is whole. An interrupted
call is finished by calling again; a whole directory is never touched.

The first administrator is an administrator alone: who sets a service up sees nobody's face by that. People get
identities of their own for their duties; for trying out, a set of them can be issued at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frs.access.authority import Authority, Issued
from frs.audit.checkpoints import CheckpointSigner
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.server.folders import certs_folder, refuse_half_restored, vkey_file
from frs.settings import Settings
from frs.store.database import Database
from frs.store.durable import make_folder, write_file
from frs.store.key_custody import open_custody
from frs.store.keyring import Keyring, create_keyring
from frs.types import Role

ADMINISTRATOR = "administrator"
TRIAL = {
    "manager": Role.WATCHLIST_MANAGER,
    "superintendent": Role.AUTHORISING_OFFICER,
    "camera": Role.FEED,
    "officer": Role.OFFICER,
    "investigator": Role.INVESTIGATOR,
    "reviewer": Role.REVIEWER,
    "reviewer-two": Role.REVIEWER,
    "oversight": Role.OVERSIGHT,
    "protection": Role.DATA_PROTECTION_OFFICER,
}
"""An identity for each duty, and a second reviewer: what one person needs to try everything out."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What was made."""

    installation_id: str
    certs: Path
    keyring: Path
    administrator: Issued
    server: Issued
    vkey: str
    """The log's verifier key: whoever oversees must keep a copy of their own."""
    vkey_file: Path
    trial: tuple[Issued, ...]
    """An identity for each duty, where they were asked for."""


def initialise(
    settings: Settings,
    clock: Clock,
    hosts: Sequence[str] = (),
    administrator: str = ADMINISTRATOR,
    *,
    trial: bool = False,
) -> Installation:
    """Prepare the data directory of the settings; with ``trial`` also issue the identities of :data:`TRIAL`.

    Raises FrsError: ALREADY_INITIALISED, DATA_DIRECTORY_IN_USE, INVALID_FIELD, STORAGE_FULL, STORAGE_FAILED.
    """
    refuse_half_restored(settings)
    if trial and administrator in TRIAL:
        raise FrsError(
            Reason.INVALID_FIELD, f"{administrator} is the name of another duty's identity", field="administrator"
        )
    marker = vkey_file(settings)
    if marker.exists():
        raise FrsError(Reason.ALREADY_INITIALISED, f"{settings.data_dir} has been initialised already")
    try:
        make_folder(settings.data_dir)
        create_keyring(settings.keyring_path, custody=open_custody(settings))
        certs = certs_folder(settings)
        begun = (certs / "ca.crt").exists() and (certs / "ca.key").exists()
        authority = Authority.load(certs, clock) if begun else Authority.create(certs, clock)
        server = authority.issue_server(hosts)
        first = authority.issue(administrator, [Role.ADMINISTRATOR], renew=begun)
        duties = TRIAL if trial else {}
        issued = tuple(authority.issue(name, [role], renew=begun) for name, role in duties.items())
        keyring = Keyring.open(settings.keyring_path, clock, custody=open_custody(settings))
        try:
            database = Database.open(settings, clock, (keyring,))
            try:
                name = database.installation_id
                vkey = CheckpointSigner.open(keyring, settings, name).vkey
            finally:
                database.close()
        finally:
            keyring.close()
        write_file(marker, f"{vkey}\n".encode())
    except OSError as error:
        raise FrsError(Reason.STORAGE_FAILED, f"cannot prepare {settings.data_dir}: {error.strerror}") from error
    return Installation(name, certs, settings.keyring_path, first, server, vkey, marker, issued)
