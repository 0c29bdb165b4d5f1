"""How much of each good: against Bhat (2008) in numpy, brute force, and draws from the model."""

from math import factorial

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import iclv_jax as iclv
from iclv_jax._families._compensation import compensation
from iclv_jax._families._demand import Goods, quantities
from iclv_jax._predict._new_data import situations_of
from iclv_jax._predict._surplus import compensations

GOODS = ("home", "out", "sport")
QUANTITIES = {g: f"q_{g}" for g in GOODS}
PRICES = {"out": "p_out", "sport": "p_sport"}


def utility(b, x, lv):
    return {"home": 0.0, "out": b.out + b.age * x.age, "sport": b.sport}


def kernel(profile, outside=None, **more):
    return iclv.MDCEV(utility, QUANTITIES, PRICES, "budget", outside, profile, **more)


TRUTH = {"out": -0.4, "sport": -0.8, "age": 0.3, "choice.scale": 1.4}
TRUTH |= {f"{g}.gamma": v for g, v in zip(GOODS, (1.2, 0.8, 2.0), strict=True)}
TRUTH |= {f"{g}.alpha": v for g, v in zip(GOODS, (0.3, 0.6, 0.5), strict=True)}
CASES = [(p, o) for p in ("gamma", "alpha", "translated") for o in (None, "home")]


def values(names):
    return {n: TRUTH[n] for n in names}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    found = pd.DataFrame({"age": rng.normal(size=30), "budget": rng.uniform(5.0, 20.0, 30)})
    return found.assign(p_out=rng.uniform(0.5, 2.0, 30), p_sport=rng.uniform(0.5, 2.0, 30))


@pytest.fixture(scope="module")
def data(frame):
    model = iclv.Model(choice=kernel("gamma", "home"))
    names = ["out", "sport", "age", "out.gamma", "sport.gamma", "choice.scale"]
    return model.simulate(values(names), frame, seed=2)


def bhat(row, profile, outside):
    """Bhat (2008), eq. 19: expenditures e, of which the first M are positive."""
    p = {"home": 1.0, "out": row.p_out, "sport": row.p_sport}
    v = {"home": 0.0, "out": TRUTH["out"] + TRUTH["age"] * row.age, "sport": TRUTH["sport"]}
    scale, logs, slack, bought = TRUTH["choice.scale"], {}, {}, []
    for g in GOODS:
        e = p[g] * getattr(row, QUANTITIES[g])
        alpha = 0.0 if profile == "gamma" else TRUTH[f"{g}.alpha"]
        gamma = 0.0 if g == outside else 1.0 if profile == "alpha" else TRUTH[f"{g}.gamma"]
        x = e / p[g]
        if profile == "translated":
            satiation = np.log(alpha) + (alpha - 1.0) * np.log(x + gamma)
        else:
            satiation = (alpha - 1.0) * np.log(x if g == outside else x / gamma + 1.0)
        logs[g] = scale * (v[g] + satiation - np.log(p[g]))
        slack[g] = (e + gamma * p[g]) / (1.0 - alpha)
        bought += [g] if e > 0.0 else []
    m, total = len(bought), sum(np.exp(logs[g]) for g in GOODS)
    density = np.prod([1.0 / slack[g] for g in bought]) * sum(slack[g] for g in bought)
    density *= np.prod([np.exp(logs[g]) / total for g in bought]) * factorial(m - 1) * scale ** (m - 1)
    return np.log(density)


