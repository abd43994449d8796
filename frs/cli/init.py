"""``frs init``: prepare a data directory."""

from __future__ import annotations

from typing import Annotated

import typer

from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.clock import SystemClock
from frs.embed.shelf import Shelf
from frs.embed.starter import ensure_starter
from frs.server.installation import ADMINISTRATOR, TRIAL, Installation, initialise
from frs.settings import Settings

app = application("Prepare a data directory: keys, certificates, the log's signing key and the starter pack.")

STARTER = "starter"


@app.command()
def init(
    data: Data = None,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="A name or address that clients reach the server by; repeat for several."),
    ] = None,
    administrator: Annotated[
        str, typer.Option("--administrator", help="Name of the first administrator's identity.")
    ] = ADMINISTRATOR,
    identities: Annotated[
        bool,
        typer.Option(
            "--identities",
            help=f"Also issue an identity for each duty, to try everything out: {', '.join(TRIAL)}.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prepare a data directory for `frs serve`."""
    settings = load_settings(data)
    made = initialise(settings, SystemClock(), host or (), administrator, trial=identities)
    pack = _starter(settings)
    if as_json:
        print_json(
            {
                "data_dir": str(settings.data_dir),
                "installation": made.installation_id,
                "ca": str(made.certs / "ca.crt"),
                "certificate": str(made.administrator.certificate),
                "key": str(made.administrator.key),
                "not_after": made.administrator.not_after.isoformat(),
                "identities": [
                    {
                        "name": each.name,
                        "role": str(TRIAL[each.name]),
                        "certificate": str(each.certificate),
                        "key": str(each.key),
                        "not_after": each.not_after.isoformat(),
                    }
                    for each in made.trial
                ],
                "keyring": str(made.keyring),
                "log_vkey": made.vkey,
                "pack": pack,
            }
        )
        return
    typer.echo(_told(settings, made, pack))


def _starter(settings: Settings) -> str | None:
    """Make the starter pack where the settings ask for it and it is not as this version makes it; return its folder."""
    if settings.embed.pack != STARTER:
        return None
    return str(ensure_starter(Shelf(settings.models_path), SystemClock()).folder)


def _told(settings: Settings, made: Installation, pack: str | None) -> str:
    lines = [
        f"Prepared {settings.data_dir} (installation {made.installation_id}).",
        "",
        f"  authority      {made.certs / 'ca.crt'}  give it to clients",
        f"  authority key  {made.certs / 'ca.key'}  needed only to issue identities: keep it off the server",
        f"  server         {made.server.certificate}  valid until {made.server.not_after:%Y-%m-%d}",
        f"  administrator  {made.administrator.certificate}  backups, keys and identities; sees nobody's face",
        *_people(made),
        f"  keyring        {made.keyring}  back it up apart from the database, or nothing can be read again",
        f"  log key        {made.vkey_file}  verifies the log: give whoever oversees a copy now",
        f"                 {made.vkey}",
    ]
    if pack is not None:
        lines.append(f"  model pack     {pack}  for demonstrations and tests")
    if made.trial:
        lines += ["", "Who you are for a while: export FRS_IDENTITY=manager, or --identity manager with a command."]
    return "\n".join([*lines, "", f"Next: frs serve --data {settings.data_dir}"])


def _people(made: Installation) -> list[str]:
    if not made.trial:
        return [f"  {'people':<14} none yet: frs identity add NAME --role ROLE, one for each person and duty"]
    names = [f"{each.name} ({TRIAL[each.name]})" for each in made.trial]
    told = [", ".join(names[start : start + 3]) for start in range(0, len(names), 3)]
    first, *others = [f"{part}," for part in told[:-1]] + told[-1:]
    return [
        f"  {'to try out':<14} {first}",
        *(f"  {'':<14} {part}" for part in others),
        f"  {'':<14} for real use issue each person their own: frs identity add NAME --role ROLE",
    ]
