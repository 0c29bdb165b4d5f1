"""What is compiled again and what is not: never the same model on other data, never a stale program."""

import contextlib
import itertools
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

COMPILED = []


def _listen(event, duration, **details):
    if event == "/jax/core/compile/backend_compile_duration":
        COMPILED.append(details.get("fun_name"))


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextlib.contextmanager
def compilations():
    """Names of the programs that are compiled inside."""
    found, before = [], len(COMPILED)
    yield found
    found.extend(COMPILED[before:])


@pytest.fixture(scope="module", autouse=True)
def nothing_stored():
    """What is counted is compiled, and not read from what other tests have compiled."""
    jax.config.update("jax_enable_compilation_cache", False)
    yield
    jax.config.update("jax_enable_compilation_cache", True)


def survey(seed, people=60):
    generator = np.random.default_rng(seed)
    age, cost = generator.normal(size=(2, people))
    warmth = 0.5 * age + generator.normal(size=people)
    lead = 0.3 + 0.8 * warmth + cost + generator.logistic(size=people)
    items = {f"y{k}": 0.8 * warmth + 0.6 * generator.normal(size=people) for k in (1, 2)}
    levels = np.digitize(warmth + generator.normal(size=people), [-0.7, 0.6]) + 1
    return pd.DataFrame(
        {"age": age, "cost": cost, **items, "q": levels, "choice": np.where(lead > 0, "a", "b")}
    )


def attitude():
    """A model with everything made anew: its utility too is a new function with the same text."""

    def utility(b, x, lv):
        return {"a": b.asc + b.taste * lv.warmth, "b": b.cost * x.cost}

    return iclv.Model(
        latent=[iclv.Latent("warmth", on=["age"])],
        indicators=[
            iclv.Continuous("y1", of="warmth"),
            iclv.Continuous("y2", of="warmth"),
            iclv.Ordered("q", of="warmth"),
        ],
        choice=iclv.Logit(utility, "choice"),
        define={"cost": lambda p: -jnp.exp(p.log_cost)},
    )


# --- nothing again ----------------------------------------------------------------------------------------------


def test_the_counter_counts():
    with compilations() as found:
        jax.jit(lambda x: jnp.sin(x) * 1.2345)(1.0)
    assert found


def test_fits_of_the_same_model_compile_once():
    """The second data set and the second definition of the model take another path through the optimiser, but
    no program that the first has not compiled."""

    def summarised(model, seed):
        fit = model.fit(survey(seed), integration=iclv.GaussHermite(6), progress=False)
        assert fit.converged
        fit.summary()
        return fit.llf

    model = attitude()
    with compilations() as first:
        llf = summarised(model, 1)
    with compilations() as other_data:
        other = summarised(model, 5)
    with compilations() as defined_again:
        again = summarised(attitude(), 1)
    assert any("score" in name for name in first)
    assert (other_data, defined_again) == ([], [])
    assert llf == again != other


def evaluations(problem, params):
    """Everything that a problem computes, from every jitted function of it."""
    vector = problem.vector(params)
    centred = problem.recentre(vector)
    parts = [
        centred.loglike(vector),
        centred.loglike_person(vector),
        centred.score(vector),
        centred.score_person(vector),
    ]
    return parts + [centred.hessian(vector, method) for method in ("exact", "bhhh")]


def test_a_problem_of_the_same_shape_compiles_nothing():
    """Other people, other values of fixed parameters, other weights, another order of the same rows."""

    def model(asc):
        return iclv.Model(
            choice=iclv.Logit(
                lambda b, x, lv: {"a": b.asc, "b": b.cost * x.cost, "c": b.late * x.age}, "choice"
            ),
            random={"cost": iclv.Normal()},
            fixed={"asc": asc},
        )

    rule, params = iclv.GaussHermite(5), {"cost": -0.5, "cost.sd": 0.8, "late": 0.3}
    first = evaluations(model(0.2).bind(survey(1), integration=rule), params)
    variants = [
        (False, model(0.7), survey(1), {}),
        (False, model(0.2), survey(2), {}),
        (False, model(0.2), survey(1), {"weights": np.linspace(0.5, 1.5, 60)}),
        (True, model(0.2), survey(1).iloc[::-1], {}),
    ]
    for same, variant, data, keywords in variants:
        with compilations() as found:
            problem = variant.bind(data, integration=rule, **keywords)
            changed = evaluations(problem, params)
        assert found == []
        assert np.isclose(changed[0], first[0], rtol=1e-13) == same


def test_another_number_of_missing_attributes_compiles_nothing():
    model = iclv.Model(
        choice=iclv.Logit(
            lambda b, x, lv: {"a": b.cost * x.cost, "b": b.asc}, "choice", available={"a": "open"}
        )
    )

    def with_missing(count):
        data = survey(4).assign(open=1)
        gone = data.index[data["choice"] == "b"][:count]
        data.loc[gone, "open"], data.loc[gone, "cost"] = 0, np.nan
        return model.bind(data)

    with_missing(5)
    with compilations() as found:
        with_missing(8)
    assert found == []


