"""What an optimiser can do with penalties, asked before anything is compiled."""

import jax.numpy as jnp
import numpy as np

from iclv_jax._optimise._options import Optimizer
from iclv_jax._optimise._stochastic import Stochastic
from iclv_jax._optimise._training import held_out
from iclv_jax._parameters._penalties import Penalties, under
from iclv_jax._parameters._transform import Standard
from iclv_jax._problem import Problem
from iclv_jax._spec import Parameter
from iclv_jax._spec._names import nearest


def check_suited(optimizer: Optimizer, problem: Problem, penalties: Penalties | None) -> None:
    """ValueError where the optimiser cannot take these penalties, or cannot polish what it is told to."""
    kinked = () if penalties is None else penalties.kinked
    if not isinstance(optimizer, Stochastic):
        if kinked:
            raise ValueError(
                f"iclv.L1 on {_listed(kinked)} has no derivative at zero, which {type(optimizer).__name__} would need. "
                "Train with optimizer=iclv.Stochastic(optax.adam(1e-2), batch_people=None), or take iclv.L2 or Gaussian."
            )
        return
    choices = problem.spec.choices
    closed = bool(choices) and all(c.discrete for c in choices) and not problem.spec.dimension
    if optimizer.objective != "likelihood" and not closed:
        raise ValueError(
            f"objective={optimizer.objective!r} takes choice probabilities in closed form, which a model with latent "
            "variables or random coefficients, or without a choice of one alternative, does not have. Take 'likelihood'."
        )
    for name in kinked:
        if not _drawn_to_zero(problem)[problem.names.index(name)]:
            raise ValueError(
                f"iclv.L1 on {name!r}: variances, ordered thresholds, covariances and intercepts of standardised "
                "covariates cannot be drawn to zero one by one. Take iclv.L2 or iclv.Gaussian for it."
            )
    out = held_out(problem, optimizer.validation, optimizer.seed)
    if optimizer.validation and not (out.any() and (~out).any()):
        raise ValueError(
            f"Stochastic: validation={optimizer.validation:g} of {len(out)} people (in whole clusters) leaves nobody out, "
            "or nobody in. Give another share."
        )
    if optimizer.whiten and (kinked or np.isfinite(problem.bounds).any()):
        raise ValueError(
            "Stochastic: whiten=True mixes parameters, which bounds and iclv.L1 do not allow. Leave it out."
        )
    chosen = polished(optimizer, problem.table.parameters)
    both = [n for n, c in zip(problem.names, chosen, strict=True) if c and n in kinked]
    if both:
        raise ValueError(
            f"polish= takes second derivatives, which iclv.L1 on {_listed(both)} does not have at zero. Give polish= the "
            "names of the other parameters, or False."
        )


def polished(optimizer: Stochastic, parameters: tuple[Parameter, ...]) -> np.ndarray:
    """Marks the parameters that the trust region takes on after the training."""
    wanted = optimizer.polish
    names = [p.name for p in parameters]
    if isinstance(wanted, bool):
        return np.full(len(names), wanted)
    if isinstance(wanted, str):
        return np.array([p.role != "weight" for p in parameters])
    found = np.zeros(len(names), bool)
    for key in wanted:
        covered = set(under(key, names))
        if not covered:
            raise ValueError(
                f"polish= names {key!r}, which is no free parameter and not what names begin with. {nearest(key, names)}"
            )
        found |= np.array([name in covered for name in names])
    return found


def _drawn_to_zero(problem: Problem) -> np.ndarray:
    """Marks the parameters that are multiples of their unconstrained ones."""
    found = np.ones(len(problem.names), bool)
    twos = jnp.full(len(found), 2.0)
    for transform in problem.core.structure.map.transforms:
        if not isinstance(transform, Standard):
            found &= np.asarray(transform.forward(twos, twos, problem.core.constants)) == 2.0
        elif transform.intercept is not None:
            found[transform.intercept] = False
    centred = problem.core.structure.map.centred
    found[[] if centred is None else list(centred.moved)] = False
    return found


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
