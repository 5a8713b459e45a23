"""The estimates of a mixed model, with the request and the rows that they answer."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from outcomes.core.shown import Shown
from outcomes.models.mmrm_request import MmrmSpec
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.stats.inference import Inference
from outcomes.stats.reml import RemlFit


@dataclass(frozen=True, kw_only=True, eq=False)
class MmrmFit:
    """The estimates as arrays: the fit, and what its standard errors come from."""

    reml: RemlFit
    inference: Inference


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MmrmEstimates(Shown):
    """What was asked of the fit, and its estimates.

    Attributes
    ----------
    spec : MmrmSpec
    fit : MmrmFit
    grid : ReferenceGrid
        The used rows and their design.
    response : str
        Name of the response column.
    notes : tuple of str
        Rows and columns that were left out, and what the fit had to say.
    """

    spec: MmrmSpec
    fit: MmrmFit
    grid: ReferenceGrid
    response: str
    notes: tuple[str, ...]

    @property
    def beta(self) -> pd.Series:
        """Coefficients by name; NaN where not estimable."""
        return pd.Series(self.fit.reml.beta, index=self.grid.design.columns, name="estimate")

    @property
    def beta_cov(self) -> pd.DataFrame:
        """The covariance of beta that standard errors come from."""
        names = self.grid.design.columns
        return pd.DataFrame(self.fit.inference.beta_cov, index=names, columns=names)

    @property
    def covariance(self) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Covariance of the visits; by level of the group where there is one."""
        visits = list(self.grid.data.visits)
        frames = [pd.DataFrame(s, index=visits, columns=visits) for s in self.fit.reml.sigmas]
        if self.spec.group is None:
            return frames[0]
        return dict(zip(self.grid.data.groups, frames, strict=True))

    @property
    def log_likelihood(self) -> float:
        """At the optimum; REML as mmrm and nlme count its constant."""
        return self.fit.reml.log_likelihood

    @property
    def aic(self) -> float:
        """Counts covariance parameters only."""
        return self.fit.reml.aic

    @property
    def aicc(self) -> float:
        """AIC corrected for a sample of rows less coefficients."""
        return self.fit.reml.aicc

    @property
    def bic(self) -> float:
        """Covariance parameters, and the logarithm of the number of subjects."""
        return self.fit.reml.bic

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached; a fit that does not reach it raises."""
        return self.fit.reml.converged

    @property
    def gradient_norm(self) -> float:
        """Distance to the optimum in standard errors of the covariance parameters."""
        return self.fit.reml.gradient_norm

    @property
    def n_patients(self) -> int:
        """Subjects with a used row."""
        return self.grid.data.n_subjects

    @property
    def n_observations(self) -> int:
        """Used rows."""
        return self.fit.reml.n_observations

    def _shown(self) -> tuple[str, dict[str, str]]:
        spec, fit = self.spec, self.fit.reml
        by = f", one a level of {spec.group}" if spec.group else ""
        return f"Mixed model of {self.response!r}: {self.n_observations:,} rows", {
            "formula": spec.formula,
            "rows": f"of {self.n_patients:,} by {spec.subject}, at {len(self.grid.data.visits)}"
            f" levels of {spec.visit}",
            "covariance": f"{fit.covariance}{by}",
            "fit": f"{spec.method.upper()}, {spec.inference},"
            f" {'converged' if self.converged else 'not converged'}",
            "notes": str(len(self.notes)),
            "look at": "fit.summary(), fit.contrasts(...), fit.ls_means(...), fit.predict(...),"
            " fit.notes",
        }
