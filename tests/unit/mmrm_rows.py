"""Small simulated trials for the tests of the mixed model, and its slow, obvious likelihood."""

import numpy as np

from outcomes.stats.moments import accumulate, choose_layout

VISIT_COVARIANCE = np.array([[4.0, 2.0, 1.5], [2.0, 5.0, 3.0], [1.5, 3.0, 6.0]])


def trial(seed, n=80, visits=3, missing=0.25, groups=1, shift=0.0):
    """Wide rows of two exposures with one covariate: z, y, group."""
    rng = np.random.default_rng(seed)
    exposure = np.arange(n) % 2
    age = rng.normal(50, 10, n)
    z = np.column_stack([np.ones(n), exposure, age])
    covariance = VISIT_COVARIANCE
    if visits != 3:
        covariance = 2 * np.ones((visits, visits)) + np.diag(np.linspace(1, 2, visits))
    noise = rng.standard_normal((n, visits)) @ np.linalg.cholesky(covariance).T
    time = np.arange(visits)
    y = shift + 0.05 * age[:, None] - exposure[:, None] * (0.5 + 0.3 * time) + noise
    y[rng.random(y.shape) < missing] = np.nan
    return z, y, rng.integers(0, groups, n)


def by_visit_maps(visits, q=3):
    """The design (z, visit, exposure by visit)."""
    maps = np.zeros((visits, q + 2 * (visits - 1), q))
    for t in range(visits):
        maps[t, :q] = np.eye(q)
        if t:
            maps[t, q + t - 1, 0] = 1.0
            maps[t, q + visits - 1 + t - 1, 1] = 1.0
    return maps


def moments_of(z, y, group=None, weights=None, groups=1):
    layout = choose_layout(
        z,
        y,
        columns=[f"z{j}" for j in range(z.shape[1])],
        visits=[f"v{t}" for t in range(y.shape[1])],
        groups=[f"g{g}" for g in range(groups)],
    )
    return accumulate(layout, z, y, group=group, weights=weights)


def direct_log_likelihood(z, y, maps, sigmas, group, weights=None, method="reml", kind="precision"):
    """Subject by subject, from the definition."""
    n, p = 0.0, maps.shape[1]
    A, b, c, determinants = np.zeros((p, p)), np.zeros(p), 0.0, 0.0
    weights = np.ones_like(y) if weights is None else weights.reshape(len(y), -1) * np.ones_like(y)
    for i in range(len(y)):
        seen = np.flatnonzero(~np.isnan(y[i]))
        if not seen.size:
            continue
        x, own = maps[seen] @ z[i], y[i, seen]
        V, times = sigmas[group[i]][np.ix_(seen, seen)], weights[i, 0]
        if kind == "precision":
            root = np.sqrt(weights[i, seen])
            V, times = V / np.outer(root, root), 1.0
        W = np.linalg.inv(V) * times
        n += times * seen.size
        A, b, c = A + x.T @ W @ x, b + x.T @ W @ own, c + own @ W @ own
        determinants += times * np.linalg.slogdet(V)[1]
    rest = c - b @ np.linalg.solve(A, b)
    deviance = determinants + rest + (n - (p if method == "reml" else 0)) * np.log(2 * np.pi)
    if method == "reml":
        deviance += np.linalg.slogdet(A)[1]
    return -deviance / 2
