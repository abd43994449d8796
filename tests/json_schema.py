"""As much of JSON Schema (2020-12) as the schemas in docs/ use; a keyword that is not known here is an error."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {
    *("$ref", "$defs", "description", "type", "const", "enum", "pattern", "minimum"),
    *("required", "properties", "additionalProperties", "items", "uniqueItems"),
}


def violations(value: Any, schema: dict[str, Any], whole: dict[str, Any], at: str = "$") -> list[str]:
    """Return where a value is not as the schema says; ``whole`` is the document that references lead into."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    found = []
    types = schema.get("type", [])
    allowed = tuple(kind for name in ([types] if isinstance(types, str) else types) for kind in _TYPES[name])
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        return [f"{at} is not {types}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{at} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is none of {schema['enum']}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{at} does not match {schema['pattern']}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at} is below {schema['minimum']}")
    if isinstance(value, dict):
        found += _members(value, schema, whole, at)
    if isinstance(value, list):
        if schema.get("uniqueItems") and any(item in value[:place] for place, item in enumerate(value)):
            found.append(f"{at} repeats an item")
        for place, item in enumerate(value):
            found += violations(item, schema.get("items", {}), whole, f"{at}[{place}]")
    return found


def _members(value: dict[str, Any], schema: dict[str, Any], whole: dict[str, Any], at: str) -> list[str]:
    properties = schema.get("properties", {})
    found = [f"{at} lacks {name}" for name in schema.get("required", ()) if name not in value]
    if schema.get("additionalProperties") is False:
        found += [f"{at} has the unknown {name}" for name in value if name not in properties]
    for name, item in value.items():
        found += violations(item, properties.get(name, {}), whole, f"{at}.{name}")
    return found
