"""The mixed model at growing numbers of patients, beside other programs on the same data.

``python -m benchmarks.mmrm [--largest N] [--peers N]``. Every cell is a process of its own, started
from a Parquet file; reading that file is measured by itself as the floor. Peers are statsmodels'
OLS (no correlation at all), GEE and MixedLM with random visits, up to ``--peers`` patients.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import HEAD, cost_of, line

FORMULA: Final = "score ~ baseline*week + exposure*week + " + " + ".join(f"x{k}" for k in range(20))
READ: Final = "import sys, pandas as pd; data = pd.read_parquet(sys.argv[1]);"
PROGRAMS: Final = {
    "reading the file (floor)": READ,
    "outcomes.fit_mmrm, Kenward-Roger": f"{READ} import outcomes;"
    f" fit = outcomes.fit_mmrm(data, {FORMULA!r}, subject='id', visit='week');"
    " fit.coefficients(); fit.contrasts('exposure', by='week', reference='e0')",
    "statsmodels OLS": f"{READ} data['week'] = data['week'].astype(str);"
    f" import statsmodels.formula.api as smf; smf.ols({FORMULA!r}, data).fit()",
    "statsmodels GEE, exchangeable": f"{READ} data['week'] = data['week'].astype(str);"
    " import statsmodels.api as sm;"
    f" sm.GEE.from_formula({FORMULA!r}, 'id', data, cov_struct=sm.cov_struct.Exchangeable()).fit()",
    "statsmodels MixedLM, random visits": f"{READ} data['week'] = data['week'].astype(str);"
    " import warnings; warnings.simplefilter('ignore'); import statsmodels.formula.api as smf;"
    f" smf.mixedlm({FORMULA!r}, data, groups='id', re_formula='0 + week').fit()",
}
OURS: Final = tuple(PROGRAMS)[:3]


def make_data(patients: int) -> Any:
    """Return a long frame: six exposures, four visits, monotone and gapped dropout."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20261123)
    weeks = np.array([6, 12, 26, 52])
    corr = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))
    exposure = rng.integers(0, 6, patients)
    baseline = rng.normal(6, 1.8, patients)
    x = rng.normal(size=(patients, 20))
    y = rng.normal(size=(patients, 4)) @ np.linalg.cholesky(corr).T * 2
    y += 0.5 * baseline[:, None] - 0.2 * exposure[:, None] + 0.1 * x.sum(1)[:, None]
    seen = rng.random((patients, 4)) < np.array([0.9, 0.8, 0.7, 0.6])
    wide = {
        "id": np.repeat(np.arange(patients), 4),
        "week": np.tile(weeks, patients),
        "exposure": np.repeat(np.array([f"e{k}" for k in range(6)])[exposure], 4),
        "baseline": np.repeat(baseline, 4),
        "score": np.where(seen, y, np.nan).ravel(),
        **{f"x{k}": np.repeat(x[:, k], 4) for k in range(20)},
    }
    return pd.DataFrame(wide).dropna(subset="score")


def main(arguments: list[str]) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--peers", type=int, default=1_000)
    given = parser.parse_args(arguments)
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= given.largest]
    with tempfile.TemporaryDirectory() as name:
        for patients in sizes:
            file = Path(name) / "data.parquet"
            make_data(patients).to_parquet(file, index=False)
            print(f"{patients:,} patients, 6 exposures, 4 visits; ratio to reading the file")
            print(HEAD)
            floor = None
            for program, code in PROGRAMS.items():
                if program in OURS or patients <= given.peers:
                    cost = cost_of([sys.executable, "-c", code, str(file)])
                    print(line(program, cost, floor), flush=True)
                    floor = floor or cost
            print()


if __name__ == "__main__":
    main(sys.argv[1:])
