"""Hyperparameters by people left out: spaces, methods, values, pruning, tables and pictures."""

import bank
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import iclv_jax as iclv
from iclv_jax._inference._cross_validation import draw_folds
from iclv_jax._search._methods import CoarseToFine, Grid, Random
from iclv_jax._search._space import Choices, Range, read_space
from iclv_jax._search._trial import Fold, Trial

POWER = 0.5


def box_cox(b, x, lv):
    """Costs count by a Box-Cox transform whose power is a fixed parameter."""
    a, c = ((x[k] ** b.power - 1.0) / b.power for k in ("cost_a", "cost_b"))
    return {"a": b.asc + b.cost * a, "b": b.cost * c}


def build(settings):
    model = iclv.Model(choice=iclv.Logit(box_cox, "choice"), fixed={"power": settings["power"]})
    return {"model": model, "start": "default"}


@pytest.fixture(scope="module")
def data():
    frame = bank.panel(80, 4, 3, cost_a=(0.2, 20), cost_b=(0.2, 20))
    truth = {"asc": 0.3, "cost": -0.9}
    return build({"power": POWER})["model"].simulate(truth, frame, seed=3, person="id")


def run(data, space, **keywords):
    keywords = {"person": "id", "folds": 3, "progress": False} | keywords
    return iclv.search(keywords.pop("build", build), space, data, **keywords)


@pytest.fixture(scope="module")
def grid(data):
    return run(data, {"power": (0.2, 2.2)}, method="grid", points=6)


# --- values -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_grid_finds_the_power_and_its_table_says_how_sure(grid):
    np.testing.assert_allclose(grid.trials["power"], [0.2, 0.6, 1.0, 1.4, 1.8, 2.2])
    assert grid.best["power"] == pytest.approx(0.6)
    complete = grid.trials[grid.trials["state"] == "complete"]
    assert grid.value == complete["value"].max()
    row = complete.loc[complete["value"].idxmax()]
    assert row["behind"] == row["se"] == 0.0
    others = complete.drop(index=row.name)
    assert (others["behind"] > 0.0).all() and (others["se"] > 0.0).all()
    np.testing.assert_allclose(others["behind"], grid.value - others["value"])


def test_a_value_is_the_log_likelihood_of_people_left_out(data, grid):
    """By hand: a logit in numpy, maximised by scipy over the rows of the others."""
    people = list(dict.fromkeys(data["id"]))
    problem = build({"power": POWER})["model"].bind(data, person="id")
    fold = data["id"].map(dict(zip(people, draw_folds(problem, 3, 0), strict=True))).to_numpy()
    cost = [(data[c].to_numpy() ** 0.6 - 1.0) / 0.6 for c in ("cost_a", "cost_b")]
    sign = np.where(data["choice"] == "a", 1.0, -1.0)

    def each(p):
        return -np.log1p(np.exp(-sign * (p[0] + p[1] * (cost[0] - cost[1]))))

    total, counts = np.zeros(3), np.bincount(fold)
    for k in range(3):
        fitted = minimize(lambda p, k=k: -each(p)[fold != k].sum(), [0.0, 0.0], method="BFGS", tol=1e-8)
        total[k] = each(fitted.x)[fold == k].sum()
    np.testing.assert_allclose(grid.folds.loc[2], total / counts, rtol=1e-6)
    assert grid.trials.loc[2, "value"] == pytest.approx(total.sum() / counts.sum(), rel=1e-6)


def test_weights_and_clusters_hold_out_alike(data):
    data = data.assign(group=data["id"] % 10, w=np.where(data["id"] % 2, 1.0, 2.0))
    found = run(data, {"power": [POWER]}, weights="w", cluster="group")
    model = build({"power": POWER})["model"]
    fit = model.fit(data, person="id", weights="w", cluster="group", progress=False)
    theirs = fit.cross_validate(folds=3, seed=0)
    assert found.value == pytest.approx(theirs.table.loc["total", "per choice"], rel=1e-6)


@pytest.mark.slow
def test_the_strength_of_a_penalty_on_a_network(data):
    """The same folds as `cross_validate` of the penalised fit, whose network it is."""
    layers = eqx.nn.MLP(1, "scalar", 2, 1, activation=jnp.tanh, use_final_bias=False, key=jax.random.key(0))
    modules = {"net": iclv.initialise(layers, "glorot", seed=1)}

    def bent(b, x, lv):
        a, c = (b.cost * x[k] + b.net(jnp.log(x[k])[None]) for k in ("cost_a", "cost_b"))
        return {"a": b.asc + a, "b": c}

    def with_network(settings):
        model = iclv.Model(choice=iclv.Logit(bent, "choice"), modules=modules)
        return {"model": model, "penalties": {"net": iclv.L2(settings["strength"])}, "start": "default"}

    found = run(data, {"strength": [0.1, 1.0, 100.0]}, build=with_network, method="grid", prune=False)
    assert (found.trials["state"] == "complete").all()
    given = with_network(found.best)
    fit = given.pop("model").fit(data, person="id", progress=False, **given)
    theirs = fit.cross_validate(folds=3, seed=0).table.loc["total", "per choice"]
    assert found.value == pytest.approx(theirs, rel=1e-5)