@pytest.mark.gate("gamma-None", "alpha-home")
@pytest.mark.parametrize(("profile", "outside"), CASES)
def test_the_likelihood_is_bhats(data, profile, outside):
    problem = iclv.Model(choice=kernel(profile, outside)).bind(data)
    params = problem.vector(values(problem.names))
    expected = [bhat(row, profile, outside) for row in data.itertuples()]
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-12)
    exact = problem.hessian(params, method="exact")
    np.testing.assert_allclose(exact, problem.hessian(params, method="autodiff"), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("profile", ["alpha", "translated"])
def test_the_scale_is_told_from_alphas_by_prices_alone(data, profile):
    """Twice the scale with half of every 1 - alpha, and constants moved along, is the same model where prices are 1."""
    unpriced = iclv.Model(choice=iclv.MDCEV(utility, QUANTITIES, profile=profile)).bind(data)
    priced = iclv.Model(choice=kernel(profile)).bind(data)
    one = values(unpriced.names)
    alpha = {g: one[f"{g}.alpha"] for g in GOODS}
    half = {g: 1.0 - (1.0 - a) / 2.0 for g, a in alpha.items()}
    two = one | {f"{g}.alpha": a for g, a in half.items()} | {"choice.scale": 2.8, "age": one["age"] / 2.0}
    for g in ("out", "sport"):
        before, after_ = (
            (np.log(a[g]) - np.log(a["home"])) * (profile == "translated") for a in (alpha, half)
        )
        two[g] = (one[g] + before) / 2.0 - after_
    same, other = ([float(p.loglike(p.vector(v))) for v in (one, two)] for p in (unpriced, priced))
    assert same[0] == pytest.approx(same[1], rel=1e-12) and abs(other[0] - other[1]) > 1.0


def test_what_is_drawn_has_that_likelihood():
    """Probabilities of corners by draws, and by the density integrated over what is bought."""
    one = pd.DataFrame({"age": [0.3], "budget": [4.0], "p_out": [1.5], "p_sport": [0.7]})
    model = iclv.Model(choice=kernel("translated"))
    names = model.bind(_bought(one, home=4.0, out=0.0, sport=0.0).pipe(_others)).names
    drawn = model.simulate(values(names), pd.concat([one] * 20_000, ignore_index=True), seed=1)
    spent = drawn["q_home"] + 1.5 * drawn["q_out"] + 0.7 * drawn["q_sport"]
    np.testing.assert_allclose(spent, 4.0, rtol=1e-9)
    alone = {g: np.exp(bhat(_bought(one, **_only(g)).iloc[0], "translated", None)) for g in GOODS}
    shares = {
        g: ((drawn[list(QUANTITIES.values())] > 0).sum(axis=1) == 1) & (drawn[QUANTITIES[g]] > 0)
        for g in GOODS
    }
    for g in GOODS:
        error = np.sqrt(alone[g] * (1.0 - alone[g]) / len(drawn))
        assert abs(shares[g].mean() - alone[g]) < 5.0 * error + 1e-4
    # Two goods: the density of what is spent on the first, over what can be.
    grid = np.linspace(0.0, 4.0, 400)[1:-1]
    both = [
        bhat(_bought(one, home=e, out=(4.0 - e) / 1.5, sport=0.0).iloc[0], "translated", None) for e in grid
    ]
    chance = np.trapezoid(np.exp(both), grid)
    seen = ((drawn["q_sport"] == 0.0) & (drawn["q_home"] > 0.0) & (drawn["q_out"] > 0.0)).mean()
    assert abs(seen - chance) < 5.0 * np.sqrt(chance / len(drawn)) + 0.01 * chance


def _only(good):
    return {g: 4.0 / {"home": 1.0, "out": 1.5, "sport": 0.7}[g] if g == good else 0.0 for g in GOODS}


def _bought(frame, **amounts):
    return frame.assign(**{QUANTITIES[g]: q for g, q in amounts.items()})


def _others(frame):
    """With two rows more, so that every good is bought by somebody."""
    return pd.concat([frame, *(_bought(frame, **_only(g)) for g in GOODS[1:])], ignore_index=True)


@pytest.mark.parametrize("outside", [False, True])
def test_demand_maximises_utility(outside):
    """Against a general optimiser, and its derivatives against finite differences."""
    rng = np.random.default_rng(3)
    alpha, price = np.array([0.3, 0.6, 0.0, 0.5]), np.array([1.0, 0.7, 2.0, 1.3])
    gamma = np.array([0.0 if outside else 1.1, 0.8, 2.0, 1.0])

    @jax.jit
    def money(base):
        goods = Goods(base, jnp.asarray(alpha), jnp.asarray(gamma), jnp.asarray(price), jnp.ones(4, bool))
        return quantities(goods, jnp.asarray(6.0)) * price

    def worth(x, base):
        near = np.where(
            alpha > 0, ((x + gamma) ** alpha - 1.0) / np.where(alpha > 0, alpha, 1.0), np.log(x + gamma)
        )
        return np.exp(base) @ near

    slope = jax.jit(jax.jacfwd(money))
    for _ in range(3):
        base = rng.normal(size=4)
        spent = np.asarray(money(jnp.asarray(base)))
        assert spent.sum() == pytest.approx(6.0, rel=1e-10)
        best = optimize.minimize(
            lambda e, base=base: -worth(e / price, base),
            np.full(4, 1.5),
            bounds=[(1e-9, 6.0)] * 4,
            constraints={"type": "eq", "fun": lambda e: e.sum() - 6.0},
            options={"ftol": 1e-13, "maxiter": 500},
        )
        np.testing.assert_allclose(spent, best.x, atol=2e-4)
        step = 1e-6 * np.eye(4)
        moved = [(money(jnp.asarray(base + d)) - money(jnp.asarray(base - d))) / 2e-6 for d in step]
        np.testing.assert_allclose(slope(jnp.asarray(base)), np.stack(moved, axis=1), atol=1e-6)


@pytest.fixture(scope="module")
def fit(frame):
    rng = np.random.default_rng(6)
    many = frame.loc[rng.integers(0, 30, 800)].reset_index(drop=True)
    model = iclv.Model(choice=kernel("gamma", "home"))
    names = ["out", "sport", "age", "out.gamma", "sport.gamma", "choice.scale"]
    return model.fit(model.simulate(values(names), many, seed=3), progress=False)


@pytest.mark.slow
def test_the_truth_comes_back(fit):
    assert fit.converged
    truth = pd.Series(values(fit.names))
    assert ((fit.params - truth).abs() < 4.0 * fit.bse).all()
    assert "explains numbers" in str(fit.summary())


@pytest.mark.slow
def test_forecasts(fit, frame):
    expected, told = fit.predict(), fit.problem.panel.frame.data
    np.testing.assert_allclose(
        expected["home"] + told["p_out"] * expected["out"] + told["p_sport"] * expected["sport"],
        told["budget"],
    )
    seen = told[list(QUANTITIES.values())].mean().to_numpy()
    spread = told[list(QUANTITIES.values())].std().to_numpy() / np.sqrt(len(told))
    assert (np.abs(expected.mean().to_numpy() - seen) < 4.0 * spread).all()
    # Of people to come quantities are not known.
    assert len(fit.predict(frame.head(3))) == 3
    own = fit.elasticities("p_out").aggregate["value"]
    assert own["out"] < 0.0 and np.isfinite(own).all()
    assert fit.willingness_to_pay("out", "sport").estimate == pytest.approx(
        -fit.params["out"] / fit.params["sport"]
    )
    with pytest.raises(ValueError, match="no shares and no hits"):
        fit.shares()


@pytest.mark.slow
def test_beside_an_attitude_and_a_random_coefficient(data):
    def felt(b, x, lv):
        return utility(b, x, lv) | {"sport": b.sport + b.att * lv.fit}

    items = [iclv.Continuous(q, of="fit") for q in ("q1", "q2")]
    choice = iclv.MDCEV(felt, QUANTITIES, PRICES, "budget", "home")
    model = iclv.Model([iclv.Latent("fit")], items, choice, random={"out": iclv.Normal()})
    answers = dict(zip(("q1", "q2"), np.random.default_rng(1).normal(size=(2, len(data))), strict=True))
    problem = model.bind(data.assign(**answers), integration=iclv.GaussHermite(5, adaptive=False))
    params = problem.start() + 0.1
    exact, automatic = (np.asarray(problem.hessian(params, m)) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, automatic, rtol=1e-8, atol=1e-8 * np.abs(automatic).max())


@pytest.mark.slow
def test_equal_classes_are_the_plain_model(data):
    plain = kernel("gamma", "home")
    mixed = iclv.LatentClasses(lambda b, x, lv: {"p": b.m, "q": 0.0}, {"p": plain, "q": plain})
    one, two = (iclv.Model(choice=c).bind(data) for c in (plain, mixed))
    values_of = values(one.names) | {"m": 0.4}
    a, b = one.vector(values(one.names)), two.vector(values_of)
    np.testing.assert_allclose(two.loglike_person(b), one.loglike_person(a), rtol=1e-12)
    told = [after.fit_at(p, at).predict() for p, at in ((one, a), (two, b))]
    np.testing.assert_allclose(told[1], told[0], rtol=1e-10)
    with pytest.raises(ValueError, match=r"is -1\. Quantities are 0 or more"):
        iclv.Model(choice=mixed).bind(data.assign(q_out=-1.0))


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: kernel("beta"), "profile= is 'gamma', 'alpha', 'translated'"),
        (lambda: iclv.MDCEV(utility, {"home": "q"}), "two or more goods"),
        (lambda: iclv.MDCEV(utility, QUANTITIES, {"outt": "p"}), "prices= names 'outt'.*Did you mean 'out'"),
        (lambda: kernel("gamma", "away"), "outside= names 'away'"),
        (lambda: iclv.MDCEV(utility, dict(list(QUANTITIES.items())[:2])), "Name the same goods in both"),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        iclv.Model(choice=build())


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("q_out", -1.0, "Row 3: the quantity of 'out' .column 'q_out'. is -1. Quantities are 0 or more"),
        ("q_out", np.nan, "the quantity of 'out' .column 'q_out'. is missing"),
        ("q_home", 0.0, "nothing of the outside good 'home'"),
        ("p_out", 0.0, "the price of 'out' is not positive"),
        ("budget", 1.0, "Row 3: prices times quantities add up to .* but the budget in column 'budget' is 1"),
        ("budget", "much", "text and no number"),
    ],
)
def test_rows_that_no_consumer_has(data, column, value, sentence):
    wrong = data.astype(object)
    wrong.loc[3, column] = value
    with pytest.raises(ValueError, match=sentence):
        iclv.Model(choice=kernel("gamma", "home")).bind(wrong.infer_objects())


