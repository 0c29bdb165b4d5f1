"""What people choose: kernels against plain numpy, and each of them in a model from data to report."""

import itertools
from dataclasses import dataclass, replace

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize

import iclv_jax as iclv
from iclv_jax import (
    BestWorst,
    Continuous,
    CrossNestedLogit,
    GaussHermite,
    Latent,
    Logit,
    NestedLogit,
    Normal,
    OrderedChoice,
    Probit,
    Ranking,
    families,
)
from iclv_jax._spec import trace_utility
from iclv_jax._spec._random import share_positive

NAMES = ("car", "bus", "train", "walk")
RULE = GaussHermite(7, adaptive=False)


def utility(b, x, lv):
    found = {a: b[f"asc_{a}"] + b.time * x[f"time_{a}"] + b.cost * x[f"cost_{a}"] for a in NAMES[:3]}
    found["train"] = found["train"] + b.green * lv.green
    return found | {"walk": b.time * x.time_walk}


def index(b, x, lv):
    return b.time * x.time_bus + b.cost * x.cost_bus + b.green * lv.green


AVAILABLE = {"car": "car_there", "train": "train_there"}
NESTS = {"public": ["bus", "train"], "motor": ["car", "public"]}
MAKES = {
    "logit": lambda **k: Logit(utility, "mode", AVAILABLE, **k),
    "nested": lambda **k: NestedLogit(utility, "mode", {"public": ["bus", "train"]}, AVAILABLE, **k),
    "deep": lambda **k: NestedLogit(utility, "mode", NESTS, AVAILABLE, **k),
    "crossed": lambda **k: CrossNestedLogit(
        utility, "mode", {"public": ["bus", "train"], "motor": ["car", "bus"]}, AVAILABLE, **k
    ),
    "ranking": lambda **k: Ranking(utility, ["mode", "second", "third"], True, AVAILABLE, **k),
    "sequential": lambda **k: BestWorst(utility, "mode", "worst", scale=True, available=AVAILABLE, **k),
    "maxdiff": lambda **k: BestWorst(utility, "mode", "worst", "maxdiff", available=AVAILABLE, **k),
    "ordered logit": lambda **k: OrderedChoice(index, "mode", **k),
    "ordered probit": lambda **k: OrderedChoice(
        index, "mode", link="probit", levels=["no", "maybe", "yes"], **k
    ),
    "probit": lambda **k: Probit(index, "mode", **k),
}
VALUES = {
    "asc_car": 0.4, "asc_bus": -0.3, "asc_train": 0.2, "time": -0.6, "cost": -0.8, "green": 0.5, "time.sd": 0.4,
    "green ~ age": 0.5, "public.lambda": 0.6, "motor.lambda": 0.8, "bus.public": 0.3, "choice.scale": 0.7,
    "choice.scale2": 0.8, "choice.scale3": 0.6, "choice | 1": -0.4, "choice | 2": 0.5,
}  # fmt: skip
for item in ("y1", "y2"):
    VALUES |= {f"{item} ~ 1": 0.1, f"green =~ {item}": 0.8, f"{item} ~~ {item}": 0.6}


def model_of(kind, **parts):
    items = [Continuous("y1", of="green"), Continuous("y2", of="green")]
    return iclv.Model([Latent("green", on=["age"])], items, MAKES[kind](), random={"time": Normal()}, **parts)


def design(people=25, seed=0):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(people), 3), "age": np.repeat(generator.normal(size=people), 3)}
    )
    for a in NAMES:
        frame[f"time_{a}"], frame[f"cost_{a}"] = generator.normal(size=(2, len(frame)))
    for a in AVAILABLE.values():
        frame[a] = (generator.random(len(frame)) < 0.8).astype(float)
    return frame


@pytest.fixture(scope="module")
def known():
    """Of every kind: the model, its data and a problem with its parameters, made when first asked for."""
    found = {}

    def get(kind):
        if kind not in found:
            model = model_of(kind)
            truth = {n: v for n, v in VALUES.items() if n in set(model.describe().to_frame()["name"])}
            data = model.simulate(truth, design(), seed=1, person="id")
            problem = model.bind(data, person="id", integration=RULE)
            found[kind] = model, truth, data, problem, problem.vector(truth)
        return found[kind]

    return get


