"""Reads a reference case of the mixed model into wide rows, maps and coefficient rows."""

import csv
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "mmrm"


def read_case(name):
    """The reference numbers, with the coefficient rows where another file holds them."""
    case = json.loads((FOLDER / "numbers" / f"{name}.json").read_text())
    if "linear_functions" not in case:
        other = FOLDER / "numbers" / f"{case['linear_functions_in']}.json"
        case["linear_functions"] = json.loads(other.read_text())["linear_functions"]
    return case


def read_rows(case):
    with (FOLDER / case["data"]).open() as file:
        return list(csv.DictReader(file))


class WideCase:
    """One row a patient: z, y, weights, group; and the maps of the formula.

    A column of z is one level of a factor, a number, or a number at one visit where it changes.
    """

    def __init__(self, case, rows=None):
        self.case, self.levels = case, case["levels"]
        self.visits = tuple(self.levels["visit"])
        rows = read_rows(case) if rows is None else rows
        self.patients = {}
        for row in rows:
            self.patients.setdefault(row["patient_id"], {})[row["visit"]] = row
        response, right = (part.strip() for part in case["formula"].split("~"))
        self.y = self._by_visit(response)
        self.columns, self.z = ["1"], [np.ones(len(self.patients))]
        self._terms(right)
        self.z = np.column_stack(self.z)
        self.maps = self._maps()
        self.weights = self._weights(case.get("weights"))
        self.groups, self.group = self._groups(case.get("covariance_group"))

    def _by_visit(self, name):
        def value(row):
            return float(row[name]) if row is not None and row[name] != "" else np.nan

        return np.array([[value(p.get(v)) for v in self.visits] for p in self.patients.values()])

    def _terms(self, right):
        main, crossed = [], []
        for part in right.split("+"):
            names = [name.strip() for name in part.split("*")]
            main += [name for name in names if name not in main]
            crossed += [sorted(names, key=main.index)] if len(names) == 2 else []
        self.design = [("(Intercept)", [("1", None)])]
        for name in main:
            self.design += self._main(name)
        for first, second in crossed:
            for outer, outer_parts in self._main(second):
                for inner, inner_parts in self._main(first):
                    parts = (inner_parts, outer_parts)
                    other = next(p for p in parts if p[0][0] != "1")
                    visit = next(p for p in parts if p[0][0] == "1")
                    self.design.append((f"{inner}:{outer}", [(other[0][0], visit[0][1])]))

    def _main(self, name):
        """Design columns of a main effect: name and (column of z, visit or None for all)."""
        if name == "visit":
            return [(f"visit{v}", [("1", v)]) for v in self.visits[1:]]
        firsts = [next(iter(p.values())) for p in self.patients.values()]
        if name in self.levels:
            out = []
            for level in self.levels[name][1:]:
                self._add(f"{name}{level}", [float(row[name] == level) for row in firsts])
                out.append((f"{name}{level}", [(f"{name}{level}", None)]))
            return out
        values = self._by_visit(name)
        same = np.nanmax(values, axis=1) == np.nanmin(values, axis=1)
        if same.all():
            self._add(name, np.nanmax(values, axis=1))
            return [(name, [(name, None)])]
        for t, visit in enumerate(self.visits):
            self._add(f"{name}@{visit}", np.nan_to_num(values[:, t]))
        return [(name, [(f"{name}@{visit}", visit) for visit in self.visits])]

    def _add(self, name, values):
        if name not in self.columns:
            self.columns.append(name)
            self.z.append(np.asarray(values, dtype=float))

    def _maps(self):
        maps = np.zeros((len(self.visits), len(self.design), len(self.columns)))
        for j, (_, parts) in enumerate(self.design):
            for column, visit in parts:
                at = slice(None) if visit is None else self.visits.index(visit)
                maps[at, j, self.columns.index(column)] = 1.0
        return maps

    def _weights(self, name):
        return None if name is None else np.where(np.isnan(self.y), 1.0, self._by_visit(name))

    def _groups(self, name):
        if name is None:
            return ("",), None
        values = [next(iter(p.values()))[name] for p in self.patients.values()]
        return tuple(self.levels[name]), np.array([self.levels[name].index(v) for v in values])