@pytest.mark.slow
def test_goods_that_are_not_bought(data):
    model = iclv.Model(choice=iclv.MDCEV(utility, QUANTITIES))
    none = data.assign(q_sport=0.0)
    with pytest.raises(ValueError, match="Nobody consumes 'sport': column 'q_sport' is 0 in every row"):
        model.bind(none).start()
    with pytest.raises(ValueError, match="Row 0: nothing is consumed of any good"):
        model.bind(data.assign(**dict.fromkeys(QUANTITIES.values(), 0.0)))
    with pytest.raises(ValueError, match="predict: 'choice' does not say what can be spent"):
        model.fit(data, progress=False).predict()
    there = iclv.MDCEV(utility, QUANTITIES, available={"sport": "open"})
    with pytest.raises(ValueError, match="of 'sport' was consumed, which is not available there"):
        iclv.Model(choice=there).bind(data.assign(open=0.0))


def test_prices_are_no_alternatives_of_a_picture():
    from iclv_jax.plot._layout import alternatives

    def baseline(b, x, lv):
        return {"bread": b.bread, "fish": 0.0}

    choice = iclv.MDCEV(baseline, {"bread": "q1", "fish": "q2"}, prices={"fish": "p2"}, budget="spent")
    assert alternatives(iclv.Model(choice=choice).spec) == "Choice: bread | fish"


