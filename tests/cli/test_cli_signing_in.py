"""The options before a command: a token in a file, and the authority of a server elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from frs.cli.client import find_address
from frs.cli.main import main, signing_in
from frs.cli.token_file import TokenFile
from frs.errors import FrsError, Reason
from frs.settings import Settings


def test_options_before_the_command_say_how_to_sign_in() -> None:
    """In either spelling; what comes after the command is the command's own."""
    given = ["--token-file", "t", "--ca=c", "watchlist", "list", "--token-file", "x"]
    assert signing_in(given) == ({"FRS_TOKEN_FILE": "t", "FRS_CA": "c"}, ["watchlist", "list", "--token-file", "x"])
    assert signing_in(["--token-file"]) == ({}, ["--token-file"])
    assert signing_in([]) == ({}, [])


def test_they_hold_for_one_command_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The environment is as it was afterwards."""
    monkeypatch.setenv("FRS_CA", "before")
    assert main(["--ca", "given", "--token-file", "t", "--version"]) == 0
    assert os.environ["FRS_CA"] == "before"
    assert "FRS_TOKEN_FILE" not in os.environ
    assert capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", "tokén".encode(), b"x" * 70_000])
def test_a_file_that_holds_no_token_is_told(tmp_path: Path, content: bytes) -> None:
    """Nothing of it is repeated."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(FrsError, match="holds no token") as caught:
        TokenFile(file)
    assert caught.value.reason is Reason.UNAUTHENTICATED


def test_a_token_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(FrsError, match="No such file"):
        TokenFile(tmp_path / "token")


def test_a_token_is_never_sent_in_plaintext(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even on loopback: who listens there is not known."""
    file = tmp_path / "token"
    file.write_text("a.b.c")
    command = ["watchlist", "list", "--data", str(tmp_path), "--address", "plaintext://127.0.0.1:1"]
    assert main(["--token-file", str(file), *command]) == 1
    assert "over TLS only" in capsys.readouterr().err


def test_who_comes_with_a_token_alone_is_led_to_the_address_for_it(tmp_path: Path) -> None:
    """As the running server's record names it; the ordinary one asks for a certificate."""
    settings = Settings(data_dir=tmp_path)
    (tmp_path / "server.json").write_text(json.dumps({"address": "h:1", "token_address": "h:2", "tls": True}))
    assert find_address(settings, None, token_alone=True) == "h:2"
    assert find_address(settings, None) == "h:1"
    assert find_address(settings, "h:3", token_alone=True) == "h:3"
