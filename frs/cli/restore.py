"""``frs restore``: bring a backup back without undoing any erasure, under a new name of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from frs.audit.chosen_witness import make_client
from frs.audit.erasure_journal import parse_journal_text
from frs.audit.notes import NoteVerifier
from frs.cli.options import AsJson, Data, application, load_settings, print_json
from frs.cli.output import progress, say
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.recovery.at_rest import local_actor
from frs.recovery.journal import WitnessWord
from frs.recovery.places import SETTINGS
from frs.recovery.restore import Ask, Restoration, restoration
from frs.recovery.restored import Restored
from frs.settings import Settings
from frs.store.durable import write_file

app = application("Bring a backup back. The witness's erasure journal is needed, so that nothing erased comes back.")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="The file that frs backup wrote.", dir_okay=False)],
    witness: Annotated[
        str, typer.Option("--witness", help="Address of the witness; else audit.witness_url.", metavar="URL")
    ] = "",
    witness_key: Annotated[
        Path | None,
        typer.Option("--witness-key", help="File with the witness's verifier key; else audit.witness_vkey."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", help="Without the witness: what `frs witness export-journal` wrote."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="With --journal: the checkpoint that the witness saw last.")
    ] = None,
    origin: Annotated[
        str, typer.Option("--origin", help="The log's newest name, where this directory does not know it.")
    ] = "",
    keyring: Annotated[
        Path | None,
        typer.Option("--keyring", help="Use this copy of the keyring (frs keyring backup), not the one that is there."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Destroy the database, uploads and log that are there.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Restore into a data directory while no server runs on it."""
    with (
        _reporting() as report,
        restoration(load_settings(data).data_dir, backup, report) as work,
        _settings(data, work) as settings,
    ):
        work.require_free(settings, replace)
        if journal is not None:
            given = _exported(journal, checkpoint)
            ask: Ask = lambda vkey: given  # noqa: E731, ARG005  # it has been read already
        else:
            ask = _asking(settings, work, witness, witness_key, origin)
        restored = work.run(settings, ask, local_actor(), SystemClock(), keyring, report)
    if as_json:
        told = asdict(restored)
        if restored.witnessed is not None:
            told["witnessed"] |= {"root": restored.witnessed.root.hex()}
        print_json(told)
    else:
        _tell(restored, settings)


@contextmanager
def _settings(data: Path | None, work: Restoration) -> Iterator[Settings]:
    """Give the settings, those of the backup where the data directory has none; they go again if the block fails.

    What keeps the keys is never taken from a backup, whose signature cannot be verified before they are opened.
    """
    here = load_settings(data)
    target = here.data_dir / SETTINGS
    taken = not target.exists() and work.toml.exists()
    try:
        if taken:
            write_file(target, work.toml.read_bytes())
        there = load_settings(data)
        if there.store.kek != here.store.kek:
            raise FrsError(
                Reason.SETTINGS_INVALID,
                f"The backup was made with store.kek = {there.store.kek}: write that into {target} yourself, if it is "
                f"what keeps the keys here, and restore again.",
                setting="store.kek",
            )
        yield there
    except BaseException:
        if taken:  # whose signature was not verified, perhaps
            target.unlink(missing_ok=True)
        raise


def _exported(journal: Path, checkpoint: Path | None) -> WitnessWord:
    """Read what the witness exported. Raises FrsError(JOURNAL_REQUIRED)."""
    try:
        note, entries = parse_journal_text(_read(journal))
    except FrsError as error:
        raise FrsError(Reason.JOURNAL_REQUIRED, f"{journal}: {error.message}") from error
    return WitnessWord(note, entries, None if checkpoint is None else _read(checkpoint).decode("utf-8", "replace"))


def _asking(settings: Settings, work: Restoration, url: str, key: Path | None, origin: str) -> Ask:
    """Return what asks the witness. Raises FrsError(JOURNAL_REQUIRED) when none is known."""
    url = url or settings.audit.witness_url
    if not url:
        raise FrsError(Reason.JOURNAL_REQUIRED, "Neither a witness nor its erasure journal was given.")
    vkey = settings.audit.witness_vkey if key is None else str(key)
    client = make_client(settings.audit.model_copy(update={"witness_url": url, "witness_vkey": vkey}))
    assert client is not None  # there is an address
    name = origin or work.latest_origin(settings)

    def ask(log_vkey: str) -> WitnessWord:
        found = client.erasures(name, NoteVerifier.parse(log_vkey).named(name).vkey)
        if found is None:
            raise FrsError(Reason.JOURNAL_REQUIRED, f"The witness {client.name} has no erasure journal of {name}.")
        return WitnessWord(found[0], found[1], client.latest(name), current=True)

    return ask


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FrsError(Reason.INVALID_FIELD, f"{path} cannot be read: {error.strerror}") from error


@contextmanager
def _reporting() -> Iterator[Callable[[str, int, int], None]]:
    """Show each stage as a bar of its own."""
    with progress() as shown:
        tasks = {}

        def report(stage: str, done: int, whole: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=whole or None)
            shown.update(tasks[stage], completed=done, total=whole or None)

        yield report


def _tell(restored: Restored, settings: Settings) -> None:
    say(f"Restored {settings.data_dir} from the backup of {restored.backup_made_at:%Y-%m-%d %H:%M:%SZ}.")
    seen = restored.witnessed
    if seen is None:
        say("How many events were lost is not known: the witness's last checkpoint was not given.")
    elif seen.size > restored.backup_events:
        say(f"{seen.size - restored.backup_events} events that the witness saw were lost; the log says so.")
    else:
        say("No event that the witness saw was lost.")
    say(f"{restored.journal} destroyed keys were in the erasure journal. Taken out of the backup: {_counts(restored)}.")
    if restored.keys_lost:
        say(f"{restored.keys_lost} keys are not in the keyring, which is older than the backup: their data is lost.")
    for note in restored.notes:
        say(note)
    say("")
    say("The log goes on under a new name. Its verifier key, in log.vkey:")
    say(f"  {restored.vkey}")
    say("Give it to everybody who verifies, and have the witness's operator add it (frs witness add-log VKEY):")
    say("until then nothing is witnessed.")


def _counts(restored: Restored) -> str:
    told = [f"{count} {kind.replace('_', ' ')}" for kind, count in restored.cleaned.items() if count]
    return ", ".join(told) or "nothing"
