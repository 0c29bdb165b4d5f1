"""Distributions of random coefficients after a fit, against plain numpy over a fine grid of the coefficient itself: the law
of what is simulated, predictions and scenarios given the answers, and coefficients by person."""

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import iclv_jax as iclv
from iclv_jax._base._interval import log_normal_interval
from iclv_jax._base._quantiles import log_below, lower_quantile

# Each with values of its parameters, and the same distribution by scipy. All of `NEGATIVE` stay away from zero.
NEGATIVE = {
    "uniform": (iclv.Uniform(), {"mean": -0.9, "width": 0.6}, stats.uniform(-1.5, 1.2)),
    "triangular": (iclv.Triangular(), {"mean": -0.9, "width": -0.6}, stats.triang(0.5, -1.5, 1.2)),
    "between two ends": (
        iclv.TruncatedNormal(-1.6, -0.3), {"mean": -0.5, "sd": -0.8}, stats.truncnorm(-1.1 / 0.8, 0.2 / 0.8, -0.5, 0.8),
    ),
    "cut above": (
        iclv.TruncatedNormal(upper=-0.3), {"mean": 0.4, "sd": 0.5}, stats.truncnorm(-np.inf, -0.7 / 0.5, 0.4, 0.5),
    ),
    "johnson": (iclv.JohnsonSB(-1.8, -0.2), {"mean": 0.4, "sd": 1.5}, stats.johnsonsb(-0.4 / 1.5, 1 / 1.5, -1.8, 1.6)),
}  # fmt: skip
ANY = NEGATIVE | {
    "cut below": (iclv.TruncatedNormal(lower=-1.2), {"mean": -0.9, "sd": 0.6}, stats.truncnorm(-0.5, np.inf, -0.9, 0.6)),
    "far outside": (iclv.TruncatedNormal(0.0, 2.0), {"mean": -5.0, "sd": 1.5}, stats.truncnorm(5 / 1.5, 7 / 1.5, -5.0, 1.5)),
}  # fmt: skip
PEOPLE, TIMES = 12, 4


def grid(distribution, count=8000):
    """Coefficients in the middle of slices of equal width, and their probabilities."""
    ends = distribution.ppf([1e-13, 1.0 - 1e-13])
    edges = np.linspace(*ends, count + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    density = distribution.pdf(middle)
    return middle, density / density.sum()


def utility(b, x, lv):
    return {"a": b.asc + b.time * x.time + b.cost * x.cost, "b": 0.0}


def fitted(mixing, values, data, nodes):
    """A fit at these values, with a random coefficient of cost."""
    problem = iclv.Model(choice=iclv.Logit(utility, "y"), random={"cost": mixing}).bind(
        data, person="id", integration=iclv.GaussHermite(nodes)
    )
    named = {name: values[key] for key, name in mixing.named("cost").items()}
    params = problem.vector({"asc": 0.3, "time": -0.7} | named)
    return after.fit_at(problem.recentre(params), params)


def answered():
    rng = np.random.default_rng(4)
    columns = {n: rng.normal(size=PEOPLE * TIMES) for n in ("time", "cost")}
    return pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), TIMES), **columns}).assign(
        y=np.where(rng.random(PEOPLE * TIMES) < 0.5, "a", "b")
    )


