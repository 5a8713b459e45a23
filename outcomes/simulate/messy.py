"""The same records as a clinic's system would export them, and the mapping that reads them back.

Semicolons, decimal commas and a byte-order mark; other column names; calendar dates instead of
days; codes in words of the clinic's own; 999 and ``<undefined>`` where nothing is known; one
questionnaire with a column a visit; a few repeated rows and impossible scores.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from outcomes.simulate.columns import Streams

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

WIDE: Final = "rmdq24"
WIDE_WEEKS: Final = (0, 12, 52)
PLAIN: Final = ("patients", "providers", "clinics", "items", "care_plans", "home_log")
"""Tables that are exported under their own names."""
YES_NO: Final = {True: "Y", False: "N"}
CHRONICITY: Final = {"acute": "A", "subacute": "S", "chronic": "C"}
FORMS: Final = {"nprs": "NRS", "odi": "Oswestry"}

MAPPING: Final = """\
# How this export relates to the canonical tables.
schema = 1
missing = ["999", "<undefined>", "*"]
pseudonymous = [
  "episode_id", "patient_id", "session_id", "provider_id", "clinic_id",
  "case no", "patient no", "visit no", "therapist", "site",
]

[sources."cases.csv"]
drop = ["comment"]

[dates]
source = "cases.csv"
episode = "case no"
patient = "patient no"
start = "started on"
format = "%d.%m.%Y"

[[tables]]
source = "cases.csv"
table = "episodes"
take_named = false
[tables.columns]
episode_id = "case no"
patient_id = "patient no"
clinic_id = "site"
provider_id = "therapist"
program = "programme"
body_region = "region"
chronicity = { from = "chronic", recode = { A = "acute", S = "subacute", C = "chronic" } }
pain_duration_months = { from = "pain since (years)", factor = 12 }
onset = "onset"
payer = "payer"
age = "age"
comorbidities = "long-term conditions"
previous_episodes = "earlier episodes"
leg_pain = { from = "leg pain", recode = { Y = "yes", N = "no" } }
depression = { from = "depression", recode = { Y = "yes", N = "no" } }
lifting_load = "lifting"
work_status = "work"
red_flags = { from = "red flags", recode = { Y = "yes", N = "no" } }
patient_day = { date = "started on" }
end_day = { date = "ended on" }
followed_to_day = { date = "followed until" }

[[tables]]
source = "scores.csv"
table = "assessments"
take_named = false
[tables.columns]
episode_id = "case no"
day = { date = "date" }
instrument = { from = "form", recode = { NRS = "nprs", Oswestry = "odi" }, other = "keep" }
score = "value"
occasion = "occasion"

[[tables]]
source = "rmdq.csv"
table = "assessments"
take_named = false
[tables.columns]
episode_id = "case no"
[[tables.wide]]
pattern = "{instrument}_wk{week}"
instruments = { rmdq = "rmdq24" }

[[tables]]
source = "visits.csv"
table = "sessions"
take_named = false
[tables.columns]
session_id = "visit no"
episode_id = "case no"
day = { date = "date" }
setting = "setting"
supervised = { from = "supervised", recode = { Y = "yes", N = "no" } }
attended = { from = "came", recode = { Y = "yes", N = "no" } }
planned = { from = "planned", recode = { Y = "yes", N = "no" } }
rpe = "rpe"

[[tables]]
source = "treatments.csv"
table = "components"
[tables.columns]
session_id = "visit no"

[[tables]]
source = "prescriptions.csv"
table = "medications"
[tables.columns]
patient_id = "patient no"
day = { date = "date" }

[[tables]]
source = "incidents.csv"
table = "events"
[tables.columns]
episode_id = "case no"
day = { date = "date" }
acted_day = { date = "acted on" }
"""


def write_export(tables: Mapping[str, pa.Table], folder: Path, seed: int) -> None:
    """Write the export and its ``mapping.toml`` into ``folder``."""
    frames = {name: found.to_pandas() for name, found in tables.items()}
    rng = Streams(seed)("messy")
    clock = _clock(frames["episodes"], rng)
    exported = {
        "cases": _cases(frames["episodes"], clock),
        "scores": _scores(frames["assessments"], clock, rng),
        "rmdq": _wide(frames["assessments"]),
        "visits": _visits(frames["sessions"], clock),
        "treatments": frames["components"].rename(columns={"session_id": "visit no"}),
        "prescriptions": _prescriptions(frames["medications"], frames["episodes"], clock),
        "incidents": _incidents(frames["events"], clock),
        **{name: frames[name] for name in PLAIN},
    }
    for name, frame in exported.items():
        frame.to_csv(
            folder / f"{name}.csv", sep=";", decimal=",", index=False, encoding="utf-8-sig",
            quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n",
        )  # fmt: skip
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")


def _clock(episodes: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Give every episode a first day; episodes of one patient keep their distance."""
    import pandas as pd

    patients = episodes["patient_id"].unique()
    first = pd.Series(rng.integers(0, 700, len(patients)), index=patients)
    days = episodes["patient_id"].map(first).to_numpy() + episodes["patient_day"].to_numpy()
    start = pd.Timestamp("2021-01-04") + pd.to_timedelta(days, unit="D")
    return pd.Series(start, index=episodes["episode_id"])


