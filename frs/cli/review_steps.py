"""``frs review claim|release|observe|decide|explain|unblur``: the steps of a review one by one, for scripts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from frs.cli.case_view import IMAGES, show_case
from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, call, open_stub
from frs.cli.options import AsJson, Data, print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import say, write_private
from frs.cli.resource import resource
from frs.v1 import review_pb2 as pb
from frs.v1.review_pb2_grpc import ReviewServiceStub

_LONG_SECONDS = 300.0  # a map of regions, on a processor

Name = Annotated[str, typer.Argument(help="Id or resource name of the case.")]
Folder = Annotated[Path | None, typer.Option("--out", help="Write the pictures into this folder.")]
Reason = Annotated[str, typer.Option(help="What you saw; it is logged.")]
Subject = Annotated[str, typer.Option(help="Of a candidate list: whom; nominal, id or resource name.")]


class Decided(StrEnum):
    """What a reviewer can decide."""

    TRUE = "true"
    FALSE = "false"
    CANNOT_TELL = "cannot-tell"


def _member(enum: Any, prefix: str, word: str, option: str) -> Any:
    """Return an enumeration's number by its word, ``hand-or-object`` for OCCLUSION_HAND_OR_OBJECT."""
    known = [name.removeprefix(prefix).lower().replace("_", "-") for name in enum.keys() if enum.Value(name)]  # noqa: SIM118
    if word.lower() not in known:
        raise typer.BadParameter(f"{word} is none of {', '.join(known)}", param_hint=option)
    return enum.Value(prefix + word.upper().replace("-", "_"))


def _subject(client: Client, stub: ReviewServiceStub, case: str, given: str) -> str:
    """Return the resource name of one of a case's candidates; the reviewer may give the nominal or the bare id."""
    if not given or given.startswith("watchlists/"):
        return given
    shown = call(client, stub.GetCase, pb.GetCaseRequest(name=case))
    for each in shown.candidates:
        if given in {each.nominal, each.subject.rpartition("/")[2]}:
            return each.subject
    raise typer.BadParameter("it is none of the candidates", param_hint="--subject")


def claim(
    name: Name,
    out: Folder = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Take a case, or keep it longer; with --out write its pictures. Being shown them is logged."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    show_case(call(client, stub.ClaimCase, pb.ClaimCaseRequest(name=resource("cases", name))), as_json, out)


def release(
    name: Name,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Give a case back without a decision."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    show_case(call(client, stub.ReleaseCase, pb.ReleaseCaseRequest(name=resource("cases", name))), as_json)


def observe(
    name: Name,
    feature: Annotated[list[str], typer.Option("--feature", help="FEATURE=agrees|differs|not-visible; several times.")],
    probe_quality: Annotated[str, typer.Option(help="Of the camera's picture: good, usable or poor.")],
    reference_quality: Annotated[str, typer.Option(help="Of the reference: good, usable or poor.")],
    occlusion: Annotated[
        list[str] | None, typer.Option("--occlusion", help="What hides parts; none by default.")
    ] = None,
    note: Annotated[str, typer.Option(help="Anything else you see.")] = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Record what you see in a case you hold, once; the score is shown then."""
    findings = []
    for given in feature:
        what, equals, finding = given.partition("=")
        if not equals:
            raise typer.BadParameter(f"{given}: give FEATURE=FINDING, for example nose=agrees", param_hint="--feature")
        findings.append(
            pb.FeatureFinding(
                feature=_member(pb.Feature, "FEATURE_", what, "--feature"),
                finding=_member(pb.Finding, "FINDING_", finding, "--feature"),
            )
        )
    seen = pb.Observation(
        features=findings,
        probe_quality=_member(pb.SeenQuality, "SEEN_QUALITY_", probe_quality, "--probe-quality"),
        reference_quality=_member(pb.SeenQuality, "SEEN_QUALITY_", reference_quality, "--reference-quality"),
        occlusions=[_member(pb.Occlusion, "OCCLUSION_", each, "--occlusion") for each in occlusion or ["none"]],
        note=note,
    )
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    request = pb.RecordObservationRequest(name=resource("cases", name), observation=seen)
    show_case(call(client, stub.RecordObservation, request), as_json)


def decide(
    name: Name,
    decision: Annotated[Decided, typer.Argument(help="Is the person the subject?")],
    reason: Reason,
    subject: Subject = "",
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Decide a case you hold, after your observation."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    case = resource("cases", name)
    request = pb.DecideCaseRequest(
        name=case,
        decision=pb.Decision.Value(f"DECISION_{decision.upper().replace('-', '_')}"),
        reason=reason,
        subject=_subject(client, stub, case, subject),
    )
    show_case(call(client, stub.DecideCase, request), as_json)


def explain(
    name: Name,
    subject: Subject = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the map of regions that drive the similarity into this PNG.")
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Say why the system proposes this person; after your observation, while the pictures are held."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    case = resource("cases", name)
    request = pb.ExplainCaseRequest(
        name=case, subject=_subject(client, stub, case, subject), with_saliency=out is not None
    )
    found = call(client, stub.ExplainCase, request, _LONG_SECONDS)
    if out is not None:
        write_private(out, found.saliency_png)
    if as_json:
        print_json(message_json(found, "saliency_png", *IMAGES) | {"file": str(out) if out else ""})
        return
    for sentence in found.sentences:
        say(sentence)
    if out is not None:
        say(f"Map: {out} (the face, the reference, and each with the regions that drive the similarity)")


def unblur(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why nobody may stay hidden; it is logged.")],
    out: Annotated[Path, typer.Option("--out", help="Write the frame into this JPEG.")],
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Write the camera's frame with no face blurred. Logged with the reason."""
    client, stub = open_stub(ReviewServiceStub, data, address, identity)
    request = pb.UnblurFrameRequest(name=resource("cases", name), reason=reason)
    write_private(out, call(client, stub.UnblurFrame, request).frame_image_jpeg)
    if as_json:
        print_json({"case": request.name, "file": str(out)})
    else:
        say(f"{out}: other people's faces are to be seen in it; destroy it when it has served its purpose")
