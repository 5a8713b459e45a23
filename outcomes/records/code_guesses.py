"""What the codes in an export's cells most likely mean: other words, and codes for nothing.

Cells are compared with words that are known and with limits that are declared. What is not known is
told only where it stands in the rows of so many cases that it is nobody's. Every change that is
proposed says why beside it, because a code that is read wrongly is worse than one that is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from outcomes.catalog.instruments import Instrument
from outcomes.core.contract import Column
from outcomes.records.codes import ALIASES, known_codes, not_known
from outcomes.records.columns import FALSE_WORDS, MISSING_WORDS, TRUE_WORDS
from outcomes.records.guesses import Guess, TableGuess, guess_codes
from outcomes.records.names import normalised
from outcomes.records.patterns import is_value_like
from outcomes.records.rules import known_instrument, span
from outcomes.records.session_numbers import case_of
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident
from outcomes.records.synonyms import instrument_name, synonyms
from outcomes.records.wide_guesses import WideGuess, by_word

MISSING_CODES: Final = (9, 99, 999, -9, -99, -999)
MOST_CODES: Final = 40
FEWEST: Final = 11
"""Cases in which a code must stand before it is named, and cells that are many."""
NEAR: Final = 5
WORD: Final = re.compile(r"[^\W\d_][\w /&-]{0,29}")
"""What a code looks like that may be named: a word or a few, with no mark of a sentence."""


def look_at_codes(connection: Any, source: Loaded, guess: TableGuess) -> None:
    """Add to the guesses of a table what the cells of its source show about codes."""
    looked = _Codes(connection, source)
    guess.columns = [looked.column(guess, one) for one in guess.columns]
    wide = [part for one in guess.wide for part in looked.wide(one)]
    elsewhere = {code for one in wide for code in one.says.get("missing", ())}
    guess.wide = [looked.asked(one, elsewhere) for one in wide]


class _Codes:
    """The codes of one source."""

    def __init__(self, connection: Any, source: Loaded) -> None:
        self._connection = connection
        self._source = source

    def column(self, table: TableGuess, guess: Guess) -> Guess:
        """Look at the cells of one column that a declared column is made from as they are."""
        name, column = guess.says.get("from"), table.table[guess.column]
        if not isinstance(name, str) or "factor" in guess.says:
            return guess
        if column.kind == "boolean":
            return _yes_or_no(guess, self._codes(name))
        if column.kind == "category":
            return self._recoded(guess, column, name)
        if (table.table.name, column.name) == ("assessments", "score"):
            return self._score(table, guess, name)
        if column.kind in ("integer", "number"):
            return self._number(guess, name, column.low, column.high)
        return guess

    def wide(self, guess: WideGuess) -> list[WideGuess]:
        """Add codes such as 99 that are there and lie outside the range.

        Where a code is a score of one instrument and none of another, each has its own pattern.
        """
        found, inside = self._outside(guess)
        if found & inside and "pattern" in guess.says:
            return [part for one in by_word(guess) for part in self.wide(one)]
        if not found:
            return [guess]
        says = {**guess.says, "missing": sorted(found)}
        reason = f"{guess.reason}; codes outside the range read as missing"
        return [replace(guess, says=says, reason=reason)]

    def asked(self, guess: WideGuess, elsewhere: Iterable[int]) -> WideGuess:
        """Ask about codes for nothing of other columns that pile up within the range of these."""
        _, inside = self._outside(guess)
        piled = [
            code
            for code in sorted(inside & set(elsewhere))
            if any(self._piles_up(column, code) for column in guess.instruments)
        ]
        asks = tuple(
            f"{next(iter(guess.instruments))!r} holds {code} more often than scores near it, and"
            f" {code} means missing elsewhere: here too? Then write missing = [{code}]"
            for code in piled
        )
        return replace(guess, gaps=(*guess.gaps, *asks))

    def _outside(self, guess: WideGuess) -> tuple[set[int], set[int]]:
        """Codes for nothing that lie outside the range of their instrument, and those within."""
        found: set[int] = set()
        inside: set[int] = set()
        for column, name in guess.instruments.items():
            known = known_instrument(name)
            for code in self._missing_codes(column) if known else []:
                (found if known and _is_outside(known, code) else inside).add(code)
        return found, inside

    def _piles_up(self, column: str, code: int) -> bool:
        """Whether many cells hold a code, more than hold all numbers near it."""
        number = self._as_number(column)
        n, near = self._connection.execute(
            f"SELECT count(*) FILTER ({number} = {code}), "
            f"count(*) FILTER ({number} <> {code} AND abs({number} - {code}) <= {NEAR}) "
            f"FROM {self._source.relation}"
        ).fetchone()
        return bool(n >= FEWEST and n > near)

    def _score(self, table: TableGuess, guess: Guess, name: str) -> Guess:
        """Codes outside the range of every instrument in whose rows they stand."""
        instrument = next((one for one in table.columns if one.column == "instrument"), None)
        beside = instrument.says.get("from") if instrument else None
        if not isinstance(beside, str):
            return guess
        found = [
            code
            for code in self._missing_codes(name)
            if all(
                (known := known_instrument(instrument_name(word))) and _is_outside(known, code)
                for word in self._codes(beside, f"{self._as_number(name)} = {code}") or [""]
            )
        ]
        return _emptied(guess, found, "outside the instrument's range")

    def _recoded(self, guess: Guess, column: Column, name: str) -> Guess:
        """Recode other words that are known, and ask for those that nobody knows."""
        found = self._codes(name)
        recode = guess_codes(column.name, found)
        if recode:
            says = {**guess.says, "recode": recode, "other": "keep"}
            guess = replace(guess, says=says, reason=f"{guess.reason}; known other words")
        rest = [_as_declared(column, code) for code in found if code not in recode]
        unknown, _ = not_known(column, [code for code in rest if code not in MISSING_WORDS])
        if not unknown:
            return guess
        common = ", ".join(map(repr, self._common(name, unknown)))
        named = f" ({common}{', ...' * (common.count(', ') + 1 < len(unknown))})" if common else ""
        ask = f"{_codes_of(len(unknown), guess)} not known{named}: recode them."
        return replace(guess, gaps=(*guess.gaps, f"{ask} {known_codes(column)}"))

    def _number(self, guess: Guess, name: str, low: float | None, high: float | None) -> Guess:
        if low is None and high is None:
            return guess
        found = [code for code in self._missing_codes(name) if _beyond(code, low, high)]
        return _emptied(guess, found, f"outside {span(low, high)}")

    def _codes(self, column: str, condition: str = "TRUE") -> list[str]:
        """Different texts of a column; none where it has so many that it holds no codes."""
        rows = self._connection.execute(
            f"SELECT DISTINCT trim(CAST({ident(column)} AS VARCHAR)) FROM {self._source.relation} "
            f"WHERE {ident(column)} IS NOT NULL AND ({condition}) "
            f"ORDER BY 1 LIMIT {MOST_CODES + 1}"
        ).fetchall()
        return [value for (value,) in rows] if len(rows) <= MOST_CODES else []

    def _missing_codes(self, column: str) -> list[int]:
        """Those of the usual codes for nothing that a column holds."""
        listed = ", ".join(map(str, MISSING_CODES))
        number = self._as_number(column)
        rows = self._connection.execute(
            f"SELECT DISTINCT {number} AS code FROM {self._source.relation} "
            f"WHERE {number} IN ({listed}) ORDER BY code"
        ).fetchall()
        return [int(code) for (code,) in rows]

    def _as_number(self, column: str) -> str:
        text = f"CAST({ident(column)} AS VARCHAR)"
        text = f"replace({text}, ',', '.')" if self._source.decimal == "," else text
        return f"TRY_CAST({text} AS DOUBLE)"

    def _common(self, column: str, codes: Iterable[str]) -> list[str]:
        """Those of some codes that stand in the rows of so many cases that they are nobody's."""
        case = case_of(self._source)
        text = f"trim(CAST({ident(column)} AS VARCHAR))"
        rows = self._connection.execute(
            f"SELECT {text} AS code FROM {self._source.relation} GROUP BY code "
            f"HAVING count({f'DISTINCT {ident(case)}' if case else '*'}) >= {FEWEST} ORDER BY code"
        ).fetchall()
        wanted = {code.lower() for code in codes}
        common = [code for (code,) in rows if code is not None and code.lower() in wanted]
        return [code for code in common if WORD.fullmatch(code) and not is_value_like(code)]


