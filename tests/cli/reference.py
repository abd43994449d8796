"""The reference of all commands as docs/cli.md has it: ``python -m tests.cli.reference`` prints it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from typer.main import get_command

from frs.cli.main import COMMANDS

SHARED = {"data": "Data directory", "address": "host:port of the server", "identity": "Whose", "as_json": "Print JSON"}
"""Parameters that mean the same everywhere, and how their help begins; docs/cli.md describes them once."""


def reference() -> str:
    """Return the reference as Markdown."""
    parts = []
    for name, (module, about) in COMMANDS.items():
        command = get_command(import_module(module).app)
        parts.append(f"## frs {name}\n\n{about[0].upper()}{about[1:]}.")
        parts += [section(path, found) for path, found in leaves(name, command)]
    return "\n\n".join(parts) + "\n"


def leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:  # Typer's own copy of Click has no public types
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from leaves(f"{path} {name}", child)


def section(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not _is_shared(p)]
    usage = " ".join([f"frs {path}", *(_placeholder(p) for p in arguments)])
    about = inspect.cleandoc(command.help or "").replace("\n\n", "\n").replace("\n", " ")
    lines = [f"### `{usage}`", "", about]
    rows = [f"| `{_placeholder(p)}` | {_text(p)} |" for p in arguments]
    rows += [f"| {_names(p)} | {_text(p)} |" for p in options]
    return "\n".join([*lines, *(["", "| | |", "|---|---|", *rows] if rows else [])])


def _is_shared(parameter: Any) -> bool:
    about = SHARED.get(parameter.name)
    return parameter.name == "help" or (about is not None and (parameter.help or "").startswith(about))


def _placeholder(parameter: Any) -> str:
    name = (parameter.name or "").upper()
    shown = f"{name}..." if parameter.nargs == -1 or parameter.multiple else name
    return shown if parameter.required else f"[{shown}]"


def _names(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{name}`" for name in names) + (" (required)" if parameter.required else "")


def _text(parameter: Any) -> str:
    text = parameter.help or ""
    if parameter.type_descriptor.is_choice:
        text += f" One of {', '.join(parameter.type_descriptor.choices)}."
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")
