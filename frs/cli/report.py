"""``frs report``: figures of a period for oversight, reviewers by name and nothing left out."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity
from frs.cli.figures import Since, Until, ask
from frs.cli.options import Data, application
from frs.cli.output import as_json as message_json
from frs.cli.output import say, show_fields, show_table, write_private
from frs.oversight import report as reports
from frs.oversight import wording
from frs.oversight.figures import Figures, PeriodFigures, ResponseTimes
from frs.server.conversions.statistics import statistics
from frs.v1 import oversight_pb2 as pb

app = application("Figures of a period for oversight: use, accuracy with intervals, review. Reading them is logged.")


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


@app.command()
def report(
    since: Since,
    until: Until = None,
    deployment: Annotated[str, typer.Option(help="Only this deployment.")] = "",
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option(help="Write into this file, readable by you alone, and not to standard output.")
    ] = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Report on a period: from --since on and before --until. It names reviewers and small groups: not to be published.

    `frs register` writes what may be published.
    """
    form = Format.JSON if as_json else form
    if form is Format.TEXT and output is not None:
        raise typer.BadParameter("the text is for the screen: choose --format json, csv or html for a file")
    message = ask(since, until, deployment, data, address, identity)
    found = statistics(message)
    if form is Format.TEXT:
        _show(found)
        return
    text = _written(message, found, form)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        write_private(output, text.encode())
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}") from None
    say(f"{output}: from {wording.minute(found.since)} to {wording.minute(found.until)} UTC. Not for publication.")


def _written(message: pb.StatisticsResponse, found: PeriodFigures, form: Format) -> str:
    if form is Format.CSV:
        return reports.as_csv(found)
    if form is Format.HTML:
        return reports.as_html(found)
    return json.dumps(message_json(message), indent=2, ensure_ascii=False) + "\n"


def _show(found: PeriodFigures) -> None:
    show_fields(
        [("period", f"{wording.minute(found.since)} to {wording.minute(found.until)} UTC"), *_fields(found.total)]
    )
    for item in found.deployments:
        say("")
        lists = "; ".join(
            f"{w.watchlist} v{w.version} ({w.category}, {w.subjects} people, threshold {w.threshold:.4f})"
            for w in item.watchlists
        )
        show_fields(
            [
                ("deployment", item.deployment),
                ("place", item.place),
                ("purpose", item.purpose),
                ("authorising officer", item.authorising_officer),
                ("time", f"{wording.minute(item.starts_at)} to {wording.minute(item.ends_at)} UTC"),
                ("watchlists", lists),
                *_fields(item.figures),
            ]
        )
        for title, parts in (("Cameras", item.cameras), ("Reviewers", item.reviewers), ("Groups", item.groups)):
            if parts:
                show_table(
                    ("name", *(c.lower() for c in reports.COLUMNS)), [reports.row(part) for part in parts], title
                )
    say("")
    for title, parts in (("All reviewers", found.reviewers), ("All self-defined groups", found.groups)):
        show_table(("name", *(c.lower() for c in reports.COLUMNS)), [reports.row(part) for part in parts], title)
    if found.vigilance:
        rows = [reports.vigilance_row(each) for each in found.vigilance]
        show_table(
            [c.lower() for c in reports.VIGILANCE_COLUMNS], rows, "Vigilance checks: known pairs shown as alerts"
        )
    if found.searches is not None:
        s = found.searches
        decided = f"{s.outcomes_same} same, {s.outcomes_different} different, {s.outcomes_cannot_tell} cannot tell, "
        decided += f"{s.outcomes_owed} owed, {s.outcomes_overdue} not recorded in time"
        lists = f"{s.candidate_lists_true} true, {s.candidate_lists_false} false, "
        lists += f"{s.candidate_lists_cannot_tell} cannot tell, {s.candidate_lists_unreviewed} unreviewed"
        show_fields(
            [
                (
                    "operator searches",
                    f"{s.operator_searches}, {s.operator_with_candidates} with candidates: {decided}",
                ),
                ("retrospective", f"{s.jobs} jobs, {s.still_searches} stills"),
                ("candidate lists", f"{s.candidate_lists}: {lists}"),
            ]
        )


def _fields(f: Figures) -> list[tuple[str, object]]:
    return [
        ("faces seen", f"{f.faces_seen:,}"),
        (
            "alerts",
            f"{f.alerts:,}: {f.pending:,} pending, {f.cannot_tell:,} cannot tell, {f.expired:,} expired, "
            f"{f.unreviewed:,} unreviewed; {f.escalated:,} escalated",
        ),
        (
            "true alerts",
            f"{f.true_alerts:,}: {f.confirmed_true:,} confirmed true, {f.confirmed_false:,} confirmed false, "
            f"{f.unconfirmed:,} unconfirmed, {_not_engaged(f):,} without a recorded engagement",
        ),
        (
            "false alerts",
            f"{f.false_alerts:,} by adjudication, {f.false_alerts_per_alert.numerator:,} with confirmed false",
        ),
        ("per 1,000 faces", f"{wording.per_thousand(f.false_alerts_per_face)}, 95 %"),
        ("of alerts", f"{wording.per_cent(f.false_alerts_per_alert)}, 95 %"),
        ("to adjudication", _times(f.to_adjudication)),
        ("to engagement", _times(f.to_engagement)),
    ]


def _not_engaged(f: Figures) -> int:
    """Return how many true alerts are not followed by a recorded engagement yet."""
    return f.true_alerts - f.confirmed_true - f.confirmed_false - f.unconfirmed


def _times(t: ResponseTimes) -> str:
    if not t.count:
        return "none"
    median, ninetieth, longest = (wording.span(s) for s in (t.median_seconds, t.p90_seconds, t.longest_seconds))
    return f"median {median}, nine of ten within {ninetieth}, longest {longest} ({t.count:,})"
