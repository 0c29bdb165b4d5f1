"""Whether a person's answers to items with levels go together as the model has it: the standardised log-likelihood l_z."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._compiled import compiled
from iclv_jax._base._types import Array, Float, Params
from iclv_jax._density import Items, Structure, World
from iclv_jax._inference._estimated import Estimated
from iclv_jax._panel import Person
from iclv_jax._panel._frame import identifiers
from iclv_jax._predict._latent_scores import latent_posterior


def person_fit(fit: Estimated) -> pd.DataFrame:
    """The standardised log-likelihood of every person's answers, `lz` (Drasgow, Levine and Williams 1985): large negative
    values have answers that hardly go together, as those of people who guess, copy or tick at random.

    Given the latent variables at their posterior means, the log-likelihood of the answers to all items with levels, less its
    mean over what could have been answered, over its standard deviation. Other items are left out.

    Returns
    -------
    DataFrame
        By person `answers`, how many count; `loglike`, its `expected` value and `sd`; and `lz`, NaN for a person without
        such answers.

    Raises
    ------
    ValueError
        For a model without items with levels.

    Notes
    -----
    With many items lz would be standard normal at the true latent variables. At estimated ones it varies less, the more so
    the fewer the items, so that -1.645 marks fewer than one person in twenty (Molenaar and Hoijtink 1990).

    Examples
    --------
    >>> len(fit.measurement.person_fit())
    300
    """
    core, problem = fit.problem.core, fit.problem
    places = tuple(i for i, b in enumerate(core.structure.items) if b.family.discrete)
    if not places:
        raise ValueError(
            "person_fit: the model has no items with levels. fit.measurement.item_residuals() has residuals of all items."
        )
    eta = latent_posterior(fit).mean[:, : core.structure.system.latents]
    terms = np.asarray(
        _terms(core.structure, core.constants, jnp.asarray(fit.estimates), core.person, eta, places)
    )
    answers, value, expected, variance = terms.T
    with np.errstate(invalid="ignore", divide="ignore"):
        lz = (value - expected) / np.sqrt(variance)
    columns = {
        "answers": answers.astype(int),
        "loglike": value,
        "expected": expected,
        "sd": np.sqrt(variance),
        "lz": lz,
    }
    return pd.DataFrame(columns, index=identifiers(problem.panel.people))


@partial(compiled, static_argnums=(0, 5))
def _terms(
    structure: Structure,
    constants: Array,
    params: Params,
    people: Person,
    eta: Array,
    places: tuple[int, ...],
) -> Float[Array, "person 4"]:
    """How many answers, their log-likelihood, and its mean and variance."""
    theta = structure.map.theta(constants, params)

    def one(person: Person, latent: Array) -> Array:
        cells, total = structure.cells(theta, person), jnp.zeros(4)
        drivers = jnp.zeros(structure.system.drivers)
        world = World(jnp.concatenate([latent, drivers]), person.covariates)
        for place in places:
            block: Items = structure.items[place]
            part, data = cells[block.name], person.data[block.at]
            index = block.index(part, world.eta, world.covariates)
            levels = block.expected_at(part, index).levels
            # Levels that an item does not have, and those that cannot be, have no part in the sums.
            logs = jnp.where(levels > 0.0, jnp.log(jnp.where(levels > 0.0, levels, 1.0)), 0.0)
            own = block.family.log_density(part, data.outcome, index)
            mean = jnp.sum(levels * logs, axis=-1)
            variance = jnp.sum(levels * logs**2, axis=-1) - mean**2
            each = jnp.stack([jnp.ones_like(mean), own, mean, variance], axis=-1)
            total = total + jnp.sum(jnp.where(data.occurs[:, None], each, 0.0), axis=0)
        return total

    return jax.vmap(one)(people, eta)
