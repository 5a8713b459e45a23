"""What :func:`outcomes.models.mmrm.fit_mmrm` is asked for, checked before any row is read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from outcomes.core.errors import UsageError
from outcomes.stats.covariance import STRUCTURES
from outcomes.stats.inference import METHODS, DfMethod
from outcomes.stats.sandwich import SandwichKind

Method = Literal["reml", "ml"]
WeightKind = Literal["precision", "probability"]

EMPIRICAL: Final[tuple[str, ...]] = (*get_args(SandwichKind), "jackknife")


@dataclass(frozen=True, kw_only=True)
class MmrmSpec:
    """The request; see :func:`fit_mmrm`. ``covariance`` lists what to try, in order."""

    formula: str
    subject: str
    visit: str
    visits: tuple[str, ...] | None = None
    covariance: tuple[str, ...] = ("us",)
    method: Method = "reml"
    inference: DfMethod = "kenward-roger"
    group: str | None = None
    weights: str | None = None
    weight_kind: WeightKind = "precision"
    offset: str | None = None
    equal_at: tuple[tuple[str, str], ...] = ()
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Raise where an option is not known, or options do not go together."""
        self._check_columns()
        _check_known("covariance", self.covariance, STRUCTURES)
        _check_known("method", (self.method,), get_args(Method))
        _check_known("inference", (self.inference,), METHODS)
        _check_known("weight_kind", (self.weight_kind,), get_args(WeightKind))
        if self.inference == "kenward-roger" and self.method == "ml":
            raise UsageError(
                "Kenward-Roger needs method='reml'; with method='ml' choose inference="
                "'satterthwaite', 'between-within', 'residual' or a sandwich."
            )
        self._check_empirical()

    def _check_columns(self) -> None:
        for role in ("subject", "visit", "group", "weights", "cluster"):
            if not isinstance(getattr(self, role), Hashable):
                raise UsageError(f"{role}= must name one column.")

    def _check_empirical(self) -> None:
        if self.inference == "jackknife" and self.cluster is None:
            raise UsageError("inference='jackknife' leaves clusters out: name them by cluster=.")
        if self.inference in EMPIRICAL:
            return
        if self.cluster is not None:
            raise UsageError(
                f"cluster='{self.cluster}' serves the empirical inferences: choose inference= from "
                f"{list(EMPIRICAL)}, or leave cluster out."
            )
        if self.weight_kind == "probability":
            raise UsageError(
                "weight_kind='probability' makes a pseudo-likelihood whose model-based standard "
                f"errors are wrong: choose inference= from {list(EMPIRICAL)}."
            )


def _check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    wrong = [value for value in given if value not in known]
    if wrong or not given:
        raise UsageError(
            f"{name}: {', '.join(map(repr, wrong)) or 'nothing'} is not known; choose from "
            f"{list(known)}."
        )
