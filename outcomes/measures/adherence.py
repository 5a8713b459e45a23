"""How much of the care that was planned took place, episode by episode.

Attended over planned sessions uses the plan in force at the start (the last one written up to day
0), or the sessions marked as planned where there is no plan. Home practice is done over prescribed
per logged week, then averaged: a week without a log is missing, not zero, so the share that counts
such weeks as nothing done stands beside it as the lower bound. Shares are kept as they are, above 1
too. Adherence is a result of treatment as much as a cause of outcomes: describe with it, do not
adjust for it.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

DAYS_PER_WEEK: Final = 7.0
LONG_GAP_DAYS: Final = 14
JUMP: Final = 1.5
"""A step of load or level to more than one and a half times the last counts as too large."""


def derive_adherence(
    sessions: pd.DataFrame,
    *,
    care_plans: pd.DataFrame | None = None,
    home_log: pd.DataFrame | None = None,
    components: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row an episode that has any session.

    Parameters
    ----------
    sessions, care_plans, home_log, components : DataFrame
        Canonical tables; what is not given leaves its columns missing.

    Returns
    -------
    DataFrame
        Indexed by ``episode_id``: ``planned, attended, attended_share, supervised_share, first_day,
        last_day, longest_gap, long_gaps, sessions_per_week``, and where the tables are given
        ``home_done, home_share, home_share_low, progression, n_jumps``.
    """
    table = attendance(sessions, care_plans)
    table = table.join(gaps(sessions))
    if home_log is not None and care_plans is not None:
        table = table.join(home_practice(home_log, care_plans, table["last_day"]))
    if components is not None:
        table = table.join(progression(sessions, components))
    return table


def _attended(sessions: pd.DataFrame) -> pd.DataFrame:
    return sessions.loc[sessions["attended"].astype("boolean").fillna(False).astype(bool)]


def plan_in_force(care_plans: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each episode's last plan written up to day 0, else of its first plan."""
    day = care_plans["day"]
    early = care_plans.loc[day <= 0].groupby("episode_id")["day"].max()
    first = care_plans.groupby("episode_id")["day"].min()
    chosen = early.reindex(first.index).fillna(first)
    return care_plans.loc[day == care_plans["episode_id"].map(chosen)]


def attendance(sessions: pd.DataFrame, care_plans: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return planned and attended sessions, their ratio, and the share that was supervised."""
    episodes = pd.Index(sorted(sessions["episode_id"].unique()), name="episode_id")
    came = _attended(sessions)
    attended = came.groupby("episode_id").size().reindex(episodes, fill_value=0)
    marked = sessions.loc[sessions["planned"].astype("boolean").fillna(False).astype(bool)]
    planned = marked.groupby("episode_id").size().reindex(episodes, fill_value=0).astype(float)
    if care_plans is not None and len(care_plans):
        plan = plan_in_force(care_plans).groupby("episode_id")["sessions_planned"].max()
        planned = plan.reindex(episodes).fillna(planned)
    supervised = came["supervised"].astype("boolean").astype("Float64").astype("float64")
    share = supervised.groupby(came["episode_id"]).mean().reindex(episodes)
    return pd.DataFrame(
        {
            "planned": planned,
            "attended": attended,
            "attended_share": attended / planned.where(planned > 0),
            "supervised_share": share,
        }
    )


def gaps(sessions: pd.DataFrame) -> pd.DataFrame:
    """Return first and last attended day, the longest gap between sessions, and sessions a week."""
    came = _attended(sessions).sort_values(["episode_id", "day"], kind="stable")
    by_episode = came.groupby("episode_id")["day"]
    gap = by_episode.diff()
    first, last, count = by_episode.min(), by_episode.max(), by_episode.size()
    weeks = (last - first + 1) / DAYS_PER_WEEK
    return pd.DataFrame(
        {
            "first_day": first,
            "last_day": last,
            "longest_gap": gap.groupby(came["episode_id"]).max(),
            "long_gaps": (gap > LONG_GAP_DAYS).groupby(came["episode_id"]).sum(),
            "sessions_per_week": count / weeks.clip(lower=1.0),
        }
    )


def home_practice(
    home_log: pd.DataFrame, care_plans: pd.DataFrame, last_day: pd.Series
) -> pd.DataFrame:
    """Return home sessions done and their share of those prescribed.

    ``home_share`` averages over logged weeks; ``home_share_low`` counts unlogged weeks up to the
    last attended day as nothing done.
    """
    asked = plan_in_force(care_plans).groupby("episode_id")["home_per_week"].sum(min_count=1)
    week = (home_log["day"] // DAYS_PER_WEEK).astype(int)
    done = home_log.groupby(["episode_id", week.rename("week")])["sessions"].sum(min_count=1)
    weekly = done.dropna()
    per_episode = weekly.groupby("episode_id")
    prescribed = asked.where(asked > 0).reindex(per_episode.mean().index)
    weeks = (last_day.reindex(prescribed.index) / DAYS_PER_WEEK).clip(lower=per_episode.size())
    return pd.DataFrame(
        {
            "home_done": per_episode.sum(),
            "home_share": per_episode.mean() / prescribed,
            "home_share_low": per_episode.sum() / (prescribed * weeks),
        }
    )


def progression(sessions: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    """Return the slope of the level in levels a week, and how many steps were too large.

    The slope is that of a least-squares line through the levels of each intervention over attended
    days, averaged over the interventions that were done on at least two days.
    """
    days = _attended(sessions)[["session_id", "episode_id", "day"]]
    rows = components.dropna(subset=["level"]).merge(days, on="session_id")
    rows = rows.sort_values(["episode_id", "intervention", "day"], kind="stable")
    by_line = rows.groupby(["episode_id", "intervention"], sort=False)
    weeks = (rows["day"] - by_line["day"].transform("mean")) / DAYS_PER_WEEK
    level = rows["level"] - by_line["level"].transform("mean")
    keys = [rows["episode_id"], rows["intervention"]]
    spread = (weeks**2).groupby(keys).sum()
    slope = (weeks * level).groupby(keys).sum() / spread.where(spread > 0)
    before = by_line["level"].shift(1)
    jump = (rows["level"] > JUMP * before) & (rows["level"] > before + 1)
    return pd.DataFrame(
        {
            "progression": slope.groupby("episode_id").mean(),
            "n_jumps": jump.groupby(rows["episode_id"]).sum(),
        }
    )
