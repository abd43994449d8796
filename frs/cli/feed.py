"""``frs feed``: plays a video, a folder of frames, a webcam or a camera's address into a deployment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import grpc
import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity, connect, translate
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import progress, say, warn
from frs.cli.resource import instant, resource
from frs.feed.pacing import Limited, Paced
from frs.feed.sender import FeedReport, Sender
from frs.feed.shots import Source
from frs.feed.sources import open_source
from frs.v1.live_pb2_grpc import LiveServiceStub

app = application("Play a video, a folder of frames, a webcam or an RTSP address into an open deployment.")


@app.command()
def feed(
    source: Annotated[str, typer.Argument(help="Video file, folder, webcam:0, or an address such as rtsp://…")],
    deployment: Annotated[str, typer.Option("--deployment", help="Id or resource name of the open deployment.")],
    camera: Annotated[str, typer.Option("--camera", help="The camera's id within the deployment.")],
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="At the pace it was taken, or as fast as the server takes it.")
    ] = False,
    fps: Annotated[float, typer.Option(help="Frames per second to send; 0 for every one (10 for a folder).")] = 0.0,
    quality: Annotated[int, typer.Option(help="JPEG quality of frames encoded here.", min=1, max=100)] = 92,
    start: Annotated[str, typer.Option(help="When a recording's first frame was taken; now by default.")] = "",
    max_frames: Annotated[int, typer.Option(help="Stop after this many frames; 0 for all.")] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Stream a source as one camera; prints the name of each alert as it is raised, and a summary."""
    playing: Source = open_source(source, fps, quality, instant(start) if start else None)
    if realtime and not playing.live:
        playing = Paced(playing)
    if max_frames:
        playing = Limited(playing, max_frames)
    client = connect(load_settings(data), address, identity)
    with progress() as bar:
        task = bar.add_task(f"feed {camera}", total=playing.total)
        sender = Sender(
            client.stub(LiveServiceStub),
            resource("deployments", deployment),
            camera,
            lossless=not playing.live,
            on_alert=warn if as_json else say,
            on_progress=lambda report: bar.update(task, completed=report.frames_processed + report.frames_dropped),
        )
        try:
            sender.send(playing)
        except grpc.RpcError as error:
            _print(sender.report, playing, as_json)
            raise translate(error, client.address) from None
        except KeyboardInterrupt:
            _print(sender.report, playing, as_json)
            raise
    _print(sender.report, playing, as_json)
    if not sender.report.done or sender.report.frames_sent == 0:
        raise typer.Exit(1)


def _print(report: FeedReport, source: Source, as_json: bool) -> None:
    faces_per_second = report.faces_seen / report.seconds if report.seconds else 0.0
    frames_per_second = report.frames_processed / report.seconds if report.seconds else 0.0
    if as_json:
        print_json(
            asdict(report)
            | {
                "frames_per_second": round(frames_per_second, 2),
                "faces_seen_per_second": round(faces_per_second, 2),
                "troubles": source.troubles(),
            }
        )
        return
    for sequence, reason, message in report.problems:
        warn(f"frame {sequence}: {message} [{reason}]")
    for trouble in source.troubles():
        warn(trouble)
    say(
        f"{report.frames_sent} frames sent, {report.frames_processed} processed, {report.frames_dropped} dropped, "
        f"{report.frames_rejected} rejected; {report.faces_seen} faces seen, {len(report.alerts)} alerts; "
        f"{frames_per_second:.1f} frames/s, {report.reconnections} reconnections"
    )
    if report.notice:
        warn(report.notice)