# --- densities by hand ----------------------------------------------------------------------------------------------


def logit(v, on):
    e = np.where(on, np.exp(v), 0.0)
    return e / e.sum()


def nested(v, on, lambdas, nests):
    """Probabilities of a nested logit, by marginal times conditional choices from the top."""
    place, on = {a: j for j, a in enumerate(NAMES)}, np.asarray(on)

    def worth(member, mu):
        if member not in nests:
            j = place[member]
            return (v[j] if on[j] else -np.inf), {j: 1.0}
        own = mu * lambdas[member]
        return inside(nests[member], own)

    def inside(members, mu):
        found = [worth(m, mu) for m in members]
        e = np.exp([w / mu for w, _ in found])
        if e.sum() == 0.0:
            return -np.inf, {}
        shares = {}
        for (_, below), p in zip(found, e / e.sum(), strict=True):
            shares |= {j: p * q for j, q in below.items() if p > 0.0}
        return mu * np.log(e.sum()), shares

    held = {m for members in nests.values() for m in members}
    total, shares = inside([m for m in (*NAMES, *nests) if m not in held], 1.0)
    return total, np.array([shares.get(j, 0.0) for j in range(len(NAMES))])


def cells_of(kernel, values):
    declared = kernel.declare()
    names = [p.name for p in declared.parameters]
    arrays = families._check.filled(declared, names, jnp.asarray([*(values[n] for n in names), 0.0]))
    return {key: array[0] for key, array in arrays.items()}


def traced(kind):
    kernel = MAKES[kind]()
    return replace(kernel, utility=trace_utility(utility, ["green"]))


OFFERS = [on for on in itertools.product([True, False], repeat=4) if sum(on) > 0]


@pytest.mark.parametrize("kind", ["nested", "deep"])
def test_a_nested_logit_is_choices_from_the_top(kind):
    kernel = traced(kind)
    cells, v = cells_of(kernel, VALUES), np.array([0.3, -0.7, 1.1, 0.2])
    for on in OFFERS:
        total, expected = nested(v, on, {n: VALUES[f"{n}.lambda"] for n in NESTS}, dict(kernel.nests))
        found = kernel.expected(cells, jnp.asarray(v), jnp.asarray(on))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        assert float(kernel.log_sum(cells, jnp.asarray(v), jnp.asarray(on))) == pytest.approx(
            total, rel=1e-12
        )


@pytest.mark.parametrize("kind", ["nested", "deep"])
def test_nests_without_effect_are_a_logit(kind):
    kernel, v = traced(kind), np.array([0.3, -0.7, 1.1, 0.2])
    cells = cells_of(kernel, {"public.lambda": 1.0, "motor.lambda": 1.0})
    found = kernel.expected(cells, jnp.asarray(v), jnp.ones(4, bool))
    np.testing.assert_allclose(found, logit(v, np.ones(4, bool)), rtol=1e-13)


@pytest.mark.gate("deep")
@pytest.mark.parametrize("kind", ["nested", "deep"])
def test_kernels_pass(kind):
    families.check_kernel(traced(kind), 4, {n: VALUES[n] for n in ("public.lambda",)})


@pytest.mark.parametrize(("link", "distribution"), [("logit", stats.logistic), ("probit", stats.norm)])
def test_levels_are_intervals_of_the_index(link, distribution):
    kernel = OrderedChoice(trace_utility(index, ["green"], indexed=True), "y", link, [1, 2, 3])
    cells = cells_of(kernel, VALUES)
    for v in (-3.0, 0.2, 40.0):
        cuts = np.append(np.append(-np.inf, [VALUES["choice | 1"], VALUES["choice | 2"]]), np.inf) - v
        found = kernel.expected(cells, jnp.asarray([v]), jnp.ones(3, bool))
        expected = np.diff(distribution.cdf(cuts))
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-16)


