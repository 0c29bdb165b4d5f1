"""What a problem says at parameters: log-likelihood, scores and Hessians."""

from typing import Any, Literal, get_args

import jax.numpy as jnp
from jax.core import Tracer
from typing_extensions import Protocol, runtime_checkable

from iclv_jax import _derivatives as derivatives
from iclv_jax._base._arguments import is_word
from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Given, Hessian, Params, Scalar, Scores
from iclv_jax._derivatives import FEW_SCORES, little
from iclv_jax._likelihood import Core
from iclv_jax._problem import _portions as portions
from iclv_jax._problem._params import params_of
from iclv_jax._problem._portions import Portion
from iclv_jax._spec._names import nearest

slope_at_once = compiled(derivatives.slope)
expand_exact = compiled(
    derivatives.expand_exact, quick=lambda core, params: derivatives.of_moments(core) or little(core, params)
)
_dot = compiled(jnp.dot, quick=True)
hessian_autodiff = compiled(derivatives.hessian_autodiff)
hessian_numerical = compiled(derivatives.hessian_numerical, static_argnames="difference")

HessianMethod = Literal["exact", "autodiff", "numerical", "bhhh"]


@runtime_checkable
class Bound(Protocol):
    """What is evaluated: the arrays, how many nodes at a time, and some of the people."""

    @property
    def core(self) -> Core: ...

    @property
    def portion(self) -> Portion: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def subsample(self, people: Any) -> "Bound": ...


def loglike(problem: Bound, params: Given[Params]) -> Scalar:
    """The weighted log-likelihood.

    Examples
    --------
    >>> float(fit.problem.loglike(fit.estimates)) == fit.llf
    True
    """
    params = params_of(problem, params)
    if _from_scores(problem, params):
        return slope(problem, params).value
    return _dot(problem.core.weights, values(problem, params))


def values(problem: Bound, params: Params) -> Float[Array, " person"]:
    """log L_n of every person: of few people, where nothing is integrated, from the program for their scores, which a fit
    compiles anyway; with nodes it compiles that for values to see how accurate they are."""
    if _from_scores(problem, params):
        return person_scores(problem, params).values
    return loglike_person(problem, params)


def _from_scores(problem: Bound, params: Params) -> bool:
    return few(problem, params) and problem.core.structure.dimension == 0


def few(problem: Bound, params: Params) -> bool:
    """Whether sums over people are taken from what the program for their scores says of each."""
    return problem.core.people.size * len(problem.names) <= FEW_SCORES and not isinstance(params, Tracer)


def loglike_person(problem: Bound, params: Given[Params]) -> Float[Array, " person"]:
    """log L_n of every person, unweighted, in the order of `panel.people`.

    Examples
    --------
    >>> fit.problem.loglike_person(fit.estimates).shape
    (300,)
    """
    params = params_of(problem, params)
    return portions.values(problem.core, params, problem.portion)[0]


def effective_sizes(problem: Bound, params: Given[Params]) -> Float[Array, " person"]:
    """How many draws from the posterior every person's nodes are worth: `(sum w)^2 / sum w^2` of the
    importance weights (Kong 1992).

    Examples
    --------
    >>> bool((fit.problem.effective_sizes(fit.estimates) > 1.0).all())
    True
    """
    params = params_of(problem, params)
    return portions.values(problem.core, params, problem.portion)[1]


def score(problem: Bound, params: Given[Params]) -> Params:
    """Gradient of `loglike`.

    Examples
    --------
    >>> bool(abs(logit_fit.problem.score(logit_fit.estimates)).max() < 1e-3)
    True
    """
    return value_and_score(problem, params)[1]


def score_person(problem: Bound, params: Given[Params]) -> Scores:
    """Gradient of every person's log L_n, unweighted: shape (people, parameters).

    Examples
    --------
    >>> logit_fit.problem.score_person(logit_fit.estimates).shape
    (300, 4)
    """
    params = params_of(problem, params)
    return person_scores(problem, params).scores


