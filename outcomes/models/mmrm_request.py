"""What :func:`outcomes.models.mmrm.fit_mmrm` is asked for, checked before any row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from outcomes.core.errors import UsageError
from outcomes.stats.covariance import STRUCTURES
from outcomes.stats.inference import DfMethod

Method = Literal["reml", "ml"]
WeightKind = Literal["precision", "probability"]
SandwichKind = Literal["CR0", "CR2", "CR3"]
InferenceKind = DfMethod | SandwichKind

SANDWICH: Final[tuple[str, ...]] = get_args(SandwichKind)


@dataclass(frozen=True, kw_only=True)
class MmrmSpec:
    """The request; see :func:`fit_mmrm`. ``covariance`` lists what to try, in order."""

    formula: str
    subject: str
    visit: str
    visits: tuple[str, ...] | None = None
    covariance: tuple[str, ...] = ("us",)
    method: Method = "reml"
    inference: InferenceKind = "kenward-roger"
    group: str | None = None
    weights: str | None = None
    weight_kind: WeightKind = "precision"
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Raise where an option is not known, or options do not go together."""
        _check_known("covariance", self.covariance, STRUCTURES)
        _check_known("method", (self.method,), get_args(Method))
        _check_known("inference", (self.inference,), (*get_args(DfMethod), *SANDWICH))
        _check_known("weight_kind", (self.weight_kind,), get_args(WeightKind))
        if self.inference == "kenward-roger" and self.method == "ml":
            raise UsageError(
                "Kenward-Roger needs method='reml'; with method='ml' choose inference="
                "'satterthwaite', 'between-within' or 'residual'."
            )
        self._check_sandwich()

    @property
    def df_method(self) -> DfMethod:
        """The kind of inference, which is none of the sandwiches by now."""
        return cast("DfMethod", self.inference)

    def _check_sandwich(self) -> None:
        model_based = f"choose from {list(get_args(DfMethod))}"
        if self.inference in SANDWICH:
            raise UsageError(
                f"inference='{self.inference}' needs a second pass over the rows, which this "
                f"version does not have: {model_based}."
            )
        if self.cluster is not None:
            raise UsageError(
                f"cluster= serves the sandwich inferences {list(SANDWICH)}, which this version "
                f"does not have; leave it out and {model_based}."
            )
        if self.weight_kind == "probability":
            raise UsageError(
                "weight_kind='probability' needs sandwich standard errors, which this version does "
                "not have. Only weight_kind='precision' can be used."
            )


def _check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    wrong = [value for value in given if value not in known]
    if wrong or not given:
        raise UsageError(
            f"{name}: {', '.join(map(repr, wrong)) or 'nothing'} is not known; choose from "
            f"{list(known)}."
        )