def test_levels_of_an_ordered_choice_come_from_the_data():
    labels = ["lo", "mid", "hi"]
    answers = pd.Categorical(["lo", "hi", "mid", "hi"], labels, ordered=True)
    frame = pd.DataFrame({"x": [0.1, 0.5, -0.3, 0.7], "y": answers})
    model = iclv.Model(choice=OrderedChoice(lambda b, x, lv: b.x * x.x, "y"))
    problem = model.bind(frame)
    assert problem.spec.choices[0].outcomes == ("lo", "mid", "hi")
    start = dict(zip(problem.names, np.asarray(problem.start()), strict=True))
    shares = [1 / (1 + np.exp(-start[f"choice | {k}"])) for k in (1, 2)]
    np.testing.assert_allclose(shares, [0.25, 0.5], rtol=1e-10)
    rare = iclv.Model(choice=replace(model.spec.choices[0], levels=("none", *labels)))
    with pytest.raises(ValueError, match="ordered choice 'choice' never has the level 'none'"):
        rare.bind(frame)
    with pytest.raises(ValueError, match="'lo', a label whose order is not known"):
        model.bind(frame.assign(y=frame["y"].astype(str)))
    with pytest.raises(ValueError, match="returns a mapping of 2 alternatives"):
        iclv.Model(choice=OrderedChoice(lambda b, x, lv: {"a": b.c, "b": 0.0}, "y"))
    with pytest.raises(ValueError, match="link= is 'logit' or 'probit', not 'logitt'"):
        OrderedChoice(index, "y", link="logitt")


# --- distributions of coefficients ----------------------------------------------------------------------------------

U = stats.norm.ppf((np.arange(40_000) + 0.5) / 40_000)
MIXINGS = {
    "uniform": (iclv.Uniform(), {"mean": 0.3, "width": 0.8}, stats.uniform(-0.5, 1.6)),
    "triangular": (iclv.Triangular(), {"mean": 0.3, "width": 0.8}, stats.triang(0.5, -0.5, 1.6)),
    "truncated": (
        iclv.TruncatedNormal(-0.2, 1.5), {"mean": 0.3, "sd": -0.8}, stats.truncnorm(-0.5 / 0.8, 1.2 / 0.8, 0.3, 0.8),
    ),
    "cut above": (iclv.TruncatedNormal(upper=0.0), {"mean": 0.3, "sd": 0.8}, stats.truncnorm(-np.inf, -0.3 / 0.8, 0.3, 0.8)),
    "johnson": (iclv.JohnsonSB(-1.0, 2.0), {"mean": 0.3, "sd": 0.8}, stats.johnsonsb(-0.3 / 0.8, 1 / 0.8, -1.0, 3.0)),
}  # fmt: skip


@pytest.mark.gate("uniform", "johnson")
@pytest.mark.parametrize("name", MIXINGS)
def test_coefficients_follow_their_distributions(name):
    mixing, values, distribution = MIXINGS[name]
    cells = {key: jnp.asarray(v) for key, v in values.items()}
    found = jax.jit(jax.vmap(lambda u: mixing.coefficient(cells, u)))(jnp.asarray(U))
    np.testing.assert_allclose(found, distribution.ppf(stats.norm.cdf(U)), rtol=1e-8, atol=1e-9)
    assert share_positive(mixing, values) == pytest.approx(distribution.sf(0.0), abs=1e-3)
    slope = jax.vmap(jax.grad(lambda u: mixing.coefficient(cells, u)))(jnp.array([-8.0, -1.0, 0.5, 8.0]))
    assert np.isfinite(np.asarray(slope)).all()
    for u in (-2.0, 0.4, 3.0):
        by = jax.grad(lambda c, u=u: mixing.coefficient(c, jnp.asarray(u)))(cells)
        for key in cells:
            ends = [mixing.coefficient(cells | {key: cells[key] + h}, jnp.asarray(u)) for h in (1e-5, -1e-5)]
            assert float(by[key]) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-7), (
                u,
                key,
            )