def test_defining_a_function_again_compiles_nothing():
    """Also where it calls functions with derivatives of their own, loops, and arrays from outside."""

    def model():
        table = jnp.asarray([0.5, 1.5, -0.5])

        def utility(b, x, lv):
            softened = jax.nn.relu(b.cost * x.cost) + jax.nn.silu(x.age * b.age)
            looped = jax.lax.fori_loop(0, 3, lambda i, total: total + table[i] * b.loop * x.age, 0.0)
            return {"a": softened + jax.scipy.special.log_ndtr(b.asc), "b": looped}

        return iclv.Model(choice=iclv.Logit(utility, "choice"))

    params = {"cost": 0.5, "age": -0.4, "loop": 0.3, "asc": 0.2}
    first = evaluations(model().bind(survey(1)), params)
    with compilations() as found:
        second = evaluations(model().bind(survey(1)), params)
    assert found == []
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


# --- nothing stale ----------------------------------------------------------------------------------------------


def logit(utility, **parts):
    return iclv.Model(choice=iclv.Logit(utility, "choice"), **parts).bind(survey(3))


def loglike_and_slope(utility, **parts):
    problem = logit(utility, **parts)
    return [np.asarray(part(jnp.asarray([0.7]))) for part in (problem.loglike, problem.score)]


def with_constant(value):
    return lambda b, x, lv: {"a": b.b * x.cost + value, "b": 0.0}


def with_exponent(value):
    return lambda b, x, lv: {"a": b.b**value * x.cost, "b": 0.0}


def with_array(value):
    held = np.asarray(value)
    return lambda b, x, lv: {"a": jnp.sum(held * b.b) * x.cost, "b": 0.0}


def with_jax_array(value):
    held = jnp.asarray(value)
    return lambda b, x, lv: {"a": jnp.dot(held, jnp.stack([b.b, x.cost])), "b": 0.0}


def with_branches(value):
    def utility(b, x, lv):
        return {"a": jax.lax.cond(x.cost > 0.0, lambda v: v, lambda v: value * v, b.b * x.cost), "b": 0.0}

    return utility


def with_order(names):
    return lambda b, x, lv: {name: b.b * x.cost if name == "a" else 0.0 for name in names}


def with_columns(names):
    return lambda b, x, lv: {"a": b.b * x[names[0]] + x[names[1]], "b": 0.0}


@pytest.mark.gate("with_branches-values6", "with_constant-values0", "with_array-values4")
@pytest.mark.parametrize(
    ("make", "values"),
    [
        (with_constant, (1.0, 2.0)),
        (with_constant, (0.0, -0.5)),
        (with_exponent, (2, 3)),
        (with_exponent, (2, 2.5)),
        (with_array, ([1.0, 2.0], [1.0, 2.5])),
        (with_jax_array, ([1.0, 2.0], [1.0, 2.5])),
        (with_branches, (0.5, 0.25)),
        (with_columns, (("cost", "age"), ("age", "cost"))),
    ],
)
def test_functions_that_differ_in_a_constant_differ(make, values):
    first, second, again = (loglike_and_slope(make(value)) for value in (*values, values[0]))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.allclose(a, b, rtol=1e-6) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kernel", [iclv.Logit, iclv.Probit])
def test_the_order_of_alternatives_belongs_to_the_program(kernel):
    problems = [
        iclv.Model(choice=kernel(with_order(names), "choice")).bind(survey(3)) for names in ("ab", "ba")
    ]
    found = [p.loglike_person(jnp.asarray([0.7])) for p in problems]
    np.testing.assert_allclose(*found, rtol=1e-13)


def test_an_object_that_changes_between_two_definitions():
    """What a function reads from outside counts as it is when the model is made, then and later."""
    held = {"shift": 0.0}

    def utility(b, x, lv):
        return {"a": b.b * x.cost + held["shift"], "b": 0.0}

    early = iclv.Model(choice=iclv.Logit(utility, "choice")).bind(survey(3))
    before = early.loglike(jnp.asarray([0.7]))
    held["shift"] = 1.0
    late = iclv.Model(choice=iclv.Logit(utility, "choice")).bind(survey(3))
    assert late.loglike(jnp.asarray([0.7])) != before
    assert early.loglike(jnp.asarray([0.7])) == before
    assert early.loglike_person(jnp.asarray([0.7])).sum() == pytest.approx(float(before), rel=1e-13)


def with_slope(slope):
    """A function called relu, with the values of jax.nn.relu and a derivative of its own."""

    @jax.custom_jvp
    @jax.jit
    def relu(x):
        return jnp.maximum(x, 0)

    relu.defjvp(lambda primals, tangents: (relu(*primals), slope(*primals) * tangents[0]))
    return relu


@jax.custom_jvp
def two(x):
    """The constant 2 with a derivative of 5."""
    return jnp.full_like(x, 2.0)


