"""Writing the small part of TOML that a study needs: scalars, lists, tables, arrays of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def toml_text(content: Mapping[str, Any]) -> str:
    """Write nested mappings as TOML; plain values first, then tables, then arrays of tables."""
    lines: list[str] = []
    _write(content, "", lines)
    return "\n".join(lines).strip() + "\n"


def toml_value(value: Any) -> str:
    """Write one value on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else toml_value(name)


def _is_tables(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(item, Mapping) for item in value)
    )


def _write(table: Mapping[str, Any], path: str, lines: list[str]) -> None:
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    # Arrays of tables stay on the top two levels, where a person expects headings; deeper ones
    # (responders of an outcome) are written in line.
    arrays = {key: value for key, value in table.items() if _is_tables(value)}
    if path.startswith("[["):
        nested, arrays = {}, {}
    for key, value in table.items():
        if key not in nested and key not in arrays:
            lines.append(f"{_key(key)} = {toml_value(value)}")
    prefix = f"{path.strip('[]')}." if path else ""
    for key, value in nested.items():
        lines += ["", f"[{prefix}{_key(key)}]"]
        _write(value, f"[{prefix}{_key(key)}]", lines)
    for key, value in arrays.items():
        for item in value:
            lines += ["", f"[[{prefix}{_key(key)}]]"]
            _write(item, f"[[{prefix}{_key(key)}]]", lines)
