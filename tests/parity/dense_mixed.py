"""The mixed model from its definition, with one covariance matrix of all rows: slow and obvious.

Nothing of the library is used: rows and a design matrix go in, and everything follows from the
N x N matrix V, block by subject, its derivatives and textbook formulas (Kenward and Roger 1997, the
form without second derivatives in the adjustment). Least squares are by an orthogonal decomposition
of the whitened design with columns of length one.
"""

from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

STEP = 1e-30
"""Of complex-step derivatives, which have no rounding."""
LINEAR = ("us", "cs", "toep")


def tril(theta, n_visits):
    row, column = np.tril_indices(n_visits)
    out = np.zeros((n_visits, n_visits), dtype=np.asarray(theta).dtype)
    out[row, column] = out[column, row] = theta
    return out


def patterned(name, theta, n_visits):
    """Standard deviations, then correlations, of the structures that are not linear."""
    own = name.endswith("h")
    sd = theta[: n_visits if own else 1] * np.ones(n_visits)
    rho = theta[n_visits if own else 1 :]
    distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    correlation = np.ones((n_visits, n_visits), dtype=np.asarray(theta).dtype)
    for j in range(n_visits):
        for k in range(j):
            lag = distance[j, k]
            correlation[j, k] = correlation[k, j] = {
                "cs": lambda: rho[0],
                "ar1": lambda lag=lag: rho[0] ** lag,
                "toep": lambda lag=lag: rho[lag - 1],
                "ad": lambda j=j, k=k: np.prod(rho[k:j]),
            }[name.removesuffix("h")]()
    return correlation * np.outer(sd, sd)


