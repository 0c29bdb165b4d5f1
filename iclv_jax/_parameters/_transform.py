"""From unconstrained to natural parameters: z -> params, and back.

A transform applies to a block whose parameters are all free and unbounded, so that the optimiser
cannot leave the domain. Everything else passes unchanged; a tied or defined parameter that leaves
its domain makes the log-likelihood NaN, and the optimiser then shortens its step.
"""

import abc
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._types import Array


class Transform(abc.ABC):
    """A smooth bijection on some positions of the vector of free parameters."""

    @abc.abstractmethod
    def forward(self, z: Array, params: Array, constants: Array) -> Array:
        """`params` with this block's entries computed from `z`."""

    @abc.abstractmethod
    def inverse(self, params: Array, z: Array, constants: Array) -> Array:
        """`z` with this block's entries computed from `params`; NaN outside the domain."""

    @abc.abstractmethod
    def log_volume(self, z: Array, constants: Array) -> Array:
        """Log of the determinant of the derivatives of this block's `params` by its `z`."""


@dataclass(frozen=True)
class Exponential(Transform):
    """Positive parameters: `params = exp(z)`."""

    positions: tuple[int, ...]

    def forward(self, z: Array, params: Array, constants: Array) -> Array:
        at = np.array(self.positions)
        return params.at[at].set(jnp.exp(z[at]))

    def inverse(self, params: Array, z: Array, constants: Array) -> Array:
        at = np.array(self.positions)
        return z.at[at].set(jnp.log(params[at]))

    def log_volume(self, z: Array, constants: Array) -> Array:
        return jnp.sum(z[np.array(self.positions)])


@dataclass(frozen=True)
class Cumulative(Transform):
    """Blocks of increasing parameters, all of one length: the first as it is, then the logs of the
    increments. Blocks of one length are one operation, so that more items do not make a longer program."""

    blocks: tuple[tuple[int, ...], ...]

    def forward(self, z: Array, params: Array, constants: Array) -> Array:
        at = np.array(self.blocks)
        steps = jnp.concatenate([z[at[:, :1]], jnp.exp(z[at[:, 1:]])], axis=1)
        return params.at[at].set(jnp.cumsum(steps, axis=1), unique_indices=True)

    def inverse(self, params: Array, z: Array, constants: Array) -> Array:
        at = np.array(self.blocks)
        values = params[at]
        steps = jnp.concatenate([values[:, :1], jnp.log(jnp.diff(values, axis=1))], axis=1)
        return z.at[at].set(steps, unique_indices=True)

    def log_volume(self, z: Array, constants: Array) -> Array:
        return jnp.sum(z[np.array(self.blocks)[:, 1:]])


@dataclass(frozen=True)
class Standard(Transform):
    """Slopes of one equation on covariates in standard units: `z = slope * unit`; its intercept, if it has a free
    one, where the covariates are at their centres. `units` and `centres` are places in `constants`; `before` are slopes that
    an equation before this one has as well (of groups that share them)."""

    slopes: tuple[int, ...]
    units: tuple[int, ...]
    centres: tuple[int, ...]
    intercept: int | None
    before: tuple[int, ...] = ()

    def forward(self, z: Array, params: Array, constants: Array) -> Array:
        at = np.array(self.slopes)
        slopes = z[at] / constants[np.array(self.units)]
        params = params.at[at].set(slopes)
        if self.intercept is None:
            return params
        shift = jnp.dot(slopes, constants[np.array(self.centres)])
        return params.at[self.intercept].set(z[self.intercept] - shift)

    def inverse(self, params: Array, z: Array, constants: Array) -> Array:
        at = np.array(self.slopes)
        z = z.at[at].set(params[at] * constants[np.array(self.units)])
        if self.intercept is None:
            return z
        shift = jnp.dot(params[at], constants[np.array(self.centres)])
        return z.at[self.intercept].set(params[self.intercept] + shift)

    def log_volume(self, z: Array, constants: Array) -> Array:
        units = [u for u, slope in zip(self.units, self.slopes, strict=True) if slope not in self.before]
        return -jnp.sum(jnp.log(constants[np.array(units, int)]))


@dataclass(frozen=True)
class Entry:
    """A diagonal entry of a covariance matrix: a free parameter, or a constant of the full table; a standard deviation
    (`spread`) or a variance."""

    position: int
    free: bool
    spread: bool

    def deviation(self, value: Array) -> Array:
        """The standard deviation, from the entry."""
        return value if self.spread else jnp.sqrt(value)


