"""What ``frs doctor`` finds: the machine, the model and the installation, each as a finding with what is wrong.

Nothing is changed. A running server is respected: what only it may open is asked of its files read-only or reported
as being in its hands.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib import metadata

from frs import __version__
from frs.access.credentials import Credentials
from frs.access.issued import identities, own_certificates
from frs.audit.chosen_witness import make_client
from frs.audit.notes import NoteVerifier
from frs.audit.origins import Origins
from frs.audit.witnessed import check_log, cosigned_at, read_shown
from frs.clock import Clock
from frs.embed.loading import build_engine
from frs.embed.pack import find_pack, load_pack
from frs.errors import FrsError, Reason
from frs.server.findings import Finding, Verdict
from frs.server.folders import certs_folder, require_initialised, server_file, vkey_file
from frs.server.issuer_diagnosis import diagnose_issuer
from frs.server.lifecycle import read_server_file
from frs.server.log_diagnosis import diagnose_log
from frs.settings import Settings
from frs.store.database import inspect_database
from frs.store.key_custody import open_custody
from frs.store.keyring import Keyring
from frs.types import Json

LIBRARIES = ("grpcio", "numpy", "faiss-cpu", "opencv-python", "insightface", "av", "sqlalchemy", "cryptography")
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
LEAST_FREE_BYTES = 1024**3
EXPIRES_SOON = timedelta(days=30)


def diagnose(settings: Settings, clock: Clock) -> list[Finding]:
    """Look at everything; a look that fails is a finding too."""
    looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("machine", _machine),
        ("model", lambda: _model(settings)),
        ("data", lambda: _data(settings)),
        ("keyring", lambda: _keyring(settings, clock)),
        ("log", lambda: iter(diagnose_log(settings))),
        ("witness", lambda: _witness(settings)),
        ("issuer", lambda: diagnose_issuer(settings)),
        ("disk", lambda: _disk(settings)),
        ("certificates", lambda: _certificates(settings, clock.now())),
    )
    found: list[Finding] = []
    for about, look in looks:
        try:
            found.extend(look())
        except FrsError as error:
            found.append(Finding(about, Verdict.WRONG, error.message, error.advice, {"reason": str(error.reason)}))
    return found


def _machine() -> Iterator[Finding]:
    versions: dict[str, Json] = {name: version for name in (*LIBRARIES, *RUNTIMES) if (version := _version(name))}
    cores = len(os.sched_getaffinity(0))
    text = f"FRS {__version__}, Python {platform.python_version()}, {cores} cores, {platform.system()}"
    yield Finding("machine", Verdict.WELL, text, details={"cores": cores, "versions": versions})
    both = [name for name in RUNTIMES if name in versions]
    if len(both) != 1:
        what = "both are installed" if both else "neither is installed"
        yield Finding(
            "machine",
            Verdict.WRONG,
            f"one of {' and '.join(RUNTIMES)} is needed, and {what}",
            "Make the environment again with `make setup`.",
        )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _model(settings: Settings) -> Iterator[Finding]:
    pack = load_pack(find_pack(settings))
    engine = build_engine(pack, settings)
    model = engine.model
    engine.close()
    import onnxruntime

    offered = list(onnxruntime.get_available_providers())
    details: dict[str, Json] = {
        "pack": model.pack,
        "model": model.id,
        "profile": model.profile,
        "provider": model.provider,
        "offered": [*offered],
        "licence": pack.licence,
        "thresholds": {str(item.mode): item.score for item in model.thresholds},
    }
    yield Finding("model", Verdict.WELL, f"{model.id} verified, runs on {model.provider}", details=details)
    if "CUDAExecutionProvider" in offered and model.provider != "CUDAExecutionProvider":
        yield Finding(
            "model",
            Verdict.NOTE,
            "CUDA is offered by the runtime and does not run the model",
            "Check the driver, CUDA and cuDNN; set embed.require_gpu to refuse to start without it.",
        )
    if model.notice:
        yield Finding("model", Verdict.NOTE, model.notice)
    if not model.thresholds:
        yield Finding(
            "model",
            Verdict.NOTE,
            "the pack has no calibration for this profile: watchlists need explicit scores",
            "See docs/thresholds.md.",
        )


def _data(settings: Settings) -> Iterator[Finding]:
    require_initialised(settings)
    with inspect_database(settings):
        pass
    running = read_server_file(server_file(settings))
    alive = running is not None and _alive(running.pid)
    text = f"{settings.data_dir} is initialised, its database can be read"
    details: dict[str, Json] = {"data_dir": str(settings.data_dir), "server": None}
    if running is not None and alive:
        text += f"; a server (process {running.pid}) serves on {running.address}"
        details["server"] = {"pid": running.pid, "address": running.address, "metrics": running.metrics_address}
    yield Finding("data", Verdict.WELL, text, details=details)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _keyring(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        Keyring.open(settings.keyring_path, clock, custody=open_custody(settings)).close()
    except FrsError as error:
        if error.reason is not Reason.DATA_DIRECTORY_IN_USE:
            raise
        yield Finding("keyring", Verdict.WELL, f"{settings.keyring_path} is open in a running process")
        return
    yield Finding("keyring", Verdict.WELL, f"{settings.keyring_path} opens with its key-encryption key")
    if settings.keyring_path.is_relative_to(settings.data_dir):
        yield Finding(
            "keyring",
            Verdict.NOTE,
            "the keyring lies inside the data directory",
            "Keep it on another volume (store.keyring_dir), and out of the database's backups.",
        )


def _witness(settings: Settings) -> Iterator[Finding]:
    require_initialised(settings)
    client = make_client(settings.audit)
    if client is None:
        text = "no witness is set: whoever has the database and the keyring could put back an older state unnoticed"
        yield Finding("witness", Verdict.NOTE, text, "Run one on another machine and set audit.witness_url.")
        return
    first = NoteVerifier.parse(vkey_file(settings).read_text())
    try:
        with inspect_database(settings) as connection:
            names = Origins.load(connection).names
            vkey = first.named(names[-1] if names else first.name).vkey
            note = client.latest(vkey.partition("+")[0])
            seen = read_shown(note, vkey) if note is not None else None
            if note is not None and seen is not None:
                check_log(connection, seen, cosigned_at(client.verifier, note), client.name)
    except FrsError as error:
        if error.reason is not Reason.WITNESS_UNAVAILABLE or settings.audit.witness_policy == "stop":
            raise
        yield Finding("witness", Verdict.NOTE, error.message, error.advice, {"reason": str(error.reason)})
        return
    size = seen.size if seen is not None else 0
    text = f"{client.name} has seen {size} events, which are those of this database"
    yield Finding("witness", Verdict.WELL, text, details={"witness": client.name, "witnessed": size})


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.data_dir, *settings.data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    details: dict[str, Json] = {"free_bytes": free}
    text = f"{free / 1024**3:.1f} GiB free for {settings.data_dir}"
    if free < LEAST_FREE_BYTES:
        yield Finding(
            "disk", Verdict.WRONG, text, "Free space before it is needed: commits fail when none is.", details
        )
    else:
        yield Finding("disk", Verdict.WELL, text, details=details)


def _certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    folder = certs_folder(settings)
    own, issued = own_certificates(folder), identities(folder)
    missing = {"ca", "server"} - {item.name for item in own}
    if missing and settings.server.tls:
        raise FrsError(Reason.NOT_INITIALISED, f"{folder} lacks the certificate of: {', '.join(sorted(missing))}")
    if settings.server.tls:
        credentials = Credentials(folder)  # what cannot be used raises: the service would not start
        if credentials.fault:
            yield Finding("certificates", Verdict.NOTE, credentials.fault, "Bring ca.crl from the authority.")
        revoked = credentials.loaded.trust.revoked
        issued = [item for item in issued if item.serial not in revoked]
    yield Finding(
        "certificates",
        Verdict.WELL,
        f"{len(issued)} identities issued here and not revoked; the server's certificate is valid until "
        + ", ".join(f"{item.not_after:%Y-%m-%d}" for item in own if item.name == "server"),
        details={"not_after": {item.name: item.not_after.isoformat() for item in (*own, *issued)}},
    )
    for item in (*own, *issued):
        if item.not_after <= now:
            # An identity that nobody renewed is no fault of the installation; its own certificates are.
            verdict = Verdict.WRONG if item in own else Verdict.NOTE
            yield Finding("certificates", verdict, f"the certificate of {item.name} has expired", _renewal(item.name))
        elif item.not_after - now < EXPIRES_SOON:
            text = f"the certificate of {item.name} expires on {item.not_after:%Y-%m-%d}"
            yield Finding("certificates", Verdict.NOTE, text, _renewal(item.name))


def _renewal(name: str) -> str:
    if name == "ca":
        return "The authority cannot be renewed in place: plan a new installation of certificates."
    return "Run `frs identity server`." if name == "server" else f"Run `frs identity add {name} --renew --role ...`."
