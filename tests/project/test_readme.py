"""The README is a promise: its commands exist, its links lead somewhere, its numbers name their command."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md")])


def commands_in_blocks() -> list[str]:
    """Return the ``frs …`` commands of the README's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    found = []
    for line in "\n".join(blocks).splitlines():
        match = re.match(r"\$ (?:.*&& )?(frs [a-z-]+(?: [a-z-]+)?)", line)
        if match:
            found.append(match.group(1))
    return found


@pytest.mark.parametrize("line", commands_in_blocks())
def test_every_command_of_the_quick_start_exists(line: str) -> None:
    """A reader who types a command of the README meets no usage error."""
    from frs.cli.main import COMMANDS

    _, name, *rest = line.split()
    assert name in COMMANDS, f"{line}: no command {name}"
    command = get_command(import_module(COMMANDS[name][0]).app)
    children = getattr(command, "commands", {})
    if rest and len(children) > 1:
        assert rest[0] in children, f"{line}: frs {name} has no {rest[0]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    """Relative links point at files of the repository."""
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_make_target_of_the_readme_exists() -> None:
    """The two commands for a newcomer, and the others named, are targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_measured_numbers_name_the_command_that_reproduces_them() -> None:
    """Each row of the table of measurements ends in a command whose module exists."""
    table = README.split("## Measured", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in table.splitlines() if line.startswith("|") and re.search(r"\d", line)]
    assert rows
    for row in rows:
        command = re.search(r"`python -m (bench\.[a-z_]+)[^`]*`\s*\|$", row)
        assert command, row
        assert (ROOT / Path(*command.group(1).split("."))).with_suffix(".py").exists(), row