# --- what a change is worth -------------------------------------------------------------------------------------------


def utility_of(quantity, psi, alpha, gamma):
    """As the page on MDCEV writes it, less what would be had of nothing."""

    def level(x):
        return np.where(alpha == 0.0, np.log(x), x**alpha / np.where(alpha == 0.0, 1.0, alpha))

    return np.sum(
        psi * (level(quantity + gamma) - np.where(gamma > 0.0, level(np.maximum(gamma, 1e-9)), 0.0))
    )


@pytest.mark.gate("gamma-None", "alpha-home", "translated-None")
@pytest.mark.parametrize(("profile", "outside"), CASES)
def test_compensation_leaves_as_much_utility(profile, outside):
    """By quantities at the budget that is left, which are tested above, and a search for that budget."""
    alpha = np.array([0.0 if profile == "gamma" else TRUTH[f"{g}.alpha"] for g in GOODS])
    gamma = np.array([1.0 if profile == "alpha" else TRUTH[f"{g}.gamma"] for g in GOODS])
    gamma = np.where([g == outside for g in GOODS], 0.0, gamma)

    def goods(base, price):
        return Goods(*map(jnp.asarray, (np.array(base), alpha, gamma, np.array(price), np.ones(3, bool))))

    shared_out = jax.jit(quantities)

    def most(these, budget):
        bought = np.asarray(shared_out(these, jnp.asarray(budget)))
        return utility_of(bought, np.exp(np.asarray(these.base)), alpha, gamma)

    before, later = goods([0.1, -0.4, 0.6], [1.0, 1.5, 0.8]), goods([0.1, 0.3, 0.2], [1.0, 1.1, 0.9])

    @jax.jit
    @jax.value_and_grad
    def left_over(price):
        return compensation(before, later._replace(price=price), jnp.asarray(9.0), jnp.asarray(8.0))

    found, slope = left_over(later.price)
    expected = 8.0 - optimize.brentq(lambda b: most(later, b) - most(before, 9.0), 0.01, 100.0, xtol=1e-12)
    assert float(found) == pytest.approx(expected, abs=1e-9)
    # The derivative by a price is minus what is bought of it at the budget that is left (Shephard's lemma).
    np.testing.assert_allclose(slope, -np.asarray(shared_out(later, 8.0 - found)), atol=1e-8)