two.defjvp(lambda primals, tangents: (two(*primals), 5.0 * tangents[0]))

RELUS = {
    "of jax": jax.nn.relu,
    "three": with_slope(lambda x: 3.0),
    "two": with_slope(lambda x: jnp.full_like(x, 2.0)),
    "curved": with_slope(two),
}


def test_functions_with_the_same_values_and_other_derivatives_differ():
    """`two` and `curved` differ in their second derivatives only."""
    value, score, hessian, two, curved = {}, {}, {}, "two", "curved"
    for name, relu in RELUS.items():
        problem = logit(lambda b, x, lv, f=relu: {"a": f(b.b * (1.0 + x.cost**2)), "b": x.age})
        params = jnp.asarray([0.7])
        value[name], score[name] = problem.loglike(params), problem.score(params)
        hessian[name] = problem.hessian(params)
    assert len(set(map(float, value.values()))) == 1
    for name, slope in (("three", 3.0), (two, 2.0), (curved, 2.0)):
        np.testing.assert_allclose(score[name], slope * score["of jax"], rtol=1e-12)
    for name, slope in (("three", 3.0), (two, 2.0)):
        np.testing.assert_allclose(hessian[name], slope**2 * hessian["of jax"], rtol=1e-12)
    assert abs(hessian[curved] - hessian[two]).max() > 1.0


def test_definitions_that_differ_in_a_constant_differ():
    def value(factor):
        return loglike_and_slope(
            lambda b, x, lv: {"a": b.b * x.cost + b.tied, "b": 0.0}, define={"tied": lambda p: factor * p.b}
        )

    first, second, again = value(0.5), value(0.6), value(0.5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.allclose(a, b, rtol=1e-6) for a, b in zip(first, second, strict=True))


def test_members_of_a_family_differ():
    """The same names, shapes and parameters throughout."""
    params = {"l =~ q": 0.7, "q | 1": -0.4, "q | 2": 0.5, "b": 0.7, "b.sd": 0.5}

    def value(link="probit", kernel=iclv.Logit, mixing=None):
        model = iclv.Model(
            latent=[iclv.Latent("l")],
            indicators=[iclv.Ordered("q", of="l", link=link)],
            choice=kernel(lambda b, x, lv: {"a": b.b * x.cost + lv.l, "b": 0.0}, "choice"),
            random={"b": mixing or iclv.Normal()},
        )
        problem = model.bind(survey(3), integration=iclv.MonteCarlo(4))
        return float(problem.loglike(problem.vector(params)))

    mixings = [{"mixing": iclv.LogNormal(sign=sign)} for sign in (1, -1)]
    found = [value(**k) for k in ({}, {"link": "logit"}, {"kernel": iclv.Probit}, *mixings, {})]
    assert found[0] == found[-1]
    assert all(abs(a - b) > 1e-3 for a, b in itertools.combinations(found[:-1], 2))


def test_a_rule_with_other_draws_gives_other_draws():
    model = iclv.Model(
        choice=iclv.Logit(lambda b, x, lv: {"a": b.b * x.cost, "b": 0.0}, "choice"),
        random={"b": iclv.Normal()},
    )
    rules = [iclv.MonteCarlo(4, s, seed) for s in ("halton", "sobol", "mlhs", "random") for seed in (0, 1)]
    problems = [model.bind(survey(3), integration=rule) for rule in rules]
    values = [float(p.loglike(p.vector({"b": 0.7, "b.sd": 0.5}))) for p in problems]
    assert len(set(values)) == len(rules)


# --- little of it -----------------------------------------------------------------------------------------------

SMALL = """
import json
import jax
import numpy as np, pandas as pd
import iclv_jax as iclv
programs = []
def listen(event, seconds, **_):
    if event == "/jax/core/compile/backend_compile_duration":
        programs.append(seconds)
jax.monitoring.register_event_duration_secs_listener(listen)
rng = np.random.default_rng(0)
x, factor = rng.normal(size=(2, 200))
frame = pd.DataFrame({f"x{k}": factor + rng.normal(size=200) for k in range(4)})
frame["x"], frame["y"] = x, (x + rng.logistic(size=200) > 0).astype(int)
logit = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {0: 0.0, 1: b.a + b.b * x.x}, "y"))
latent = [iclv.Latent("f", scale="loading")]
factors = iclv.Model(latent, [iclv.Continuous(f"x{k}", of="f") for k in range(4)])
found = []
for model in (logit, factors):
    before = len(programs)
    str(model.fit(frame, progress=False).summary())
    found.append(len(programs) - before)
print(json.dumps(found))
"""


def test_small_fits_run_few_programs():
    """From the data frame to the summary in a new process; each program costs at least some hundredths of a second."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    given |= {"ICLV_JAX_CACHE": "off", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SMALL], env=given, capture_output=True, text=True, check=True
    )
    logit, factors = json.loads(done.stdout)
    assert 5 < logit <= 14
    assert 5 < factors <= 12