def first_slopes(name, sigma):
    """Derivatives of a matrix by parameters of its structure, of the size of the matrix itself."""
    n_visits = len(sigma)
    if name == "us":  # L (I + S) L' by the entries of S
        factor = np.linalg.cholesky(sigma)
        unit = [tril(e, n_visits) for e in np.eye(n_visits * (n_visits + 1) // 2)]
        return [factor @ one @ factor.T for one in unit]
    if name == "cs":  # eigenvalues of the mean and of what differs from it
        mean = np.full_like(sigma, 1 / n_visits)
        same, apart = sigma[0].sum(), sigma[0, 0] - sigma[0, -1]
        return [same * mean, apart * (np.eye(n_visits) - mean)]
    if name == "toep":
        distance = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
        return [sigma[0, 0] * (distance == lag) for lag in range(n_visits)]
    theta = theta_of(name, sigma)
    steps = 1j * STEP * np.eye(theta.size)
    return [patterned(name, theta + step, n_visits).imag / STEP for step in steps]


def second_slopes(name, sigma):
    """By pairs of parameters: central differences of the exact first ones."""
    theta, out = theta_of(name, sigma), {}
    for k, size in enumerate(np.maximum(np.abs(theta), 1e-3)):
        step = np.zeros(theta.size)
        step[k] = 1e-5 * size
        up, down = (
            first_slopes(name, patterned(name, theta + sign * step, len(sigma))) for sign in (1, -1)
        )
        for h in range(theta.size):
            out[h, k] = (up[h] - down[h]) / (2 * step[k])
    return out


def theta_of(name, sigma):
    """Natural parameters of a matrix of the structure."""
    n_visits = len(sigma)
    if name == "us":
        return sigma[np.tril_indices(n_visits)]
    if name in ("cs", "toep"):
        return sigma[0, : 2 if name == "cs" else n_visits]
    sd = np.sqrt(np.diag(sigma))
    correlation = sigma / np.outer(sd, sd)
    rho = {
        "cs": correlation[0, 1:2],
        "ar1": correlation[0, 1:2],
        "toep": correlation[0, 1:],
        "ad": np.diag(correlation, 1),
    }[name.removesuffix("h")]
    return np.concatenate([sd if name.endswith("h") else sd[:1], rho])


def free_to_sigma(name, free, at):
    """A matrix by parameters without bounds: of the factor beside that of ``at``, or links."""
    n_visits = len(at)
    if name == "us":
        factor = tril(free, n_visits) * np.tri(n_visits)
        factor[np.diag_indices(n_visits)] = np.exp(np.clip(np.diag(factor), -50, 50))
        factor = np.linalg.cholesky(at) @ factor
        return factor @ factor.T
    n_sd = n_visits if name.endswith("h") else 1
    parts = np.concatenate([np.exp(np.clip(free[:n_sd], -50, 50)), np.tanh(free[n_sd:])])
    return patterned(name, parts, n_visits)


def sigma_to_free(name, sigma):
    """Those at which :func:`free_to_sigma` gives ``sigma``, itself the matrix beside."""
    if name == "us":
        return np.zeros(len(sigma) * (len(sigma) + 1) // 2)
    deviations = theta_of(name, sigma)
    if name in LINEAR:
        deviations = np.concatenate([[np.sqrt(sigma[0, 0])], deviations[1:] / sigma[0, 0]])
    n_sd = len(sigma) if name.endswith("h") else 1
    return np.concatenate([np.log(deviations[:n_sd]), np.arctanh(deviations[n_sd:])])


class Dense:
    """Rows of a mixed model: design (N, p), response, codes of subject, visit and group."""

    def __init__(self, X, y, subject, visit, *, group=None, weights=None, method="reml"):
        order = np.lexsort((visit, subject))
        zeros = np.zeros(len(y), dtype=int)
        group = zeros if group is None else group
        self.X, self.y = X[order], y[order]
        self.subject, self.visit, self.group = subject[order], visit[order], group[order]
        self.root = np.sqrt(np.ones(len(y)) if weights is None else weights[order])
        self.method = method
        self.scale = np.linalg.norm(self.X, axis=0)

    @cached_property
    def patterns(self):
        """Rows (m, k) of the subjects of one pattern and group, with both."""
        found = {}
        for code in np.unique(self.subject):
            rows = np.flatnonzero(self.subject == code)
            key = (self.group[rows[0]], *self.visit[rows])
            found.setdefault(key, []).append(rows)
        return {key: np.array(rows) for key, rows in found.items()}

    def fit(self, sigmas):
        """beta, its covariance, the log-likelihood at these covariance matrices."""
        rows = np.column_stack([self.X / self.scale, self.y]) * self.root[:, None]
        white, half = [], -np.log(self.root).sum()
        for (group, *visits), places in self.patterns.items():
            factor = np.linalg.cholesky(sigmas[group][np.ix_(visits, visits)])
            half += len(places) * np.log(np.diag(factor)).sum()
            block = rows[places].transpose(1, 0, 2).reshape(len(visits), -1)
            solved = solve_triangular(factor, block, lower=True)
            white.append(solved.reshape(-1, rows.shape[1]))
        white = np.concatenate(white)
        triangle = np.linalg.qr(white, mode="r")
        p = self.X.shape[1]
        R, rss = triangle[:p, :p], float((triangle[p:, p] ** 2).sum())
        inverse = solve_triangular(R, np.eye(p)) / self.scale[:, None]
        beta = solve_triangular(R, triangle[:p, p]) / self.scale
        n = len(self.y) - (p if self.method == "reml" else 0)
        log_lik = -(n * np.log(2 * np.pi) + 2 * half + rss) / 2
        if self.method == "reml":
            log_lik -= np.log(np.abs(np.diag(R)) * self.scale).sum()
        return beta, inverse @ inverse.T, log_lik

    def log_likelihood(self, name, free, at):
        """At unbounded parameters of all groups; minus infinity where no matrix is definite."""
        try:
            parts = free.reshape(len(at), -1)
            sigmas = [free_to_sigma(name, *pair) for pair in zip(parts, at, strict=True)]
            np.linalg.cholesky(sigmas)
            return self.fit(sigmas)[2]
        except np.linalg.LinAlgError:
            return -np.inf

    def blocks(self, sigmas):
        """(N, N) from one (T, T) matrix a group, before weights: zero between subjects."""
        stack = np.stack(sigmas)
        V = stack[self.group[:, None], self.visit[:, None], self.visit[None, :]]
        return np.where(self.subject[:, None] == self.subject[None, :], V, 0.0)

    def slopes(self, name, sigmas):
        """dV by each parameter of each group, (N, N) each."""
        out = []
        for g, sigma in enumerate(sigmas):
            for slope in first_slopes(name, sigma):
                one = [slope if k == g else np.zeros_like(sigma) for k in range(len(sigmas))]
                out.append(self.blocks(one))
        return out

    def inference(self, name, sigmas):
        """What follows from V: gradient, information, Kenward-Roger covariance, df of each beta.

        All in rows that are whitened by the Cholesky factor of V, with parameters in which the
        derivatives of V are of its own size: no digits are lost where V is nearly singular.
        """
        root = np.linalg.inv(np.linalg.cholesky(self.blocks(sigmas)))
        X, y = (root @ (v * self.root[:, None]) for v in (self.X / self.scale, self.y[:, None]))
        Vh = np.stack([root @ slope @ root.T for slope in self.slopes(name, sigmas)])
        Q, R = np.linalg.qr(X)
        left = y[:, 0] - Q @ (Q.T @ y[:, 0])
        left -= Q @ (Q.T @ left)
        P = np.eye(len(left)) - Q @ Q.T
        trace_part = P if self.method == "reml" else np.eye(len(left))
        gradient = (np.einsum("i,hij,j->h", left, Vh, left, optimize=True)) / 2
        gradient -= np.einsum("ij,hij->h", trace_part, Vh) / 2
        moved, turned = Vh @ left, trace_part @ Vh
        information = moved @ P @ moved.T - np.tensordot(turned, turned, ([1, 2], [2, 1])) / 2
        information += self._bend(name, sigmas, root, trace_part, left)
        cov = np.linalg.inv(information)
        half, first = Vh @ Q, -Q.T @ Vh @ Q
        adjusted = sum(
            part.T @ other - own @ mixed
            for part, other, own, mixed in zip(
                half, np.tensordot(cov, half, 1), first, np.tensordot(cov, first, 1), strict=True
            )
        )
        inverse = solve_triangular(R, np.eye(len(R))) / self.scale[:, None]
        adjusted = inverse @ (np.eye(len(R)) + 2 * adjusted) @ inverse.T
        slope = np.array([-np.einsum("jr,rs,js->j", inverse, part, inverse) for part in first])
        variance = (inverse**2).sum(axis=1)
        df = 2 * variance**2 / np.einsum("hj,hk,kj->j", slope, cov, slope)
        return {"decrement": float(gradient @ cov @ gradient), "adjusted": adjusted, "df": df}

    def _bend(self, name, sigmas, root, trace_part, left):
        """The part of the information from second derivatives of V, zero where V is linear."""
        if name in LINEAR:
            return 0.0
        n_groups, size = len(sigmas), len(theta_of(name, sigmas[0]))
        out = np.zeros((n_groups * size, n_groups * size))
        for g, sigma in enumerate(sigmas):
            for (h, k), bend in second_slopes(name, sigma).items():
                one = [bend if j == g else np.zeros_like(sigma) for j in range(n_groups)]
                D = root @ self.blocks(one) @ root.T
                out[g * size + h, g * size + k] = ((trace_part * D).sum() - left @ D @ left) / 2
        return out
