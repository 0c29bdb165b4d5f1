"""Networks in a model: their arrays are parameters, and the rest of the model does not notice.

Programs are compiled with few optimisations: each runs only a handful of times here.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, Logit, Normal
from iclv_jax._inference import (
    information_product,
    invert,
    module_covariance,
    module_covariance_by_products,
)
from iclv_jax._inference._bootstrap import collected
from iclv_jax._inference._resample import Resampled
from iclv_jax._optimise._subproblem import Model as Quadratic
from iclv_jax._optimise._turns import only_within
from iclv_jax._problem._fingerprint import of_model

PEOPLE, SITUATIONS = 60, 3
KEY = jax.random.key(0)


def frame():
    generator = np.random.default_rng(3)
    rows = PEOPLE * SITUATIONS
    own = {name: np.repeat(generator.normal(size=PEOPLE), SITUATIONS) for name in ("age", "income")}
    data = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), SITUATIONS), **own})
    data["price"], data["time"] = generator.normal(size=(2, rows))
    warmth = 0.5 * own["age"] + np.repeat(generator.normal(size=PEOPLE), SITUATIONS)
    for k in (1, 2, 3):
        data[f"y{k}"] = 0.8 * warmth + np.repeat(generator.normal(size=PEOPLE), SITUATIONS)
    lead = 0.2 + (np.tanh(own["age"]) - 1.0) * data["price"] + 0.5 * data["time"] + 0.4 * warmth
    return data.assign(choice=np.where(lead + generator.logistic(size=rows) > 0, "a", "b"))


DATA = frame()


def network(width=2, out="scalar", seed=0, activation=jax.nn.tanh, **kwargs):
    return eqx.nn.MLP(2, out, width, 1, activation=activation, key=jax.random.key(seed), **kwargs)


def taste(b, x, lv):
    """A price coefficient that depends on people."""
    return {
        "a": b.asc + (b.price + b.taste(jnp.stack([x.age, x.income]))) * x.price + b.time * x.time,
        "b": 0.0,
    }


def plain(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}


def choice(module, utility=taste, **parts):
    return iclv.Model(choice=Logit(utility, "choice"), modules={"taste": module}, **parts)


def fitted(model, **kwargs):
    return model.fit(DATA, person="id", progress=False, **kwargs)


# --- the parameters -----------------------------------------------------------------------------------------------


def test_the_entries_of_arrays_are_parameters():
    module = network()
    problem = choice(module).bind(DATA, person="id")
    assert problem.names[:3] == ("asc", "price", "time")
    assert problem.names[3:] == (
        *(f"taste.layers[0].weight[{i},{j}]" for i in (0, 1) for j in (0, 1)),
        *(f"taste.layers[0].bias[{i}]" for i in (0, 1)),
        *(f"taste.layers[1].weight[0,{i}]" for i in (0, 1)),
        "taste.layers[1].bias[0]",
    )
    values = np.concatenate([np.ravel(a) for a in jax.tree.leaves(eqx.filter(module, eqx.is_array))])
    np.testing.assert_array_equal(problem.start()[3:], values)
    row = problem.table.row("taste.layers[0].bias[1]")
    assert (row.parameter.block, row.status) == ("choice", "free")


def test_any_tree_of_arrays_is_a_module():
    module = {"level": jnp.array(0.5), "slopes": np.array([0.1, -0.2], np.float32), "count": jnp.array(3)}

    def utility(b, x, lv):
        held = b["taste"]
        return {
            "a": held["level"] + jnp.dot(held["slopes"], jnp.stack([x.price, x.time])) * held["count"],
            "b": 0.0,
        }

    problem = choice(module, utility).bind(DATA)
    assert problem.names == ("taste['level']", "taste['slopes'][0]", "taste['slopes'][1]")
    np.testing.assert_allclose(problem.start(), [0.5, 0.1, -0.2], rtol=1e-7)
    v = 0.5 + 0.1 * 3 * DATA["price"] + -0.2 * 3 * DATA["time"]
    log_odds = np.where(DATA["choice"] == "a", v, -v)
    np.testing.assert_allclose(
        problem.loglike_person(problem.start()), -np.log1p(np.exp(-log_odds)), rtol=1e-6
    )


def test_a_module_called_twice_shares_its_arrays():
    def utility(b, x, lv):
        return {"a": b.taste(jnp.stack([x.age, x.price])), "b": b.taste(jnp.stack([x.age, x.time]))}

    module = network()
    problem = choice(module, utility).bind(DATA)
    assert len(problem.names) == 9
    a, b = (jax.vmap(module)(DATA[["age", name]].to_numpy()) for name in ("price", "time"))
    expected = np.where(DATA["choice"] == "a", 1.0, -1.0) * (a - b)
    np.testing.assert_allclose(
        problem.loglike_person(problem.start()), -np.log1p(np.exp(-expected)), rtol=1e-12
    )
    assert problem.spec.utilities[0].reached("taste") == ("a", "b")


def test_fixed_bounds_and_start_take_the_whole_a_part_or_an_entry():
    module = network()
    other = network(seed=1)
    fixed = {"taste": "start", "taste.layers[0]": 0.0, "taste.layers[0].bias[1]": 2.0}
    table = choice(module, fixed=fixed).bind(DATA).table
    values = {row.name: row.value for row in table.rows if row.status == "fixed"}
    assert len(values) == 9
    assert [values[f"taste.layers[0].bias[{i}]"] for i in (0, 1)] == [0.0, 2.0]
    assert values["taste.layers[0].weight[1,0]"] == 0.0
    assert values["taste.layers[1].weight[0,1]"] == float(module.layers[1].weight[0, 1])
    model = choice(
        module, bounds={"taste.layers[0].weight": (0.0, None)}, start={"taste.layers[1]": other.layers[1]}
    )
    problem = model.bind(DATA)
    start = dict(zip(problem.names, problem.start(), strict=True))
    assert list(problem.bounds[0]).count(0.0) == 4
    assert all(v >= 0.0 for n, v in start.items() if ".layers[0].weight" in n)
    assert start["taste.layers[1].weight[0,0]"] == float(other.layers[1].weight[0, 0])
    held = choice(module, fixed={"taste": other}).bind(DATA).table
    assert held.row("taste.layers[0].bias[0]").value == float(other.layers[0].bias[0])
    assert held.names == ("asc", "price", "time")


def test_values_of_modules_where_parameters_are_named():
    model = choice(network())
    problem = model.bind(DATA)
    named = {"asc": 0.1, "price": -1.0, "time": 0.5, "taste": network(seed=1)}
    params = problem.vector(named)
    np.testing.assert_array_equal(params[3:], choice(network(seed=1)).bind(DATA).start()[3:])
    one, two = (model.simulate(p, DATA, seed=1) for p in (named, problem.unpack(params)))
    pd.testing.assert_frame_equal(one, two)


def test_constraints_by_the_name_of_an_entry():
    equal = [["taste.layers[0].bias[0]", "taste.layers[0].bias[1]"]]
    define = {"taste.layers[1].bias[0]": lambda p: 2.0 * p["taste.layers[0].bias[0]"]}
    problem = choice(network(), equal=equal, define=define).bind(DATA)
    values = problem.unpack(problem.start(), everything=True)
    assert len(problem.names) == 3 + 7
    assert values["taste.layers[0].bias[1]"] == values["taste.layers[0].bias[0]"]
    assert values["taste.layers[1].bias[0]"] == 2.0 * values["taste.layers[0].bias[0]"]


# --- what is compiled ---------------------------------------------------------------------------------------------


def test_other_weights_are_the_same_program_and_other_functions_are_not():
    def shape(model):
        return model.bind(DATA).core.structure

    one = shape(choice(network()))
    again = shape(choice(network(seed=5), fixed={}))
    assert one == again
    assert hash(one) == hash(again)
    assert one != shape(choice(network(activation=jax.nn.relu)))
    assert one != shape(choice(network(3)))
    frozen = [shape(choice(network(seed=s), fixed={"taste": "start"})) for s in (0, 5)]
    assert frozen[0] == frozen[1] != one


def test_fingerprints_know_what_a_module_computes():
    models = [choice(network()), choice(network(seed=2)), choice(network(activation=jax.nn.relu))]
    found = [of_model(model.bind(DATA)) for model in models]
    assert found[0] == found[1] != found[2]


# --- derivatives --------------------------------------------------------------------------------------------------


def hybrid(module, utility):
    return iclv.Model(
        [Latent("warmth", on=["age"])],
        [Continuous(f"y{k}", of="warmth") for k in (1, 2, 3)],
        Logit(utility, "choice"),
        random={"price": Normal()},
        fixed={"price": 0.0},
        modules=module,
    )


def with_network(b, x, lv):
    """A random coefficient whose mean is a network of a column and a latent variable."""
    return {"a": b.asc + (b.price + b.net(jnp.stack([x.income, lv.warmth]))) * x.price, "b": b.time * x.time}


WIDTH = 9


def with_scalars(b, x, lv):
    hidden = [jnp.tanh(b[f"w{i}0"] * x.income + b[f"w{i}1"] * lv.warmth + b[f"c{i}"]) for i in range(WIDTH)]
    mean = sum(b[f"v{i}"] * h for i, h in enumerate(hidden)) + b.d
    return {"a": b.asc + (b.price + mean) * x.price, "b": b.time * x.time}


@pytest.fixture(scope="module")
def pair():
    """The same model with a network and written out in scalars, with parameters for both."""
    rule = GaussHermite(3, adaptive=False)
    one = hybrid({"net": network(WIDTH)}, with_network).bind(DATA, person="id", integration=rule)
    two = hybrid({}, with_scalars).bind(DATA, person="id", integration=rule)
    units = range(WIDTH)
    written = (
        [f"w{i}{j}" for i in units for j in (0, 1)] + [f"c{i}" for i in units] + [f"v{i}" for i in units]
    )
    names = dict(zip([n for n in one.names if n.startswith("net.")], [*written, "d"], strict=True))
    order = np.array([two.names.index(names.get(name, name)) for name in one.names])
    start = np.asarray(one.start())
    params = start + np.random.default_rng(0).normal(scale=0.1, size=len(start))
    swapped = np.zeros(len(params))
    swapped[order] = params
    return one, two, jnp.asarray(params), jnp.asarray(swapped)


def test_a_network_and_its_formula_have_one_likelihood(pair):
    one, two, params, swapped = pair
    np.testing.assert_allclose(one.loglike_person(params), two.loglike_person(swapped), rtol=1e-12)


def test_the_exact_hessian_is_that_of_automatic_differentiation(pair):
    """The choice has 39 free coefficients, taken 32 at a time: there are two chunks, the second not full."""
    one, _, params, _ = pair
    assert 32 < sum(one.table.row(n).parameter.block == "choice" for n in one.names) < 64
    value, score, exact, _ = one.expansion(params)
    np.testing.assert_allclose(exact, one.hessian(params, "autodiff"), rtol=1e-9, atol=1e-9)
    step = 1e-4
    for direction in np.random.default_rng(1).normal(size=(3, len(params))):
        up, down = (float(one.loglike(params + sign * step * direction)) for sign in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * step), score @ direction, rtol=1e-6)
    np.testing.assert_allclose(value, one.loglike(params), rtol=1e-13)


def test_a_constant_network_is_the_mean_of_a_random_coefficient():
    rule = GaussHermite(5, adaptive=False)
    module = {"taste.layers[0]": 0.0, "taste.layers[1].weight": 0.0, "taste.layers[1].bias": -0.7}
    random = {"price": Normal()}
    one = choice(network(), random=random, fixed={"price": 0.0, **module}).bind(
        DATA, person="id", integration=rule
    )
    two = iclv.Model(choice=Logit(plain, "choice"), random=random, fixed={"price": -0.7})
    two = two.bind(DATA, person="id", integration=rule)
    assert one.names == two.names == ("asc", "price.sd", "time")
    params = jnp.array([0.2, 0.8, 0.4])
    np.testing.assert_allclose(one.loglike_person(params), two.loglike_person(params), rtol=1e-13)


# --- layers -------------------------------------------------------------------------------------------------------


def loglike_of(module):
    problem = choice(module).bind(DATA)
    return np.asarray(problem.loglike_person(problem.start()))


def test_one_output_may_be_an_array_of_one_number():
    np.testing.assert_array_equal(loglike_of(network(out=1)), loglike_of(network()))


def test_dropout_is_off_and_layer_norm_works():
    keys = jax.random.split(jax.random.key(0), 2)
    first, last = eqx.nn.Linear(2, 3, key=keys[0]), eqx.nn.Linear(3, "scalar", key=keys[1])
    norm = eqx.nn.LayerNorm(3)
    plain_one = eqx.nn.Sequential([first, norm, last])
    dropped = eqx.nn.Sequential([first, norm, eqx.nn.Dropout(0.5), last])
    # Two programs, which may round differently.
    np.testing.assert_allclose(loglike_of(plain_one), loglike_of(dropped), rtol=1e-14)
    assert "taste.layers[1].weight[2]" in choice(plain_one).bind(DATA).names


def with_dropout(share=0.5):
    keys = jax.random.split(jax.random.key(3), 2)
    first, last = eqx.nn.Linear(2, 3, key=keys[0]), eqx.nn.Linear(3, "scalar", key=keys[1])
    return eqx.nn.Sequential([first, eqx.nn.Lambda(jnp.tanh), eqx.nn.Dropout(share), last])


@pytest.mark.slow
def test_dropout_by_a_draw_is_the_network_without_the_dropped_units():
    """A draw d drops what `bernoulli(PRNGKey(d))` says, and those who stay count for more."""

    def kept_by(draw):
        return np.asarray(jax.random.bernoulli(jax.random.PRNGKey(draw), 0.5, (3,)))

    draw = next(d for d in range(1, 50) if kept_by(d).sum() == 2)
    problem, kept = choice(with_dropout()).bind(DATA), kept_by(draw)
    name = "taste.layers[2].draw"
    assert problem.table.row(name).status == "fixed" and name not in problem.names
    place = [row.name for row in problem.table.rows].index(name)
    constants = jnp.where(
        jnp.arange(len(problem.core.constants)) == place, float(draw), problem.core.constants
    )
    dropping = eqx.tree_at(lambda p: p.core.constants, problem, constants)
    params = dict(zip(problem.names, np.asarray(problem.start()), strict=True))
    thinned = dict(params)
    for i in range(3):
        thinned[f"taste.layers[3].weight[0,{i}]"] *= 2.0 * float(kept[i])
    np.testing.assert_allclose(
        dropping.loglike_person(problem.vector(params)),
        problem.loglike_person(problem.vector(thinned)),
        rtol=1e-13,
    )
    np.testing.assert_allclose(
        dropping.hessian(problem.start()), dropping.hessian(problem.start(), "autodiff"), rtol=1e-9, atol=1e-9
    )


@pytest.mark.slow
def test_dropout_is_on_in_training_only():
    """Of one epoch of full batches without steps, the log-likelihood of training is that of a thinned network."""

    def trained(module, seed=0):
        still = iclv.Stochastic(optax.sgd(0.0), batch_people=None, epochs=2, seed=seed, validation=0.3)
        return choice(module).fit(DATA, optimizer=still, start="default", progress=False)

    dropped, quiet = trained(with_dropout()), trained(eqx.nn.inference_mode(with_dropout()))
    assert dropped.llf == quiet.llf
    assert "13 of 13" in str(dropped.summary())
    np.testing.assert_array_equal(dropped.trace["validation"], quiet.trace["validation"])
    assert not np.isclose(dropped.trace["train"], quiet.trace["train"]).any()
    assert dropped.trace["train"].nunique() == 2  # other units in every step
    np.testing.assert_array_equal(dropped.trace["train"], trained(with_dropout()).trace["train"])
    assert trained(with_dropout(), seed=1).trace["train"].iloc[1] != dropped.trace["train"].iloc[1]


@pytest.mark.slow
def test_a_module_with_dropout_is_set_and_given_back_like_any_other():
    module = with_dropout()
    model = choice(module, fixed={"taste": "start"}, start={"asc": 0.3})
    problem = model.bind(DATA)
    assert not any(name.startswith("taste") for name in problem.names)
    fit = model.fit(DATA, progress=False)
    again = fit.module("taste")
    assert isinstance(again.layers[2], eqx.nn.Dropout) and again.layers[2].inference
    at = jnp.array([0.3, -1.0])
    np.testing.assert_allclose(again(at), eqx.nn.inference_mode(module)(at), rtol=1e-12)
    started = choice(module, start={"taste": again})
    np.testing.assert_array_equal(started.bind(DATA).start(), choice(module).bind(DATA).start())


# --- the plain model inside ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain_fit():
    return fitted(iclv.Model(choice=Logit(plain, "choice")))


@pytest.mark.parametrize(
    ("module", "fixed"),
    [
        (network(0, use_final_bias=False), {}),
        (network(), {"taste": 0.0}),
        (iclv.initialise(network(), "zeros"), {"taste": "start"}),
    ],
)
def test_a_network_that_adds_nothing_gives_the_plain_fit(plain_fit, module, fixed):
    fit = fitted(choice(module, fixed=fixed))
    assert fit.names == plain_fit.names
    assert fit.default_covariance == "hessian"
    np.testing.assert_allclose(fit.llf, plain_fit.llf, rtol=1e-14)
    np.testing.assert_allclose(fit.params, plain_fit.params, rtol=1e-9)
    np.testing.assert_allclose(fit.bse, plain_fit.bse, rtol=1e-9)


# --- a fit --------------------------------------------------------------------------------------------------------


def linear():
    return eqx.nn.Linear(2, "scalar", use_bias=False, key=KEY)


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    fit = fitted(choice(linear()), start="default")
    path = tmp_path_factory.mktemp("fit") / "fit.npz"
    fit.save(path)
    return fit, path


def test_the_summary_has_a_line_for_a_module_and_the_frame_its_rows(fit):
    one, _ = fit
    assert one.converged
    text = str(one.summary())
    norm = np.linalg.norm(one.params.iloc[3:])
    assert f"in the module taste 2 of 2, norm {norm:.3f}, in the utility of a" in " ".join(text.split())
    assert "taste.weight" not in text
    assert "taste.weight" not in one.summary().to_latex()
    rows = one.summary().to_frame()
    assert list(rows.loc[rows["section"] == "Modules", "name"]) == ["taste.weight[0,0]", "taste.weight[0,1]"]
    assert one.aic == 2.0 * 5 - 2.0 * one.llf
    described = choice(network()).describe()
    assert "taste.layers" not in str(described)
    assert len(described.to_frame()) == 3 + 9
    compared = iclv.compare({"net": one})
    assert "taste.weight" not in str(compared)
    assert len(compared.params) == 5


def test_the_module_comes_back_with_the_estimates(fit):
    one, path = fit
    module = one.module("taste")
    np.testing.assert_array_equal(module.weight[0], one.params.iloc[3:])
    at = jnp.array([0.5, -1.0])
    found = one.delta(lambda p: {"taste": p.taste(at), "price": p.price + p.taste(at)})
    np.testing.assert_allclose(found.loc["taste", "estimate"], module(at), rtol=1e-12)
    weights = np.array([0.0, 1.0, 0.0, 0.5, -1.0])
    np.testing.assert_allclose(
        found.loc["price", "se"] ** 2, weights @ one.cov_params() @ weights, rtol=1e-10
    )
    again = iclv.load(path, choice(linear()), DATA)
    np.testing.assert_array_equal(again.module("taste").weight, module.weight)
    with pytest.raises(ValueError, match=r"no module 'tastes'.*Did you mean 'taste'"):
        one.module("tastes")


def test_standard_errors_say_what_they_are(fit):
    one, path = fit
    assert one.default_covariance == "joint"
    information = -one.hessian.to_numpy()
    np.testing.assert_allclose(one.cov_params(), np.linalg.inv(information), rtol=1e-8)
    conditional = one.cov_params("conditional")
    np.testing.assert_allclose(conditional.iloc[:3, :3], np.linalg.inv(information[:3, :3]), rtol=1e-8)
    assert conditional.iloc[3:].isna().all(axis=None)
    assert "named parameters and modules together" in str(one.summary())
    assert "they ignore that another start could have led taste to another maximum" in str(one.summary())
    assert "take taste as known" in str(one.summary("conditional"))
    saved = iclv.load(path)
    for kind in (None, "joint", "conditional", "robust"):
        pd.testing.assert_frame_equal(saved.cov_params(kind), one.cov_params(kind))


# --- covariances --------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "n[0]", "n[1]", "n[2]")
INSIDE = dict.fromkeys(NAMES[2:], "n")
NONE = np.zeros(5, bool)


def information(rank=5):
    rows = np.random.default_rng(1).normal(size=(40, 5))
    if rank < 5:
        rows[:, 4] = 2.0 * rows[:, 3]
    return rows.T @ rows


def test_the_bootstrap_says_what_it_ignores():
    def notes(*about):
        found = Resampled(np.zeros((3, 2)), np.ones(3, bool), 0)
        return " ".join(collected(found, pd.Series({"asc": 0.0, "price": 0.0}), False, *about).notes)

    assert "could have led taste to another maximum" in notes(["taste"]) and "penalty" not in notes(["taste"])
    assert "another maximum, and that a penalty biases" in notes(["taste"], True)
    assert "ignores that a penalty biases" in notes([], True) and "ignores" not in notes()


def test_the_joint_covariance_is_a_schur_complement():
    a = information()
    for penalty in (None, np.array([0.0, 0.0, 3.0, 3.0, 1.0]), np.diag([0.0, 0.0, 3.0, 3.0, 1.0])):
        found = module_covariance("joint", -a, NAMES, NONE, INSIDE, penalty)
        whole = a if penalty is None else a + (np.diag(penalty) if penalty.ndim == 1 else penalty)
        schur = whole[:2, :2] - whole[:2, 2:] @ np.linalg.solve(whole[2:, 2:], whole[2:, :2])
        np.testing.assert_allclose(found.matrix[:2, :2], np.linalg.inv(schur), rtol=1e-10)
        assert ("penalised" in found.notes[-1]) == (penalty is not None)


def test_flat_directions_within_a_module_leave_named_parameters_alone():
    a = information(rank=4)
    found = module_covariance("joint", -a, NAMES, NONE, INSIDE)
    np.testing.assert_allclose(found.matrix[:2, :2], np.linalg.inv(a[:4, :4])[:2, :2], rtol=1e-8)
    assert np.isnan(np.diag(found.matrix)[3:]).all()
    assert any("flat in 1 of the 3 directions of n" in note for note in found.notes)


@pytest.mark.parametrize("rank", [5, 4])
@pytest.mark.parametrize("kind", ["joint", "conditional"])
def test_products_give_what_the_hessian_gives(rank, kind):
    a, held = information(rank), np.array([False, False, False, False, rank == 5])
    known = module_covariance(kind, -a, NAMES, held, INSIDE)
    found = module_covariance_by_products(kind, lambda rows: rows @ a, np.diag(a), NAMES, held, INSIDE)
    np.testing.assert_allclose(found.matrix[:2, :2], known.matrix[:2, :2], rtol=1e-8)
    assert np.isnan(found.matrix[2:]).all()
    assert found.notes[-1] == known.notes[-1]


def test_products_say_where_there_is_no_maximum():
    a = np.diag([1.0, 1.0, 1.0, 1.0, -1.0])
    a[0, 4] = a[4, 0] = 0.5
    found = module_covariance_by_products("joint", lambda rows: rows @ a, np.ones(5), NAMES, NONE, INSIDE)
    assert np.isnan(found.matrix).all()
    assert any(
        "no joint standard errors of named parameters and n: the log-likelihood curves" in n
        for n in found.notes
    )


def test_products_of_a_problem(fit):
    one, _ = fit
    product = information_product(one.problem, one.estimates, np.array([0.0, 0.0, 0.0, 2.0, 2.0]))
    rows = np.random.default_rng(0).normal(size=(2, 5))
    expected = rows @ (np.diag([0.0, 0.0, 0.0, 2.0, 2.0]) - one.hessian.to_numpy())
    np.testing.assert_allclose(product(rows), expected, rtol=1e-8, atol=1e-8)


def test_flat_directions_that_touch_named_parameters_take_their_standard_errors():
    rows = np.random.default_rng(1).normal(size=(40, 5))
    rows[:, 1] = rows[:, 2]
    found = module_covariance("joint", -(rows.T @ rows), NAMES, NONE, INSIDE)
    assert np.isnan(found.matrix[1, 1])
    assert found.matrix[0, 0] > 0.0
    assert any("in the direction b" in note or "in the direction n[0]" in note for note in found.notes)
    turned = np.diag([1.0, 1.0, 1.0, 1.0, -1.0])
    steep = module_covariance("joint", -turned, NAMES, NONE, INSIDE)
    assert any("curves upwards in 1 of the 3 directions of n" in note for note in steep.notes)
    with pytest.raises(ValueError, match="for models with free modules"):
        module_covariance("joint", -a_block(), NAMES[:2], NONE[:2], INSIDE)


def a_block():
    return information()[:2, :2]


def test_a_bounded_parameter_counts_as_known():
    a, held = information(), np.array([False, True, False, True, False])
    found = module_covariance("joint", -a, NAMES, held, INSIDE)
    kept = invert(a, NAMES, held)
    np.testing.assert_allclose(found.matrix[0, 0], kept.matrix[0, 0], rtol=1e-12)
    assert found.notes[0].startswith("b is at its bound and has no standard error")
    assert np.isnan(found.matrix[1]).all()


def test_flat_directions_within_modules_do_not_spoil_convergence():
    direction = np.array([0.0, 0.0, 1.0, -1.0]) / np.sqrt(2.0)
    hessian = np.eye(4) - np.outer(direction, direction)
    ends = jnp.full(4, jnp.inf)
    model = Quadratic(jnp.zeros(4), jnp.asarray(hessian), -ends, ends, jnp.ones(4, bool))
    assert only_within(model, np.array([False, False, True, True]))
    assert not only_within(model, np.array([False, False, False, True]))


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: choice(network(), plain), r"modules= names 'taste', which no function of the model calls"),
        (lambda: choice({"n": jnp.arange(3)}), r"modules\['taste'\] holds no array of real numbers"),
        (lambda: choice(jnp.array([1.0, jnp.nan])), r"modules\['taste'\] holds numbers that are not finite"),
        (
            lambda: choice(eqx.nn.Sequential([eqx.nn.Linear(2, 2, key=KEY), batch_norm()])),
            r"BatchNorm.*depend on the other people in the batch.*LayerNorm",
        ),
        (
            lambda: choice(eqx.nn.SpectralNorm(eqx.nn.Linear(2, 2, key=KEY), "weight", key=KEY)),
            r"modules\['taste'\] holds a layer that remembers earlier calls",
        ),
        (lambda: iclv.Model(choice=Logit(plain, "choice"), modules=[network()]), r"modules= is a mapping"),
        (
            lambda: choice(network(), fixed={"taste": "first"}),
            r"fixed\['taste'\] is a number.*'start'.*not 'first'",
        ),
        (lambda: choice(network(), fixed={"taste": network(3)}), r"fixed\['taste'\].*arrays of the shapes"),
        (lambda: choice(network(), bounds={"taste": 1.0}), r"bounds\['taste.layers\[0\].*a pair"),
        (
            lambda: choice(network(), fixed={"taste.layers[2]": 0.0}).describe(),
            r"fixed= names the parameter 'taste.layers\[2\]', which the model does not have",
        ),
        (
            lambda: choice(
                network(), lambda b, x, lv: {"a": b["taste.layers[0]"] + b.taste(jnp.ones(2)), "b": 0.0}
            ),
            r"uses the parameter 'taste.layers\[0\]', which is a part of the module",
        ),
        (
            lambda: choice(network(out=2)),
            r"utility of 'a' must be one number.*shape \(2,\)",
        ),
    ],
)
def test_what_cannot_be_a_module_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def batch_norm():
    return eqx.nn.BatchNorm(2, axis_name="batch", mode="batch")


# --- initial values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "variance"),
    [("glorot", 2 / 500), ("he", 2 / 200), ("lecun", 1 / 200), ("normal", 1e-4), ("zeros", 0.0)],
)
def test_initial_values_have_the_variance_of_their_name(how, variance):
    linear = eqx.nn.Linear(200, 300, key=KEY)
    one, again, other = (iclv.initialise(linear, how, seed=s) for s in (0, 0, 1))
    np.testing.assert_allclose(np.var(one.weight), variance, rtol=0.02)
    np.testing.assert_array_equal(one.weight, again.weight)
    assert how == "zeros" or not np.allclose(one.weight, other.weight)
    assert not one.bias.any()
    assert one.weight.dtype == jnp.float64


def test_gains_stay_one_and_biases_become_zero():
    stack = eqx.nn.Sequential([eqx.nn.LayerNorm(3), eqx.nn.Conv1d(3, 2, 2, key=KEY)])
    found = iclv.initialise(stack, "he")
    np.testing.assert_array_equal(found.layers[0].weight, np.ones(3))
    assert not found.layers[0].bias.any()
    assert not found.layers[1].bias.any()
    assert found.layers[1].weight.all()
    with pytest.raises(ValueError, match=r"initialise takes 'glorot'.*not 'xavier'"):
        iclv.initialise(stack, "xavier")
    with pytest.raises(ValueError, match="scale is a positive standard deviation"):
        iclv.initialise(stack, "normal", scale=0.0)