@pytest.mark.slow
def test_measures_of_a_hybrid_model_are_those_of_cross_validation():
    parts = {
        "latent": [iclv.Latent("green", on=["age"])],
        "indicators": [iclv.Continuous(f"y{k}", of="green") for k in (1, 2, 3)],
        "choice": iclv.Logit(
            lambda b, x, lv: {"a": b.asc + b.cost * x.cost + b.green * lv.green, "b": 0.0}, "choice"
        ),
    }
    truth = {"green ~ age": 0.6, "asc": 0.2, "cost": -0.7, "green": 0.8}
    for k in (1, 2, 3):
        truth |= {f"y{k} ~ 1": 0.1 * k, f"green =~ y{k}": 0.9, f"y{k} ~~ y{k}": 0.5}
    model = iclv.Model(**parts)
    frame = bank.panel(60, 3, 9, constant=("age",), age="normal", cost=(-2, 2))
    data = model.simulate(truth, frame, seed=9, person="id")
    given = {"integration": iclv.GaussHermite(5), "start": truth}
    table = model.fit(data, person="id", progress=False, **given).cross_validate(folds=2, seed=0).table
    total = table.loc["total"]
    wanted = {
        "joint": total["joint"] / total["situations"],
        "choices": total["per choice"],
        "choices given items": total["per choice given items"],
    }
    for measure, value in wanted.items():
        found = run(data, {"x": [1]}, build=lambda s: {"model": model, **given}, folds=2, measure=measure)
        assert found.value == pytest.approx(value, rel=1e-5)


@pytest.mark.slow
def test_a_model_without_a_choice_is_measured_per_person():
    case = bank.get("mimic")
    found = iclv.search(
        lambda s: iclv.Model(**case.parts | {"fixed": {"y1 ~ 1": s["location"]}}),
        {"location": [0.25]}, case.data, folds=2, progress=False,
    )  # fmt: skip
    table = case.model.fit(case.data, progress=False).cross_validate(folds=2).table
    assert found.value == pytest.approx(table.loc["total", "joint"] / len(case.data), rel=1e-6)
    with pytest.raises(ValueError, match="needs a model with a choice"):
        iclv.search(lambda s: case.model, {"x": [1]}, case.data, measure="choices", progress=False)


# --- methods ----------------------------------------------------------------------------------------------------


def tell(method, settings, value):
    method.tell(Trial(settings, (Fold(np.array([value]), 1.0, True),), "complete", 0.0))


def test_spaces_are_read_and_drawn():
    space = read_space({"a": [1, "b"], "b": (0, 3), "c": (0.5, 2), "d": (1e-4, 1.0, "log")})
    assert space == {
        "a": Choices((1, "b")), "b": Range(0, 3, False, True), "c": Range(0.5, 2.0, False, False),
        "d": Range(1e-4, 1.0, True, False),
    }  # fmt: skip
    assert space["b"].grid(9) == [0, 1, 2, 3]
    np.testing.assert_allclose(space["d"].grid(3), [1e-4, 1e-2, 1.0])
    shares = (np.arange(4000) + 0.5) / 4000
    assert pd.Series([space["b"].draw(u) for u in shares]).value_counts().to_list() == [1000] * 4
    assert {space["a"].draw(u) for u in shares} == {1, "b"}
    assert np.median([space["d"].draw(u) for u in shares]) == pytest.approx(1e-2, rel=0.01)
    whole = [read_space({"n": (1, 64, "log")})["n"].draw(u) for u in shares]
    assert set(whole) == set(range(1, 65)) and np.median(whole) < 10


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "maps names"),
        ([1, 2], "maps names"),
        ({"a": 3}, "list of values"),
        ({"a": "text"}, "list of values"),
        ({"a": []}, "empty"),
        ({"a": (2, 1)}, "no range"),
        ({"a": (1, 2, 3)}, "no range"),
        ({"a": (0.0, 1.0, "log")}, "above 0"),
        ({"state": [1]}, "Rename it"),
    ],
)
def test_spaces_that_cannot_be_are_refused(space, message):
    with pytest.raises(ValueError, match=message):
        read_space(space)


def test_random_draws_are_seeded_and_end_when_all_is_seen():
    space = read_space({"a": [1, 2], "b": ["x", "y"], "c": (0.0, 1.0)})
    first, second = (Random(space, 7) for _ in range(2))
    assert [first.ask() for _ in range(5)] == [second.ask() for _ in range(5)]
    small = Random(read_space({"a": [1, 2], "b": ["x", "y"]}), 0)
    drawn = [small.ask() for _ in range(5)]
    assert drawn[4] is None and len({tuple(s.values()) for s in drawn[:4]}) == 4