@pytest.mark.gate("2000.0", "100000.0")
@pytest.mark.parametrize("mean", [30.0, 2e3, 1e5])
def test_a_normal_cut_far_below_its_mean_is_an_exponential(mean):
    """With `sd^2 / mean` held at one and the mean going to infinity, the distribution below zero becomes one."""
    cells = {"mean": jnp.asarray(mean), "sd": jnp.sqrt(mean)}
    mixing, u = iclv.TruncatedNormal(upper=0.0), jnp.array([-3.0, -0.5, 1.0, 3.0])
    found = jax.vmap(lambda one: mixing.coefficient(cells, one))(u)
    exact = stats.truncnorm(-np.inf, -np.sqrt(mean), mean, np.sqrt(mean)).ppf(stats.norm.cdf(u))
    limit = -stats.expon.ppf(stats.norm.cdf(-u))
    np.testing.assert_allclose(found, exact if mean < 1e3 else limit, rtol=1e-7 if mean < 1e3 else 8.0 / mean)
    by = jax.vmap(lambda one: jax.hessian(lambda c: mixing.coefficient(c, one))(cells)["sd"]["mean"])(u)
    assert np.isfinite(np.asarray(by)).all()


@pytest.mark.parametrize("mixing", [Normal(), iclv.LogNormal(sign=-1), *(m for m, *_ in MIXINGS.values())])
def test_distributions_start_where_a_fixed_coefficient_is(mixing):
    """In the middle of a distribution is the value, and people differ by about what was asked for."""
    cells = {key: jnp.asarray(v) for key, v in mixing.starts_at(-0.15, 0.04).items()}
    below, middle, above = np.sort(
        [float(mixing.coefficient(cells, jnp.asarray(u))) for u in (-1.0, 0.0, 1.0)]
    )
    assert middle == pytest.approx(-0.15, abs=1e-9 if mixing.by_mean else 0.03)
    assert 0.04 < above - below < 0.13
    # Where the value is not possible the distribution still is.
    far = mixing.starts_at(9.0, 0.04)
    assert all(np.isfinite(v) for v in far.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["triangular"])
def test_any_distribution_covaries_with_a_latent_variable(name):
    mixing, values, _ = MIXINGS[name]
    model = iclv.Model(
        [Latent("green", on=["age"])], [Continuous("y1", of="green")], Logit(utility, "mode", AVAILABLE),
        random={"time": mixing, "cost": Normal()}, covariances=[("time", "cost"), ("green", "time")],
    )  # fmt: skip
    named = {n: abs(values[key]) for key, n in mixing.named("time").items()}
    spread = named[mixing.spread_of("time")]
    truth = (
        VALUES | named | {"cost.sd": 0.5, "time ~~ cost": 0.3 * spread * 0.5, "green ~~ time": -0.2 * spread}
    )
    truth = {n: v for n, v in truth.items() if n in set(model.describe().to_frame()["name"])}
    data = model.simulate(truth, design(8), seed=1, person="id")
    problem = model.bind(data, person="id", integration=GaussHermite(3, adaptive=False))
    params = problem.vector({n: truth[n] for n in problem.names})
    exact, automatic = (np.asarray(problem.hessian(params, m)) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, automatic, rtol=1e-8, atol=1e-8 * np.abs(automatic).max())


def test_a_distribution_of_a_user():
    """A Weibull coefficient with a shape of its own, against quadrature by hand."""

    @dataclass(frozen=True)
    class Weibull(iclv.Mixing):
        spread = None

        @property
        def starts(self):
            return {"mean": 0.0, "shape": 1.0}

        def coefficient(self, cells, u):
            return jnp.exp(cells["mean"]) * (-jax.scipy.special.log_ndtr(-u)) ** (1.0 / cells["shape"])

    def two(b, x, lv):
        return {"a": b.time * x.t, "b": 0.0}

    frame = pd.DataFrame({"t": [0.5, -1.0, 2.0], "y": ["a", "b", "a"]})
    model = iclv.Model(choice=Logit(two, "y"), random={"time": Weibull()})
    problem = model.bind(frame, integration=GaussHermite(20, adaptive=False))
    assert problem.names == ("time", "time.shape")
    z, logs = after.grid(20, 1)
    time = np.exp(-0.2) * (-np.log(stats.norm.sf(z[:, 0]))) ** (1 / 1.5)
    sides = np.array([1.0, -1.0, 1.0])[:, None] * time[None, :] * frame["t"].to_numpy()[:, None]
    expected = np.log((np.exp(logs)[None, :] / (1.0 + np.exp(-sides))).sum(axis=1))
    np.testing.assert_allclose(problem.loglike_person(jnp.array([-0.2, 1.5])), expected, rtol=1e-10)
    with pytest.raises(ValueError, match="Weibull has no spread"):
        iclv.Model(
            choice=Logit(utility, "y"), random={"time": Weibull(), "cost": Normal()}, latent=[Latent("green")],
            covariances=[("time", "cost")],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: iclv.TruncatedNormal(), "neither lower= nor upper="),
        (lambda: iclv.TruncatedNormal(1.0, 0.0), "lower=1.0 is not below upper=0.0"),
        (lambda: iclv.JohnsonSB(0.0, np.inf), "finite bounds"),
    ],
)
def test_distributions_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- every kind in a model ------------------------------------------------------------------------------------------