@pytest.mark.gate("cut below")
@pytest.mark.parametrize("name", ANY)
def test_what_answers_say_of_a_coefficient(name):
    mixing, values, distribution = ANY[name]
    data = answered()
    # A triangle has an edge, which Gauss-Hermite nodes meet slowly.
    nodes, close = (400, 1e-4) if name == "triangular" else (40, 1e-6)
    fit = fitted(mixing, values, data, nodes)
    cost, weights = grid(distribution)
    second = data.assign(cost=data["cost"] - 0.5, time=data["time"] + 0.2)

    def index(frame):
        return 0.3 - 0.7 * frame["time"].to_numpy()[:, None] + cost * frame["cost"].to_numpy()[:, None]

    sign = np.where(data["y"] == "a", 1.0, -1.0)[:, None]
    logs = (-np.logaddexp(0.0, -sign * index(data))).reshape(PEOPLE, TIMES, -1).sum(axis=1)
    np.testing.assert_allclose(
        fit.problem.loglike_person(fit.estimates), np.log(np.exp(logs) @ weights), rtol=close
    )
    by_person = np.exp(logs) * weights
    by_person /= by_person.sum(axis=1, keepdims=True)
    posterior = np.repeat(by_person, TIMES, axis=0)
    np.testing.assert_allclose(
        fit.predict(given="answers")["a"], (posterior / (1.0 + np.exp(-index(data)))).sum(axis=1), rtol=close
    )
    more = np.logaddexp(0.0, index(second)) - np.logaddexp(0.0, index(data))
    if name not in NEGATIVE:
        return
    found = fit.scenario(data, second, cost="cost", given="answers")
    assert not found.notes
    np.testing.assert_allclose(found.surplus, (posterior * more / -cost).sum(axis=1), rtol=close)
    worth = fit.willingness_to_pay("time", cost="cost")
    np.testing.assert_allclose(worth.people, by_person @ (-0.7 / -cost), rtol=close)
    assert worth.estimate == pytest.approx(weights @ (-0.7 / -cost), rel=close)


# Utilities this steep make a choice say on which side of a cut the coefficient lies, all but surely.
STEEP, CUTS = 60.0, (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.mark.gate("between two ends")
@pytest.mark.parametrize("name", ANY)
def test_what_is_simulated_follows_the_distribution(name):
    """Answers of one person to five questions: their joint frequencies against the integral over the coefficient."""
    mixing, values, distribution = ANY[name]
    people = 4000
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(people), len(CUTS)), "cut": np.tile(distribution.ppf(CUTS), people)}
    )

    def steep(b, x, lv):
        return {"more": STEEP * (b.taste - x.cut), "less": 0.0}

    model = iclv.Model(choice=iclv.Logit(steep, "y"), random={"taste": mixing})
    truth = {name: values[key] for key, name in mixing.named("taste").items()}
    drawn = model.simulate(truth, frame, seed=3, person="id")
    more = (drawn["y"] == "more").to_numpy().reshape(people, -1)
    places = 1 << np.arange(len(CUTS))
    counts = np.bincount(more @ places, minlength=32)
    taste, weights = grid(distribution)
    each = 1.0 / (1.0 + np.exp(-STEEP * (taste[:, None] - distribution.ppf(CUTS))))
    patterns = (np.arange(32)[:, None] & places) > 0
    expected = np.where(patterns[:, None, :], each, 1.0 - each).prod(axis=2) @ weights * people
    often = expected > 5.0
    cells = [np.append(c[often], c[~often].sum()) for c in (counts, expected)]
    assert stats.chisquare(*cells).pvalue > 1e-3


# --- the normal distribution in logs --------------------------------------------------------------------------------


def test_logs_of_probabilities_and_their_quantiles():
    x = np.concatenate([np.linspace(-40.0, 10.0, 2001), -np.logspace(0, 6, 50)])
    np.testing.assert_allclose(log_below(jnp.asarray(x)), special.log_ndtr(x), rtol=1e-13)
    logs = -np.logspace(np.log10(np.log(2.0)), 8, 500)
    found = np.asarray(jax.vmap(lower_quantile)(jnp.asarray(logs)))
    np.testing.assert_allclose(special.log_ndtr(found), logs, rtol=1e-14)
    np.testing.assert_allclose(found, special.ndtri_exp(logs), rtol=1e-11, atol=1e-14)
    share = jnp.asarray(-50.0)
    back = float(jax.grad(log_below)(lower_quantile(share)))
    assert float(jax.grad(lower_quantile)(share)) == pytest.approx(1.0 / back, rel=1e-14)


@pytest.mark.parametrize("x", [-30.0, -3.0, -0.1, 0.0, 0.7, 6.0])
def test_derivatives_of_logs_of_probabilities(x):
    """Against those of an interval without a lower end, which is checked by mpmath."""
    first, second = log_below, lambda z: log_normal_interval(-jnp.inf, z)
    for order in (1, 2, 3):
        first, second = jax.grad(first), jax.grad(second)
        assert float(first(jnp.asarray(x))) == pytest.approx(
            float(second(jnp.asarray(x))), rel=1e-12 if order < 3 else 1e-7
        )