def _yes_or_no(guess: Guess, found: list[str]) -> Guess:
    """Recode words such as ``ja`` and ``nein``; ask where a code is neither yes nor no."""
    understood = {*TRUE_WORDS, *FALSE_WORDS, *MISSING_WORDS}
    strange = [code for code in found if code.lower() not in understood]
    recode = {code: said == "true" for code, said in guess_codes("yes_no", strange).items()}
    missing = [code for code in strange if _is_nothing(code)]
    left = len(strange) - len(recode) - len(missing)
    says, why = dict(guess.says), [guess.reason]
    if recode:
        says |= {"recode": recode, "other": "keep"}
        why.append("words for yes and no")
    if missing:
        says["missing"] = missing
        why.append("words for nothing known")
    gaps = guess.gaps
    if left:
        gaps += (
            f"{_codes_of(left, guess)} neither yes nor no: say what is meant, such as "
            'recode = { "your code" = true }',
        )
    return replace(guess, says=says, reason="; ".join(why), gaps=gaps)


def _as_declared(column: Column, code: str) -> str:
    """A code as it is compared when records are read."""
    plain = code.lower()
    if column.values and (joined := plain.replace(" ", "_").replace("-", "_")) in column.values:
        return joined
    return ALIASES[column.name]().get(plain, plain) if column.name in ALIASES else plain


def _codes_of(count: int, guess: Guess) -> str:
    holds = "1 code that is" if count == 1 else f"{count} codes that are"
    return f"{guess.says['from']!r} holds {holds}"


def _emptied(guess: Guess, found: Iterable[int], why: str) -> Guess:
    missing = list(found)
    if not missing:
        return guess
    listed = " and ".join(map(str, missing))
    reason = f"{guess.reason}; {listed} lie{'s' * (len(missing) == 1)} {why}, so read as missing"
    return replace(guess, says={**guess.says, "missing": missing}, reason=reason)


def _is_nothing(code: str) -> bool:
    """Whether a code of a yes-no column says that nothing is known."""
    known = synonyms()["nothing"]["words"]
    return normalised(code) in known or code in {str(number) for number in MISSING_CODES}


def _is_outside(known: Instrument, code: int) -> bool:
    return _beyond(code, known.score_min, known.score_max)


def _beyond(code: int, low: float | None, high: float | None) -> bool:
    return (low is not None and code < low) or (high is not None and code > high)
