"""``frs demo``: the main job end to end, offline, on real models, with its own server and data directory.

Probe and reference share a photograph here: the demonstration shows the machinery, not the accuracy on real cameras.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.options import AsJson, application, print_json

app = application("The whole way of a face, offline, on this machine: enrol, stream, search, review, verify.")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the contact sheet, the clip and the summary.")] = Path(
        "demo-out"
    ),
    models: Annotated[Path | None, typer.Option("--models", help="Folder of model packs; .cache/models.")] = None,
    threshold: Annotated[
        float | None, typer.Option("--live-threshold", help="Another live score than the pack's default.")
    ] = None,
    seconds: Annotated[float, typer.Option("--scene-seconds", help="Length of each scene of the clip.")] = 4.0,
    keep_data: Annotated[bool, typer.Option("--keep-data", help="Keep the server's data directory.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the demonstration; fails when a listed person is missed, a stranger alerts or the log does not verify."""
    from frs.cli.demo.story import Story

    out.mkdir(parents=True, exist_ok=True)
    data = out / "data"
    if data.exists():
        shutil.rmtree(data)  # our own from an earlier run: the demonstration begins with nothing
    story = Story(out, data, models or Path(".cache/models"), threshold, seconds, quiet=as_json)
    try:
        summary = story.tell()
    finally:
        story.close()
        if not keep_data:
            shutil.rmtree(data, ignore_errors=True)
    if as_json:
        print_json(summary.as_json())
    else:
        summary.show(out)
    if summary.failures:
        raise typer.Exit(1)
