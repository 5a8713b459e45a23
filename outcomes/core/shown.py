"""How an answer shows itself at a prompt or in a notebook: a heading, then a line a fact.

An answer holds tables and arrays of people; printed in full they are no use and are not to be left
in a notebook. A heading and facts are counts, names and sentences, never a value of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


class Shown:
    """An answer that says in a few lines what it is and where to look next."""

    def _shown(self) -> tuple[str, Mapping[str, str]]:
        """Return the heading and the facts by name; empty facts are left out."""
        raise NotImplementedError

    def __repr__(self) -> str:
        heading, facts = self._shown()
        width = max(map(len, facts), default=0)
        lines = [f"  {name:<{width}}  {text}" for name, text in facts.items() if text]
        return "\n".join([heading, *lines])

    def _repr_html_(self) -> str:
        heading, facts = self._shown()
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in facts.items()
            if text
        )
        return f"<p><strong>{escape(heading)}</strong></p><table><tbody>{rows}</tbody></table>"
