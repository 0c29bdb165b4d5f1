"""The log-likelihood, with a prior, as a function on the whole of R^P for the engines of other libraries."""

from collections.abc import Callable, Mapping
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._draws import inference_data
from iclv_jax._base._types import AnyArray, Array, Float, Number, Params
from iclv_jax._parameters import ParameterTable
from iclv_jax._parameters._unbounded import Intervals
from iclv_jax._spec._names import nearest
from iclv_jax._spec._trace import Namespace, check_arguments, record, scalar

Prior = Callable[[Mapping[str, Array]], Array]
"""Log prior density of the named values of all parameters."""


@final
class LogDensity:
    """A log posterior density: `density(z)` is the log-likelihood plus the log prior at `density.to_params(z)`, plus the
    log of the determinant of that map, so that samplers of z draw from the posterior of the parameters.

    `z` is any vector of P numbers: variances and increments of thresholds go through logs, bounded parameters through
    logs or logits, correlations as in the optimiser. A mapping of names to numbers (a pytree) does as well. It is a pure
    function for `jax.jit`, `jax.grad` and `jax.vmap`, minus infinity where there is no likelihood.

    Made by `problem.logdensity(...)`, whose arguments are

    `prior`
        None: flat in natural units, which is improper. A mapping of names of free parameters to distributions (any object
        with `log_prob(value)`, as those of numpyro) or to functions of the value that return a log density; parameters
        that are not named keep a flat prior. Or a function of the named parameters, `lambda p: ...`, fixed, tied and
        defined ones among them, that returns the log density, up to a constant, in natural units.
    `jacobian`
        False leaves the determinant out: the maximum is then that of likelihood and prior in natural units, with a flat
        prior the maximum likelihood estimate. For optimisers.
    `recentre`
        True places the nodes of the integral anew at every z; each evaluation then looks for everybody's posterior mode,
        and the gradient is that at nodes held in place. False keeps the nodes of the problem: place them first, as those of
        `fit.problem` or `problem.recentre(params)` are, near where the posterior is.
    `start`
        Parameters (vector, mapping or Series) at which `density.start` stands; None: the usual start values.

    Attributes
    ----------
    names
        The free parameters, in the order of z.
    start
        A first z.
    """

    def __init__(
        self, problem: Any, prior: Prior, intervals: Intervals, start: Array, jacobian: bool, recentre: bool
    ) -> None:
        self.names: tuple[str, ...] = problem.names
        self.start = start
        self._problem, self._prior, self._intervals = problem, prior, intervals
        self._jacobian, self._recentre = jacobian, recentre
        # Called as they stand they would be a hundred small programs.
        self._value = jax.jit(self._at)
        self._natural = jax.jit(jnp.vectorize(self._params, signature="(p)->(p)"))
        self._unconstrained = jax.jit(jnp.vectorize(self._z, signature="(p)->(p)"))

    def __call__(self, z: AnyArray | Mapping[str, Number]) -> Array:
        y = self._flat(z)
        if y.shape != self.start.shape:
            raise ValueError(
                f"z has the shape {y.shape}; the density takes {self.start.shape}, one number for each free parameter. Use "
                "jax.vmap for many."
            )
        return self._value(y)

    def to_params(self, z: AnyArray | Mapping[str, Number]) -> Float[Array, "*draw param"]:
        """Free parameters in natural units, in the order of `names`, the last axis; draws and chains may come before it."""
        return self._natural(self._flat(z))

    def to_z(self, params: AnyArray | Mapping[str, Number]) -> Array:
        """The inverse of `to_params`: infinite for a parameter at a bound, NaN outside the domain."""
        return self._unconstrained(self._flat(params))

    def to_arviz(self, z: AnyArray | Mapping[str, Number]) -> Any:
        """Draws of z by a sampler, as draws of the parameters for the plots and diagnostics of arviz.

        Parameters
        ----------
        z
            Draws of shape (chain, draw, param), or (draw, param) of one chain; or a mapping from names to arrays without
            the last axis, as samplers of a mapping return them.

        Returns
        -------
        InferenceData or xarray.DataTree
            By the version of arviz (from 1 on the latter); free parameters in natural units under their names.

        Raises
        ------
        ValueError
            For draws of another shape.
        ImportError
            Without the package `arviz`.
        """
        params = np.asarray(self.to_params(z))
        if params.ndim not in (2, 3):
            raise ValueError(
                f"Draws of z have the shape (chain, draw, {len(self.names)}), or (draw, {len(self.names)}) of one chain, "
                f"not {params.shape}."
            )
        chains = params[None] if params.ndim == 2 else params
        return inference_data({name: chains[..., k] for k, name in enumerate(self.names)})

    def _at(self, y: Array) -> Array:
        constants, table = self._problem.core.constants, self._problem.table
        inner = self._intervals.forward(y)
        params = table.map.natural(constants, inner)
        problem = self._problem.recentre(params) if self._recentre else self._problem
        value = problem.loglike(params) + self._prior(problem.unpack(params, everything=True))
        if self._jacobian:
            value += table.map.log_volume(constants, inner) + self._intervals.log_volume(y)
        return jnp.where(jnp.isnan(value), -jnp.inf, value)

    def _params(self, y: Array) -> Array:
        return self._problem.table.map.natural(self._problem.core.constants, self._intervals.forward(y))

    def _z(self, params: Array) -> Array:
        inner = self._problem.table.map.unconstrained(self._problem.core.constants, params)
        return self._intervals.inverse(inner)

    def _flat(self, values: Any) -> Array:
        if not hasattr(values, "keys"):
            return jnp.asarray(values, float)
        absent = [n for n in self.names if n not in values]
        if absent or len(values) > len(self.names):
            raise ValueError(
                f"The mapping needs one value for each of {', '.join(self.names)}"
                + (f"; {', '.join(absent)} have none." if absent else ", and no other.")
            )
        return jnp.stack([jnp.asarray(values[n]) for n in self.names], axis=-1)


