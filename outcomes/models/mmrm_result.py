"""The answer of :func:`outcomes.models.mmrm.fit_mmrm`, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.core.threads import one_thread
from outcomes.models.adjusted_means import build_contrasts
from outcomes.models.estimate_rows import check_level
from outcomes.models.fit_comparison import compare_fits
from outcomes.models.influence import every_coefficient, influence_table, parts_of
from outcomes.models.joint_tests import joint_tests
from outcomes.models.mmrm_estimates import MmrmEstimates
from outcomes.models.mmrm_means import MmrmMeans
from outcomes.models.mmrm_summary import summarise
from outcomes.models.new_rows import Rows, fitted_rows, fitted_subjects, read_rows
from outcomes.models.predictions import (
    Interval,
    ResidualKind,
    draws_table,
    prediction_table,
    residual_table,
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MmrmResult(MmrmMeans):
    """The answer of :func:`outcomes.models.mmrm.fit_mmrm`: its estimates, and what to ask next."""

    @one_thread
    def influence(
        self,
        part: str,
        factor: str | None = None,
        by: str | Sequence[str] | None = None,
        *,
        data: Any = None,
        **options: Any,
    ) -> pd.DataFrame:
        """How the estimates change where each clinic, or other part of the subjects, is left out.

        Parameters
        ----------
        part : str
            Column that is constant within a subject, such as the clinic or the subject itself.
        factor, by
            Which contrasts to follow, as in :meth:`contrasts`; without a factor the coefficients.
        data : table, optional
            With subject and ``part``, where the fit has not used that column.
        **options
            kind, reference, coefficients, at and between, as in :meth:`contrasts`.

        Returns
        -------
        DataFrame
            A row for each part and contrast or coefficient: the estimate without the part, its
            change, the same in standard errors of the fit to all; Cook's distance of all
            coefficients and of the covariance parameters; ``gate`` says why there is none.

        See Also
        --------
        outcomes.stats.influence : The definitions.
        """
        asked = every_coefficient(self.grid)
        if factor is not None:
            asked = build_contrasts(self.grid, self.spec.visit, factor, by, **options)
        parts = parts_of(part, data, self.spec, self.grid)
        return influence_table(
            self.fit.reml, self.fit.inference, self.grid.design, parts, part, asked
        )

    @one_thread
    def joint_tests(self, type: int = 3) -> pd.DataFrame:  # noqa: A002 - the field's word
        """F tests of type III, or II, one row a term; see :mod:`outcomes.models.joint_tests`."""
        return joint_tests(self.grid, self.fit.inference, type)

    def compare(self, *others: MmrmEstimates) -> pd.DataFrame:
        """Put this fit beside others; see :func:`outcomes.models.fit_comparison.compare_fits`."""
        return compare_fits(self, *others)

    @one_thread
    def predict(
        self,
        data: Any = None,
        *,
        conditional: bool = False,
        interval: Interval | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Predicted responses of the fitted rows, or of the rows of another table.

        Parameters
        ----------
        data : pandas, polars or Arrow table, optional
            Visit and covariates; with ``conditional`` subject and response too, empty where unseen,
            such as the table that was fitted. Subjects may be new, levels and visits not.
        conditional : bool
            Given the subject's visits that have a response, each of which is its own prediction.
        interval : {'confidence', 'prediction'}, optional
            Limits for the mean, or for a new response.
        level : float

        Returns
        -------
        DataFrame
            One row a row, indexed by its place in the table: subject where it matters, visit,
            estimate, std_error of the mean, gate; with limits also df, conf_low, conf_high.
            ``prediction_sd``, with ``interval='prediction'``, is the standard deviation of a new
            response around its estimate, from its spread around the mean and the mean's error.
            ``covariance_sd``, with ``conditional`` and an interval, is the further standard
            deviation that the limits have in them because the covariance that carries what was
            seen over to the unseen visits is itself estimated.

        See Also
        --------
        outcomes.models.predictions : The definitions.
        """
        check_level(level)
        return prediction_table(
            self.fit.reml,
            self.fit.inference,
            self._rows(data, conditional, spread=conditional or interval == "prediction"),
            conditional=conditional,
            interval=interval,
            level=level,
        )

    @one_thread
    def simulate(
        self,
        n: int = 1,
        *,
        seed: int,
        data: Any = None,
        conditional: bool = False,
        parameter_uncertainty: bool = False,
    ) -> pd.DataFrame:
        """Draw responses of the fitted rows, or of the rows of another table, from the model.

        Parameters
        ----------
        n : int
            Data sets.
        seed : int
            The same gives the same numbers.
        data : table, optional
            As in :meth:`predict`, with the subject.
        conditional : bool
            Keep the responses of ``data``, and draw the empty ones given them.
        parameter_uncertainty : bool
            Draw beta and the covariance anew for each data set, as multiple imputation does.

        Returns
        -------
        DataFrame
            Subject, visit and ``draw_1`` to ``draw_n``, indexed as by :meth:`predict`.
        """
        return draws_table(
            self.fit.reml,
            self._rows(data, conditional, spread=True, together=True),
            n=n,
            seed=seed,
            conditional=conditional,
            parameter_uncertainty=parameter_uncertainty,
        )

    def residuals(self, kind: ResidualKind = "response") -> pd.DataFrame:
        """Residuals of the fitted rows: as they are, by standard deviation, or uncorrelated.

        Parameters
        ----------
        kind : {'response', 'pearson', 'scaled'}
            Response minus marginal mean; divided by its standard deviation; or multiplied by the
            inverse Cholesky factor of the subject's covariance.

        Returns
        -------
        DataFrame
            Subject, visit, residual, indexed by the row's place in the fitted table.
        """
        rows, subjects = fitted_rows(self.spec, self.grid), fitted_subjects(self.grid.design)
        return residual_table(self.fit.reml, subjects, rows, kind)

    def summary(self) -> str:
        """The fit as text to read; numbers in full are in the tables and fields."""
        return summarise(self)

    def _rows(self, data: Any, conditional: bool, *, spread: bool, together: bool = False) -> Rows:
        if data is not None:
            together = together or conditional
            return read_rows(
                data, self.spec, self.grid, spread=spread, together=together, response=conditional
            )
        if conditional:
            raise UsageError(
                "conditional=True is about rows without a response, given those with one: give "
                "data= a table that has both, such as the one that was fitted."
            )
        instead = "give data= the rows that you ask for, or "
        return fitted_rows(self.spec, self.grid, instead=instead)
