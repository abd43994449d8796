"""A token of the identity provider in a file, as whatever signs people in leaves it there and renews it."""

from __future__ import annotations

import os
from pathlib import Path

import grpc

from frs.errors import FrsError, Reason

TOKEN_FILE = "FRS_TOKEN_FILE"  # noqa: S105  # the name of a variable
AUTHORITY_FILE = "FRS_CA"
_MOST_BYTES = 64 * 1024


class TokenFile(grpc.AuthMetadataPlugin):
    """Sends the file's token with each call, read anew each time: a long command outlives a token."""

    def __init__(self, path: Path) -> None:
        """Raise UNAUTHENTICATED when the file cannot be read."""
        self._path = path
        self._read()

    def __call__(self, _: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Give gRPC the call's metadata."""
        try:
            callback((("authorization", f"Bearer {self._read()}"),), None)
        except FrsError as error:
            callback((), error)

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                token = file.read(_MOST_BYTES + 1).decode("ascii").strip()
        except OSError as error:
            raise FrsError(Reason.UNAUTHENTICATED, f"cannot read {self._path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise FrsError(Reason.UNAUTHENTICATED, f"{self._path} holds no token") from None
        if not token or len(token) > _MOST_BYTES or len(token.split()) != 1:
            raise FrsError(Reason.UNAUTHENTICATED, f"{self._path} holds no token")
        return token


def given_token() -> TokenFile | None:
    """Return the token file that ``--token-file`` or FRS_TOKEN_FILE names; None without one."""
    name = os.environ.get(TOKEN_FILE, "")
    return TokenFile(Path(name)) if name else None


def given_authority() -> Path | None:
    """Return the server's certificate authority that ``--ca`` or FRS_CA names; None without one."""
    name = os.environ.get(AUTHORITY_FILE, "")
    return Path(name) if name else None
