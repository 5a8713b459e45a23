"""The mixed model at growing numbers of patients and of patterns, beside other programs.

``python -m benchmarks.mmrm [--largest N] [--mixedlm N] [--gee N]``. Six exposures, four visits, 48
coefficients, and 20 contrasts where a program makes any. Every line is a process of its own that
starts from a Parquet file of the same rows. The floor is a bare NumPy pass: read the file, make the
products of its columns. Peers are statsmodels' OLS (no correlation at all), GEE (exchangeable) and
MixedLM (random visits), the last two up to a size of their own, as they take minutes beyond it.

Then the fit alone, once the sums are made, in one process: by patients, and at twelve visits by
patterns of missing visits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import HEAD, cost_of, line

FORMULA: Final = "score ~ baseline*week + exposure*week + " + " + ".join(f"x{k}" for k in range(20))
_READ: Final = "import sys, pandas as pd; data = pd.read_parquet(sys.argv[1]);"
_WORDS: Final = f"{_READ} data['week'] = data['week'].astype(str);"
_MAKE: Final = (
    "import sys; from benchmarks.mmrm import make_data;"
    " make_data(int(sys.argv[1])).to_parquet(sys.argv[2], index=False)"
)
_PASS: Final = (
    f"{_READ} import numpy as np; x = data.select_dtypes('number').to_numpy();"
    " print((x.T @ x).sum())"
)
_PEERS: Final = {
    "statsmodels OLS": f"{_WORDS} import statsmodels.formula.api as smf;"
    f" smf.ols({FORMULA!r}, data).fit()",
    "statsmodels GEE, exchangeable": f"{_WORDS} import statsmodels.api as sm;"
    f" sm.GEE.from_formula({FORMULA!r}, 'id', data, cov_struct=sm.cov_struct.Exchangeable()).fit()",
    "statsmodels MixedLM, random visits": f"{_WORDS}"
    " import warnings; warnings.simplefilter('ignore'); import statsmodels.formula.api as smf;"
    f" smf.mixedlm({FORMULA!r}, data, groups='id', re_formula='0 + week').fit()",
}


def _ours(source: str, inference: str) -> str:
    return (
        f"import sys, outcomes, pandas as pd; data = {source};"
        f" fit = outcomes.fit_mmrm(data, {FORMULA!r}, subject='id', visit='week',"
        f" inference={inference!r}); fit.coefficients();"
        " fit.contrasts('exposure', by='week', reference='e0')"
    )


_OURS: Final = {
    f"outcomes, {inference}, {name}": _ours(source, inference)
    for name, source in (
        ("table", "pd.read_parquet(sys.argv[1])"),
        ("streamed", "sys.argv[1]"),
    )
    for inference in ("kenward-roger", "satterthwaite", "CR2")
}


def make_data(patients: int, *, visits: int = 4, covariates: int = 20) -> Any:
    """Return a long frame: six exposures, gaps anywhere."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20261123)
    corr = 0.6 ** np.abs(np.subtract.outer(range(visits), range(visits)))
    exposure = rng.integers(0, 6, patients)
    baseline = rng.normal(6, 1.8, patients)
    x = rng.normal(size=(patients, covariates))
    y = rng.normal(size=(patients, visits)) @ np.linalg.cholesky(corr).T * 2
    y += 0.5 * baseline[:, None] - 0.2 * exposure[:, None] + 0.1 * x.sum(1)[:, None]
    seen = rng.random((patients, visits)) < np.linspace(0.9, 0.6, visits)
    wide = {
        "id": np.repeat(np.arange(patients), visits),
        "week": np.tile(np.arange(1, visits + 1) * 6, patients),
        "exposure": np.repeat(np.array([f"e{k}" for k in range(6)])[exposure], visits),
        "baseline": np.repeat(baseline, visits),
        "score": np.where(seen, y, np.nan).ravel(),
        **{f"x{k}": np.repeat(x[:, k], visits) for k in range(covariates)},
    }
    return pd.DataFrame(wide).dropna(subset="score")


def _compare_programs(patients: int, largest_of: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "data.parquet"
        # In a process of its own: a program's largest memory counts that of who started it.
        subprocess.run([sys.executable, "-c", _MAKE, str(patients), str(file)], check=True)
        print(f"{patients:,} patients; ratios are to the bare NumPy pass")
        print(HEAD)
        floor = None
        for program, code in ({"bare NumPy pass (floor)": _PASS} | _OURS | _PEERS).items():
            if patients > largest_of.get(program, patients):
                print(f"{program:<44}  not run at this size")
                continue
            cost = cost_of([sys.executable, "-c", code, str(file)])
            print(line(program, cost, floor), flush=True)
            floor = floor or cost
    print()


def _fit_seconds(data: Any, formula: str) -> tuple[float, int]:
    """Seconds of the fit with everything Kenward-Roger needs, after the pass; and its patterns."""
    import outcomes
    from outcomes.core.threads import one_thread
    from outcomes.stats.reml import fit_reml

    found = outcomes.fit_mmrm(data, formula, subject="id", visit="week")
    moments, maps = found.fit.reml.cells.moments, found.grid.design.maps
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        one_thread(fit_reml)(moments, maps, covariance="us", method="reml", adjusted=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds), moments.n_cells


def _fit_alone(sizes: list[int]) -> None:
    print("The fit alone, after the pass (least of five); ratio to the first line")
    first = None
    for patients in sizes:
        seconds, _ = _fit_seconds(make_data(patients), FORMULA)
        first = first or seconds
        print(f"{patients:>12,} patients {seconds:10.4f} s {seconds / first:8.2f}", flush=True)
    print("\nTwelve visits, 87 coefficients, by patterns of seen visits")
    formula = "score ~ baseline*week + exposure*week + x0 + x1 + x2"
    first = None
    for patients in (500, 2_000, 6_500, 20_000, 100_000):
        data = make_data(patients, visits=12, covariates=3)
        seconds, patterns = _fit_seconds(data, formula)
        first = first or seconds
        print(
            f"{patients:>12,} patients {patterns:>6,} patterns {seconds:10.4f} s "
            f"{seconds / first:8.2f}",
            flush=True,
        )


def main(arguments: list[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--mixedlm", type=int, default=1_000, help="largest size for MixedLM")
    parser.add_argument("--gee", type=int, default=10_000, help="largest size for GEE")
    given = parser.parse_args(arguments)
    largest_of = dict(zip(list(_PEERS)[1:], (given.gee, given.mixedlm), strict=True))
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= given.largest]
    for patients in sizes:
        _compare_programs(patients, largest_of)
    _fit_alone(sizes)


if __name__ == "__main__":
    main(sys.argv[1:])
