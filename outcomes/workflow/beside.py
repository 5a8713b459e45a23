"""The outcomes of a large study, most of them analysed in a second process.

A model is many small array operations in Python, so threads would wait for each other's turn at the
interpreter; processes do not. The second one starts, and loads what it needs, while the dataset is
being built. It takes the first two thirds of the outcomes; this one describes the study meanwhile,
and takes the rest. The numbers are the same whoever works them out. A small study is analysed where
it is, as starting a process costs a processor two seconds.

The process is loky's: unlike the standard library's pool it does not run the caller's script a
second time, and it notices when a process was killed. Where none can be had, or it is lost, its
outcomes are analysed in this one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from outcomes.core.progress import Progress
    from outcomes.models.analysis import Analyses, Collected, Engine
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.outcome_sections import OutcomeSpec

LARGE: Final = 20_000
"""Episodes in the records from which a second process is worth its start."""


class Modelling:
    """The models of one study. A context, as it may hold a process.

    Parameters
    ----------
    n_episodes : int
        Size of the records.
    """

    def __init__(self, n_episodes: int) -> None:
        self._process: Any = None
        self._beside: Future[list[Collected]] | None = None
        if n_episodes >= LARGE and (os.cpu_count() or 1) > 1:
            self._process = _started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.shutdown(wait=True, kill_workers=True)

    def begin(
        self, dataset: StudyDataset, others: Mapping[str, StudyDataset], engine: Engine
    ) -> None:
        """Take the datasets, and let the other process begin."""
        self._given = (_needed(dataset), {n: _needed(o) for n, o in others.items()}, engine)
        outcomes = tuple(dataset.spec.outcomes)
        n_beside = 0 if self._process is None else -(-2 * len(outcomes) // 3)
        self._first, self._rest = outcomes[:n_beside], outcomes[n_beside:]
        try:
            if self._first:
                self._beside = self._process.submit(_analyse, self._first, *self._given)
        except BrokenExecutor:
            self._first, self._rest = (), outcomes

    def finish(self, progress: Progress) -> Analyses:
        """Analyse the rest, wait for the other process, and put everything together.

        Raises
        ------
        EstimationError
            Where the primary comparison cannot be estimated.
        SpecError
            Where a covariate is no column of the episodes.
        """
        from outcomes.models.analysis import join

        rest = _analyse(self._rest, *self._given, progress)
        try:
            first = [] if self._beside is None else self._beside.result()
        except BrokenExecutor:
            first = _analyse(self._first, *self._given, progress)
        return join([*first, *rest])


def _started() -> Any:
    """Start the other process; None where the system has no semaphores or processes to give."""
    try:
        from loky import ProcessPoolExecutor

        process = ProcessPoolExecutor(max_workers=1)
        process.submit(_load)
    except (ImportError, OSError):
        return None
    return process


def _needed(dataset: StudyDataset) -> StudyDataset:
    """Leave out what no model looks at, which is most of a dataset."""
    return replace(dataset, delivered=dataset.delivered.iloc[:0])


def _analyse(
    outcomes: Sequence[OutcomeSpec],
    dataset: StudyDataset,
    others: Mapping[str, StudyDataset],
    engine: Engine,
    progress: Progress | None = None,
) -> list[Collected]:
    """Analyse outcomes, in whichever process."""
    from outcomes.models.analysis import Analyst

    if not outcomes:
        return []
    analyst = Analyst.of(dataset, others, engine)
    found = []
    for outcome in outcomes:
        found.append(analyst.ask(outcome))
        if progress is not None:
            progress.update(len(found), len(outcomes))
    return found


def _load() -> None:
    """Import what models need, and keep linear algebra to one thread as in the first process."""
    import scipy.linalg  # noqa: F401 - the limits reach only libraries that are loaded
    from threadpoolctl import threadpool_limits

    import outcomes.models.analysis  # noqa: F401 - loaded now, so as not to be waited for later

    threadpool_limits(limits=1, user_api="blas")