KINDS = ["nested", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("ranking", "ordered logit"))]


@pytest.mark.gate("ordered probit")
@pytest.mark.parametrize(
    "kind",
    [
        "ranking",
        "ordered probit",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("deep", "crossed", "maxdiff")),
    ],
)
def test_the_exact_hessian_is_that_of_autodiff(known, kind):
    *_, problem, params = known(kind)
    exact, automatic = (np.asarray(problem.hessian(params, m)) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, automatic, rtol=1e-8, atol=1e-8 * np.abs(automatic).max())


@pytest.fixture(scope="module")
def fits(known):
    found = {}

    def get(kind):
        if kind not in found:
            model, _, data, problem, params = known(kind)
            found[kind] = model, data, after.fit_at(problem, params)
        return found[kind]

    return get


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_after_a_fit(fits, kind, tmp_path):
    model, data, fit = fits(kind)
    probabilities = fit.predict(given="nothing")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    fresh = fit.predict(data=data.drop(columns=list(model.spec.choices[0].columns)).iloc[:30])
    np.testing.assert_allclose(fresh, probabilities.iloc[:30], rtol=1e-10)
    shares = fit.shares()
    assert abs(shares["predicted"].sum() - 1.0) < 1e-10
    assert np.isfinite(fit.elasticities("cost_bus").aggregate).all(axis=None)
    assert 0.0 < fit.hit_rate() < 1.0
    assert fit.willingness_to_pay("green", cost="cost").cost == "cost"
    assert "Choice situations" in str(model.describe(data))
    assert "cost" in str(fit.summary())
    fit.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", model, data)
    assert again.llf == pytest.approx(fit.llf, abs=1e-9)


@pytest.mark.gate("nested")
@pytest.mark.parametrize("kind", ["nested", "crossed"])
def test_surplus_falls_by_what_is_paid(fits, kind):
    """A franc more for everything costs a franc, by the log-sum of whatever kernel."""
    _, data, fit = fits(kind)
    dearer = data.assign(
        **{f"cost_{a}": data[f"cost_{a}"] + 0.01 for a in NAMES[:3]}, time_walk=data["time_walk"]
    )
    scenario = fit.scenario(data, dearer, cost="cost")
    walk = fit.predict()["walk"].mean()
    assert scenario.mean_surplus == pytest.approx(-0.01 * (1.0 - walk), rel=1e-2)


def test_no_surplus_without_a_log_sum(fits):
    _, data, fit = fits("ordered logit")
    with pytest.raises(ValueError, match="OrderedChoice has no log-sum"):
        fit.scenario(data, data, cost="cost")


def test_own_effects_of_a_nest_are_exact(fits):
    """Cross elasticities differ in and out of the nest, against differences of predictions."""
    _, data, fit = fits("nested")
    slopes, step = fit.marginal_effects("cost_bus").rows, 1e-5
    up = fit.predict(data=data.assign(cost_bus=data["cost_bus"] + step))
    down = fit.predict(data=data.assign(cost_bus=data["cost_bus"] - step))
    numerical = (up - down) / (2.0 * step)
    np.testing.assert_allclose(slopes.fillna(0.0), numerical, rtol=1e-5, atol=1e-8)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nests", "message"),
    [
        ({"public": ["bus", "trian"]}, r"nests\['public'\] holds 'trian', which is neither.*'train'"),
        ({"public": ["bus", "train"], "motor": ["bus", "car"]}, "'bus' stands in two nests"),
        ({"public": ["bus", "bus"]}, "holds 'bus' twice"),
        ({"public": ["bus"]}, "fewer than two members"),
        ({"car": ["bus", "train"]}, "a nest 'car', which is an alternative too"),
        ({"p": ["bus", "q"], "q": ["car", "p"]}, "hold each other"),
        (["bus", "train"], "nests= is a mapping"),
    ],
)
def test_nests_that_are_none(nests, message):
    with pytest.raises(ValueError, match=message):
        iclv.Model([Latent("green", on=["age"])], [], NestedLogit(utility, "mode", nests))


