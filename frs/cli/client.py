"""The client's side of the wire: find the server, show a certificate, turn refusals back into catalogue errors.

Where the server is: ``--address``, else ``FRS_ADDRESS``, else ``DATA/server.json`` that ``frs serve`` writes.
Who calls: ``--identity NAME`` reads ``DATA/certs/NAME.crt`` and ``.key``; the first administrator by default. With
``frs --token-file FILE`` (or FRS_TOKEN_FILE) a token of the identity provider says who calls; a certificate is then
shown only when ``--identity`` names another than the default. ``frs --ca FILE`` (or FRS_CA) knows the server where
there is no data directory.
An address that begins with ``plaintext://`` is called without TLS, on loopback only: any other is refused here, before
anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import grpc
import typer
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from frs.cli.interruption import interruptible
from frs.cli.options import Data, load_settings
from frs.cli.token_file import TokenFile, given_authority, given_token
from frs.errors import FrsError, Reason
from frs.server.addresses import is_loopback
from frs.server.folders import certs_folder, server_file
from frs.settings import Settings

T = TypeVar("T")
MAX_MESSAGE = 64 * 1024 * 1024
CALL_SECONDS = 120.0
DEFAULT_IDENTITY = "administrator"
PLAINTEXT = "plaintext://"

Address = Annotated[
    str | None,
    typer.Option(
        "--address", envvar="FRS_ADDRESS", help="host:port of the server; else the one of the data directory."
    ),
]
Identity = Annotated[
    str, typer.Option("--identity", envvar="FRS_IDENTITY", help="Whose certificate to show: DATA/certs/NAME.crt.")
]


@dataclass(frozen=True, slots=True)
class Client:
    """An open channel; ``stub(module.ServiceStub)`` gives a typed stub on it."""

    channel: grpc.Channel
    address: str
    data_dir: Path

    def stub(self, kind: Callable[[grpc.Channel], T]) -> T:
        """Return a stub of a service on this channel."""
        return kind(self.channel)

    def close(self) -> None:
        """Close the channel and what runs on it."""
        self.channel.close()


def find_address(settings: Settings, address: str | None, *, token_alone: bool = False) -> str:
    """Return where the server is, ``plaintext://`` included; with ``token_alone`` where it asks for no certificate."""
    if address:
        return address
    record = server_file(settings)
    try:
        found = json.loads(record.read_text())
        if token_alone and found.get("token_address"):
            return str(found["token_address"])
        return ("" if found.get("tls", True) else PLAINTEXT) + str(found["address"])
    except (OSError, ValueError, KeyError):
        return settings.server.address


def channel_credentials(settings: Settings, identity: str, token: TokenFile | None = None) -> grpc.ChannelCredentials:
    """Read the authority's certificate and the identity's key pair; with a token the pair of another than the default.

    Raises FrsError: NOT_INITIALISED where there is no authority's certificate, UNAUTHENTICATED where the identity has
    none.
    """
    certs = certs_folder(settings)
    authority = given_authority() or certs / "ca.crt"
    if not authority.exists():
        raise FrsError(Reason.NOT_INITIALISED, f"{authority} is not there")
    if token is not None:
        pair = _pair(authority, certs, identity) if identity != DEFAULT_IDENTITY else _alone(authority)
        return grpc.composite_channel_credentials(pair, grpc.metadata_call_credentials(token))
    return _pair(authority, certs, identity)


def _alone(authority: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(authority.read_bytes())


def _pair(authority: Path, certs: Path, identity: str) -> grpc.ChannelCredentials:
    try:
        return grpc.ssl_channel_credentials(
            authority.read_bytes(),
            (certs / f"{identity}.key").read_bytes(),
            (certs / f"{identity}.crt").read_bytes(),
        )
    except FileNotFoundError as error:
        what = f"no certificate for the identity {identity!r} is in {certs} ({Path(error.filename).name} is missing)"
        raise FrsError(
            Reason.UNAUTHENTICATED, f"{what}: issue one with `frs identity add {identity} --role ROLE`"
        ) from None
    except OSError as error:
        raise FrsError(Reason.UNAUTHENTICATED, f"cannot read {error.filename}: {error.strerror}") from None


def connect(settings: Settings, address: str | None = None, identity: str = DEFAULT_IDENTITY) -> Client:
    """Open a channel; the first call finds out whether the server answers."""
    token = given_token()
    where = find_address(settings, address, token_alone=token is not None and identity == DEFAULT_IDENTITY)
    options = (
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        # A connection that was cut without a word is noticed within half a minute, in the middle of a stream too.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    )
    if where.startswith(PLAINTEXT):
        target = where.removeprefix(PLAINTEXT)
        if token is not None:
            raise FrsError(Reason.SETTINGS_INVALID, f"{where}: a token is sent over TLS only")
        if not is_loopback(target):
            raise FrsError(
                Reason.SETTINGS_INVALID,
                f"{where}: plaintext is spoken on loopback only; give host:port alone to call with TLS",
            )
        return Client(grpc.insecure_channel(target, options), target, settings.data_dir)
    return Client(
        grpc.secure_channel(where, channel_credentials(settings, identity, token), options), where, settings.data_dir
    )


def open_stub(kind: Callable[[grpc.Channel], T], data: Data, address: str | None, identity: str) -> tuple[Client, T]:
    """Connect with the options that every client command has; returns the connection and a stub on it."""
    client = connect(load_settings(data), address, identity)
    return client, client.stub(kind)


def translate(error: grpc.RpcError, address: str) -> FrsError:
    """Return the catalogue error that a refused call carries; one without a reason is the connection's own."""
    call: Any = error  # RpcErrors raised by stubs are calls too
    status = rpc_status.from_call(call)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.reason in Reason.__members__:
            return FrsError(Reason(info.reason), call.details() or info.reason, **dict(info.metadata))
    code, details = call.code(), call.details() or ""
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return FrsError(Reason.SERVER_UNREACHABLE, f"no answer from {address}: {details}", address=address)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return FrsError(Reason.MESSAGE_TOO_LARGE, details)
    return FrsError(Reason.INTERNAL, f"{code.name}: {details}")


def call(client: Client, method: Callable[..., T], request: object, seconds: float = CALL_SECONDS) -> T:
    """Make one unary call; failures arrive as :class:`FrsError`."""
    try:
        return method(request, timeout=seconds)
    except grpc.RpcError as error:
        raise translate(error, client.address) from None


def receive(client: Client, stream: Iterator[T]) -> Iterator[T]:
    """Pass a server stream on; failures arrive as :class:`FrsError`, an interruption as ``KeyboardInterrupt``."""
    try:
        with interruptible(stream):
            yield from stream
    except grpc.RpcError as error:
        raise translate(error, client.address) from None


def pages(client: Client, method: Callable[..., Any], request: Any, field: str, limit: int = 0) -> Iterator[Any]:
    """Yield the items of every page of a list method, at most ``limit`` when above 0."""
    count = 0
    while True:
        answer = call(client, method, request)
        for item in getattr(answer, field):
            yield item
            count += 1
            if limit and count >= limit:
                return
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
