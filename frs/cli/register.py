"""``frs register``: the public register of a period as three files, without personal data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import DEFAULT_IDENTITY, Address, Identity
from frs.cli.figures import Since, Until, ask
from frs.cli.options import AsJson, Data, application, print_json
from frs.cli.output import say
from frs.oversight import wording
from frs.oversight.register import Register
from frs.oversight.register import register as register_of
from frs.server.conversions.statistics import statistics

app = application("Write the public register of a period: figures without personal data, as JSON, CSV and a page.")


@app.command()
def register(
    since: Since,
    output: Annotated[
        Path, typer.Option(help="Folder for register.json, register.csv and index.html.", file_okay=False)
    ],
    until: Until = None,
    data: Data = None,
    address: Address = None,
    identity: Identity = DEFAULT_IDENTITY,
    as_json: AsJson = False,
) -> None:
    """Write what may be published of a period: from --since on and before --until.

    Names of people are left out, and so are parts of breakdowns with few alerts, with others so that they cannot be
    computed. Publish for periods that do not overlap. Places and purposes are as people wrote them: read the page
    before it is published.
    """
    found = statistics(ask(since, until, "", data, address, identity))
    made = register_of(found)
    files = _write(made, output)
    suppressed = made.groups.suppressed or any(cameras.suppressed for cameras in made.cameras)
    if as_json:
        print_json(
            {
                "since": wording.iso(found.since),
                "until": wording.iso(found.until),
                "deployments": len(found.deployments),
                "suppressed": suppressed,
                "files": [str(file) for file in files],
            }
        )
        return
    for file in files:
        say(str(file))
    left_out = f"; parts with fewer than {found.least_published} alerts are left out" if suppressed else ""
    say(f"{len(found.deployments)} deployments, {found.total.alerts} alerts{left_out}.")


def _write(made: Register, folder: Path) -> list[Path]:
    texts = {
        "register.json": json.dumps(made.as_json(), indent=2, ensure_ascii=False) + "\n",
        "register.csv": made.as_csv(),
        "index.html": made.as_html(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_bytes(text.encode())  # readable by all whom the folder lets in: it is public
    except OSError as error:
        raise typer.BadParameter(f"{error.filename} cannot be written: {error.strerror}") from None
    return [folder / name for name in texts]
