"""A whole study at 100,000 episodes, beside a bare DuckDB scan of the same files.

``python -m benchmarks.study [--episodes N]``. The scan reads every column of every file once and
adds up a hash of each row: the least that any program could do with them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import HEAD, cost_of, line

STUDY = """
schema = 1
id = "benchmark"
[records]
path = "records"
[exposure]
reference = "usual_care"
primary = "exercise"
[primary]
outcome = "pain"
visit = "week_12"
"""
SCAN = """
import sys, duckdb
from pathlib import Path
con = duckdb.connect()
for file in sorted(Path(sys.argv[1]).glob("*.parquet")):
    name = str(file).replace("'", "''")
    con.execute(f"select sum(hash(r) % 1000003) from read_parquet('{name}') as r").fetchone()
"""


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100_000)
    episodes = parser.parse_args(arguments).episodes
    python = sys.executable
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "study.toml").write_text(STUDY, encoding="utf-8")
        outcomes = [python, "-m", "outcomes"]
        records = folder / "records"
        made = cost_of(
            [*outcomes, "synthesize", "--episodes", str(episodes), "--out", str(records), "-q"]
        )
        scan = cost_of([python, "-c", SCAN, str(records)])
        check = cost_of([*outcomes, "check", str(folder), "-q"])
        ran = cost_of([*outcomes, "run", str(folder), "-q"])
        helped = cost_of([*outcomes, "--help"])
        nothing = cost_of([python, "-c", "pass"])
        page = (folder / "results" / "report.html").stat().st_size / 1e6
    print(f"{episodes:,} episodes, all tables; ratio to the bare scan")
    print(HEAD)
    print(line("bare DuckDB scan of the same files", scan))
    print(line("outcomes check", check, scan))
    print(line("outcomes run", ran, scan))
    print(line("outcomes synthesize", made, scan))
    print(f"report.html: {page:.2f} MB\n")
    print("ratio to an empty Python process")
    print(HEAD)
    print(line("python -c pass", nothing))
    print(line("outcomes --help", helped, nothing))


if __name__ == "__main__":
    main(sys.argv[1:])
