"""From a request to an answer: the order in which the rooms are walked through.

:mod:`~outcomes.workflow.run` holds the stages of a study; the other modules are what the command
line offers besides. Nothing here estimates, rounds or draws.
"""

from outcomes.workflow.check import check_report, check_study
from outcomes.workflow.demo import run_demo
from outcomes.workflow.lookup import describe_catalog
from outcomes.workflow.pooling import pool_moments, write_moments
from outcomes.workflow.propose import describe_proposal, propose_study_folder
from outcomes.workflow.results import Results, render_report
from outcomes.workflow.run import STAGES, run_study, run_study_folder

__all__ = [
    "STAGES",
    "Results",
    "check_report",
    "check_study",
    "describe_catalog",
    "describe_proposal",
    "pool_moments",
    "propose_study_folder",
    "render_report",
    "run_demo",
    "run_study",
    "run_study_folder",
    "write_moments",
]