def test_coarse_to_fine_closes_in_on_the_best():
    method = CoarseToFine(read_space({"a": (0.0, 8.0), "b": ["x", "y"]}), 5)
    seen = []
    while (settings := method.ask()) is not None and len(seen) < 25:
        seen.append(settings)
        tell(method, settings, -((settings["a"] - 2.9) ** 2) - (settings["b"] == "x"))
    assert len(Grid(read_space({"a": (0.0, 8.0), "b": ["x", "y"]}), 5)._left) == 10
    assert sorted(s["a"] for s in seen[10:12]) == [1.0, 3.0]
    assert all(s["b"] == "y" for s in seen[10:])
    assert min(abs(s["a"] - 2.9) for s in seen) < 0.02


@pytest.mark.slow
def test_optuna_learns_and_repeats_with_its_seed(data):
    pytest.importorskip("optuna")
    space = {"power": (0.1, 3.0, "log")}
    one, two = (run(data, space, method="optuna", trials=6, seed=1) for _ in range(2))
    pd.testing.assert_series_equal(one.trials["power"], two.trials["power"])
    assert one.trials["power"].between(0.1, 3.0).all()
    assert one.logs == ("power",)


def test_a_sampler_of_optuna_is_taken_and_a_small_space_ends(data):
    optuna = pytest.importorskip("optuna")
    found = run(data, {"power": [0.5, 2.0]}, method=optuna.samplers.RandomSampler(seed=0), trials=9)
    assert sorted(found.trials["power"]) == [0.5, 2.0]
    assert found.best == {"power": 0.5}


# --- pruning, failures, limits ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_trials_below_the_median_stop(data):
    powers = [0.4, 0.5, 0.6, 0.7, 3.0, 0.55]
    found = run(data, {"power": powers}, method="grid")
    assert list(found.trials["state"]) == ["complete"] * 4 + ["pruned"] + [found.trials["state"][6]]
    assert found.trials.loc[5, "folds"] == 1 and np.isnan(found.folds.loc[5, 2])
    whole = run(data, {"power": powers[4:5]}, method="grid", prune=False)
    assert whole.folds.loc[1, 1] == pytest.approx(found.folds.loc[5, 1], rel=1e-9)


def test_failures_are_listed_and_only_all_of_them_raise(data):
    def fails(settings):
        found = build({"power": POWER})
        return found | ({"start": {"nothing": 1.0}} if settings["bad"] else {})

    found = run(data, {"bad": [True, False]}, method="grid", build=fails)
    assert list(found.trials["state"]) == ["failed", "complete"]
    assert "nothing" in found.trials.loc[1, "note"] and "nothing" in str(found)
    assert found.best == {"bad": False}
    with pytest.raises(ValueError, match="None of the 1 trials has a value"):
        run(data, {"bad": [True]}, method="grid", build=fails)


def test_time_ends_a_search(data):
    found = run(data, {"power": (0.1, 1.0)}, time_limit=1e-9, trials=50)
    assert len(found.trials) == 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"method": "gird"}, "Did you mean 'grid'"),
        ({"method": "grid", "points": 30, "trials": 20}, "30 combinations"),
        ({"trials": 0}, "positive whole number"),
        ({"measure": "accuracy"}, "measure= is one of"),
        ({"measure": "choices given items"}, "needs a model with items"),
        ({"folds": 1}, "folds= is a whole number from 2"),
        ({"build": 3}, "is a function of the settings"),
        ({"build": lambda s: {"power": 1.0}}, "returns a dict with a model"),
        ({"build": lambda s: build(s) | {"weights": None}}, "the search sets itself"),
    ],
)
def test_what_is_refused(data, keywords, message):
    with pytest.raises(ValueError, match=message):
        run(data, {"power": (0.1, 1.0)}, **keywords)


# --- tables and pictures ----------------------------------------------------------------------------------------


def test_the_table_prints_and_exports(grid):
    text = str(grid)
    assert "Search, the best first" in text and f"power = {grid.best['power']:g}" in text
    frame = grid.to_frame()
    assert len(frame) == 6
    assert float(frame.iloc[0]["power"]) == pytest.approx(grid.best["power"])
    assert r"\toprule" in grid.to_latex() and "<table" in grid._repr_html_()


def test_pictures_of_a_search(grid):
    plt = pytest.importorskip("matplotlib.pyplot")
    for by, label in ((None, "Trial"), ("power", "power")):
        ax = iclv.plot.search(grid, by=by)
        assert ax.get_xlabel() == label
        best = ax.get_lines()[-1]
        wanted = grid.best["power"] if by else int(grid.trials["value"].idxmax())
        assert (best.get_xdata()[0], best.get_ydata()[0]) == (pytest.approx(wanted), grid.value)
        plt.close(ax.figure)
    for arguments, message in (((3,), "the result of a search"), ((grid, "powr"), "Did you mean 'power'")):
        with pytest.raises(ValueError, match=message):
            iclv.plot.search(*arguments)
