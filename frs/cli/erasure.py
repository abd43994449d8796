"""``frs erasure``: erase what is held on a person, decide where a hold stands against it, and keep the certificate."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, call, open_stub, pages
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_fields, show_table, warn, when
from frs.cli.resource import resource
from frs.errors import FrsError, Reason
from frs.store.durable import write_file
from frs.v1 import retention_pb2 as pb
from frs.v1.retention_pb2_grpc import RetentionServiceStub

app = application("Erase what is held on a person, decide where a hold stands against it, and keep the certificate.")

ERASE_SECONDS = 600.0
Certificate = Annotated[Path | None, typer.Option(help="File to write the certificate into.", dir_okay=False)]


@app.command()
def request(
    nominal: Annotated[str, typer.Argument(help="The person's nominal reference.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    requested_by: Annotated[str, typer.Option(help="Who asked: the person, a court, the commissioner.")],
    certificate: Certificate = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Erase everything held on a person at once; where a hold stands against it, wait for `frs erasure decide`."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    asked = pb.RequestErasureRequest(nominal=nominal, reason=reason, requested_by=requested_by)
    _show(call(client, stub.RequestErasure, asked, ERASE_SECONDS), certificate, as_json)


@app.command()
def decide(
    erasure: Annotated[str, typer.Argument(help="The erasure, as `frs erasure list` shows it.")],
    decision: Annotated[str, typer.Argument(help="erase (in spite of the holds) or keep (the request is refused).")],
    reason: Annotated[str, typer.Option(help="Why.")],
    certificate: Certificate = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Decide an erasure that a hold stands against; whose certificate is shown is on record as who decided."""
    decisions = {"erase": pb.ERASURE_DECISION_ERASE, "keep": pb.ERASURE_DECISION_KEEP}
    if decision not in decisions:
        raise typer.BadParameter("a decision is erase or keep")
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    asked = pb.DecideErasureRequest(name=resource("erasures", erasure), decision=decisions[decision], reason=reason)
    _show(call(client, stub.DecideErasure, asked, ERASE_SECONDS), certificate, as_json)


@app.command()
def show(
    erasure: Annotated[str, typer.Argument(help="The erasure, as `frs erasure list` shows it.")],
    certificate: Certificate = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Show an erasure, and make its certificate again."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    asked = pb.GetErasureRequest(name=resource("erasures", erasure))
    _show(call(client, stub.GetErasure, asked), certificate, as_json)


@app.command("list")
def list_erasures(
    limit: Annotated[int, typer.Option(help="Most erasures; 0 for all.", min=0)] = 50,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """List erasures, newest first."""
    client, stub = open_stub(RetentionServiceStub, data, address, identity)
    asked = pb.ListErasuresRequest(page_size=min(limit or 1000, 1000))
    found = list(pages(client, stub.ListErasures, asked, "erasures", limit))
    if as_json:
        print_json([_json(each) for each in found])
        return
    show_table(
        ("erasure", "state", "requested", "by", "decided by"),
        [(e.name, state(e.state), when(e.request_time), e.requested_by, e.decided_by) for e in found],
    )


def state(value: pb.ErasureState.ValueType) -> str:
    """Return a state for people."""
    return pb.ErasureState.Name(value).removeprefix("ERASURE_STATE_").lower()


def _json(found: pb.Erasure) -> dict[str, Any]:
    value = message_json(found, "certificate_json")
    if found.certificate_json:
        value["certificate"] = json.loads(found.certificate_json)
    return value


def _show(found: pb.Erasure, certificate: Path | None, as_json: bool) -> None:
    if certificate is not None:
        _write(found, certificate)
    if as_json:
        print_json(_json(found))
        return
    show_fields(
        [
            ("erasure", found.name),
            ("state", state(found.state)),
            ("requested", f"{when(found.request_time)} by {found.requested_by}, recorded by {found.recorded_by}"),
            ("reason", found.reason),
            *([("holds", ", ".join(found.holds))] if found.holds else []),
            *([("decided", f"{when(found.decide_time)} by {found.decided_by}")] if found.decided_by else []),
            *([("because", found.decision_reason)] if found.decision_reason else []),
        ]
    )
    if found.state == pb.ERASURE_STATE_UNDECIDED:
        warn(f"A hold stands against it: `frs erasure decide {found.name} erase|keep --reason WHY` decides.")
    elif found.certificate_json:
        _show_destroyed(json.loads(found.certificate_json)["contents"])


def _show_destroyed(contents: dict[str, Any]) -> None:
    rows = [(kind.replace("_", " "), count) for kind, count in contents["destroyed"].items() if count]
    show_table(("destroyed", "how many"), rows)
    outside = contents["outside"]
    copies = [(f"pictures from {each['source']}", f"{each['images']}", "") for each in outside["imported"]]
    copies += [
        (each["kind"], each["place"], f"{datetime.fromisoformat(each['made_at']):%Y-%m-%d %H:%M:%SZ}")
        for each in outside["copies"]
    ]
    if copies:
        say("")
        show_table(("outside this system", "where", "made"), copies, "Copies that this system cannot reach")


def _write(found: pb.Erasure, path: Path) -> None:
    if not found.certificate_json:
        message = "There is no certificate: the erasure is not done."
        raise FrsError(Reason.ERASURE_NOT_FOUND, message, erasure=found.name)
    text = json.dumps(json.loads(found.certificate_json), indent=2, ensure_ascii=False)
    try:
        write_file(path, text.encode("utf-8") + b"\n")
    except OSError as error:
        raise FrsError(Reason.STORAGE_FAILED, f"{path} cannot be written: {error.strerror}.") from error
    warn(f"The certificate is in {path}.")
