"""``frs witness``: run a witness, tell it which logs to watch, read what it has seen. It needs no server of ours."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from frs.audit.erasure_journal import JournalEntry, check_journal, journal_origin, journal_text
from frs.audit.notes import NoteVerifier
from frs.cli.options import AsJson, application, print_json
from frs.cli.output import progress, say, show_fields, show_table
from frs.cli.serve import log_to_stderr
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.store.durable import write_file
from frs.store.lock import FolderLock
from frs.witness.cosigning import Witness, describe
from frs.witness.folder import RECORDS_FILE, SERVER_FILE, VKEY_FILE, create_witness, read_witness
from frs.witness.records import LogRecord, Records
from frs.witness.serving import WitnessServer, tls_context

app = application(
    "Run a witness: it remembers what a log has signed, cosigns it, and keeps the list of destroyed keys."
)

Folder = Annotated[
    Path, typer.Option("--data", "-d", help="The witness's folder, apart from the service's.", metavar="DIR")
]
DEFAULT = Path("frs-witness")
_MOST_ORIGIN_BYTES = 255  # what a cosignature can hold
_PAGE = 2000


@app.command()
def init(
    data: Folder = DEFAULT,
    name: Annotated[
        str, typer.Option("--name", help="The witness's name, an address without scheme; made up when not given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make the witness's folder and its key."""
    cosigner = create_witness(data, name)
    vkey = cosigner.verifier.vkey
    if as_json:
        print_json({"folder": str(data), "name": cosigner.verifier.name, "vkey": vkey})
        return
    say(f"Prepared {data}: the witness {cosigner.verifier.name}, ML-DSA-44.")
    say(f"Its verifier key is in {data / VKEY_FILE}: the service wants it as audit.witness_vkey.")
    say(f"Next: frs witness add-log LOG_VKEY_FILE --data {data}, then frs witness serve --data {data}")