# --- nests that share alternatives ----------------------------------------------------------------------------------

CROSSED = {"public": ["bus", "train"], "motor": ["car", "bus"]}


def crossed(nests=CROSSED):
    return CrossNestedLogit(trace_utility(utility, ["green"]), "mode", nests)


@pytest.mark.slow
def test_a_cross_nested_logit_by_hand():
    v, share = np.array([0.3, -0.7, 1.1, 0.2]), 0.3
    values = {"public.lambda": 0.6, "motor.lambda": 0.8, "bus.public": share}
    cells = cells_of(crossed(), values)
    allocations = [np.array([0, share, 1, 0]), np.array([1, 1 - share, 0, 0]), np.array([0, 0, 0, 1.0])]
    for on in OFFERS:
        inside = [
            (np.where(on, a * np.exp(v), 0.0)) ** (1 / s)
            for a, s in zip(allocations, (0.6, 0.8, 1.0), strict=True)
        ]
        nests = np.array([w.sum() ** s for w, s in zip(inside, (0.6, 0.8, 1.0), strict=True)])
        expected = sum(w / max(w.sum(), 1e-300) * n / nests.sum() for w, n in zip(inside, nests, strict=True))
        at = cells, jnp.asarray(v), jnp.asarray(on)
        np.testing.assert_allclose(crossed().expected(*at), expected, rtol=1e-12, atol=1e-15)
        assert float(crossed().log_sum(*at)) == pytest.approx(np.log(nests.sum()), rel=1e-12)
    flat = cells_of(crossed(), values | {"public.lambda": 1.0, "motor.lambda": 1.0})
    np.testing.assert_allclose(
        crossed().expected(flat, jnp.asarray(v), jnp.ones(4, bool)), logit(v, np.ones(4, bool))
    )


def test_whole_allocations_are_the_nested_logit():
    nests = {"public": {"bus": 1.0, "train": 1.0}, "motor": {"car": 1.0, "bus": 0.0}}
    v, values = jnp.array([0.3, -0.7, 1.1, 0.2]), {"public.lambda": 0.6, "motor.lambda": 0.8}
    found = crossed(nests).expected(cells_of(crossed(nests), values), v, jnp.ones(4, bool))
    kernel = traced("nested")
    expected = kernel.expected(cells_of(kernel, values), v, jnp.ones(4, bool))
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("nests", "message"),
    [
        ({"public": ["bus", "trian"]}, "'trian', which is no alternative.*'train'"),
        ({"public": {"bus": 0.4, "train": 1.0}, "motor": {"car": 1.0, "bus": 0.5}}, "0.4, 0.5, which add up to 0.9"),
        ({"public": {"bus": 1.4}, "motor": {"car": 1.0, "bus": -0.4}}, "must not be negative"),
        ({"public": {"bus": 0.4}, "motor": ["car", "bus"]}, "given for some nests and free for 'motor'"),
        ({"public": {"bus": np.nan}, "motor": {"car": 1.0, "bus": 0.5}}, "of 'bus' are numbers from 0 to 1, not nan"),
        ({"public": {"bus": "0.5"}, "motor": {"car": 1.0, "bus": 0.5}}, "of 'bus' are numbers from 0 to 1, not '0.5'"),
        ({"public": ["bus", "bus"]}, "holds an alternative twice"),
        (["bus"], "nests= is a mapping"),
    ],
)  # fmt: skip
def test_crossed_nests_that_are_none(nests, message):
    with pytest.raises(ValueError, match=message):
        crossed(nests)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("b.p", 1.4, "= 1.4 cannot be: the allocation of b to the nest p lies between 0 and 1"),
        ("q.lambda", 1.5, r"= 1.5 cannot be: the logsum coefficient .* lies between .* and 1"),
    ],
)
def test_values_that_no_nest_has(name, value, message):
    choice = CrossNestedLogit(three, "r1", {"p": ["a", "b"], "q": ["b", "c"]})
    with pytest.raises(ValueError, match=r"fixed\[.*" + message):
        iclv.Model(choice=choice, fixed={name: value}).describe()
    truth = dict.fromkeys(("a", "b", "x", "p.lambda", "q.lambda", "b.p"), 0.5) | {name: value}
    with pytest.raises(ValueError, match=r"params\[.*" + message):
        iclv.Model(choice=choice).simulate(truth, ranked(), seed=1)


