"""A formula in words of the model: which columns it needs, which it takes as categories.

Formulas are those of formulaic (Wilkinson notation, treatment coding with the first level as
reference). Coefficients have the names and the order that R gives them, such as
``exposureexercise:week12``: in an interaction, the variable that the formula mentions first comes
first and runs fastest. The visit is an ordered category wherever it stands; a slope over time is
another column.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.formula import SimpleFormula
from formulaic.parser.types import Factor, Term
from formulaic.transforms import TRANSFORMS

from outcomes.core.errors import UsageError
from outcomes.stats.covariance import STRUCTURES

_DECLARED = re.compile(r"^C\(\s*(?:`([^`]+)`|([\w.]+))\s*(?:,.*)?\)$")
_QUOTED = re.compile(r"`([^`]+)`")
_BETWEEN_QUOTES = re.compile(r"`([^`]*)`")
_LITERAL = ("", "0", "1")
"""Names that a formula takes for numbers, even between quotes."""
_LEVEL = re.compile(r"\[(?:T\.)?([^\]]*)\](?=$|:)")
_KNOWN = "bs, cr, cc, poly, center, scale, C, I, log, exp and functions of np, such as np.sqrt"
_COVARIANCE = "the covariance of the visits is said by covariance=, subject= and visit="
_INSTEAD = {
    "offset": "a column whose coefficient is one is named by offset=",
    "factor": "a category is C(...)",
    "ns": "a natural cubic spline is cr(...)",
    "Q": "a name with a space stands between backticks",
    **dict.fromkeys(STRUCTURES, _COVARIANCE),
}
"""What is meant by functions of other programs."""
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.BitXor: ("^", "a power inside a function is '**'"),
    ast.BitOr: ("|", _COVARIANCE),
}
"""Operators on yes and no alone, and what is meant by them elsewhere."""
_STATEFUL = {n for n, f in TRANSFORMS.items() if getattr(f, "__is_stateful_transform__", False)}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m|[⧛⧚]")


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A formula that names a response and covariates.

    Attributes
    ----------
    response_formula, formula : formulaic.Formula
        Left and right side.
    response, covariates : tuple of str
        Columns that each side needs, sorted.
    categories : frozenset of str
        Columns that stand in ``C(...)``.
    """

    response_formula: Any
    formula: Any
    response: tuple[str, ...]
    covariates: tuple[str, ...]
    categories: frozenset[str]


def parse_formula(text: str) -> Parsed:
    """Read ``response ~ terms``.

    Raises
    ------
    UsageError
        Where the text is no formula, has no response, or more than two sides.
    """
    try:
        formula = Formula(text)
    except SyntaxError as error:
        raise UsageError(
            f"The formula '{text}' cannot be read: what stands inside a function such as C(...) "
            "must be Python. Copy a column that has a space or a Python word for its name, such as "
            "'class', under another name."
        ) from error
    except (FormulaicError, AttributeError) as error:
        reason = _COLOURS.sub("", str(error)).split("\n")[0].strip()
        reason += f" In place of (1 | subject), {_COVARIANCE}." * ("`|`" in reason)
        raise UsageError(f"The formula '{text}' cannot be read: {reason}") from error
    sides: list[Any] = [getattr(formula, side, None) for side in ("lhs", "rhs")]
    if not all(isinstance(side, SimpleFormula) for side in sides) or len(sides[0]) != 1:
        raise UsageError(f"The formula '{text}' must be 'response ~ terms' with one response.")
    if not len(sides[1]):
        raise UsageError(f"The formula '{text}' has nothing on its right side; use '~ 1'.")
    response, covariates = (tuple(sorted(columns_of(side))) for side in sides)
    _check_names({*response, *covariates, *_BETWEEN_QUOTES.findall(text)})
    factors = {str(factor.expr) for term in sides[1] for factor in term.factors}
    return Parsed(
        response_formula=sides[0],
        formula=_in_order_of_mention(sides[1], text),
        response=response,
        covariates=covariates,
        categories=_declared(factors),
    )


def coefficient_names(columns: Sequence[str]) -> tuple[str, ...]:
    """R's names for formulaic's; formulaic's where R's would not be unique."""
    names = tuple(
        "(Intercept)" if name == "Intercept" else _LEVEL.sub(r"\1", name) for name in columns
    )
    return names if len(set(names)) == len(names) else tuple(columns)


