"""Where answers to continuous items stand, in closed form: normal given covariates, and given the other answers too."""

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._distributions import below, tail
from iclv_jax._base._types import Array, Params
from iclv_jax._density import Structure, reduced_form
from iclv_jax._inference._estimated import Estimated
from iclv_jax._parameters import LATENT
from iclv_jax._predict._effects import implied, matrices
from iclv_jax._spec import Tails


def normal_tails(fit: Estimated, others: bool) -> tuple[Tails, np.ndarray, np.ndarray]:
    """Tails and means, (person, item of the stacks), given the `others` or the covariates alone, and who answered what."""
    core, params = fit.problem.core, jnp.asarray(fit.estimates)
    person, items = core.person, core.structure.items
    answers = np.concatenate([np.asarray(person.data[b.at].outcome) for b in items], axis=1)
    answered = np.concatenate([np.asarray(person.data[b.at].occurs) for b in items], axis=1)
    group = np.zeros(len(answers), int) if person.group is None else np.asarray(person.group)
    mean, scale = np.zeros(answers.shape), np.ones(answers.shape)
    for at in np.unique(group):
        structure, who = core.structure.of_group(int(at)), np.flatnonzero(group == at)
        means, spread = _normal(structure, core.constants, params, jnp.asarray(person.covariates)[who])
        mean[who], scale[who] = np.asarray(means), np.sqrt(np.diagonal(spread))
        if others:
            _given_others(mean, scale, answers, answered, who, np.asarray(spread))
    z = np.where(answered, answers - mean, 0.0) / scale
    return Tails(*(jnp.asarray(a) for a in (below(z), np.zeros_like(z), tail(z)))), mean, answered


def _given_others(
    mean: np.ndarray,
    scale: np.ndarray,
    answers: np.ndarray,
    answered: np.ndarray,
    who: np.ndarray,
    spread: np.ndarray,
) -> None:
    """Put means and standard deviations given the other answers in place of those of these people: with the inverse P of
    the covariance matrix, `y_i - (P (y - m))_i / P_ii` and `1 / sqrt(P_ii)`."""
    marks, owner = np.unique(answered[who], axis=0, return_inverse=True)
    for k, seen in enumerate(marks):
        rows, at = who[owner.reshape(-1) == k], np.flatnonzero(seen)
        inverse = np.linalg.inv(spread[np.ix_(at, at)])
        own = 1.0 / np.diagonal(inverse)
        place = np.ix_(rows, at)
        mean[place] = answers[place] - own * ((answers[place] - mean[place]) @ inverse)
        scale[place] = np.sqrt(own)


def _normal(structure: Structure, constants: Array, params: Params, covariates: Array) -> tuple[Array, Array]:
    """Means of the items by person and their covariance matrix, given the covariates."""
    cells = structure.map.dense(structure.map.theta(constants, params))
    none = jnp.zeros((covariates.shape[1],) * 2)
    spread = implied(matrices(structure, constants, params), none).items

    def one(x: Array) -> Array:
        eta = reduced_form(cells[LATENT], x)[0]
        parts = [(block, cells[block.name]) for block in structure.items]
        return jnp.concatenate([part["intercept"] + block.index(part, eta, x) for block, part in parts])

    return jax.vmap(one)(covariates), spread
