"""``frs feed``: plays a video, a folder of frames, a webcam or a camera's address into a deployment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Annotated, Any

import grpc
import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Client, Identity, connect, translate
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import progress, say, warn
from frs.cli.resource import instant, resource
from frs.errors import FrsError, Reason
from frs.feed.pacing import Limited, Looped, Paced
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
        bool | None,
        typer.Option(
            "--realtime/--fast",
            help="A recording at the pace it was taken, late frames dropped; or as fast as the server takes it, none "
            "dropped (the default). A camera is always at real time.",
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play a recording again whenever it ends.")] = False,
    fps: Annotated[float, typer.Option(help="Frames per second to send; 0 for every one (10 for a folder).")] = 0.0,
    quality: Annotated[int, typer.Option(help="JPEG quality of frames encoded here.", min=1, max=100)] = 92,
    start: Annotated[str, typer.Option(help="When a recording's first frame was taken; now by default.")] = "",
    max_frames: Annotated[int, typer.Option(help="Stop after this many frames; 0 for all.", min=0)] = 0,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Stream a source as one camera; prints the name of each alert as it is raised, and a summary.

    A camera and the server are connected again whenever they are lost. An interrupt or SIGTERM ends the feed in the
    ordinary way.
    """
    playing = _played(source, realtime, loop, fps, quality, start, max_frames)
    client = connect(load_settings(data), address, identity)
    with progress() as bar:
        task = bar.add_task(f"feed {camera}", total=playing.total)
        sender = Sender(
            client.stub(LiveServiceStub),
            resource("deployments", deployment),
            camera,
            reason_of=lambda error: translate(error, client.address).reason,
            on_alert=warn if as_json else say,
            on_progress=lambda report: bar.update(task, completed=report.frames_processed + report.frames_dropped),
            tell=warn,
        )
        with _stopping(sender):
            ended = _send(sender, playing, client)
    if ended is None or sender.report.frames_sent:  # an error alone says all when nothing was sent
        _print(sender.report, playing, as_json)
    if ended is not None:
        raise ended
    if not sender.report.done and not playing.live:
        raise typer.Exit(1)


def _played(
    source: str, realtime: bool | None, loop: bool, fps: float, quality: int, start: str, max_frames: int
) -> Source:
    """Return the source as it is to be played."""
    playing: Source = open_source(source, fps, quality, instant(start) if start else None, tell=warn)
    if playing.live and (loop or realtime is False):
        raise typer.BadParameter("a camera is always at real time and never ends: leave out --fast and --loop")
    if loop:
        playing = Looped(playing)
    if realtime and not playing.live:
        playing = Paced(playing)
    return Limited(playing, max_frames) if max_frames else playing


def _send(sender: Sender, playing: Source, client: Client) -> FrsError | None:
    """Send everything; return what ended the feed before its time. A camera's ends with its deployment."""
    try:
        sender.send(playing)
    except grpc.RpcError as error:
        refusal = translate(error, client.address)
        if refusal.reason is Reason.DEPLOYMENT_ENDED and playing.live and sender.report.frames_processed:
            warn(f"{refusal.message}: the feed ends")
            return None
        return refusal
    except FrsError as error:  # the recording's own
        return error
    return None


@contextmanager
def _stopping(sender: Sender) -> Iterator[None]:
    """End the feed in the ordinary way on SIGTERM and at the first interrupt; a second one interrupts."""
    if threading.current_thread() is not threading.main_thread():  # signals arrive on the main thread alone
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        threading.Thread(target=sender.stop).start()  # not here: this thread may hold what stopping needs

    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(report: FeedReport, source: Source, as_json: bool) -> None:
    seconds = report.seconds or 1.0
    if as_json:
        print_json(
            asdict(report)
            | {
                "frames_per_second": round(report.frames_processed / seconds, 2),
                "faces_seen_per_second": round(report.faces_seen / seconds, 2),
                "troubles": source.troubles(),
            }
        )
        return
    say(
        f"{report.frames_sent} frames sent, {report.frames_processed} processed, {report.frames_dropped} dropped, "
        f"{report.frames_rejected} rejected; {report.faces_seen} faces seen, {len(report.alerts)} alerts; "
        f"{report.frames_processed / seconds:.1f} frames/s, {report.faces_seen / seconds:.1f} faces seen/s, "
        f"{report.reconnections} reconnections"
    )
    if report.notice:
        warn(report.notice)
