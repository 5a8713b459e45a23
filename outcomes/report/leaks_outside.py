"""Whatever in a finished page would reach outside, or let something in."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

from outcomes.report.finished import Element, Finished

POLICY: Final = "content-security-policy"
CLOSED: Final = ("default-src", "connect-src", "form-action", "base-uri")
FETCHING: Final = ("src", "href", "srcset", "action", "formaction", "poster", "data", "xlink:href")
FOREIGN: Final = frozenset({"iframe", "object", "embed", "form", "base", "link", "frame", "portal"})
_ADDRESS: Final = re.compile(
    r"^\s*(?:(?:[a-z][a-z0-9+.-]*:)?//|(?:https?|ftp|wss?|file|javascript):)", re.IGNORECASE
)
_STYLE: Final = re.compile(r"@import|url\(\s*['\"]?(?!data:|#)", re.IGNORECASE)
_REQUEST: Final = re.compile(
    r"\b(?:fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts)\s*\("
)


def find_outside(found: Finished, data: Any) -> list[str]:
    """Return what reaches outside.

    Parameters
    ----------
    found : Finished
    data : JSON values
        The page's unpacked data, or None.
    """
    return [
        *_policy(found),
        *_elements(found),
        *("A style asks for something outside." for s in found.styles if _STYLE.search(s)),
        *_scripts(found),
        *_plotly(data),
    ]


# ---------------------------------------------------------------------------------------- policy
def directives(found: Finished) -> dict[str, list[str]]:
    """Return the content security policy of a page, by directive; empty where there is none."""
    for element in found.elements:
        if element.tag == "meta" and element.attributes.get("http-equiv", "").lower() == POLICY:
            parts = [part.split() for part in element.attributes.get("content", "").split(";")]
            return {part[0].lower(): part[1:] for part in parts if part}
    return {}


def _policy(found: Finished) -> Iterator[str]:
    policy = directives(found)
    if not policy:
        yield "The page has no content security policy."
        return
    for name in CLOSED:
        if policy.get(name) != ["'none'"]:
            yield f"The content security policy does not close {name}."
    for name in policy:
        for source in policy[name]:
            if "://" in source or source.startswith("*") or source in ("https:", "http:", "ws:"):
                yield f"The content security policy lets {name} reach outside."
    unsafe = {"'unsafe-inline'", "'unsafe-eval'"} & set(policy.get("script-src", []))
    if unsafe:
        yield f"The content security policy lets scripts run as {', '.join(sorted(unsafe))}."


def _scripts(found: Finished) -> Iterator[str]:
    """Yield scripts that the policy does not name, and requests in the page's own."""
    named = directives(found).get("script-src", [])
    for script in found.scripts:
        if not script.runs:
            continue
        digest = base64.b64encode(hashlib.sha256(script.text.encode("utf-8")).digest())
        if f"'sha256-{digest.decode('ascii')}'" not in named:
            yield "A script is not named in the content security policy."
        if _REQUEST.search(script.text):
            yield "A script of the page makes requests."


# -------------------------------------------------------------------------------------- elements
def _elements(found: Finished) -> Iterator[str]:
    for element in found.elements:
        if element.tag in FOREIGN:
            yield f"Line {element.line} has an element <{element.tag}>."
        yield from _attributes(element)


def _attributes(element: Element) -> Iterator[str]:
    where = f"Line {element.line}, <{element.tag}>"
    for name, value in element.attributes.items():
        if name in FETCHING and _ADDRESS.search(value):
            yield f"{where}: {name} leads outside."
        if name.startswith("on"):
            yield f"{where}: {name} runs a script."
        if name == "style" and _STYLE.search(value):
            yield f"{where}: its style asks for something outside."


def _plotly(data: Any) -> Iterator[str]:
    config = data.get("config") if isinstance(data, dict) else None
    if not isinstance(config, dict):
        return
    if config.get("showSendToCloud") or config.get("plotlyServerURL"):
        yield "Plotly's upload button is on."
