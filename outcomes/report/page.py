"""One self-contained page: text, tables, pictures, and the script that lets a reader choose.

The page carries everything it needs. Its content security policy names the hashes of the scripts
it may run and forbids every request. Plotly's script and the data of the page's own script stand in
it compressed (:func:`read_packed` gives them back); Plotly runs only because its hash is named.
Without scripts all text, tables and still pictures are there.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from markupsafe import Markup

from outcomes.core.errors import UsageError
from outcomes.figures.responder import SHARES
from outcomes.figures.svg import backdrop, bar_shapes, bars, definitions, marker_shapes
from outcomes.report.answer import build_cards
from outcomes.report.care import build_codelivery, build_components, build_dose
from outcomes.report.checks import (
    build_checks,
    build_conditions,
    build_gate,
    comparison_words,
    gate_words,
)
from outcomes.report.context import HIDDEN_MARK, Context, build_context
from outcomes.report.effects import build_effect
from outcomes.report.leads import (
    absent_outcomes,
    analysis_notes,
    can_say,
    cannot_say,
    care_lead,
    data_notes,
    facts_words,
    flow_lead,
    left_out,
    paragraphs,
    with_codes,
)
from outcomes.report.medicines import build_changes, build_use
from outcomes.report.people import (
    build_baseline,
    build_completeness,
    build_flow,
    n_analysed,
    type_sizes,
)
from outcomes.report.safety import build_described, build_harms
from outcomes.report.script import script_data, to_json
from outcomes.report.study import source_words
from outcomes.report.tokens import style_tokens
from outcomes.results.wording import MINUS, capitalised, count, in_sentence

if TYPE_CHECKING:
    import jinja2

    from outcomes.report.release import Release

Audience = Literal["board", "clinic", "methods"]
AUDIENCES: Final = get_args(Audience)
STYLES: Final = ("page.css", "narrow.css", "print.css")
SCRIPTS: Final = ("page.js", "figures.js")
LARGEST: Final = 2_500_000
"""Bytes that a page may have; the tests hold pages of six and of twelve types to it."""


# --------------------------------------------------------------------------------------- the page
def render_page(release: Release, *, audience: Audience = "clinic") -> str:
    """Write the page of a release.

    Parameters
    ----------
    release : Release
        Tables that passed the disclosure gate, and the study in words.
    audience : {"clinic", "board", "methods"}
        ``board`` is the answer and the harms on one page; ``methods`` is everything, opened.

    Returns
    -------
    str
        A whole HTML document.

    Raises
    ------
    UsageError
        Where the audience is not one of the three.
    """
    if audience not in AUDIENCES:
        raise UsageError(f"audience {audience!r} is not one of {', '.join(AUDIENCES)}.")
    context = build_context(release)
    parts = _parts(context, audience)
    scripts = {} if audience == "board" else _scripts(context)
    template = _environment().get_template("page.html")
    return template.render(
        **parts,
        **scripts,
        policy=_policy(scripts),
        css="".join(_source(name) for name in STYLES),
        tokens=style_tokens(context.study),
    )


def write_page(release: Release, path: str | Path, audience: Audience = "clinic") -> Path:
    """Write the page to a file: under another name first, then renamed.

    Parameters
    ----------
    release : Release
    path : path
    audience : {"clinic", "board", "methods"}

    Returns
    -------
    Path
        Where the page is.
    """
    target = Path(path)
    text = render_page(release, audience=audience)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _parts(context: Context, audience: Audience) -> dict[str, Any]:
    """Return what the template shows."""
    shared = {
        "audience": audience,
        "study": context.study,
        "raw": context.study.raw,
        "shapes": Markup(
            definitions(
                [
                    *marker_shapes(context.study.looks.values()),
                    *bar_shapes(),
                    backdrop("shares", SHARES, zero=None),
                ]
            )
        ),
        "narrative": context.narrative,
        "can_say": can_say(context),
        "cannot_say": cannot_say(context),
        "swatch": context.swatch,
        "cards": build_cards(context),
        "harms": build_harms(context),
        "meta": context.narrative.meta(n_analysed(context)),
        "benefit": build_effect(context, context.study.primary_outcome),
        "facts_words": facts_words(context.study),
        "reviews_differ": len({f.get("review") for f in context.study.raw.get("facts") or []}) > 1,
    }
    if audience == "board":
        return shared
    gate, n_checks = build_gate(context)
    declared = context.comparisons.get(
        context.study.primary_outcome, context.study.primary_exposure
    )
    return {
        **shared,
        "declared": declared,
        "declared_bars": Markup(bars(declared.verdict.bars)),
        "declared_words": comparison_words(context, declared, with_result=True),
        "flow": build_flow(context),
        "baseline": build_baseline(context),
        "completeness": build_completeness(context),
        "codelivery": build_codelivery(context),
        "components": build_components(context),
        "sizes": type_sizes(context),
        "dose": build_dose(context),
        "effects": [build_effect(context, outcome) for outcome in context.study.outcomes],
        "use": build_use(context),
        "changes": build_changes(context),
        "described": build_described(context, all_visits=audience == "methods"),
        "checks": build_checks(context),
        "gate": gate,
        "conditions": build_conditions(context),
        "gate_words": gate_words(gate, n_checks),
        "problems": context.release.table("problems").to_dict("records"),
        "with_codes": with_codes,
        "flow_lead": flow_lead(context),
        "care_lead": care_lead(context),
        "paragraphs": paragraphs(context.study),
        "data_notes": data_notes(context.study),
        "analysis_notes": analysis_notes(context.study),
        "left_out": left_out(context.study),
        "absent": absent_outcomes(context.study),
        "minus": MINUS,
    }


# ------------------------------------------------------------------------- scripts and the policy
def _scripts(context: Context) -> dict[str, Any]:
    source, digest = plotly_script()
    return {
        "data": pack(to_json(script_data(context)).encode("utf-8")),
        "plotly": source,
        "plotly_hash": digest,
        "script": "".join(_source(name) for name in SCRIPTS),
    }


@dataclass(frozen=True)
class Packed:
    """Compressed bytes as base 85, which holds no slash and so cannot close a script element."""

    text: str
    n_bytes: int


def pack(source: bytes) -> Packed:
    """Compress bytes into text that a script element may hold; the page's script unpacks it."""
    packed = gzip.compress(source, compresslevel=9, mtime=0)
    return Packed(base64.b85encode(packed, pad=True).decode("ascii"), len(packed))