# --- rankings -------------------------------------------------------------------------------------------------------


def exploded(v, on, order, scales):
    """A ranking as logits over what is left."""
    left, total = list(np.flatnonzero(on)), 0.0
    for place, scale in zip(order, scales, strict=False):
        total += scale * v[place] - np.log(np.exp(scale * v[left]).sum())
        left.remove(place)
    return total


def test_a_ranking_is_exploded_into_logits():
    kernel = Ranking(trace_utility(utility, ["green"]), ["r1", "r2", "r3"], scales=True)
    assert [p.name for p in kernel.declare().parameters] == ["choice.scale2", "choice.scale3"]
    cells = cells_of(kernel, {"choice.scale2": 0.7, "choice.scale3": 0.4})
    v, on = np.array([0.3, -0.7, 1.1, 0.2]), np.array([True, True, True, False])
    at = jnp.asarray(v), jnp.asarray(on)
    total = 0.0
    for order in itertools.permutations(range(3)):
        logs = float(kernel.log_density(cells, at[0], jnp.array(order), at[1]))
        assert logs == pytest.approx(exploded(v, on, order, (1.0, 0.7, 0.4)), rel=1e-12)
        total += np.exp(logs)
    assert total == pytest.approx(1.0, rel=1e-12)
    early = float(kernel.log_density(cells, at[0], jnp.array([2, 0, -1]), at[1]))
    assert early == pytest.approx(exploded(v, on, (2, 0), (1.0, 0.7)), rel=1e-12)
    keys = jax.random.split(jax.random.key(0), 20_000)
    draws = np.asarray(jax.vmap(lambda k: kernel.sample(cells, *at, k))(keys))
    for order in itertools.permutations(range(3)):
        share, p = (
            (draws == np.array(order)).all(axis=1).mean(),
            np.exp(exploded(v, on, order, (1.0, 0.7, 0.4))),
        )
        assert abs(share - p) < 5.0 * np.sqrt(p * (1 - p) / len(draws))


@pytest.mark.parametrize("kind", ["sequential", "maxdiff"])
def test_the_best_and_the_worst(kind):
    kernel = BestWorst(trace_utility(utility, ["green"]), kind=kind, scale=True)
    cells, v = cells_of(kernel, {"choice.scale": 0.7}), np.array([0.3, -0.7, 1.1, 0.2])
    on = np.array([True, False, True, True])
    places, found = np.flatnonzero(on), np.zeros((4, 4))
    for b, w in itertools.permutations(places, 2):
        found[b, w] = np.exp(
            float(kernel.log_density(cells, jnp.asarray(v), jnp.array([b, w]), jnp.asarray(on)))
        )
    expected = np.zeros((4, 4))
    for b, w in itertools.permutations(places, 2):
        if kind == "maxdiff":
            expected[b, w] = np.exp(v[b] - 0.7 * v[w])
        else:
            rest = [k for k in places if k != b]
            expected[b, w] = (
                np.exp(v[b]) / np.exp(v[places]).sum() * np.exp(-0.7 * v[w]) / np.exp(-0.7 * v[rest]).sum()
            )
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-12)
    best = kernel.expected(cells, jnp.asarray(v), jnp.asarray(on))
    np.testing.assert_allclose(best, found.sum(axis=1), rtol=1e-12)
    alone = kernel.log_density(cells, jnp.asarray(v), jnp.array([2, -1]), jnp.asarray(on))
    assert float(alone) == pytest.approx(np.log(found[2].sum()), rel=1e-12)


def ranked():
    return pd.DataFrame(
        {"x": [0.1, -0.4, 0.6], "r1": ["a", "b", "c"], "r2": ["b", "c", "a"], "there": [1, 1, 1]}, index=[10, 11, 12]
    )  # fmt: skip


