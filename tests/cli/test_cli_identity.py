"""``frs identity`` on the authority's folder: scopes, renewing, revoking and what the list says; no server runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frs.access.authority import Authority
from frs.access.issued import revocations
from frs.cli.main import main
from frs.clock import SystemClock
from frs.server.diagnosis import diagnose
from frs.server.findings import Verdict
from frs.settings import Settings


class Command:
    """``frs identity`` with a folder that has an authority and a server's certificate."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data, self._capsys = data, capsys
        Authority.create(data / "certs", SystemClock()).issue_server()

    def status(self, *arguments: str) -> tuple[int, str]:
        """Return the exit status and all that was said."""
        status = main(["identity", *arguments, "--data", str(self.data)])
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def json(self, *arguments: str) -> Any:
        status, said = self.status(*arguments, "--json")
        assert status == 0, said
        return json.loads(said)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "data", capsys)


ADD = ("add", "ana", "--role", "reviewer")


def test_a_scope_is_issued_and_listed(command: Command) -> None:
    """By watchlist, deployment and site; for people and as JSON."""
    command.json(*ADD, "--watchlist", "warrants", "--deployment", "d1", "--site", "north", "--site", "south")
    (ana,) = [each for each in command.json("list") if each["name"] == "ana"]
    assert (ana["watchlists"], ana["deployments"], ana["sites"]) == (["warrants"], ["d1"], ["north", "south"])
    _, said = command.status("list")
    assert "watchlist warrants, deployment d1, site north, site south" in said
    status, said = command.status(*ADD, "--renew")
    assert (status, "--unlimited" in said) == (2, True), "limits are not lifted by forgetting them"
    command.json(*ADD, "--renew", "--unlimited")
    status, said = command.status("add", "ben", "--role", "feed", "--site", "The North")
    assert (status, "is no site" in said) == (2, True)


def test_revoking_by_name_ends_every_certificate_of_it(command: Command) -> None:
    """Those that were renewed too; a name without any is told."""
    first = command.json(*ADD)["serial"]
    renewed = command.json(*ADD, "--renew")
    assert renewed["revoked"] == [], "nobody was asked, so the old one stays"
    said = command.json("revoke", "ana", "--reason", "cessation-of-operation")
    assert set(said["revoked"]) == {first, renewed["serial"]} == set(revocations(command.data / "certs"))
    listed = {each["serial"]: each["revocation_reason"] for each in command.json("list", "--all")}
    assert {listed[first], listed[renewed["serial"]]} == {"cessation-of-operation"}
    assert "REVOKED" in command.status("list")[1]
    status, text = command.status("revoke", "ana")
    assert status != 0
    assert "IDENTITY_NOT_FOUND" in text


def test_renewing_can_revoke_what_was_before(command: Command) -> None:
    """When it is asked to."""
    first = command.json(*ADD)["serial"]
    assert command.json(*ADD, "--renew", "--revoke-old")["revoked"] == [first]
    _, text = command.status(*ADD, "--renew", "--keep-old")
    assert "stay valid" in text


def test_doctor_says_when_the_list_of_revocations_is_missing_or_unusable(command: Command) -> None:
    """The service would warn, or not start."""
    crl, settings = command.data / "certs" / "ca.crl", Settings(data_dir=command.data)

    def said() -> list[tuple[Verdict, str]]:
        found = [each for each in diagnose(settings, SystemClock()) if each.about == "certificates"]
        return [(each.verdict, each.text) for each in found]

    command.json(*ADD)
    command.json("revoke", "ana")
    assert said()[0][1].startswith("0 identities issued here and not revoked")
    crl.unlink()
    assert said()[0] == (Verdict.NOTE, "ca.crl is missing: nothing is known to be revoked")
    crl.write_bytes(b"rubbish")
    assert [verdict for verdict, _ in said()] == [Verdict.WRONG]


def test_one_certificate_is_revoked_by_its_serial_number(command: Command) -> None:
    """However it is written; the installation's own are not revoked by mistake, nor is what is no number."""
    serial = command.json(*ADD)["serial"]
    spaced = ":".join(f"{int(serial, 16):040X}"[n : n + 2] for n in range(0, 40, 2))
    assert command.json("revoke", "--serial", spaced)["revoked"] == [serial]
    own = [each["serial"] for each in command.json("list") if each["name"] in {"ca", "server"}]
    for wrong in (*own, "xyz", "0"):
        assert command.status("revoke", "--serial", wrong)[0] == 2, wrong
    for arguments in ((), ("ana", "--serial", serial), ("ana", "--reason", "because")):
        assert command.status("revoke", *arguments)[0] == 2