def plain_name(expression: str) -> str:
    """The column behind ``x``, `` `x` `` or ``C(x, ...)``; other text as it is."""
    declared = _DECLARED.match(expression)
    return (declared[1] or declared[2]) if declared else expression.strip("`")


def _in_order_of_mention(side: Any, text: str) -> Any:
    """The terms, with the factors of each in the order in which the formula mentions them."""
    right = text.split("~")[-1].replace(" ", "")
    terms = [Term(sorted(term.factors, key=lambda f: _mention(f.expr, right))) for term in side]
    return SimpleFormula(terms, _ordering="none")


def _mention(expression: str, text: str) -> int:
    whole = rf"(?<![\w.]){re.escape(expression.replace(' ', ''))}(?![\w.])"
    found = re.search(whole, text)
    return found.start() if found else len(text)


def calculated(terms: Iterable[Any]) -> list[Any]:
    """For each function, but ``C(...)`` of a column, the first term that holds it."""
    first: dict[str, Any] = {}
    for term in terms:
        for factor in term.factors:
            if factor.eval_method is Factor.EvalMethod.PYTHON and not _DECLARED.match(factor.expr):
                first.setdefault(factor.expr, term)
    return list(dict.fromkeys(first.values()))


def remembering(terms: Iterable[Any]) -> list[Any]:
    """The functions, or what they are functions of, that keep what they learn of the rows."""
    found = {f.expr: f for term in calculated(terms) for f in term.factors}
    return [f for f in found.values() if _STATEFUL & _names_called(f)]


def columns_of(terms: Iterable[Any]) -> set[str]:
    """Names of columns, also inside functions, where formulaic's own list misses some."""
    names: set[str] = set()
    for factor in (factor for term in terms for factor in term.factors):
        if factor.eval_method is Factor.EvalMethod.LOOKUP:
            names.add(factor.expr)
        elif factor.eval_method is Factor.EvalMethod.PYTHON:
            names |= _names_inside(factor.expr)
    return names


def _check_names(names: set[str]) -> None:
    literal = sorted(names & set(_LITERAL))
    if literal:
        raise UsageError(
            f"A formula cannot use a column named {', '.join(map(repr, literal))}: copy it under "
            "another name."
        )


def _names_inside(code: str) -> set[str]:
    quoted = set(_QUOTED.findall(code))
    tree = ast.parse(_QUOTED.sub("0", code), mode="eval")
    _check_calls(tree, code)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    both = sorted((quoted | _arguments(tree)) & set(TRANSFORMS))
    if both:
        raise UsageError(
            f"{', '.join(map(repr, both))} is the name of a function in '{code}': copy a column of "
            "that name under another one."
        )
    return quoted | (names - set(TRANSFORMS))


def _names_called(factor: Any) -> set[str]:
    if factor.eval_method is not Factor.EvalMethod.PYTHON:
        return set()
    tree = ast.parse(_QUOTED.sub("0", factor.expr), mode="eval")
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {function.id for function in calls if isinstance(function, ast.Name)}


def _check_calls(tree: ast.AST, code: str) -> None:
    """Raise where a function is not known, or an operator is not what it is elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in TRANSFORMS and name not in {"Q"}:
                continue
            meant = f": {_INSTEAD[name]}" if name in _INSTEAD else ""
            raise UsageError(f"'{name}' in '{code}' is no function{meant}. There are {_KNOWN}.")
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            sign, meant = _OPERATORS[type(node.op)]
            if not (_is_truth(node.left) and _is_truth(node.right)):
                raise UsageError(f"'{sign}' in '{code}' takes comparisons: {meant}.")


def _is_truth(node: ast.AST) -> bool:
    """Whether an expression may be yes or no."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor)
    return isinstance(node, ast.Compare | ast.Call | ast.UnaryOp)


def _arguments(tree: ast.AST) -> set[str]:
    """Names that stand for themselves, and neither as a function nor before a point."""
    used = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    used |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in used}


def _declared(factors: set[str]) -> frozenset[str]:
    matches = [match for match in map(_DECLARED.match, factors) if match]
    names = frozenset(match[1] or match[2] for match in matches)
    both = sorted(names & factors)
    if both:
        raise UsageError(
            f"The formula uses {', '.join(map(repr, both))} as a category and as it is; copy the "
            "column under another name for one of the two."
        )
    return names