@dataclass(frozen=True)
class Covariance(Transform):
    """A covariance matrix: logs of the standard deviations, and rows `(z, 1) / norm` as the Cholesky
    factor of the correlation matrix (Lewandowski, Kurowicka and Joe 2009 use the same triangle).

    None in `lower` is a covariance of zero: the entry of the row is then the one that makes it so.
    """

    diagonal: tuple[Entry, ...]
    lower: tuple[tuple[int | None, ...], ...]

    def forward(self, z: Array, params: Array, constants: Array) -> Array:
        free, spread = self._own
        own, (i, j), at = np.array([e.position for e in self.diagonal]), *self._below
        logs = z[own[free]]
        params = params.at[own[free]].set(jnp.exp(jnp.where(spread[free], 1.0, 2.0) * logs))
        deviations = self._deviations(jnp.exp(logs), constants)
        factor = self._factor(z)
        covariances = deviations[i] * deviations[j] * jnp.sum(factor[i] * factor[j], axis=1)
        return params.at[at].set(covariances)

    def _deviations(self, mine: Array, constants: Array) -> Array:
        """All standard deviations, of which these are free."""
        free, spread = self._own
        if free.all():
            return mine
        held = constants[np.array([e.position for e in self.diagonal if not e.free])]
        held = jnp.where(spread[~free], held, jnp.sqrt(held))
        return jnp.zeros(len(free)).at[np.flatnonzero(free)].set(mine).at[np.flatnonzero(~free)].set(held)

    def _factor(self, z: Array) -> Array:
        """The Cholesky factor of the correlations."""
        size, (i, j), at = len(self.diagonal), *self._below
        if len(at) == size * (size - 1) // 2:
            rows = jnp.eye(size).at[i, j].set(z[at])
            return rows / jnp.sqrt(jnp.sum(rows**2, axis=1, keepdims=True))
        rows = []
        for positions in self.lower:
            row = jnp.stack([*self._row(z, positions, rows), jnp.ones(())])
            rows.append(row / jnp.sqrt(jnp.sum(row**2)))
        return jnp.stack([jnp.pad(row, (0, size - len(row))) for row in rows])

    @property
    def _own(self) -> tuple[np.ndarray, np.ndarray]:
        """Which diagonal entries are free, and which are standard deviations."""
        return np.array([e.free for e in self.diagonal]), np.array([e.spread for e in self.diagonal])

    @property
    def _below(self) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Row and column of every free covariance, and its place among the parameters."""
        found = [(i, j, p) for i, row in enumerate(self.lower) for j, p in enumerate(row) if p is not None]
        i, j, at = np.array(found, int).reshape(-1, 3).T
        return (i, j), at

    @staticmethod
    def _row(z: Array, positions: tuple[int | None, ...], rows: list[Array]) -> list[Array]:
        """The entries of a row before the last."""
        row: list[Array] = []
        for j, position in enumerate(positions):
            if position is not None:
                row.append(z[position])
            else:
                before = jnp.dot(jnp.stack(row), rows[j][:j]) if row else jnp.zeros(())
                row.append(-before / rows[j][j])
        return row

    def inverse(self, params: Array, z: Array, constants: Array) -> Array:
        free, spread = self._own
        own, (i, j), at = np.array([e.position for e in self.diagonal]), *self._below
        mine = params[own[free]]
        mine = jnp.where(spread[free], mine, jnp.sqrt(mine))
        deviations = self._deviations(mine, constants)
        z = z.at[own[free]].set(jnp.log(mine))
        correlations = params[at] / (deviations[i] * deviations[j])
        both = np.concatenate([i, j]), np.concatenate([j, i])
        matrix = jnp.eye(len(own)).at[both].set(jnp.concatenate([correlations, correlations]))
        factor = jnp.linalg.cholesky(matrix)
        return z.at[at].set(factor[i, j] / factor[i, i])

    def log_volume(self, z: Array, constants: Array) -> Array:
        """A row `(z, 1) / norm` of the factor has the determinant `norm^-(i+1)` by the i - 1 entries of z, the correlations
        by the factor `prod L_ii^(K-i)` with `L_ii = 1 / norm`, a covariance by its correlation `d_i d_j`. Covariances
        of zero leave no such form."""
        if any(position is None for row in self.lower for position in row):
            return self._log_determinant(z, constants)
        size, total = len(self.diagonal), jnp.zeros(())
        for entry, positions in zip(self.diagonal, self.lower, strict=True):
            deviation = (
                z[entry.position] if entry.free else jnp.log(entry.deviation(constants[entry.position]))
            )
            total += (size - 1) * deviation
            if entry.free:
                total += deviation if entry.spread else jnp.log(2.0) + 2.0 * deviation
            total -= 0.5 * (size + 1) * jnp.log1p(jnp.sum(z[np.array(positions, int)] ** 2))
        return total

    def _log_determinant(self, z: Array, constants: Array) -> Array:
        own = [entry.position for entry in self.diagonal if entry.free]
        at = np.array([*own, *(p for row in self.lower for p in row if p is not None)], int)
        slopes = jax.jacfwd(lambda part: self.forward(z.at[at].set(part), z, constants)[at])(z[at])
        return jnp.linalg.slogdet(slopes)[1]
