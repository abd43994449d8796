"""YAML with positions: a reader over PyYAML's node graph that keeps line and column and refuses what is hostile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

_MAX_DEPTH = 8
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: a list of 17,000 entries takes seconds instead of minutes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a line and column counted from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the document: exactly one of scalar, items and fields is set."""

    line: int
    column: int
    scalar: str | None = None
    items: tuple[Node, ...] | None = None
    fields: tuple[tuple[str, Node], ...] | None = None

    def text(self, problems: list[Problem], what: str) -> str | None:
        """Return the scalar's text, or None with a problem."""
        if self.scalar is None:
            problems.append(Problem(self.line, self.column, f"{what} must be text"))
        return self.scalar

    def sequence(self, problems: list[Problem], what: str) -> tuple[Node, ...] | None:
        """Return the items of a list, or None with a problem."""
        if self.items is None:
            problems.append(Problem(self.line, self.column, f"{what} must be a list"))
        return self.items

    def mapping(self, problems: list[Problem], known: set[str], what: str) -> dict[str, Node] | None:
        """Return the fields by name, or None with a problem; unknown and repeated fields are problems too."""
        if self.fields is None:
            problems.append(Problem(self.line, self.column, f"{what} must be a mapping of fields"))
            return None
        found: dict[str, Node] = {}
        for key, node in self.fields:
            if key not in known:
                problems.append(
                    Problem(node.line, node.column, f"{what} has no field {key!r}; fields: {', '.join(sorted(known))}")
                )
            elif key in found:
                problems.append(Problem(node.line, node.column, f"{key} stands twice"))
            else:
                found[key] = node
        return found


def read_document(data: bytes, problems: list[Problem]) -> Node | None:
    """Parse one YAML document into nodes; on failure add a problem and return None."""
    try:
        text = data.decode("utf-8-sig")
        loader = _LOADER(text)
        try:
            _refuse_aliases(text)
            root = loader.get_single_node()
        finally:
            loader.dispose()
        if root is None:
            problems.append(Problem(1, 1, "the file is empty"))
            return None
        return _convert(root, 0)
    except UnicodeDecodeError as error:
        problems.append(Problem(1, 1, f"the file is not UTF-8 text (byte {error.start})"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problems.append(Problem(line, column, f"not valid YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, ValueError) as error:
        problems.append(Problem(1, 1, f"not valid YAML: {error}".splitlines()[0]))
    except RecursionError:
        problems.append(Problem(1, 1, f"nested deeper than {_MAX_DEPTH} levels"))
    return None


def _refuse_aliases(text: str) -> None:
    """Aliases could expand a small file into a huge one, and tags have no meaning here."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or (tag and tag != "!"):
            raise _refused("anchors, aliases and tags are not allowed", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise _refused(f"nested deeper than {_MAX_DEPTH} levels", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark  # the stubs give it the C parser's type as well
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _convert(node: yaml.Node, depth: int) -> Node:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.MappingNode):
        fields = []
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            converted = _convert(value, depth + 1)
            fields.append((name, converted))
        return Node(line, column, fields=tuple(fields))
    if isinstance(node, yaml.SequenceNode):
        return Node(line, column, items=tuple(_convert(item, depth + 1) for item in node.value))
    return Node(line, column, scalar=str(node.value))
