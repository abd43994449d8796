"""``frs doctor``: what this machine and installation can do, and what is wrong."""

from __future__ import annotations

import typer

from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.clock import SystemClock
from frs.server.diagnosis import diagnose
from frs.server.findings import Finding, Verdict

app = application("Say what this machine and installation can do, and what is wrong. Changes nothing.")

_MARKS = {Verdict.WELL: "ok", Verdict.NOTE: "note", Verdict.WRONG: "WRONG"}


@app.command()
def doctor(data: Data = None, as_json: AsJson = False) -> None:
    """Look at everything; the exit status is 1 when something is wrong."""
    settings = load_settings(data)
    findings = diagnose(settings, SystemClock())
    wrong = [item for item in findings if item.verdict is Verdict.WRONG]
    if as_json:
        print_json({"well": not wrong, "findings": [_json(item) for item in findings]})
    else:
        for item in findings:
            typer.echo(f"{_MARKS[item.verdict]:<6}{item.about:<13} {item.text}")
            if item.advice:
                typer.echo(f"{'':<20}{item.advice}")
        typer.echo("all is well" if not wrong else f"{len(wrong)} wrong")
    if wrong:
        raise typer.Exit(1)


def _json(item: Finding) -> dict[str, object]:
    return {
        "about": item.about,
        "verdict": str(item.verdict),
        "text": item.text,
        "advice": item.advice,
        **item.details,
    }
