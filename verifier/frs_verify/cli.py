"""The command ``frs-verify``.

Exit status 0: everything holds; 1: something does not; 2: nothing was verified.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from frs_verify import __version__
from frs_verify.bundle import ProvenEvent, verify_bundle
from frs_verify.certificate import verify_certificate
from frs_verify.checkpoint import Checkpoint, Trust
from frs_verify.export import ExportReport, verify_export
from frs_verify.failure import CannotVerifyError, DoesNotVerifyError
from frs_verify.notes import LogKey
from frs_verify.witnesses import WitnessKey, instant

VERIFIED, FAILED, UNUSABLE = 0, 1, 2
_TOLD = 20
_MOST_BYTES = 256 * 1024 * 1024  # of a bundle, certificate or checkpoint, which are read whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    asked = _parser().parse_args(arguments)
    try:
        trust = Trust(LogKey.parse(_text(asked.key)), [WitnessKey.parse(_text(path)) for path in asked.witness_key])
        found = asked.run(asked, trust)
    except DoesNotVerifyError as error:
        found = _failed([error])
    except (CannotVerifyError, UnicodeDecodeError) as error:
        sys.stderr.write(f"frs-verify: {error}\n")
        return UNUSABLE
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")  # escaped: what a file says cannot steer a terminal
    else:
        _print(found)
    return VERIFIED if found["verified"] else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="frs-verify", description="Verify what a face-matching service's log gave out, with its public key alone."
    )
    parser.add_argument("--version", action="version", version=f"frs-verify {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    kinds: tuple[tuple[str, str, Callable[[argparse.Namespace, Trust], dict[str, Any]]], ...] = (
        ("bundle", "verify the proof bundle of one event", _bundle),
        ("export", "verify an export: NDJSON, CSV or Parquet", _export),
        ("certificate", "verify an erasure certificate", _certificate),
        ("checkpoint", "verify a signed checkpoint by itself", _checkpoint),
    )
    for name, about, run in kinds:
        command = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
        command.add_argument("file", type=Path, help="the file to verify")
        command.add_argument("--key", type=Path, required=True, help="file with the log's verifier key (log.vkey)")
        command.add_argument(
            "--witness-key",
            type=Path,
            action="append",
            default=[],
            help="file with the verifier key of a witness that must have cosigned; may be repeated",
        )
        if name == "export":
            command.add_argument(
                "--earlier", type=Path, help="a checkpoint kept from before, which a complete export must continue"
            )
        command.add_argument("--json", action="store_true", help="print the findings as JSON")
        command.set_defaults(run=run)
    return parser


def _bundle(asked: argparse.Namespace, trust: Trust) -> dict[str, Any]:
    return {"verified": True, "problems": [], **_event(verify_bundle(_bytes(asked.file), trust))}


def _certificate(asked: argparse.Namespace, trust: Trust) -> dict[str, Any]:
    found = verify_certificate(_bytes(asked.file), trust)
    return {"verified": True, "problems": [], "contents": found.contents, **_event(found.proven)}


def _checkpoint(asked: argparse.Namespace, trust: Trust) -> dict[str, Any]:
    return {"verified": True, "problems": [], **_tree(trust.read(_text(asked.file)))}


def _export(asked: argparse.Namespace, trust: Trust) -> dict[str, Any]:
    terminal = sys.stderr.isatty()

    def progress(events: int) -> None:
        if terminal:
            sys.stderr.write(f"\r{events} events")
            sys.stderr.flush()

    earlier = _text(asked.earlier) if asked.earlier is not None else None
    report: ExportReport = verify_export(asked.file, trust, earlier, progress)
    if terminal:
        sys.stderr.write("\r" + " " * 30 + "\r")
    found = _failed(report.problems, report.more_problems)
    found |= {"events": report.events, "payloads": report.payloads}
    if report.header is not None:
        header = report.header
        found |= {"complete": header.complete, "recipient": header.recipient, "reason": header.reason}
        found["filter"] = header.wanted
    if report.checkpoint is not None:
        found |= _tree(report.checkpoint)
    if earlier is not None and not report.problems:
        found["continues_earlier"] = True
    return found


def _failed(problems: Sequence[DoesNotVerifyError], more: int = 0) -> dict[str, Any]:
    told = [{"event": problem.event, "message": problem.message} for problem in problems]
    return {"verified": not problems, "problems": told, **({"more_problems": more} if more else {})}


def _tree(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "origin": checkpoint.origin,
        "tree_size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigned": [{"witness": name, "time": instant(time)} for name, time in checkpoint.cosigned],
    }


def _event(proven: ProvenEvent) -> dict[str, Any]:
    leaf = proven.leaf
    return {
        "event": leaf.index,
        "time": leaf.time,
        "action": leaf.action,
        "operation": leaf.operation,
        "actor": leaf.actor,
        "refs": leaf.refs,
        "payload": proven.payload,
        **_tree(proven.checkpoint),
    }


def _print(found: dict[str, Any]) -> None:
    lines = ["VERIFIED" if found["verified"] else "DOES NOT VERIFY"]
    lines += [f"  {problem['message']}" for problem in found["problems"][:_TOLD]]
    hidden = len(found["problems"]) - _TOLD + found.get("more_problems", 0)
    if hidden > 0:
        lines.append(f"  and {hidden} more (--json tells {len(found['problems'])})")
    lines += [f"  {name}: {_value(found[name])}" for name in found if name not in _NOT_PRINTED and found[name] != []]
    if found["verified"] and "complete" in found:
        lines.append(f"  {_COMPLETE if found['complete'] else _FILTERED}")
    sys.stdout.write("\n".join(_plain(line) for line in lines) + "\n")


_NOT_PRINTED = {"verified", "problems", "more_problems"}
_COMPLETE = "Every event up to the checkpoint is here; none was left out."
_FILTERED = "Each event here is in the log; whether others should be here cannot be told from an export with a filter."


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CannotVerifyError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > _MOST_BYTES:
        raise CannotVerifyError(f"{path} is too large to be what it should be.")
    return data
