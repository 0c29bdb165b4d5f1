"""Covariates far from zero: inside the optimiser they are where their means are zero, and the answers are the same."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._parameters import natural, unconstrained


def survey(people=150, seed=2):
    rng = np.random.default_rng(seed)
    year, cost = 15.0 * rng.normal(size=people), rng.normal(size=people)
    a = 0.04 * year + rng.normal(size=people)
    b = 0.6 * a + rng.normal(size=people)
    frame = {"year": year - year.mean(), "cost": cost, "sex": (rng.random(people) < 0.5).astype(float)}
    frame |= {f"a{k}": (0.7 + 0.1 * k) * a + rng.normal(size=people) for k in range(3)}
    frame |= {f"b{k}": np.digitize(b + rng.normal(size=people), [-1.0, 0.5]) for k in range(3)}
    utilities = np.stack([0.3 - cost + 0.8 * b, 0.2 - 0.5 * a, 0.0 * a], axis=1)
    frame["y"] = (utilities + rng.gumbel(size=(people, 3))).argmax(axis=1)
    return pd.DataFrame(frame)


def model(intercept=False, on=(), scale="variance"):
    latents = [
        iclv.Latent("A", on=["year", "sex"], intercept=intercept, scale=scale),
        iclv.Latent("B", on=["A", "year"], scale=scale),
    ]
    items = [iclv.Continuous(f"a{k}", of="A", on=on, intercept=k > 0 or not intercept) for k in range(3)]
    items += [iclv.Ordered(f"b{k}", of="B", on=on if k else ()) for k in range(3)]

    def utility(b, x, lv):
        return {0: b.one + b.cost * x.cost + b.b * lv.B, 1: b.two + b.a * lv.A, 2: 0.0}

    return iclv.Model(latents, items, choice=iclv.Logit(utility, "y"))


@pytest.mark.gate("{'on': ('year',)}", "{'intercept': True}")
@pytest.mark.parametrize(
    "options", [{}, {"intercept": True}, {"on": ("year",)}, {"scale": "loading"}], ids=str
)
def test_the_same_coordinates_wherever_the_covariate_lies(options):
    """Of a year and of the year less its mean the same z is the same log-likelihood, all else is a shift of locations."""
    frame = survey()
    near, far = (model(**options).bind(frame.assign(year=frame["year"] + k)) for k in (0.0, 20_000.0))
    assert near.table.map.centred is None and far.table.map.centred is not None
    z = np.asarray(unconstrained(near.table.map, near.core.constants, near.start()))
    z = jnp.asarray(z + 0.1 * np.random.default_rng(0).normal(size=len(z)))
    one, other = (natural(p.table.map, p.core.constants, z) for p in (near, far))
    found = far.loglike_person(other)
    np.testing.assert_allclose(found, near.loglike_person(one), rtol=1e-8)
    back = unconstrained(far.table.map, far.core.constants, other)
    np.testing.assert_allclose(back, z, rtol=1e-9, atol=1e-9)
    same = [
        not row.name.endswith("~ 1") and "|" not in row.name for row in far.table.rows if row.status == "free"
    ]
    kept = np.array(same) & ~np.isin(far.names, ["one", "two"])
    np.testing.assert_allclose(np.asarray(other)[kept], np.asarray(one)[kept], rtol=1e-12)


@pytest.mark.slow
def test_a_fit_takes_the_same_steps():
    frame = survey()
    factor = iclv.Model([iclv.Latent("A", on=["year"])], [iclv.Continuous(f"a{k}", of="A") for k in range(3)])
    near, far = (factor.fit(frame.assign(year=frame["year"] + k), progress=False) for k in (0.0, 20_000.0))
    assert near.converged and far.converged
    assert len(far.trace) == len(near.trace) < 20
    assert far.llf == pytest.approx(near.llf, abs=1e-6)
    assert far.params["A ~ year"] == pytest.approx(near.params["A ~ year"], rel=1e-6)
    assert far.bse["A ~ year"] == pytest.approx(near.bse["A ~ year"], rel=1e-5)


def test_constraints_on_a_location_are_kept():
    """What is tied, bounded or defined does not move."""
    frame = survey().assign(year=lambda f: f["year"] + 1990.0)
    problem = iclv.Model(
        [iclv.Latent("A", on=["year"])],
        [iclv.Continuous(f"a{k}", of="A") for k in range(3)],
        equal=[["a0 ~ 1", "a1 ~ 1"]],
        bounds={"a2 ~ 1": (None, 1e4)},
    ).bind(frame)
    assert problem.table.map.centred.moved == frozenset()
