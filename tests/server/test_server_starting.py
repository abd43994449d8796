"""Preparing a data directory, and what keeps a service from starting: nothing stays open or half-made."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from frs.access.issued import identities
from frs.audit.notes import NoteVerifier
from frs.clock import SystemClock
from frs.embed.pack import Pack
from frs.errors import FrsError, Reason
from frs.server.addresses import is_loopback
from frs.server.application import Application
from frs.server.folders import certs_folder
from frs.server.installation import TRIAL, initialise
from frs.server.interceptors import Edge
from frs.server.lifecycle import Service, read_server_file
from frs.server.listening import check_addresses, listen, make_server, reachable
from frs.server.metrics import Metrics
from frs.server.readiness import Readiness
from frs.server.validation import Limits
from frs.settings import ServerSettings, Settings
from frs.store.engines import DATABASE_FILE
from frs.store.kek import create_kek_file
from frs.types import Role


@pytest.fixture
def settings(tmp_path: Path, starter_pack: Pack) -> Settings:
    return Settings.model_validate(
        {"data_dir": tmp_path / "data", "models_dir": str(starter_pack.folder.parent), "embed": {"threads": 1}}
    )


def test_init_prepares_everything_a_service_needs(settings: Settings) -> None:
    """Keyring, database, certificates, an administrator who is nothing else, and the log's verifier key."""
    made = initialise(settings, SystemClock(), ["faces.example"])
    assert made.vkey_file.read_text() == f"{made.vkey}\n"
    assert NoteVerifier.parse(made.vkey).name == f"frs.local/{made.installation_id}"
    (administrator,) = identities(made.certs)
    assert (administrator.name, set(administrator.roles)) == ("administrator", {Role.ADMINISTRATOR})
    assert oct(settings.data_dir.stat().st_mode)[-3:] == "700"
    application = Application(settings)
    assert application.audit.vkey == made.vkey
    application.close()


def test_init_issues_an_identity_for_each_duty_to_who_tries_it_out(settings: Settings) -> None:
    """Each role by an identity that has it alone, and a second reviewer; again after an interruption."""
    made = initialise(settings, SystemClock(), trial=True)
    roles = {item.name: set(item.roles) for item in identities(made.certs)}
    assert roles.pop("administrator") == {Role.ADMINISTRATOR}
    assert {name: {role} for name, role in TRIAL.items()} == roles
    assert set(TRIAL.values()) == set(Role) - {Role.ADMINISTRATOR}
    assert {each.name for each in made.trial} == set(TRIAL)
    made.vkey_file.unlink()
    initialise(settings, SystemClock(), trial=True)
    assert len(identities(made.certs)) == len(TRIAL) + 1


def test_an_administrator_takes_no_other_dutys_name(settings: Settings) -> None:
    """Two identities of one name would be one person to the log; nothing is made."""
    with pytest.raises(FrsError) as caught:
        initialise(settings, SystemClock(), administrator="reviewer", trial=True)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert not certs_folder(settings).exists()


def test_init_never_touches_what_is_there(settings: Settings) -> None:
    """A second call is refused and changes no file."""
    initialise(settings, SystemClock())
    before = {path: path.read_bytes() for path in certs_folder(settings).iterdir()}
    with pytest.raises(FrsError) as caught:
        initialise(settings, SystemClock())
    assert caught.value.reason is Reason.ALREADY_INITIALISED
    assert {path: path.read_bytes() for path in certs_folder(settings).iterdir()} == before


def test_an_interrupted_init_is_finished_by_the_next(settings: Settings) -> None:
    """What the first call made stays; the administrator's certificate is of the same authority."""
    made = initialise(settings, SystemClock())
    made.vkey_file.unlink()
    authority = (made.certs / "ca.crt").read_bytes()
    again = initialise(settings, SystemClock())
    assert (again.vkey, again.installation_id) == (made.vkey, made.installation_id)
    assert (made.certs / "ca.crt").read_bytes() == authority


