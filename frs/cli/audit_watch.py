"""``frs audit watch``: new events as they are appended, and ``frs audit bundle``: the proof of one as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from frs.audit.bundle import make_bundle
from frs.cli import audit_filters as filters
from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, connect, open_stub, receive
from frs.cli.log_check import check_event, read_key
from frs.cli.options import AsJson, Data, load_settings, print_json
from frs.cli.output import say, when
from frs.errors import FrsError, Reason
from frs.server.folders import vkey_file
from frs.store.durable import create_file
from frs.store.engines import storage_error
from frs.v1 import oversight_pb2 as pb
from frs.v1.oversight_pb2_grpc import OversightServiceStub


def watch(
    from_index: Annotated[
        int | None,
        typer.Option("--from", min=0, help="First index wanted, to go on after an interruption; else new ones."),
    ] = None,
    since: filters.Since = None,
    until: filters.Until = None,
    actor: filters.Actor = "",
    action: filters.ActionName = "",
    watchlist: filters.Watchlist = "",
    subject: filters.Subject = "",
    deployment: filters.Deployment = "",
    alert: filters.Alert = "",
    search: filters.Search = "",
    job: filters.Job = "",
    limit: Annotated[int, typer.Option(help="End after as many events; 0 for never.")] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Print events that pass every filter given as they are appended, until interrupted. With --json one a line."""
    wanted = filters.wanted(
        since,
        until,
        actor=actor,
        action=action,
        watchlist=watchlist,
        subject=subject,
        deployment=deployment,
        alert=alert,
        search=search,
        job=job,
    )
    client, stub = open_stub(OversightServiceStub, data, address, identity)
    request = pb.WatchEventsRequest(from_index=from_index, filter=filters.filter_message(wanted))
    last: int | None = None
    try:
        for number, event in enumerate(receive(client, stub.WatchEvents(request)), 1):
            _print(event, as_json)
            last = event.index
            if number == limit:
                break
    except FrsError as error:
        if last is None:
            raise
        raise FrsError(error.reason, f"{error.message}; go on with --from {last + 1}", **error.metadata) from None
    finally:
        client.close()


def bundle(
    index: Annotated[int, typer.Argument(help="Index of the event.", min=0)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; it must not be there yet.")],
    payload: Annotated[
        bool, typer.Option("--payload/--no-payload", help="Put the opened payload and its nonce into the file.")
    ] = True,
    key: Annotated[
        Path | None, typer.Option(help="File with the log's verifier key; else DATA/log.vkey.", dir_okay=False)
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Write the proof of one event into a file that `frs-verify bundle` verifies with the log's public key alone."""
    settings = load_settings(data)
    vkey = read_key(key or vkey_file(settings))
    client = connect(settings, address, identity)
    event = call(client, client.stub(OversightServiceStub).GetEvent, pb.GetEventRequest(name=f"events/{index}"))
    client.close()
    if problems := check_event(event, vkey):
        raise FrsError(Reason.LOG_INCONSISTENT, f"event {index} does not verify: {'; '.join(problems)}")
    made = make_bundle(
        event.index,
        event.leaf,
        event.inclusion_proof,
        event.checkpoint.signed_note,
        event.checkpoint.verifier_key,
        event.payload_json.encode("utf-8") if payload else b"",
        event.payload_nonce,
    )
    try:
        create_file(output, json.dumps(made, indent=2, ensure_ascii=False).encode("utf-8") + b"\n")
    except FileExistsError:
        raise FrsError(Reason.INVALID_FIELD, f"{output} is there already") from None
    except OSError as error:
        raise storage_error(error) from None
    opened = made["payload"] is not None
    if as_json:
        print_json({"file": str(output), "event": index, "action": event.action, "payload": opened})
        return
    say(f"{output}: event {index} ({event.action}), {'with' if opened else 'without'} its payload")
    say(f"Verify it with: frs-verify bundle {output} --key log.vkey")


def _print(event: pb.Event, as_json: bool) -> None:
    if as_json:
        leaf = json.loads(event.leaf)
        said = {"index": event.index, "time": leaf["time"], "action": event.action, "operation": event.operation}
        typer.echo(json.dumps({**said, "leaf": leaf}))
    else:
        refs = json.loads(event.leaf)["refs"]
        concerns = " ".join(f"{kind}={refs[kind]}" for kind in ("deployment", "alert", "search", "job") if refs[kind])
        say(f"{event.index:>9}  {when(event.time)}  {event.action:<26} {concerns}".rstrip())
