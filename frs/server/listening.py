"""The gRPC server itself: TLS with client certificates, limits and keep-alive, and where it listens."""

from __future__ import annotations

from typing import Any

import grpc

from frs.access.credentials import Credentials, Loaded
from frs.errors import FrsError, Reason
from frs.server.addresses import is_loopback, join_address, split_address
from frs.settings import ServerSettings, Settings

MIB = 1024 * 1024
# A message above the limit and up to this many times it is read and answered with MESSAGE_TOO_LARGE and its advice;
# a larger one is cut off by gRPC itself with RESOURCE_EXHAUSTED, which names the sizes.
HEADROOM = 2
CALLS_PER_CONNECTION = 256
METADATA_KIB = 24

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.so_reuseport", 0),  # a second server on the same port fails instead of taking half of the calls
    ("grpc.max_send_message_length", -1),
    # Further calls of one connection wait in its client: nothing of them is read, whoever opens however many.
    ("grpc.max_concurrent_streams", CALLS_PER_CONNECTION),
    # A token of the largest size that is looked at, with what else a call carries. gRPC's own limit lies among the
    # sizes that providers issue, and beyond it some calls are refused and others are not.
    ("grpc.max_metadata_size", METADATA_KIB * 1024),
    ("grpc.absolute_max_metadata_size", METADATA_KIB * 1024),
    # A peer that vanished without a word (a cut cable) is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)


def make_server(interceptor: grpc.aio.ServerInterceptor, max_message_mib: int) -> grpc.aio.Server:
    """Return a server on the running event loop, without services and ports."""
    limit = ("grpc.max_receive_message_length", HEADROOM * max_message_mib * MIB)
    return grpc.aio.server(interceptors=(interceptor,), options=(*_OPTIONS, limit))


def server_credentials(credentials: Credentials, *, ask_client: bool = True) -> grpc.ServerCredentials:
    """Return what each handshake is made with: the server's certificate and the authority as they are at that moment.

    With ``ask_client`` every client must show a certificate of that authority; without, none is asked for.
    """
    used = credentials.loaded

    def configuration(loaded: Loaded) -> grpc.ServerCertificateConfiguration:
        pair = (loaded.server.key, loaded.server.certificate)
        return grpc.ssl_server_certificate_configuration([pair], loaded.authority if ask_client else None)

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        loaded = credentials.loaded
        if loaded is used:
            return None
        used = loaded
        return configuration(loaded)

    return grpc.dynamic_ssl_server_credentials(configuration(used), fetch, ask_client)  # type: ignore[arg-type]  # None is for no change


def check_addresses(settings: ServerSettings) -> None:
    """Raise SETTINGS_INVALID for an address that is none, and for plaintext that other machines could reach."""
    split_address(settings.address, "server.address")
    if settings.metrics_address:
        split_address(settings.metrics_address, "server.metrics_address")
    if not settings.tls and not is_loopback(settings.address):
        raise FrsError(
            Reason.SETTINGS_INVALID,
            f"server.tls: plaintext is accepted on loopback only, and {settings.address} is not",
        )


def check_token_address(settings: Settings) -> None:
    """Raise SETTINGS_INVALID for an address for token holders that nobody could be recognised or protected on."""
    if not settings.access.token_address:
        return
    split_address(settings.access.token_address, "access.token_address")
    if not settings.access.issuer or not settings.server.tls:
        what = "access.issuer" if not settings.access.issuer else "server.tls"
        raise FrsError(
            Reason.SETTINGS_INVALID,
            f"access.token_address: callers with a token need {what}",
            setting="access.token_address",
        )


def listen(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None,
    setting: str = "server.address",
) -> str:
    """Bind the address, in plaintext without credentials, and return it with the port that was bound."""
    host, _ = split_address(address, setting)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise FrsError(Reason.SETTINGS_INVALID, f"{setting}: cannot listen on {address}")
    return join_address(host, port)


def reachable(address: str) -> str:
    """Return how this machine reaches an address that was bound: localhost where it is every interface."""
    host, port = split_address(address, "server.address")
    return f"localhost:{port}" if host in {"0.0.0.0", "::"} else address  # noqa: S104  # compared, not bound