def three(b, x, lv):
    return {"a": b.a + b.x * x.x, "b": b.b, "c": 0.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r2": ["b", "b", "a"]}, "Row 11 names 'b' in 'r1' and in 'r2'"),
        ({"r1": ["a", None, "c"]}, "Row 11 has a rank in 'r2' but none in 'r1'"),
        ({"there": [1, 1, 0]}, "Row 12 chose 'a', which is not available"),
        ({"r2": ["b", "x", "a"]}, "column 'r2' holds 'x' in row 11"),
    ],
)
def test_rankings_that_cannot_be(change, message):
    model = iclv.Model(choice=Ranking(three, ["r1", "r2"], available={"a": "there"}))
    model.bind(ranked())
    with pytest.raises(ValueError, match=message):
        model.bind(ranked().assign(**change))


def test_a_ranking_is_the_logit_of_exploded_rows():
    """Rows that leave out what was ranked before, by availability."""
    frame = ranked().assign(r2=["b", None, "a"])
    one = iclv.Model(choice=Ranking(three, ["r1", "r2"])).bind(frame)
    rows = [
        row | {"choice": row[r]} | {f"on_{k}": float(r == "r1" or row["r1"] != k) for k in "abc"}
        for row in frame.to_dict("records") for r in ("r1", "r2") if isinstance(row[r], str)
    ]  # fmt: skip
    two = iclv.Model(choice=Logit(three, "choice", {k: f"on_{k}" for k in "abc"})).bind(pd.DataFrame(rows))
    params = jnp.array([0.4, -0.3, 0.2])
    assert one.names == two.names
    assert float(one.loglike(params)) == pytest.approx(float(two.loglike(params)), rel=1e-12)


@pytest.mark.parametrize("kind", ["ranking", "sequential", "maxdiff"])
def test_several_answers_are_held_against_several_answers(kind):
    """Equal shares and constants only are those of all that was said, not of the first answer alone."""
    rng, names = np.random.default_rng(4), np.array(["a", "b", "c"])
    order = np.argsort(rng.gumbel(size=(40, 3)) + [0.8, 0.0, 0.3], axis=1)[:, ::-1]
    frame = pd.DataFrame({f"r{k}": names[order[:, k]] for k in range(3)}).assign(x=rng.normal(size=40))

    def utility(b, x, lv):
        return {"a": b.a + b.x * x.x, "b": 0.0, "c": b.c}

    if kind == "ranking":
        choice = iclv.Ranking(utility, ["r0", "r1"], scales=True)
    else:
        choice = iclv.BestWorst(utility, best="r0", worst="r2", kind=kind)
    problem = iclv.Model(choice=choice).bind(frame)
    found = after.fit_at(problem, problem.start()).components
    assert found.equal_shares == pytest.approx(-40 * np.log(6.0))

    def negative(constants):
        v, total = np.append(constants, 0.0)[[0, 2, 1]], 0.0  # of a, b, c
        for first, second, third in order:
            pair = np.logaddexp(v[second], v[third])
            if kind == "ranking":
                total += v[first] - np.logaddexp(v[first], pair) + v[second] - pair
            elif kind == "sequential":
                total += (
                    v[first] - np.logaddexp(v[first], pair) - v[third] - np.logaddexp(-v[second], -v[third])
                )
            else:
                both = [v[i] - v[j] for i in range(3) for j in range(3) if i != j]
                total += v[first] - v[third] - np.logaddexp.reduce(both)
        return -total

    best = minimize(negative, [0.5, 0.2], method="Nelder-Mead", options={"fatol": 1e-10, "xatol": 1e-8})
    assert found.constants == pytest.approx(-best.fun, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ranking(three, ["r1"]), "two or more columns"),
        (lambda: Ranking(three, ["r1", "r1"]), "each once"),
        (lambda: iclv.Model(choice=Ranking(three, ["r1", "r2", "r3", "r4"])), "4 columns for 3 alternatives"),
        (lambda: BestWorst(three, kind="maxdif"), "Did you mean 'maxdiff'"),
        (lambda: BestWorst(three, "r1", "r1"), "worst= is the column"),
    ],
)
def test_rankings_and_pairs_that_are_none(make, message):
    with pytest.raises(ValueError, match=message):
        make()
