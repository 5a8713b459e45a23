r"""Fits to all subjects but those of one cluster, many clusters at once.

Method
------
The fits differ little from the fit to all, so that each is a short search from its end: Newton's
method with the exact gradient of :mod:`outcomes.stats.cells` and, for the observed information,

.. math:: H_g(\theta) = J_g(\theta) - [J(\hat\theta) - H(\hat\theta)],

J the part of the information that is local to each subject's covariance matrix, worked out anew
without cluster g, and the rest, which comes of estimating beta and is of the order of the number of
coefficients, held as it is in the fit to all, and so are the second derivatives of :math:`\Sigma`
by its parameters. That changes the path and not the solution: the search ends where the gradient
does, at rounding level of the squared Newton decrement. No step is longer than one standard error.

The sums of the fit to all serve every fit, less what the cluster has added to them, and its
orthonormal columns are those of every fit: nothing is laid out again, and the arithmetic runs over
the clusters in one array.

What is not done: steps are not halved, columns not dropped. A cluster without which something
cannot be estimated, or whose search does not come closer to its end with each step, is not *found*;
a fit of its own (:func:`outcomes.stats.reml.fit_reml`) says why, or finds what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from outcomes.stats.cells import Cells
from outcomes.stats.covariance import Structure, structure
from outcomes.stats.moments import Moments
from outcomes.stats.reml import RemlFit

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_ITERATIONS: Final = 30
_END: Final = 1e-20
_ROUNDING: Final = 1e-13
_LONGEST: Final = 1.0
"""Step, in standard errors, beyond which the information says too little."""
_LITTLE_LEFT: Final = 1e-6
"""Share of a combination of columns, or of an information, below which a fit of its own decides."""
_NUMBERS_AT_ONCE: Final = 2**19


class Refits(NamedTuple):
    """Fits without a cluster.

    Attributes
    ----------
    theta : (G, n) array
        Covariance parameters.
    gamma : (G, r) array
        Coefficients in the basis of the fit to all, as its ``point.gamma``.
    found : (G,) array of bool
        Where the rest is the answer.
    """

    theta: Array
    gamma: Array
    found: Booleans


class _Held(NamedTuple):
    """What is the same in all fits.

    Attributes
    ----------
    form : Structure
    bends : (groups, T T, n n) array
        Second derivatives of each group's matrix.
    coupled : (n, n) array
        What the local information has more than the observed one.
    """

    form: Structure
    bends: Array
    coupled: Array


class _Derivatives(NamedTuple):
    """(G, n) gradient, (G, n, n) local information, (G, r) coefficients in the basis."""

    gradient: Array
    local: Array
    gamma: Array


def refit_without(fit: RemlFit, moments: Moments) -> Refits:
    """Fit without each cluster, in the order of the clusters' keys.

    Parameters
    ----------
    fit : RemlFit
        To all.
    moments : Moments
        By cluster; those that ``fit`` was made of.
    """
    held = _held(fit)
    parts = [_search(some, held, fit) for some in _Subsets.some_at_once(fit.cells, moments)]
    return Refits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _held(fit: RemlFit) -> _Held:
    form, n_squared = structure(fit.covariance, fit.cells.n_visits), fit.cells.n_visits**2
    bends = [
        form.second(part).reshape(-1, n_squared).T
        for part in fit.theta.reshape(len(fit.cells.groups), -1)
    ]
    nothing = _Held(form=form, bends=np.stack(bends), coupled=np.zeros_like(fit.theta_cov))
    local = _derivatives(_Subsets.of_all(fit.cells), nothing, fit.theta[None]).local[0]
    return nothing._replace(coupled=local - np.linalg.inv(fit.theta_cov))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Subsets:
    """All subjects but those of each of G clusters.

    Attributes
    ----------
    cells : Cells
        Of all.
    owner, place : (J,) arrays
        Of the clusters' cells, in order: whose they are, and which cell of all they are part of.
    products : (J, B, D, D) array
        Their blocks.
    sizes : (G, K) array
        What is left of ``cells.sizes``.
    count : (G, K) array
        What is left of the subjects.
    """

    cells: Cells
    owner: Integers
    place: Integers
    products: Array
    sizes: Array
    count: Integers

    @staticmethod
    def of_all(cells: Cells) -> _Subsets:
        """One subset that lacks nothing."""
        return _Subsets(
            cells=cells,
            owner=np.zeros(1, dtype=np.int64),
            place=np.zeros(1, dtype=np.int64),
            products=np.zeros_like(cells.moments.products[:1]),
            sizes=cells.sizes[None],
            count=cells.moments.count[None],
        )

    @staticmethod
    def some_at_once(cells: Cells, moments: Moments) -> Iterator[_Subsets]:
        """Lack one cluster each; as many of them as keep the arrays small."""
        n_visits, wide = cells.n_visits, moments.layout.wide
        each = 2 * (n_visits * wide) ** 2 + 6 * cells.sizes.size * n_visits**2 + 2 * n_visits**4
        at_once = max(1, _NUMBERS_AT_ONCE // each)
        codes, owner = np.unique(moments.cluster, return_inverse=True)
        place = np.searchsorted(
            (cells.moments.group << n_visits) + cells.moments.pattern,
            (moments.group << n_visits) + moments.pattern,
        )
        size = moments.count if cells.weight_kind == "precision" else moments.weight
        for first in range(0, codes.size, at_once):
            used = np.flatnonzero((owner >= first) & (owner < first + at_once))
            at = owner[used] - first, place[used]
            sizes = np.tile(cells.sizes, (min(at_once, codes.size - first), 1))
            count = np.tile(cells.moments.count, (len(sizes), 1))
            sizes[at] -= size[used]
            count[at] -= moments.count[used]
            yield _Subsets(
                cells=cells,
                owner=at[0],
                place=at[1],
                products=moments.products[used],
                sizes=np.where(count > 0, sizes, 0.0),
                count=count,
            )

    def sandwiched(self, weights: Array, design: Array) -> Array:
        """(G, m, m): as :meth:`Cells.sandwiched`, of weights (G, K, T, T)."""
        wide, n_visits = self.products.shape[-1], self.cells.n_visits
        out = np.empty((len(weights), n_visits, wide, n_visits, wide))
        for a, b, block in self._pairs():
            weight = weights[:, :, a, b]
            total = weight @ self.cells.moments.products[:, block].reshape(-1, wide**2)
            part = weight[self.owner, self.place, None] * self.products[:, block].reshape(
                -1, wide**2
            )
            total -= self._by_owner(part)
            out[:, a, :, b] = out[:, b, :, a] = total.reshape(-1, wide, wide)
        flat = design.reshape(n_visits * wide, -1)
        return np.asarray(flat.T @ (out.reshape(-1, *2 * (n_visits * wide,)) @ flat))

    def inner(self, outer: Array) -> Array:
        """(G, K, T, T): as :meth:`Cells.inner`, of products (G, T, D, T, D) of designs."""
        wide, n_visits = self.products.shape[-1], self.cells.n_visits
        out = np.empty((*self.sizes.shape, n_visits, n_visits))
        for a, b, block in self._pairs():
            flat = outer[:, a, :, b].reshape(-1, wide**2)
            total = flat @ self.cells.moments.products[:, block].reshape(-1, wide**2).T
            part = self.products[:, block].reshape(-1, wide**2)
            total[self.owner, self.place] -= np.einsum("jd,jd->j", part, flat[self.owner])
            out[:, :, a, b] = out[:, :, b, a] = total
        return out

    def inverses(self, sigmas: Array) -> Array:
        """(G, K, T, T): inverse of each cell's seen part of (G, groups, T, T), else zeros."""
        moments = self.cells.moments
        both = moments.seen[:, :, None] & moments.seen[:, None, :]
        whole = np.where(both, sigmas[:, moments.group], np.eye(self.cells.n_visits))
        return np.where(both, np.linalg.inv(whole), 0.0)

    def plain(self, covariance: str) -> Booleans:
        """(G,): what the fit to all estimates can be estimated as well, with something to spare."""
        seen = self.cells.moments.seen
        own = (seen[:, :, None] * np.eye(self.cells.n_visits))[None]
        gram = self.sandwiched(np.repeat(own, len(self.sizes), axis=0), self.cells.basis.design)
        plain = np.linalg.eigvalsh(gram)[:, 0] > _LITTLE_LEFT
        pairs = (seen[:, :, None] & seen[:, None, :]).reshape(len(seen), -1)
        for rows in self.cells.groups:
            together = (self.count[:, rows] @ pairs[rows]).reshape(-1, *own.shape[2:])
            plain &= (np.einsum("gtt->gt", together) > 1).all(axis=1)
            plain &= (covariance != "us") | (together > 0).all(axis=(1, 2))
        return np.asarray(plain)

    def _pairs(self) -> Iterator[tuple[int, int, int]]:
        """Visits a <= b, and the stored block that belongs to them."""
        for a in range(self.cells.n_visits):
            for b in range(a, self.cells.n_visits):
                yield a, b, int(self.cells.blocks[a, b])

    def only(self, kept: Integers) -> _Subsets:
        """Some of the subsets, by their places in ascending order."""
        if kept.size == len(self.sizes):
            return self
        used = np.isin(self.owner, kept)
        return replace(
            self,
            owner=np.searchsorted(kept, self.owner[used]),
            place=self.place[used],
            products=self.products[used],
            sizes=self.sizes[kept],
            count=self.count[kept],
        )

    @cached_property
    def _starts(self) -> Integers:
        return np.flatnonzero(np.diff(self.owner, prepend=-1))

    def _by_owner(self, parts: Array) -> Array:
        """(G, ...): sums over each cluster's cells of (J, ...)."""
        whole = self._starts.size == len(parts)
        return parts if whole else np.add.reduceat(parts, self._starts, axis=0)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def _search(subsets: _Subsets, held: _Held, fit: RemlFit) -> Refits:
    n = len(subsets.sizes)
    answer = Refits(
        theta=np.tile(fit.theta, (n, 1)),
        gamma=np.tile(fit.point.gamma, (n, 1)),
        found=np.zeros(n, dtype=np.bool_),
    )
    left = np.flatnonzero(subsets.plain(fit.covariance))
    theta, last = answer.theta[left], np.full(left.size, np.inf)
    for _ in range(_ITERATIONS):
        if not left.size:
            break
        try:
            at = _derivatives(subsets.only(left), held, theta)
            information = at.local - held.coupled
            step = np.linalg.solve(information, at.gradient[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            break
        decrement = (at.gradient * step).sum(axis=1)
        ended = (decrement < _END) | ((last < _ROUNDING) & (decrement > last / 4))
        closer = (decrement >= 0) & ((decrement < last) | ended)
        new = closer & ended
        if new.any():
            answer.theta[left[new]], answer.gamma[left[new]] = theta[new], at.gamma[new]
            answer.found[left[new]] = _is_maximum(information[new], theta[new], held)
        going = closer & ~ended
        step *= np.minimum(1.0, _LONGEST / np.sqrt(np.maximum(decrement, _END)))[:, None]
        left, theta, last = left[going], (theta + step)[going], decrement[going]
    return answer


def _is_maximum(information: Array, theta: Array, held: _Held) -> Booleans:
    """(G,): whether all matrices are positive definite, the information with something to spare."""
    sigmas = held.form.sigma(theta.reshape(len(theta), len(held.bends), held.form.n_parameters))
    return np.asarray((_smallest(information) > _LITTLE_LEFT) & (_smallest(sigmas) > 0).all(axis=1))


def _smallest(matrices: Array) -> Array:
    """(...): least eigenvalue of (..., n, n) scaled to a unit diagonal."""
    size = np.sqrt(np.abs(np.einsum("...nn->...n", matrices)))
    scaled = matrices / (size[..., :, None] * size[..., None, :])
    return np.asarray(np.linalg.eigvalsh(scaled)[..., 0])


def _derivatives(subsets: _Subsets, held: _Held, theta: Array) -> _Derivatives:
    cells, n_visits, n = subsets.cells, subsets.cells.n_visits, held.form.n_parameters
    by_group = theta.reshape(len(theta), -1, n)
    weights = subsets.inverses(held.form.sigma(by_group))
    columns = np.concatenate([cells.basis.design, cells.basis.residual[:, :, None]], axis=2)
    phi, gamma = _coefficients(subsets.sandwiched(weights, columns))
    flat = columns.reshape(-1, columns.shape[-1])
    outer = flat @ _spread(phi if cells.method == "reml" else 0 * phi, gamma) @ flat.T
    spread = subsets.inner(outer.reshape(len(theta), *2 * columns.shape[:2]))
    bent, sized = weights @ spread @ weights, subsets.sizes[:, :, None, None] * weights
    first = held.form.first(by_group).reshape(*by_group.shape, -1)
    gradient = np.zeros_like(by_group)
    local = np.zeros((*by_group.shape, *by_group.shape[1:]))
    for g, rows in enumerate(cells.groups):
        slope = (bent - sized)[:, rows].sum(axis=1).reshape(-1, n_visits**2) / 2
        gradient[:, g] = (first[:, g] @ slope[:, :, None])[:, :, 0]
        entries = _local(weights[:, rows], (2 * bent - sized)[:, rows])
        half = first[:, g] @ entries @ np.swapaxes(first[:, g], 1, 2)
        bends = (slope @ held.bends[g]).reshape(-1, n, n)
        local[:, g, :, g] = (half + np.swapaxes(half, 1, 2)) / 4 - bends
    return _Derivatives(
        gradient=gradient.reshape(theta.shape),
        local=local.reshape(*theta.shape, -1),
        gamma=gamma,
    )


def _coefficients(full: Array) -> tuple[Array, Array]:
    """(G, r, r) covariance and (G, r) coefficients from the products of columns and residual."""
    phi = np.linalg.inv(full[:, :-1, :-1])
    phi = (phi + np.swapaxes(phi, 1, 2)) / 2
    return phi, (phi @ full[:, :-1, -1:])[:, :, 0]


def _spread(phi: Array, gamma: Array) -> Array:
    """(G, r + 1, r + 1): what makes ``E Phi E' + d d'`` of the columns E and the residual."""
    turn = np.concatenate([-gamma, np.ones((len(gamma), 1))], axis=1)
    out = turn[:, :, None] * turn[:, None, :]
    out[:, :-1, :-1] += phi
    return np.asarray(out)


def _local(weights: Array, right: Array) -> Array:
    """(G, T T, T T): ``sum_k W D W D right`` of cells (G, K, T, T), by the entries of both D."""
    n_subsets, _, n_visits, _ = weights.shape
    flat = weights.reshape(n_subsets, -1, n_visits**2)
    both = np.swapaxes(flat, 1, 2) @ right.reshape(n_subsets, -1, n_visits**2)
    turned = both.reshape(-1, *4 * (n_visits,)).transpose(0, 4, 1, 2, 3)
    return np.asarray(turned.reshape(n_subsets, n_visits**2, -1))