def person_scores(problem: Bound, params: Params) -> derivatives.PersonScores:
    """log L_n of every person with its gradient, and that of the items alone."""
    return portions.scores(problem.core, params, problem.portion)


def hessian(
    problem: Bound,
    params: Given[Params],
    method: Given[HessianMethod] = "exact",
    *,
    people: Any = None,
    difference: Given[derivatives.Difference] = "central",
) -> Hessian:
    """Hessian of `loglike`, (parameters, parameters) in natural units.

    Parameters
    ----------
    method
        `"exact"` uses the structure of the model (but is `"autodiff"` where a structural equation is a function, and
        under exact conditioning); `"autodiff"` is `jax.hessian` in chunks, the
        cross-check; `"numerical"` differences of the gradient (`numerical_hessian` also says how far
        they can be trusted); `"bhhh"` minus the outer product of the scores.
    people
        Positions of a subsample of people for `"bhhh"`, which is then multiplied by the total weight
        over that of the subsample.
    difference
        `"central"` or `"forward"`, for `"numerical"`.

    Examples
    --------
    >>> bool(np.allclose(logit_fit.problem.hessian(logit_fit.estimates), logit_fit.hessian))
    True
    """
    params = params_of(problem, params)
    _check_choice("method", method, get_args(HessianMethod))
    if people is not None and method != "bhhh":
        raise ValueError(f"people= is a subsample for method='bhhh', not for {method!r}. Leave it out.")
    if method == "exact":
        return expansion(problem, params).hessian
    if method == "autodiff":
        return hessian_autodiff(problem.core, params)
    if method == "numerical":
        return numerical_hessian(problem, params, difference).hessian
    problem = problem if people is None else problem.subsample(people)
    return expansion(problem, params, "bhhh").hessian


def expansion(
    problem: Bound, params: Given[Params], method: Given[Literal["exact", "bhhh"]] = "exact"
) -> derivatives.Expansion:
    """Value, gradient and Hessian of `loglike` in one pass, and the log-likelihood of the items alone.

    Examples
    --------
    >>> logit_fit.problem.expansion(logit_fit.estimates).hessian.shape
    (4, 4)
    """
    params = params_of(problem, params)
    _check_choice("method", method, ("exact", "bhhh"))
    if method == "exact":
        return expand_exact(problem.core, params)
    return derivatives.outer_products(problem.core.weights, *person_scores(problem, params))


def value_and_score(problem: Bound, params: Given[Params]) -> tuple[Scalar, Params]:
    """`loglike` and its gradient in one pass.

    Examples
    --------
    >>> value, score = logit_fit.problem.value_and_score(logit_fit.estimates)
    >>> value.shape, score.shape
    ((), (4,))
    """
    return slope(problem, params)[:2]


def slope(problem: Bound, params: Given[Params]) -> derivatives.Slope:
    """`loglike`, its gradient, and the log-likelihood of the items alone at the same nodes.

    Examples
    --------
    >>> logit_fit.problem.slope(logit_fit.estimates)[1].shape
    (4,)
    """
    params = params_of(problem, params)
    if not few(problem, params) and not problem.portion.divides(problem.core, params):
        return slope_at_once(problem.core, params)
    return derivatives.summed(problem.core.weights, *person_scores(problem, params))


def numerical_hessian(
    problem: Bound, params: Given[Params], difference: Given[derivatives.Difference] = "central"
) -> derivatives.Differences:
    """Hessian by differences of the gradient, with an estimate of the error of every entry and the
    steps that were taken.

    Examples
    --------
    >>> found = logit_fit.problem.numerical_hessian(logit_fit.estimates)
    >>> bool(np.allclose(found.hessian, logit_fit.hessian, rtol=1e-4))
    True
    """
    params = params_of(problem, params)
    _check_choice("difference", difference, get_args(derivatives.Difference))
    return hessian_numerical(problem.core, params, difference=difference)


def _check_choice(argument: str, value: Any, known: tuple[str, ...]) -> None:
    if not is_word(value, known):
        raise ValueError(
            f"{argument} is one of {', '.join(map(repr, known))}, not {value!r}. {nearest(str(value), known)}"
        )
