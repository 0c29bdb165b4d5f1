"""A marker sets the scale of a report, not of the search: both scales end at one maximum."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._fit import _fit
from iclv_jax._optimise import Likelihood
from iclv_jax._optimise._units import units_of_disturbances


def survey(marker, family, seed=1, people=250):
    rng = np.random.default_rng(seed)
    age, c = rng.normal(size=(2, people))
    a = 0.5 * age + rng.normal(size=people)
    b = 0.6 * a + rng.normal(size=people)

    def answers(loading, latent):
        level = loading * latent + rng.normal(size=people)
        return level if family is iclv.Continuous else np.digitize(level, [-1, 1])

    items = {"a1": answers(marker, a), "a2": answers(1.0, a), "a3": answers(-0.9, a)}
    items |= {"b1": answers(marker, b), "b2": answers(1.1, b), "b3": answers(0.9, b)}
    y = -0.5 * c + 0.8 * b + rng.logistic(size=people) > 0
    return pd.DataFrame(items | {"age": age, "c": c, "y": y.astype(int)})


def model(scale, family, **options):
    return iclv.Model(
        [iclv.Latent("A", on=["age"], scale=scale), iclv.Latent("B", on=["A"], scale=scale)],
        [family(f"{k}{i}", of=k.upper()) for k in "ab" for i in (1, 2, 3)],
        choice=iclv.Logit(lambda b, x, lv: {1: b.asc + b.c * x.c + b.att * lv.B, 0: 0.0}, "y"),
        **options,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "marker"),
    [
        (iclv.Continuous, 0.03),
        (iclv.Continuous, -0.3),
        pytest.param(iclv.Ordered, -0.25, marks=pytest.mark.slow),
    ],
)
def test_a_weak_or_turned_marker_ends_at_the_maximum(family, marker):
    frame = survey(marker, family)
    by_variance, by_loading = (model(s, family).fit(frame, progress=False) for s in ("variance", "loading"))
    assert by_variance.converged and by_loading.converged
    assert by_loading.llf == pytest.approx(by_variance.llf, abs=1e-4)
    one, other = by_variance.all_params, by_loading.all_params
    unit = one["A =~ a1"]
    assert other["A ~~ A"] == pytest.approx(unit**2, rel=1e-2)
    assert other["A =~ a2"] == pytest.approx(one["A =~ a2"] / unit, rel=1e-2)
    # Derivatives are those of the user's parameters: t-values of what has no unit are the same.
    assert other["c"] == pytest.approx(one["c"], abs=1e-3)
    assert by_loading.bse["c"] == pytest.approx(by_variance.bse["c"], rel=1e-2)


@pytest.mark.slow
def test_a_constraint_keeps_the_coordinates_of_the_user():
    frame = survey(0.8, iclv.Continuous)
    bounds = {f"{v} ~~ {v}": (0.1, 5.0) for v in "AB"}
    bounded = model("loading", iclv.Continuous, bounds=bounds).fit(frame, progress=False)
    assert bounded.converged and "unit disturbances" not in set(bounded.trace["stage"])


@pytest.mark.gate("0.05")
@pytest.mark.parametrize("marker", [0.8, 0.05])
def test_a_maximum_of_items_alone_is_found_in_units_of_the_disturbances(marker, monkeypatch):
    """One search where the marker sets the scale without doubt, and else a second one in the coordinates of the user."""
    frame, again = survey(marker, iclv.Continuous), []
    second = _fit.maximise
    monkeypatch.setattr(_fit, "maximise", lambda *a, **k: again.append(a) or second(*a, **k))
    latents = [iclv.Latent("A", on=["age"], scale="loading")]
    items = [iclv.Continuous(f"a{i}", of="A") for i in (1, 2, 3)]
    fit = iclv.Model(latents, items).fit(frame, progress=False)
    assert len(again) == (marker == 0.05)
    other = iclv.Model([iclv.Latent("A", on=["age"])], items).fit(frame, progress=False)
    assert fit.converged and fit.llf == pytest.approx(other.llf, abs=1e-6)
    assert fit.params["A ~~ A"] == pytest.approx(other.params["A =~ a1"] ** 2, rel=1e-3)
    # The score is zero in the coordinates of the user, and the Hessian that of his parameters.
    assert fit.scores.sum().abs().max() < 1e-3
    there = jnp.asarray(fit.params.to_numpy())
    np.testing.assert_allclose(
        fit.hessian, fit.problem.hessian(there, method="autodiff"), rtol=1e-8, atol=1e-6
    )


@pytest.mark.slow
def test_units_of_the_disturbances_are_coordinates():
    """There and back again, whatever the covariances, and derivatives by central differences."""
    frame = survey(0.8, iclv.Continuous)
    latents = [iclv.Latent(k, on=["age"], scale="loading") for k in "AB"]
    items = [iclv.Continuous(f"{k}{i}", of=k.upper()) for k in "ab" for i in (1, 2, 3)]
    fixed = {"B =~ b3": -2.0}
    problem = iclv.Model(latents, items, covariances=[("A", "B")], fixed=fixed).bind(frame)
    units = units_of_disturbances(problem)
    assert units is not None and len(units.map.markers) == 2
    objective = Likelihood(problem, np.ones(len(problem.names), bool), None, units)
    z = (
        np.asarray(objective.z(problem.start()))
        + np.random.default_rng(0).normal(size=len(problem.names)) / 5
    )
    np.testing.assert_allclose(objective.z(objective.params(jnp.asarray(z))), z, rtol=1e-10, atol=1e-12)
    step = 1e-5

    def slope(i, side):
        there = jnp.asarray(z + side * step * np.eye(len(z))[i])
        return np.asarray(objective.slope(there).gradient), objective.value(there)

    found = objective.derivatives(jnp.asarray(z), "exact")
    both = [(slope(i, 1.0), slope(i, -1.0)) for i in range(len(z))]
    gradient = [(up - down) / (2 * step) for (_, up), (_, down) in both]
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-8)
    hessian = np.array([(up - down) / (2 * step) for (up, _), (down, _) in both])
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-6, atol=1e-7)