def _date(start: pd.Series, day: pd.Series) -> pd.Series:
    import pandas as pd

    found = start.to_numpy() + pd.to_timedelta(day.astype("float64"), unit="D").to_numpy()
    written: pd.Series = pd.Series(found).dt.strftime("%d.%m.%Y")
    return written


def _words(column: pd.Series, words: Mapping[Any, str]) -> pd.Series:
    said: pd.Series = column.map(words).fillna("<undefined>")
    return said


def _or_999(numbers: pd.Series) -> pd.Series:
    """Write numbers with a decimal comma, and 999 where there is none."""
    text = numbers.astype(str).str.removesuffix(".0").str.replace(".", ",")
    shown: pd.Series = text.where(numbers.notna(), "999")
    return shown


def _cases(episodes: pd.DataFrame, clock: pd.Series) -> pd.DataFrame:
    import pandas as pd

    e = episodes
    start = e["episode_id"].map(clock)
    regions = {"low_back": "Low back", "neck": "Neck", "shoulder": "Shoulder"}
    return pd.DataFrame(
        {
            "Case No": e["episode_id"],
            "Patient No": e["patient_id"],
            "Site": e["clinic_id"],
            "Therapist": e["provider_id"],
            "Programme": e["program"],
            "Region": _words(e["body_region"], regions),
            "Started on": start.dt.strftime("%d.%m.%Y"),
            "Ended on": _date(start, e["end_day"]),
            "Followed until": _date(start, e["followed_to_day"]),
            "Chronic": _words(e["chronicity"], CHRONICITY),
            "Pain since (years)": _or_999((e["pain_duration_months"] / 12).round(4)),
            "Onset": e["onset"].str.upper(),
            "Payer": e["payer"].str.title(),
            "Age": e["age"].astype(int),
            "Long-term conditions": e["comorbidities"],
            "Earlier episodes": e["previous_episodes"],
            "Leg pain": _words(e["leg_pain"], YES_NO),
            "Depression": _words(e["depression"], YES_NO),
            "Lifting": e["lifting_load"],
            "Work": e["work_status"],
            "Red flags": _words(e["red_flags"], YES_NO),
            "Comment": "",
        }
    )


def _scores(scores: pd.DataFrame, clock: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    kept = scores[scores["instrument"] != WIDE].reset_index(drop=True)
    value = kept["score"].copy()
    lost = rng.choice(len(kept), size=max(1, len(kept) // 500), replace=False)
    wrong = np.flatnonzero((kept["instrument"] == "odi").to_numpy())[:3]
    value.iloc[wrong] = 240
    value.iloc[lost] = np.nan
    found = pd.DataFrame(
        {
            "Case No": kept["episode_id"],
            "Date": _date(kept["episode_id"].map(clock), kept["day"]),
            "Form": kept["instrument"].replace(FORMS),
            "Value": _or_999(value),
            "Occasion": kept["occasion"].str.replace("_", "-"),
        }
    )
    return pd.concat([found, found.iloc[:5]], ignore_index=True)


def _wide(scores: pd.DataFrame) -> pd.DataFrame:
    """One row an episode, one column a visit; days are those of the plan."""
    kept = scores[scores["instrument"] == WIDE]
    week = np.digitize(kept["day"], (28, 200))
    table = kept.assign(week=np.array(WIDE_WEEKS)[week]).pivot_table(
        index="episode_id", columns="week", values="score", aggfunc="first"
    )
    table.columns = [f"RMDQ_wk{name}" for name in table.columns]
    return table.reset_index().rename(columns={"episode_id": "Case No"})


def _visits(sessions: pd.DataFrame, clock: pd.Series) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "Visit No": sessions["session_id"],
            "Case No": sessions["episode_id"],
            "Date": _date(sessions["episode_id"].map(clock), sessions["day"]),
            "Setting": sessions["setting"].str.capitalize(),
            "Supervised": _words(sessions["supervised"], YES_NO),
            "Came": _words(sessions["attended"], YES_NO),
            "Planned": _words(sessions["planned"], YES_NO),
            "RPE": _or_999(sessions["rpe"]),
        }
    )


def _prescriptions(
    medications: pd.DataFrame, episodes: pd.DataFrame, clock: pd.Series
) -> pd.DataFrame:
    first = episodes[episodes["patient_day"] == 0].set_index("patient_id")["episode_id"].map(clock)
    date = _date(medications["patient_id"].map(first), medications["day"])
    found = medications.rename(columns={"patient_id": "patient no"}).drop(columns="day")
    return found.assign(date=date)


def _incidents(events: pd.DataFrame, clock: pd.Series) -> pd.DataFrame:
    start = events["episode_id"].map(clock)
    found = events.rename(columns={"episode_id": "case no"}).drop(columns=["day", "acted_day"])
    return found.assign(
        **{"date": _date(start, events["day"]), "acted on": _date(start, events["acted_day"])}
    )