def test_a_service_that_cannot_start_lets_the_directory_go(settings: Settings, tmp_path: Path) -> None:
    """An unknown pack, a wrong key: the reason is told and the next start is not hindered."""
    with pytest.raises(FrsError) as caught:
        Service(settings)
    assert caught.value.reason is Reason.NOT_INITIALISED
    made = initialise(settings, SystemClock())
    wrong = settings.model_copy(update={"embed": settings.embed.model_copy(update={"pack": "no-such-pack"})})
    with pytest.raises(FrsError) as caught:
        Service(wrong)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    (made.certs / "server.key").rename(tmp_path / "away")
    with pytest.raises(FrsError) as caught:
        Service(settings)
    assert caught.value.reason is Reason.NOT_INITIALISED
    (tmp_path / "away").rename(made.certs / "server.key")
    kek = settings.keyring_path / "kek"
    kek.unlink()
    create_kek_file(kek)
    with pytest.raises(FrsError) as caught:
        Service(settings)
    assert caught.value.reason is Reason.KEY_WRONG


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example:1", False),
    ],
)
def test_plaintext_is_for_loopback_only(address: str, loopback: bool) -> None:
    """Whatever could be reached from another machine is refused; a name that might be is too."""
    assert is_loopback(address) == loopback
    wanted = ServerSettings.model_validate({"address": address, "tls": False})
    if loopback:
        check_addresses(wanted)
    else:
        with pytest.raises(FrsError, match="loopback only"):
            check_addresses(wanted)


@pytest.mark.parametrize("address", ["nowhere", "host:", "host:99999", ":1"])
def test_an_address_that_is_none_names_its_setting(address: str) -> None:
    """Both addresses are judged before anything is opened."""
    for setting in ("address", "metrics_address"):
        with pytest.raises(FrsError, match=rf"server\.{setting}"):
            check_addresses(ServerSettings.model_validate({setting: address}))


def test_a_port_that_is_taken_is_told() -> None:
    """Two servers never share a port."""

    async def bind(address: str) -> str:
        edge = Edge(Readiness(), Limits(1, 1), Metrics(), SystemClock(), tls=False)
        return listen(make_server(edge, 1), address, None)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FrsError, match="cannot listen on"):
            asyncio.run(bind(f"127.0.0.1:{taken.getsockname()[1]}"))
    assert asyncio.run(bind("127.0.0.1:0")).startswith("127.0.0.1:")


def test_every_interface_is_reached_as_localhost() -> None:
    """The certificate names localhost, not 0.0.0.0."""
    assert reachable("0.0.0.0:7443") == "localhost:7443"
    assert reachable("[::]:7443") == "localhost:7443"
    assert reachable("10.1.2.3:7443") == "10.1.2.3:7443"


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", json.dumps({"address": "x"}).encode()])
def test_a_server_file_that_says_nothing_is_ignored(tmp_path: Path, content: bytes) -> None:
    """A crash may leave one, and other versions write other fields."""
    path: Any = tmp_path / "server.json"
    assert read_server_file(path) is None
    path.write_bytes(content)
    assert read_server_file(path) is None


def test_service_does_not_start_over_a_rewritten_log(settings: Settings) -> None:
    """A row that was changed while nobody looked is found before anything is appended; a setting leaves that out."""
    initialise(settings, SystemClock())
    application = Application.open(settings)
    application.start()
    application.close()
    with closing(sqlite3.connect(settings.data_dir / DATABASE_FILE)) as database, database:
        events = database.execute("SELECT size FROM audit_head").fetchone()
        database.execute("UPDATE audit_event SET actor = 'a:0' WHERE seq = 1")
    with pytest.raises(FrsError, match="Event 1 is filed under another actor") as caught:
        Service(settings)
    assert caught.value.reason is Reason.LOG_INCONSISTENT
    assert caught.value.metadata["event"] == "1"
    with closing(sqlite3.connect(settings.data_dir / DATABASE_FILE)) as database:
        assert database.execute("SELECT size FROM audit_head").fetchone() == events
    unverified = settings.audit.model_copy(update={"verify_at_start": False})
    Application(settings.model_copy(update={"audit": unverified})).close()


@pytest.mark.parametrize("left", [None, b""])
def test_no_empty_database_takes_the_place_of_a_lost_one(settings: Settings, left: bytes | None) -> None:
    """A database that was moved or emptied is told as that, with what to do, and none is made."""
    initialise(settings, SystemClock())
    file = settings.data_dir / DATABASE_FILE
    file.unlink()
    if left is not None:
        file.write_bytes(left)
    with pytest.raises(FrsError) as caught:
        Service(settings)
    assert caught.value.reason is Reason.STORAGE_FAILED
    assert "`frs restore`" in caught.value.message
    assert not file.exists() or file.read_bytes() == b""
