"""Coefficients, means and contrasts of a fitted mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from outcomes.core.threads import one_thread
from outcomes.models.adjusted_means import (
    Question,
    build_contrasts,
    contrast_table,
    ls_means_table,
)
from outcomes.models.comparisons import Coefficients, Kind
from outcomes.models.estimate_rows import check_level, estimate, estimate_table
from outcomes.models.mmrm_estimates import MmrmEstimates
from outcomes.models.reference_grid import At, Weighting
from outcomes.models.standardisation import (
    Covariates,
    Population,
    contrasts_table,
    means_table,
    standardise,
)
from outcomes.models.used_rows import Averaging
from outcomes.models.visit_changes import means_between


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MmrmMeans(MmrmEstimates):
    """What a fit says of groups: tables of estimates."""

    @one_thread
    def coefficients(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row a coefficient, in the columns of the estimate tables."""
        check_level(level)
        names = self.grid.design.columns
        linear = estimate(self.fit.inference, np.eye(len(names)))
        about = {"outcome": self.response, "term": list(names)}
        return estimate_table("contrasts", about, linear, level=level)

    @one_thread
    def ls_means(
        self,
        factors: str | Sequence[str],
        *,
        weights: Weighting = "equal",
        average_over: Averaging = "rows",
        at: At | None = None,
        between: Sequence[object] | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Adjusted means of each combination of the levels of ``factors``.

        Parameters
        ----------
        factors : str or sequence of str
            Factors of the formula, the visit among them or not.
        weights : {'equal', 'proportional', 'cells'}
            How the other factors are averaged.
        average_over : {'rows', 'patients'}
            What covariates are averaged over.
        at : mapping, optional
            A covariate to a value, a factor to a level or some levels.
        between : pair, optional
            Two visits: the change from the first to the second, in place of the means at visits.

        Returns
        -------
        DataFrame
            Estimate table; ``gate`` says why a mean does not exist.

        See Also
        --------
        outcomes.models.reference_grid : The definitions.
        """
        asked = (factors,) if isinstance(factors, str) else tuple(factors)
        cells = means_between(
            self.grid,
            asked,
            self.spec.visit,
            between,
            weights=weights,
            average_over=average_over,
            at=at,
        )
        return ls_means_table(self._question(level), cells)

    @one_thread
    def contrasts(
        self,
        factor: str,
        by: str | Sequence[str] | None = None,
        kind: Kind = "reference",
        reference: object = None,
        *,
        coefficients: Coefficients | None = None,
        at: At | None = None,
        between: Sequence[object] | None = None,
        adjust: Literal["holm", "dunnett"] | None = None,
        family: Literal["by", "all"] = "by",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Differences between LS means of the levels of ``factor``, other factors weighted equally.

        Parameters
        ----------
        factor : str
        by : str or sequence of str, optional
            Factors at each of whose levels to compare; averaged over where not given.
        kind : {'reference', 'pairwise', 'consecutive', 'custom'}
            Each level minus ``reference`` (default: the first); each later minus each earlier; each
            minus the one before; or ``coefficients``.
        coefficients : mapping of mappings, optional
            Name of a custom contrast to weights by level, adding up to zero.
        at : mapping, optional
            As in :meth:`ls_means`.
        between : pair, optional
            Two visits: differences of the changes from the first to the second, that is each
            difference at the second minus the same at the first.
        adjust : {'holm', 'dunnett'}, optional
            Holm's p-values; or simultaneous p-values and limits by the multivariate t with the
            smallest degrees of freedom of the family. They stand in ``p_adjusted``,
            ``conf_low_adjusted`` and ``conf_high_adjusted`` beside the unadjusted ones.
        family : {'by', 'all'}
            Adjust within each level of ``by``, or over all rows.
        """
        asked = build_contrasts(
            self.grid,
            self.spec.visit,
            factor,
            by,
            kind=kind,
            reference=reference,
            coefficients=coefficients,
            at=at,
            between=between,
        )
        linear = estimate(self.fit.inference, asked.rows)
        return contrast_table(self._question(level), asked, linear, adjust_by=adjust, family=family)

    @one_thread
    def standardised_means(
        self,
        factor: str,
        by: str | Sequence[str] | None = None,
        *,
        population: Population | None = None,
        at: At | None = None,
        between: Sequence[object] | None = None,
        covariates: Covariates = "random",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Predictions for everyone at each level of ``factor``, averaged: g-computation.

        They are about the people analysed, where covariates enter by splines, polynomials or
        products too; LS means are about one person with mean covariates.

        Parameters
        ----------
        factor : str
            The exposure that everyone is set to, with their own covariates.
        by : str or sequence of str, optional
            The visit; other factors, over the subjects of each of whose levels to average.
        population : mapping, optional
            A factor to a level or some levels: average over these subjects alone. With the exposure
            itself, such as ``{"exposure": "exercise"}``, the mean in those who had it.
        at : mapping, optional
            A covariate to a value that everyone is set to; levels of ``factor``, visits or ``by``.
        between : pair, optional
            As in :meth:`ls_means`.
        covariates : {'random', 'fixed'}
            Whether standard errors count that other people might have been analysed.

        Returns
        -------
        DataFrame
            Estimate table; ``n_patients`` counts who was seen there with that exposure.

        See Also
        --------
        outcomes.models.standardisation : The definitions, and what must hold.
        """
        found = standardise(
            self.grid,
            self.fit.inference.beta,
            self.spec,
            factor,
            by,
            population=population,
            at=at,
            between=between,
            covariates=covariates,
        )
        return means_table(self._question(level), found, self.grid.data.cluster_of_subject)

    @one_thread
    def standardised_contrasts(
        self,
        factor: str,
        by: str | Sequence[str] | None = None,
        kind: Kind = "reference",
        reference: object = None,
        *,
        coefficients: Coefficients | None = None,
        population: Population | None = None,
        at: At | None = None,
        between: Sequence[object] | None = None,
        covariates: Covariates = "random",
        adjust: Literal["holm", "dunnett"] | None = None,
        family: Literal["by", "all"] = "by",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Differences between standardised means: average effects of the exposure.

        Parameters
        ----------
        factor, by, population, at, between, covariates
            As in :meth:`standardised_means`.
        kind, reference, coefficients, adjust, family
            As in :meth:`contrasts`.
        """
        found = standardise(
            self.grid,
            self.fit.inference.beta,
            self.spec,
            factor,
            by,
            population=population,
            at=at,
            between=between,
            covariates=covariates,
        )
        return contrasts_table(
            self._question(level),
            found,
            self.grid.data.cluster_of_subject,
            kind=kind,
            reference=reference,
            coefficients=coefficients,
            adjust_by=adjust,
            family=family,
        )

    def _question(self, level: float) -> Question:
        check_level(level)
        return Question(
            inference=self.fit.inference,
            outcome=self.response,
            visit=self.spec.visit,
            level=level,
        )