@app.command("add-log")
def add_log(
    vkey: Annotated[str, typer.Argument(help="The log's verifier key, or the file that `frs init` wrote it to.")],
    data: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Trust a log's key from now on; a log with a new origin after a restoration is added in the same way."""
    verifier = NoteVerifier.parse(_vkey_text(vkey))
    if len(journal_origin(verifier.name).encode()) > _MOST_ORIGIN_BYTES:
        raise FrsError(Reason.INVALID_FIELD, "The log's name is too long to be cosigned.", field="vkey")
    read_witness(data)
    records = Records(data / RECORDS_FILE)
    try:
        added = records.add_log(verifier.name, verifier.vkey)
    finally:
        records.close()
    if as_json:
        print_json({"origin": verifier.name, "vkey": verifier.vkey, "added": added})
    else:
        say(f"{verifier.name} {'is witnessed from now on' if added else 'was known already; nothing was changed'}")


def _vkey_text(given: str) -> str:
    path = Path(given)
    try:
        return path.read_text().strip() if path.is_file() else given.strip()
    except OSError as error:
        raise FrsError(Reason.INVALID_FIELD, f"{path} cannot be read: {error.strerror}.", field="vkey") from error


@app.command()
def serve(
    data: Folder = DEFAULT,
    listen: Annotated[
        str, typer.Option("--listen", help="host:port to listen on; port 0 takes a free one.")
    ] = "127.0.0.1:7447",
    tls_certificate: Annotated[str, typer.Option("--tls-certificate", help="Certificate chain, PEM.")] = "",
    tls_key: Annotated[str, typer.Option("--tls-key", help="The certificate's key, PEM.")] = "",
) -> None:
    """Run the witness until SIGTERM or Ctrl-C."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise FrsError(Reason.SETTINGS_INVALID, f"--listen: {listen!r} is not host:port")
    if bool(tls_certificate) != bool(tls_key):
        raise FrsError(Reason.SETTINGS_INVALID, "--tls-certificate and --tls-key belong together")
    cosigner = read_witness(data)
    tls = tls_context(tls_certificate, tls_key) if tls_certificate else None
    log_to_stderr()
    lock = FolderLock(data)
    try:
        records = Records(data / RECORDS_FILE)
        try:
            _serve(data, Witness(records, cosigner, SystemClock()), host.strip("[]"), int(port), tls)
        finally:
            records.close()
    finally:
        lock.release()


def _serve(data: Path, witness: Witness, host: str, port: int, tls: ssl.SSLContext | None) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = WitnessServer(witness, host, port, tls)
    scheme = "https" if tls else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"
    here = {"url": url, "vkey": witness.vkey, "pid": os.getpid()}
    try:
        write_file(data / SERVER_FILE, json.dumps(here, indent=2).encode() + b"\n")
        say(f"the witness {witness.vkey.partition('+')[0]} serves on {url}")
        stop.wait()
    finally:
        (data / SERVER_FILE).unlink(missing_ok=True)
        server.close()


@app.command()
def show(
    data: Folder = DEFAULT,
    origin: Annotated[str, typer.Option("--origin", help="Of one log only, with what was refused.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what the witness has seen of its logs, and the evidence of forks; the exit status is 5 when there is any."""
    cosigner = read_witness(data)
    records = Records(data / RECORDS_FILE)
    try:
        logs = [log for log in records.logs() if origin in {"", log.origin}]
        evidence = records.evidence(origin)
        keys = {log.origin: records.keys(log.origin) for log in logs}
    finally:
        records.close()
    if origin and not logs:
        raise FrsError(Reason.NOT_INITIALISED, f"The witness does not know the log {origin}.", origin=origin)
    if as_json:
        print_json(
            {
                "name": cosigner.verifier.name,
                "vkey": cosigner.verifier.vkey,
                "logs": [
                    {**describe(log), "vkeys": keys[log.origin], "checkpoint": log.cosigned or ""} for log in logs
                ],
                "evidence": [asdict(item) for item in evidence],
            }
        )
    else:
        _print_logs(cosigner.verifier.name, logs)
        for item in evidence:
            say("")
            say(f"REFUSED {item.at}: {item.origin}: {item.what}")
            if origin:
                show_fields([("signed by the log", item.note), ("held by the witness", item.held)])
    if evidence:
        raise typer.Exit(5)


def _print_logs(name: str, logs: list[LogRecord]) -> None:
    say(f"witness {name}")
    show_table(
        ("log", "events", "root", "cosigned at", "destroyed keys", "refused"),
        [(log.origin, log.size, log.root.hex()[:16], log.at or "never", log.journal_size, log.refused) for log in logs],
    )


@app.command("export-journal")
def export_journal(
    origin: Annotated[str, typer.Argument(help="The log's name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    data: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write a log's erasure journal with its signed note to a file, for a restoration: frs restore --journal FILE."""
    read_witness(data)
    records = Records(data / RECORDS_FILE)
    try:
        log, keys = records.log(origin), records.keys(origin)
        if log is None:
            raise FrsError(Reason.NOT_INITIALISED, f"The witness does not know the log {origin}.", origin=origin)
        if log.journal_note is None:
            raise FrsError(Reason.JOURNAL_REQUIRED, f"The witness has no erasure journal of {origin} yet.")
        entries: list[JournalEntry] = []
        with progress() as bar:
            task = bar.add_task("erasure journal", total=log.journal_size)
            while len(entries) < log.journal_size:
                page = records.journal(origin, len(entries), min(_PAGE, log.journal_size - len(entries)))
                entries += page
                bar.update(task, advance=len(page))
    finally:
        records.close()
    _check(log.journal_note, entries, keys)
    try:
        write_file(output, journal_text(log.journal_note, entries))
    except OSError as error:
        raise FrsError(Reason.STORAGE_FAILED, f"{output} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json({"origin": origin, "entries": len(entries), "file": str(output)})
    else:
        say(f"{len(entries)} destroyed keys of {origin} written to {output}")


def _check(note: str, entries: list[JournalEntry], keys: list[str]) -> None:
    """Check what is about to be given out with whichever of the log's keys signed it."""
    for number, vkey in enumerate(keys, 1):
        try:
            check_journal(note, entries, vkey)
        except FrsError:
            if number == len(keys):
                raise
        else:
            return