def fit_of_six(data):
    problem = iclv.Model(choice=kernel("gamma", "home")).bind(data.head(6))
    return after.fit_at(problem, problem.vector(values(problem.names)))


@pytest.mark.slow
def test_more_budget_is_worth_itself(data):
    fit, first = fit_of_six(data), data.head(6)
    found = fit.scenario(first, first.assign(budget=first["budget"] + np.arange(6.0)), "budget")
    np.testing.assert_allclose(found.surplus, np.arange(6.0), atol=1e-9)
    assert found.mean_surplus == pytest.approx(2.5) and found.mean_surplus_se == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="from the budget: name its column, 'budget'"):
        fit.scenario(first, first, "p_out")


@pytest.mark.slow
def test_compensation_over_classes(data):
    """Of each class alone, weighted by the probabilities of the classes given answers."""
    first = data.head(6)
    second = first.assign(p_out=0.7 * first["p_out"])
    plain = kernel("gamma", "home")
    classes = iclv.LatentClasses(
        lambda b, x, lv: {"p": b.m + b.m_age * x.age, "q": 0.0}, {"p": plain, "q": plain}, apart=True
    )
    one, two = (iclv.Model(choice=c).bind(first) for c in (plain, classes))
    others = {"out.gamma": 0.3, "sport.gamma": 1.0, "choice.scale": 0.8}
    at = TRUTH | {f"p.{n}": TRUTH[n] for n in others} | {f"q.{n}": v for n, v in others.items()}
    fits = [after.fit_at(one, one.vector({n: v[n] for n in one.names})) for v in (TRUTH, TRUTH | others)]
    each = []
    for fit in fits:
        a, b = (situations_of(fit, one.spec.choices[0], frame, None, "nothing") for frame in (first, second))
        each.append(a.by_row(compensations(a.view, b.view, jnp.asarray(fit.estimates))))
    mixed = after.fit_at(two, two.vector({n: (at | {"m": 0.4, "m_age": -0.5})[n] for n in two.names}))
    shares = mixed.class_probabilities().to_numpy()
    found = mixed.scenario(first, second, "budget", given="answers").surplus
    assert np.abs(each[0] - each[1]).min() > 0.01
    np.testing.assert_allclose(found, np.sum(shares * np.stack(each, axis=1), axis=1), rtol=1e-9)
    with pytest.raises(ValueError, match=r"people belong to latent classes differ .*\('age'\)"):
        mixed.scenario(first, second.assign(age=0.0), "budget")


@pytest.mark.slow
def test_the_error_of_a_surplus(data):
    fit, first = fit_of_six(data), data.head(6)
    second = first.assign(p_out=0.7 * first["p_out"], budget=first["budget"] - 0.2)

    def mean(at):
        return after.fit_at(fit.problem, at).scenario(first, second, "budget").mean_surplus

    slopes, found = after.differences(mean, fit.estimates), fit.scenario(first, second, "budget")
    assert found.mean_surplus == pytest.approx(found.surplus.mean())
    assert found.mean_surplus_se == pytest.approx(
        np.sqrt(slopes @ fit.cov_params().to_numpy() @ slopes), rel=1e-4
    )
