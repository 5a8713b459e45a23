"""Faults of ``study.toml`` in words: the place, what is wrong, what to do.

``study.toml [exposure] share: is 1.4; it must be less than 1. ...`` Everything quoted here was
written by the author of the study; no record is ever read for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LISTS: Final = ("visits", "outcomes", "described")
"""Top-level arrays of tables, written with double brackets."""

_WORDS: Final[Mapping[str, str]] = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "tuple_type": "must be a list in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_too_long": "is too long; use {max_length} characters or fewer",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "string_pattern_mismatch": "must be a code of small letters, digits and _, a letter first",
}


def suggestion(given: object, known: Iterable[str]) -> str:
    """Return ``Did you mean ...?`` for a near miss, else what there is to choose from."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(str(given).lower(), names, n=2, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    if len(names) > 12:
        return f"There are {len(names)} to choose from, such as {', '.join(map(repr, names[:4]))}."
    return (
        f"Use one of {', '.join(map(repr, names))}." if names else "There is none to choose from."
    )


def place(loc: Sequence[int | str], raw: Mapping[str, Any]) -> str:
    """Return where in the file a fault is, such as ``[[visits]] 2 (week_12) day``."""
    if not loc:
        return ""
    table, rest = str(loc[0]), list(loc[1:])
    if table not in raw or not isinstance(raw[table], (Mapping, list, tuple)):
        return " ".join(str(step) for step in loc)
    words = [f"[[{table}]]" if table in LISTS else f"[{table}]"]
    inside: Any = raw[table]
    for step in rest:
        inside = _inside(inside, step)
        words.append(_step(step, inside))
    return " ".join(words)


def _inside(value: Any, step: int | str) -> Any:
    if isinstance(step, int) and isinstance(value, (list, tuple)) and step < len(value):
        return value[step]
    return value.get(step) if isinstance(value, Mapping) else None


def _step(step: int | str, inside: Any) -> str:
    if not isinstance(step, int):
        return step
    named = inside.get("label") or inside.get("id") if isinstance(inside, Mapping) else None
    return f"{step + 1} ({named})" if isinstance(named, str) else str(step + 1)


def fault(error: ErrorDetails, raw: Mapping[str, Any], root: type[BaseModel]) -> str:
    """Return one validation error in words."""
    loc = [step for step in error["loc"] if step != "[key]"]
    if error["type"] == "value_error":
        return _own(error, place(loc, raw))
    if error["type"] == "extra_forbidden":
        known = _fields(loc[:-1], root)
        return f"{place(loc, raw)}: is not known here. {suggestion(loc[-1], known)}"
    if error["type"] == "missing":
        return f"{place(loc, raw)}: is missing. {_description(loc, root) or _needed(loc, root)}"
    if error["type"] == "literal_error":
        choices = error.get("ctx", {}).get("expected", "")
        known = [word.strip(" '") for word in choices.replace(" or ", ", ").split(",")]
        return (
            f"{place(loc, raw)}: is {_shown(error['input'])}. {suggestion(error['input'], known)}"
        )
    words = _WORDS.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    where = f"[{loc[0]}]" if error["type"] == "model_type" and len(loc) == 1 else place(loc, raw)
    text = f"{where}: is {_shown(error['input'])}; it {words}. {_description(loc, root)}"
    return text.rstrip()


def _needed(loc: Sequence[int | str], root: type[BaseModel]) -> str:
    """Say what a table that is not there must hold."""
    model = _model(loc, root)
    fields = model.model_fields if model else {}
    names = [repr(field.alias or key) for key, field in fields.items() if field.is_required()]
    return f"Add the table [{loc[-1]}] with {' and '.join(names)}." if names else ""


def _own(error: ErrorDetails, where: str) -> str:
    """A model's own message starts with the key it is about."""
    message = str(error.get("ctx", {}).get("error", error["msg"]))
    return f"{where} {message}." if not message.endswith("?") else f"{where} {message}"


def _shown(value: Any) -> str:
    """Show what was written, but not a whole table."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else repr(value[:37] + "...")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, (int, float)) else f"a {_kind(value)}"


def _kind(value: Any) -> str:
    return "table" if isinstance(value, Mapping) else "list"


def _model(loc: Sequence[int | str], root: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model that holds a place, or None inside free-form tables."""
    current: type[BaseModel] | None = root
    for step in loc:
        if isinstance(step, int):
            continue
        field = _field(current, step)
        current = next(iter(_models_in(field.annotation)), None) if field else None
    return current


def _field(model: type[BaseModel] | None, name: object) -> Any:
    if model is None:
        return None
    fields = model.model_fields
    by_alias = {field.alias or key: field for key, field in fields.items()}
    return by_alias.get(str(name))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _fields(loc: Sequence[int | str], root: type[BaseModel]) -> list[str]:
    model = _model(loc, root)
    return [field.alias or key for key, field in model.model_fields.items()] if model else []


def _description(loc: Sequence[int | str], root: type[BaseModel]) -> str:
    names = [step for step in loc if isinstance(step, str)]
    field = _field(_model(names[:-1], root), names[-1]) if names else None
    return f"{field.description}." if field is not None and field.description else ""
