"""What a problem says of single people: numbers of each, their names, and at whom it cannot be evaluated."""

from collections.abc import Callable, Hashable, Sequence

import jax
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base._types import AnyArray, Given, Params
from iclv_jax._density import not_finite
from iclv_jax._panel import Panel
from iclv_jax._problem import _evaluated as evaluated
from iclv_jax._problem._params import params_of


@runtime_checkable
class OfPeople(evaluated.Bound, Protocol):
    """What is evaluated, with who the people are."""

    @property
    def panel(self) -> Panel: ...


def by_person(problem: OfPeople, function: Callable[..., AnyArray]) -> np.ndarray:
    """What a function of the problem has for every person, in the order of `called`.

    Examples
    --------
    >>> fit.problem.by_person(lambda part: part.effective_sizes(fit.estimates)).shape
    (300,)
    """
    return np.asarray(function(problem))


def called(problem: OfPeople, at: Sequence[int] | np.ndarray) -> tuple[Hashable, ...]:
    """What the people at these positions are called.

    Examples
    --------
    >>> fit.problem.called([0, 2])
    (0, 2)
    """
    return tuple(problem.panel.people[i] for i in at)


def check_start(problem: OfPeople, params: Given[Params]) -> None:
    """Raise ValueError naming people and factor when the log-likelihood is not finite here.

    Examples
    --------
    >>> logit_fit.problem.check_start(logit_fit.estimates)
    """
    params = params_of(problem, params)
    bad = np.flatnonzero(~np.isfinite(np.asarray(evaluated.values(problem, params))))
    if not len(bad):
        return
    core = problem.core
    shape, first = core.structure, jax.tree.map(lambda a: a[int(bad[0])], core.person)
    cause = not_finite(shape, shape.cells(core.theta(params), first), first) or "the integral over the nodes"
    people = ", ".join(map(repr, called(problem, bad[:5]))) + (", ..." if len(bad) > 5 else "")
    raise ValueError(
        f"The log-likelihood is not finite at the start values for {len(bad)} of "
        f"{len(problem.panel.people)} people ({people}); the factor that does it, for the first: "
        f"{cause}. Give other start values, or check these people's data."
    )