def logdensity(problem: Any, prior: Any, start: Params, jacobian: bool, recentre: bool) -> LogDensity:
    """See `Problem.logdensity`."""
    table: ParameterTable = problem.table
    if start.shape != (len(table.names),):
        raise ValueError(f"start has the shape {start.shape}; there are {len(table.names)} free parameters.")
    table.check_domain(np.asarray(start))
    intervals = Intervals(*table.unconstrained_bounds)
    z = np.asarray(table.map.unconstrained(problem.core.constants, start))
    first = intervals.inverse(jnp.asarray(intervals.inside(z)))
    return LogDensity(problem, _prior(prior, table, start), intervals, first, jacobian, recentre)


def _prior(prior: Any, table: ParameterTable, start: Params) -> Prior:
    if prior is None:
        return lambda values: jnp.zeros(())
    if isinstance(prior, Mapping):
        return _product(prior, table, start)
    what, known = "The prior", [row.name for row in table.rows]
    check_arguments(prior, ["p"], what)

    def check(name: str) -> None:
        if name not in known:
            raise ValueError(f"{what} uses {name!r}, which the model does not have. {nearest(name, known)}")

    _, result = record(prior, [check], what)
    scalar(result, what)
    return lambda values: scalar(prior(Namespace(values.__getitem__)), what)


def _product(priors: Mapping[str, Any], table: ParameterTable, start: Params) -> Prior:
    """Independent priors of single parameters."""
    densities = {name: _density(name, given, table) for name, given in priors.items()}
    at = dict(zip(table.names, start, strict=True))
    for name, density in densities.items():
        if not np.isfinite(float(density(at[name]))):
            raise ValueError(
                f"The prior of {name!r} has no density at the start, {float(at[name]):g}. Change it, or start=."
            )
    return lambda values: sum((f(values[n]) for n, f in densities.items()), start=jnp.zeros(()))


def _density(name: str, given: Any, table: ParameterTable) -> Callable[[Array], Array]:
    row, what = table.row(name), f"The prior of {name!r}"
    if row.status != "free":
        raise ValueError(
            f"{what}: {name!r} is {row.standing}. Give priors to free parameters, or write one function of the named "
            "parameters."
        )
    # Distributions of numpyro can be called as well: that draws from them.
    function = getattr(given, "log_prob", given)
    if not callable(function):
        raise ValueError(
            f"{what} is a distribution with log_prob(value), or a function of the value that returns a log density such as "
            f"lambda v: jax.scipy.stats.norm.logpdf(v, 0, 1), not {given!r}."
        )
    record(lambda p: scalar(function(p.value), what), [lambda _: None], what)
    return lambda value: scalar(function(value), what)
