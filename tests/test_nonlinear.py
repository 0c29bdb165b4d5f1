"""Structural equations that are functions, against the linear ones that they can be, and on their own.

Programs are compiled with few optimisations: each runs only a handful of times here.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, Logit, Ordered
from iclv_jax._density import reduced_form
from iclv_jax._parameters import LATENT
from iclv_jax._predict import choice_probabilities, item_columns, prior_view
from iclv_jax._problem._fingerprint import of_model

PEOPLE = 30
RULE = GaussHermite(5, adaptive=False)


def frame():
    generator = np.random.default_rng(0)
    age, income, price = np.round(generator.normal(size=(3, PEOPLE)), 3)
    trust = 0.6 * age + generator.normal(size=PEOPLE)
    items = {f"t{k}": np.round(0.8 * trust + generator.normal(size=PEOPLE), 3) for k in (1, 2)}
    concern = 0.5 * trust - 0.4 * age + generator.normal(size=PEOPLE)
    items["c1"] = np.digitize(concern + generator.normal(size=PEOPLE), [-0.5, 0.8]) + 1
    items["c2"] = np.round(concern + generator.normal(size=PEOPLE), 3)
    lead = 0.3 - price + 0.7 * concern + generator.logistic(size=PEOPLE)
    chosen = np.where(lead > 0.0, "a", "b")
    return pd.DataFrame({"age": age, "income": income, "price": price, **items, "choice": chosen})


DATA = frame()


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.use * lv.concern, "b": 0.0}


def model(concern, choice=utility, items=True, **parts):
    indicators = [
        Continuous("t1", of="trust"),
        Continuous("t2", of="trust"),
        Ordered("c1", of="concern", levels=[1, 2, 3]),
        Continuous("c2", of="concern"),
    ]
    latent = [Latent("concern", on=concern), Latent("trust", on=["age"])]
    return iclv.Model(latent, indicators if items else indicators[:2], Logit(choice, "choice"), **parts)


def in_words(b, x, lv):
    return b["concern ~ trust"] * lv.trust + b["concern ~ age"] * x.age


@pytest.fixture(scope="module")
def pair():
    """The linear model, and the same with the equation of `concern` as a function, at the same parameters."""
    one, two = (model(on).bind(DATA, integration=RULE) for on in (["trust", "age"], in_words))
    generator = np.random.default_rng(1)
    first = np.asarray(one.start()) + generator.uniform(0.05, 0.3, len(one.names))
    named = dict(zip(one.names, first, strict=True))
    return one, two, jnp.asarray(first), two.vector(named), [two.names.index(n) for n in one.names]


@pytest.mark.slow
def test_a_linear_function_is_the_linear_equation(pair):
    one, two, first, second, order = pair
    assert two.spec.order == ("trust", "concern"), "the order follows from what the function uses"
    assert two.table.row("concern ~ trust").parameter.block == "structural"
    np.testing.assert_allclose(one.loglike_person(first), two.loglike_person(second), rtol=1e-12)
    expected, found = one.hessian(first), two.hessian(second)
    np.testing.assert_allclose(expected, found[np.ix_(order, order)], rtol=1e-9, atol=1e-9)


def test_predictions_are_the_same(pair):
    one, two, first, second, _ = pair
    views = [prior_view(problem, "choice") for problem in (one, two)]
    a, b = (choice_probabilities(v, p) for v, p in zip(views, (first, second), strict=True))
    np.testing.assert_allclose(a, b, rtol=1e-6)
    for place in range(len(one.table.stacks)):
        a, b = (item_columns(v, p, place) for v, p in zip(views, (first, second), strict=True))
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.slow
def test_simulated_answers_are_the_same(pair):
    one, two, first, second, _ = pair
    a, b = (
        model(on).simulate(problem.unpack(params), DATA, seed=2)
        for on, problem, params in ((["trust", "age"], one, first), (in_words, two, second))
    )
    pd.testing.assert_frame_equal(a, b)


def curved(b, x, lv):
    return b.net(jnp.stack([x.income, lv.trust])) + b.bend * lv.trust**2


def shared(b, x, lv):
    return {"a": b.asc + b.net(jnp.stack([x.price, lv.concern])), "b": 0.0}


def network(seed=0):
    return eqx.nn.MLP(2, "scalar", 2, 1, activation=jnp.tanh, key=jax.random.key(seed))


@pytest.fixture(scope="module")
def nonlinear():
    """A network in an equation and in the utilities."""
    return model(curved, shared, modules={"net": network()}).bind(DATA, integration=RULE)


@pytest.mark.slow
def test_a_network_in_an_equation_and_in_the_utilities_is_one(nonlinear):
    entries = [n for n in nonlinear.names if n.startswith("net.")]
    assert len(entries) == 9
    assert nonlinear.table.row("bend").parameter.block == "structural"
    params = nonlinear.vector(nonlinear.unpack(nonlinear.start()) | {"bend": 0.3})
    cells = nonlinear.core.structure.map.dense(nonlinear.core.theta(params))
    np.testing.assert_array_equal(cells[LATENT]["equation concern"][1:], cells["choice"]["coefficients"][1:])
    step = 1e-5
    moved = params[None, :] + step * jnp.concatenate([jnp.eye(len(params)), -jnp.eye(len(params))])
    values = np.asarray(jax.lax.map(nonlinear.loglike, moved)).reshape(2, -1)
    np.testing.assert_allclose(
        (values[0] - values[1]) / (2 * step), nonlinear.score(params), rtol=1e-6, atol=1e-6
    )


def test_the_likelihood_is_the_integral_of_the_formula(nonlinear):
    """The latent variables at a node, worked out by hand, and the density of a normal item there."""
    params = nonlinear.vector(nonlinear.unpack(nonlinear.start()) | {"bend": 0.3})
    value = {name: float(v) for name, v in nonlinear.unpack(params, everything=True).items()}
    nodes, row = nonlinear.core.nodes, DATA.iloc[0]
    points, logs = np.asarray(nodes.shocks[0]), np.asarray(nodes.log_weights[0])
    trust = value["trust ~ age"] * row["age"] + points[:, 0]
    net = jax.vmap(network())
    concern = net(jnp.stack([jnp.full(len(trust), row["income"]), jnp.asarray(trust)], axis=1))
    concern = np.asarray(concern) + 0.3 * trust**2 + points[:, 1]
    total = logs.copy()
    for item, eta in (("t1", trust), ("t2", trust), ("c2", concern)):
        latent = "trust" if item.startswith("t") else "concern"
        spread = value[f"{item} ~~ {item}"]
        residual = row[item] - value[f"{item} ~ 1"] - value[f"{latent} =~ {item}"] * eta
        total += -0.5 * (np.log(2 * np.pi * spread) + residual**2 / spread)
    cut = [-np.inf, value["c1 | 1"], value["c1 | 2"], np.inf]
    index = value["concern =~ c1"] * concern
    upper, lower = (jax.scipy.stats.norm.cdf(cut[int(row["c1"]) - k] - index) for k in (0, 1))
    lead = value["asc"] + net(jnp.stack([jnp.full(len(trust), row["price"]), jnp.asarray(concern)], axis=1))
    total += np.log(upper - lower) - np.log1p(np.exp(-np.where(row["choice"] == "a", 1.0, -1.0) * lead))
    np.testing.assert_allclose(nonlinear.loglike_person(params)[0], np.logaddexp.reduce(total), rtol=1e-10)


def test_the_same_functions_are_the_same_program(nonlinear):
    again = model(lambda b, x, lv: curved(b, x, lv), shared, modules={"net": network(1)}).bind(
        DATA, integration=RULE
    )
    assert again.core.structure == nonlinear.core.structure
    assert of_model(again) == of_model(nonlinear)
    other = model(lambda b, x, lv: 2.0 * curved(b, x, lv), shared, modules={"net": network()})
    other = other.bind(DATA, integration=RULE)
    assert other.core.structure != nonlinear.core.structure
    assert of_model(other) != of_model(nonlinear)


@pytest.mark.slow
def test_a_fit_says_that_there_is_no_structure_to_use():
    """A bend that only two items and the age tell of."""
    indicators = [Continuous(f"t{k}", of="trust") for k in (1, 2)]
    bent = iclv.Model([Latent("trust", on=lambda b, x, lv: b.slope * jnp.tanh(x.age))], indicators)
    data = bent.simulate(
        {"slope": 0.8, **{f"t{k} ~ 1": 0.0 for k in (1, 2)}, **{f"trust =~ t{k}": 0.9 for k in (1, 2)},
         **{f"t{k} ~~ t{k}": 0.5 for k in (1, 2)}}, pd.concat([DATA] * 4, ignore_index=True), seed=3,
    )  # fmt: skip
    fit = bent.fit(data, integration=GaussHermite(7), progress=False)
    assert fit.converged
    straight = iclv.Model([Latent("trust", on=["turned"])], indicators)
    turned = straight.bind(
        data.assign(turned=np.tanh(data["age"])), integration=iclv.Conditioned(GaussHermite(7))
    )
    estimates = fit.params.rename({"slope": "trust ~ turned"})
    np.testing.assert_allclose(fit.llf, turned.loglike(turned.vector(estimates)), rtol=1e-9)
    np.testing.assert_allclose(turned.score(turned.vector(estimates)), 0.0, atol=1e-3)
    with pytest.raises(
        ValueError, match=r"takes linear structural equations, but that of 'trust' is a function"
    ):
        fit.effects()


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (lambda b, x, lv: b.a * lv.concern, r"equation of 'concern' uses 'concern' itself"),
        (lambda b, x, lv: b.a * lv.thrust, r"uses the latent variable 'thrust'.*Did you mean 'trust'"),
        (lambda b, x, lv: jnp.stack([b.a, x.age]), r"equation of 'concern' must be one number.*shape \(2,\)"),
        (lambda b, x: b.a, r"equation of 'concern' is a function of b, x, lv"),
        (lambda b, x, lv: b.a * x.aeg, r"column 'aeg'.*Did you mean 'age'"),
    ],
)
def test_what_cannot_be_an_equation_is_refused(on, message):
    with pytest.raises(ValueError, match=message):
        model(on).bind(DATA)


def test_cycles_and_closed_forms_are_refused(nonlinear):
    cells = nonlinear.core.structure.map.dense(nonlinear.core.theta(nonlinear.start()))
    with pytest.raises(
        ValueError, match=r"takes linear structural equations, but that of 'concern' is a function"
    ):
        reduced_form(cells[LATENT], jnp.zeros(2))
    with pytest.raises(ValueError, match=r"cyclic: a -> b -> a"):
        iclv.Model(
            [Latent("a", on=lambda b, x, lv: b.c * lv.b), Latent("b", on=["a"])],
            [Continuous("t1", of="a"), Continuous("t2", of="b")],
        )
    with pytest.raises(ValueError, match="linear equations"):
        model(in_words).bind(DATA, integration=iclv.Conditioned(RULE))