def unpack(packed: Packed) -> bytes:
    """Return what was packed."""
    return gzip.decompress(base64.b85decode(packed.text)[: packed.n_bytes])


def read_packed(page: str, name: str) -> bytes:
    """Return what a page holds packed: its ``data``, as JSON, or ``plotly``.

    Parameters
    ----------
    page : str
        A whole HTML document of :func:`render_page`.
    name : {"data", "plotly"}

    Raises
    ------
    KeyError
        Where the page holds no such part, as the board's page does not.
    """
    found = re.search(rf'<script[^>]* id="{name}" data-bytes="(\d+)">([^\n]*)</script>', page)
    if found is None:
        raise KeyError(name)
    return unpack(Packed(found.group(2), int(found.group(1))))


@lru_cache(maxsize=1)
def plotly_script() -> tuple[Packed, str]:
    """Return Plotly's script, packed, and its hash for the policy."""
    source = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return pack(source), _hash(source)


def _hash(source: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source).digest()).decode('ascii')}"


def _policy(scripts: dict[str, Any]) -> str:
    """Return the content security policy: named scripts, no request, no form, no base."""
    if scripts:
        own = _hash(scripts["script"].encode("utf-8"))
        allowed = f"script-src '{own}' '{scripts['plotly_hash']}'"
    else:
        allowed = "script-src 'none'"
    return "; ".join(
        (
            "default-src 'none'",
            allowed,
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "connect-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
        )
    )


# ------------------------------------------------------------------------------------- templates
def _source(name: str) -> str:
    return (files("outcomes.report") / "templates" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["hidden_mark"] = HIDDEN_MARK
    environment.filters["capitalised"] = capitalised
    environment.filters["count"] = count
    environment.filters["in_sentence"] = in_sentence
    environment.filters["sources"] = source_words
    return environment
