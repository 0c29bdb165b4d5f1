"""Estimation in two steps, against the steps alone, scipy, and the same formulas in numpy."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import iclv_jax as iclv
from iclv_jax._fit import start_values
from iclv_jax._inference import Step, two_step_covariance

PEOPLE, SITUATIONS = 120, 4
TRUTH = {
    "warmth ~ age": 0.5, "warmth ~~ warmth": 0.8, "y1 ~ 1": 0.5, "y1 ~~ y1": 1.2, "y2 ~ 1": -0.3,
    "warmth =~ y2": 0.9, "y2 ~~ y2": 1.0, "y3 ~ 1": 0.2, "warmth =~ y3": 0.7, "y3 ~~ y3": 0.8,
    "asc": 0.4, "cost": -0.8, "taste": 1.2,
}  # fmt: skip
CHOICE = ["asc", "cost", "taste"]
RULE = iclv.Conditioned(iclv.GaussHermite(12))


def utility(b, x, lv):
    return {"a": b.asc + b.cost * x.cost + b.taste * lv.warmth, "b": 0.0}


def parts(**changes):
    latent = [iclv.Latent("warmth", on=["age"], scale="loading")]
    items = [iclv.Continuous(f"y{k}", of="warmth") for k in (1, 2, 3)]
    return {"latent": latent, "indicators": items, "choice": iclv.Logit(utility, "choice")} | changes


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(4)
    each = {
        "id": np.arange(PEOPLE),
        "age": generator.normal(size=PEOPLE),
        "w": generator.uniform(0.5, 1.5, PEOPLE),
        "group": np.arange(PEOPLE) % 30,
    }
    frame = pd.DataFrame({k: np.repeat(v, SITUATIONS) for k, v in each.items()})
    frame["cost"] = generator.normal(size=len(frame))
    warmth = 0.5 * each["age"] + np.sqrt(0.8) * generator.normal(size=PEOPLE)
    for k, (start, loading, variance) in enumerate([(0.5, 1.0, 1.2), (-0.3, 0.9, 1.0), (0.2, 0.7, 0.8)]):
        answer = start + loading * warmth + np.sqrt(variance) * generator.normal(size=PEOPLE)
        frame[f"y{k + 1}"] = np.repeat(answer, SITUATIONS)
    lead = 0.4 - 0.8 * frame["cost"] + 1.2 * np.repeat(warmth, SITUATIONS)
    chosen = lead + generator.logistic(size=len(frame)) > 0
    return frame.assign(choice=np.where(chosen, "a", "b"))


BIND = {"person": "id", "weights": "w", "cluster": "group", "integration": RULE, "progress": False}


@pytest.fixture(scope="module")
def found(data):
    return iclv.Model(**parts()).fit_sequential(data, **BIND)


# --- the same model in numpy, complex numbers allowed ------------------------------------------------------------


class Plain:
    """log densities of every person: of the items, and of the choices given the items. Normal items leave a normal
    latent variable, over which the choices are integrated by Gauss-Hermite."""

    def __init__(self, data):
        people = data.drop_duplicates("id")
        self.age, self.items = people["age"].to_numpy(), people[["y1", "y2", "y3"]].to_numpy()
        self.weights, self.clusters = people["w"].to_numpy(), people["group"].to_numpy()
        self.cost = data["cost"].to_numpy().reshape(PEOPLE, SITUATIONS)
        self.sign = np.where(data["choice"] == "a", 1.0, -1.0).reshape(PEOPLE, SITUATIONS)
        points, weights = np.polynomial.hermite_e.hermegauss(40)
        self.points, self.shares = points, weights / weights.sum()

    def both(self, p):
        loadings = np.array([1.0, p["warmth =~ y2"], p["warmth =~ y3"]])
        noise = np.array([p[f"y{k} ~~ y{k}"] for k in (1, 2, 3)])
        mean = p["warmth ~ age"] * self.age
        gap = self.items - np.array([p[f"y{k} ~ 1"] for k in (1, 2, 3)]) - np.outer(mean, loadings)
        precision = 1.0 / p["warmth ~~ warmth"] + (loadings**2 / noise).sum()
        pull = gap @ (loadings / noise)
        logdet = np.log(noise).sum() + np.log(p["warmth ~~ warmth"]) + np.log(precision)
        square = (gap**2 / noise).sum(axis=1) - pull**2 / precision
        items = -0.5 * (square + logdet + 3.0 * np.log(2.0 * np.pi))
        warmth = (mean + pull / precision)[:, None] + self.points / np.sqrt(precision)
        lead = (p["asc"] + p["cost"] * self.cost)[:, :, None] + p["taste"] * warmth[:, None, :]
        each = -np.log(1.0 + np.exp(-self.sign[:, :, None] * lead)).sum(axis=1)
        return items, np.log(np.exp(each) @ self.shares)

    def scores(self, names, values, which):
        """Derivatives of the items' (0) or the choices' (1) log densities by complex steps, (people, parameters)."""
        columns = []
        for i in range(len(names)):
            moved = np.array(values, complex)
            moved[i] += 1e-30j
            columns.append(self.both(dict(zip(names, moved, strict=True)))[which].imag / 1e-30)
        return np.stack(columns, axis=1)

    def hessian(self, names, values, which, step=1e-5):
        rows = []
        for i in range(len(names)):
            ends = [np.array(values) + s * step * (np.arange(len(names)) == i) for s in (1.0, -1.0)]
            up, down = (self.weights @ self.scores(names, v, which) for v in ends)
            rows.append((up - down) / (2.0 * step))
        return np.array(rows)


@pytest.fixture(scope="module")
def plain(data):
    return Plain(data)


@pytest.fixture(scope="module")
def pieces(found, plain):
    """Scores and Hessians of both steps at the estimates, from `plain`."""
    names, values = list(found.names), found.estimates
    second = np.array([n in CHOICE for n in names])
    scores = plain.scores(names, values, 0)[:, ~second], plain.scores(names, values, 1)[:, second]
    of_items, of_choices = (plain.hessian(names, values, k) for k in (0, 1))
    first, other = np.ix_(~second, ~second), np.ix_(second, second)
    cross = -of_choices[np.ix_(second, ~second)]
    return second, *scores, np.linalg.inv(-of_items[first]), np.linalg.inv(-of_choices[other]), cross


# --- the estimates -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_step_is_the_fit_of_the_measurement_model_alone(found, data):
    alone = iclv.Model(**parts(choice=None)).fit(data, **BIND)
    assert found.converged and alone.converged
    assert found.first == alone.names
    np.testing.assert_allclose(found.params[list(alone.names)], alone.params, atol=1e-5)
    assert found.llf_items == pytest.approx(alone.llf, abs=1e-7)


def test_the_second_step_is_the_maximum_of_the_choices_given_the_items(found, plain):
    fixed = found.params.to_dict()

    def negative(values):
        p = fixed | dict(zip(CHOICE, values, strict=True))
        at = [list(p).index(n) for n in CHOICE]
        slopes = plain.weights @ plain.scores(list(p), list(p.values()), 1)
        return -plain.weights @ plain.both(p)[1], -slopes[at]

    best = optimize.minimize(negative, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-7})
    assert set(found.second) == set(CHOICE)
    np.testing.assert_allclose(found.params[CHOICE], best.x, atol=2e-5)
    assert found.llf_choices == pytest.approx(-best.fun, abs=1e-5)


def test_each_step_is_at_its_own_maximum_and_not_at_the_joint_one(found):
    params = jnp.asarray(found.estimates)
    errors = found.standard_errors("uncorrected").to_numpy()
    second = np.array([n in CHOICE for n in found.names])
    joint, items = (np.asarray(p.score(params)) * errors for p in (found.problem, found.items))
    assert np.abs(joint[second]).max() < 1e-4
    assert np.abs(items[~second]).max() < 1e-4
    assert np.abs(joint[~second]).max() > 0.1


def test_the_joint_fit_starts_from_the_two_steps(found, data):
    model = iclv.Model(**parts())
    joint = model.fit(data, **BIND, start=found)
    assert joint.converged and joint.llf > found.llf
    np.testing.assert_array_equal(joint.start, found.estimates)
    again = model.fit(data, **BIND, start=found.params)
    np.testing.assert_array_equal(joint.params, again.params)
    difference = (joint.params - found.params)[CHOICE] / found.bse[CHOICE]
    assert (difference.abs() < 3.0).all()


# --- covariances -------------------------------------------------------------------------------------------------


def test_uncorrected_errors_take_the_first_step_as_known(found, pieces):
    second, _, _, v1, v2, _ = pieces
    matrix = found.cov_params("uncorrected").to_numpy()
    np.testing.assert_allclose(matrix[np.ix_(second, second)], v2, rtol=1e-5)
    np.testing.assert_allclose(matrix[np.ix_(~second, ~second)], v1, rtol=1e-4, atol=1e-7)
    assert (matrix[np.ix_(second, ~second)] == 0.0).all()


def test_murphy_topel_by_the_formula_in_numpy(found, pieces, plain):
    second, s1, s2, v1, v2, c = pieces
    r = (s2.T * plain.weights) @ s1
    by_hand = v2 + v2 @ (c @ v1 @ c.T - r @ v1 @ c.T - c @ v1 @ r.T) @ v2
    matrix = found.cov_params().to_numpy()
    np.testing.assert_allclose(matrix[np.ix_(second, second)], by_hand, rtol=1e-5)
    np.testing.assert_allclose(matrix[np.ix_(~second, ~second)], v1, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(matrix[np.ix_(second, ~second)], v2 @ (r - c) @ v1, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["robust", "cluster"])
def test_sandwich_of_both_steps_from_influence_functions(found, pieces, plain, kind):
    """The estimates move by `V_2 (s_2 - C V_1 s_1)` for each person."""
    second, s1, s2, v1, v2, c = pieces
    first = s1 @ v1
    influence = plain.weights[:, None] * np.hstack([first, (s2 - first @ c.T) @ v2])
    if kind == "cluster":
        influence = np.stack([influence[plain.clusters == g].sum(axis=0) for g in np.unique(plain.clusters)])
    order = np.concatenate([np.flatnonzero(~second), np.flatnonzero(second)])
    matrix = found.cov_params(kind).to_numpy()[np.ix_(order, order)]
    np.testing.assert_allclose(matrix, influence.T @ influence, rtol=1e-4, atol=1e-7)


def test_what_the_first_step_leaves_open_widens_the_errors_of_the_second(found):
    table = found.table()
    ratio = table.loc[CHOICE, "ratio"]
    assert ratio["taste"] > 1.2 and ratio["asc"] > 1.05 and ratio["cost"] > 0.97
    robust = table.loc[CHOICE, "robust"] / table.loc[CHOICE, "uncorrected"]
    assert robust["taste"] > 1.2
    np.testing.assert_allclose(table.loc[list(found.first), "ratio"], 1.0)


def test_a_bound_is_held_and_counts_as_known(data):
    model = iclv.Model(**parts(bounds={"cost": (-0.1, None)}))
    found = model.fit_sequential(data, **BIND)
    assert found.converged and found.params["cost"] == pytest.approx(-0.1)
    assert np.isnan(found.bse["cost"]) and found.bse.drop("cost").notna().all()
    assert "cost is at its bound" in str(found.summary())


# --- what is printed ---------------------------------------------------------------------------------------------


def test_the_table_has_the_kinds_side_by_side(found):
    table = found.table()
    kinds = ["uncorrected", "murphy-topel", "robust", "cluster"]
    assert list(table.columns) == ["block", "role", "status", "estimate", *kinds, "ratio", "se", "t", "p"]
    for kind in kinds:
        np.testing.assert_allclose(table.loc[list(found.names), kind], found.standard_errors(kind))
    np.testing.assert_allclose(table.loc[CHOICE, "t"], found.tvalues[CHOICE])
    np.testing.assert_allclose(table.loc[CHOICE, "p"], found.pvalues[CHOICE])
    robust = found.table("robust").loc["taste", "t"]
    assert robust == pytest.approx(found.params["taste"] / found.standard_errors("robust")["taste"])
    interval = found.conf_int(kind="robust").loc["taste"]
    assert interval["upper"] - interval["lower"] == pytest.approx(
        2 * 1.959964 * found.standard_errors("robust")["taste"], rel=1e-6
    )


@pytest.mark.slow
def test_what_follows_from_estimates_takes_two_steps_as_well(found, data):
    """Against the formulas, with the covariances of both steps."""
    matrix, b = found.cov_params().loc[CHOICE, CHOICE], found.params
    ratio = found.delta(lambda p: {"worth": p.taste / p.cost}).loc["worth"]
    slopes = np.array([0.0, -b["taste"] / b["cost"] ** 2, 1.0 / b["cost"]])
    np.testing.assert_allclose(ratio["estimate"], b["taste"] / b["cost"], rtol=1e-12)
    np.testing.assert_allclose(ratio["se"], np.sqrt(slopes @ matrix @ slopes), rtol=1e-9)
    test = found.wald_test("cost = -1", kind="uncorrected")
    error = found.standard_errors("uncorrected")["cost"]
    np.testing.assert_allclose(test.statistic, ((b["cost"] + 1.0) / error) ** 2, rtol=1e-9)
    joint = iclv.Model(**parts()).fit(data, **BIND, start=found)
    there, everywhere = found.predict(), joint.predict()
    np.testing.assert_allclose(there.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(there, everywhere, atol=0.02)
    assert found.effects().shape == joint.effects().shape
    assert found.elasticities("cost").aggregate.shape == joint.elasticities("cost").aggregate.shape
    there = dataclasses.replace(joint, problem=found.problem, estimates=found.estimates)
    np.testing.assert_array_equal(found.latent_scores(), there.latent_scores())
    np.testing.assert_array_equal(found.predict(given="answers"), there.predict(given="answers"))


def test_what_rests_on_a_joint_maximum_is_not_offered_for_two_steps(found):
    for name in ("aic", "lr_test", "profile", "bootstrap", "modification_indices", "sensitivity"):
        assert not hasattr(found, name)
    with pytest.raises(ValueError, match="choice"):
        found.fit_measures()


@pytest.fixture(scope="module")
def joint(data, found):
    return iclv.Model(**parts()).fit(data, start=found, **BIND)


def test_all_kinds_of_fits_stand_side_by_side(found, joint, tmp_path):
    joint.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    both = iclv.compare({"joint": joint, "two steps": found, "saved": saved})
    np.testing.assert_allclose(both.params["saved"], both.params["joint"], rtol=1e-10)
    np.testing.assert_allclose(both.params["two steps"]["se"], found.table()["murphy-topel"])
    assert both.measures.loc["AIC", "saved"] == joint.aic and np.isnan(both.measures.loc["AIC", "two steps"])
    text = str(both)
    assert "two steps was estimated in two steps" in text and "saved was read without its data" in text
    for fit in (joint, found, saved):
        assert repr(fit) == f"<{type(fit).__name__}: 120 people, 13 free parameters, converged>"
        assert iclv.to_latex(fit.table()).startswith("\\begin{table}")
    np.testing.assert_array_equal(start_values(joint.problem, saved)[0], joint.estimates)


def test_pictures_take_what_tells_enough_and_say_what_is_missing(found, joint, tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    joint.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    iclv.plot.coefficients({"joint": joint, "two steps": found, "saved": saved})
    for draw in (iclv.plot.path_diagram, iclv.plot.latent_scores, iclv.plot.shares, iclv.plot.trace):
        draw(found)
    with pytest.raises(ValueError, match=r"plot.gradients rests on a maximum .* there is no diagnose"):
        iclv.plot.gradients(found)
    with pytest.raises(
        ValueError, match=r"plot.shares needs the model and its data: .* iclv.load\(path, model"
    ):
        iclv.plot.shares(saved)
    with pytest.raises(ValueError, match=r"takes a fit, as model\.fit"):
        iclv.plot.trace(3)


def test_the_summary_prints_as_text_and_as_html(found):
    text, page = str(found.summary()), found._repr_html_()
    assert str(found) == text
    for words in (
        "Two-step",
        "uncorrected",
        "Murphy-Topel",
        "robust",
        "cluster",
        "Choice model (step 2)",
        "taste",
    ):
        assert words in text and words in page
    assert page.startswith("<div>") and "CONVERGE" not in text
    assert found.llf == pytest.approx(found.llf_items + found.llf_choices)
    assert {"items and structure", "choice given items"} <= set(found.trace["stage"])


def test_both_steps_on_a_page_and_as_plain_data(found):
    page = found.report()
    for words in (
        "s.e. (murphy-topel)",
        "s.e. (robust)",
        "Verdict, step 2",
        "Correlations of estimates",
        "Path diagram",
    ):
        assert words in page
    assert "Not shown" not in page
    values = np.linalg.eigvalsh(found.correlations().to_numpy())
    np.testing.assert_allclose(found.eigenvalues()["correlation"], values)
    assert found.to_dict()["covariance"] == "murphy-topel"
    assert found.to_latex(blocks=True).count(r"\caption") == 3
    assert found.reports[1].finished and "by iclv_jax" in dict(found.summary().facts)["Fitted"]


def test_a_step_that_did_not_converge_is_said_first(data):
    short = iclv.TrustRegion(max_iterations=1)
    found = iclv.Model(**parts()).fit_sequential(data, **BIND, start="default", optimizer=short)
    assert not found.converged
    assert str(found.summary()).startswith("*** STEP 1 DID NOT CONVERGE (iteration limit)")


def test_a_checkpoint_is_resumed_and_no_other_fit_takes_it(found, data, tmp_path):
    model, file = iclv.Model(**parts()), tmp_path / "state.npz"
    model.fit_sequential(data, **BIND, checkpoint=file)
    again = model.fit_sequential(data, **BIND, checkpoint=file)
    np.testing.assert_array_equal(again.estimates, found.estimates)
    with pytest.raises(ValueError, match="belongs to other start values"):
        model.fit(data, **BIND, checkpoint=file)


# --- what has no two steps ---------------------------------------------------------------------------------------


def test_without_a_latent_variable_in_the_choice_there_is_nothing_to_correct(data):
    def apart(b, x, lv):
        return {"a": b.asc + b.cost * x.cost, "b": 0.0}

    model = iclv.Model(**parts(choice=iclv.Logit(apart, "choice")))
    plain = {k: v for k, v in BIND.items() if k != "integration"}
    found = model.fit_sequential(data, **plain)
    joint = model.fit(data, **plain, start=found)
    assert found.converged
    np.testing.assert_allclose(found.params, joint.params, atol=1e-6)
    choice = ["asc", "cost"]
    np.testing.assert_allclose(found.bse[choice], found.standard_errors("uncorrected")[choice], rtol=1e-9)
    np.testing.assert_allclose(found.bse, joint.standard_errors("hessian"), rtol=1e-6)


def lonely(b, x, lv):
    return {"a": b.asc + b.cost * x.cost + b.taste * lv.warmth + b.habit * lv.mood, "b": 0.0}


def borrowed(b, x, lv):
    return {"a": b.asc + b.cost * x.cost + b["warmth =~ y2"] * lv.warmth, "b": 0.0}


def alone(b, x, lv):
    return {"a": b.asc + b.cost * x.cost, "b": 0.0}


two = [iclv.Latent("warmth", on=["age"], scale="loading"), iclv.Latent("mood", on=["age"])]
items_only = {n: v for n, v in TRUTH.items() if n not in CHOICE} | {"warmth =~ y1": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"choice": None}, r"no choice, so there is no second step.*model\.fit"),
        ({"latent": [], "indicators": [], "choice": iclv.Logit(alone, "choice")}, "no latent variable, so .* no first step"),
        ({"latent": [iclv.Latent("warmth", on=["age"])], "indicators": []}, "no indicator, so there is no first step"),
        ({"choice": iclv.Logit(borrowed, "choice")}, "shares parameters .*: 'warmth =~ y2'.*Untie"),
        ({"define": {"warmth =~ y3": lambda p: p["taste"]}}, r"shares .*: 'taste' \(also as 'warmth =~ y3'\)"),
        ({"define": {"taste": lambda p: 2.0 * p["y1 ~ 1"]}}, r"shares .*: 'y1 ~ 1' \(also as 'taste'\)"),
        ({"latent": two, "choice": iclv.Logit(lonely, "choice")}, r"No item measures .*: mood ~ age\. Add indicators"),
        ({"fixed": items_only}, "No parameter of the items and the latent variables is free"),
        ({"fixed": {n: TRUTH[n] for n in CHOICE}}, "No parameter of the choice is free"),
    ],
)  # fmt: skip
def test_what_has_no_two_steps_is_refused_with_names(data, changes, words):
    with pytest.raises(ValueError, match=words):
        iclv.Model(**parts(**changes)).fit_sequential(data, person="id", progress=False)


def test_unknown_kinds_and_missing_clusters_are_refused(found, data):
    with pytest.raises(ValueError, match=r"'uncorrected', 'murphy-topel', .* not 'murphy'\. Did you mean"):
        found.cov_params("murphy")
    without = {k: v for k, v in BIND.items() if k != "cluster"}
    plain = iclv.Model(**parts()).fit_sequential(data, **without, start=found)
    assert plain.kinds == ("uncorrected", "murphy-topel", "robust")
    assert "cluster" not in plain.table().columns
    with pytest.raises(ValueError, match="need the column of the clusters"):
        plain.standard_errors("cluster")
    with pytest.raises(ValueError, match="need the column of the clusters"):
        plain.table("cluster")


def steps(first, second, scores=None):
    """Two steps with two parameters each, from their blocks of the information."""
    free = np.array([True, True, False, False])
    of_items, joint = np.zeros((4, 4)), -np.eye(4)
    of_items[:2, :2], joint[2:, 2:] = -np.asarray(first), -np.asarray(second)
    scores = np.zeros((5, 4)) if scores is None else scores
    return Step(free, of_items, scores), Step(~free, joint, scores)


NAMES, HELD, WEIGHTS = ("a", "b", "c", "d"), np.zeros(4, bool), np.ones(5)
FLAT, FINE = [[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [0.0, 3.0]]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (FLAT, FINE, r"step 1 \(items and structure\) is not positive definite: .* flat .* a \(.*b \("),
        (FINE, FLAT, r"step 2 \(choice given items\) is not positive definite: .* flat .* c \(.*d \("),
        ([[-1.0, 0.0], [0.0, 1.0]], FINE, r"step 1 .* curves upwards .* a \("),
    ],
)
@pytest.mark.parametrize("kind", ["uncorrected", "murphy-topel", "robust"])
def test_information_that_is_not_positive_definite_is_an_error_with_names(first, second, words, kind):
    with pytest.raises(ValueError, match=words):
        two_step_covariance(kind, *steps(first, second), WEIGHTS, NAMES, HELD)


def test_products_of_scores_that_outweigh_the_information_are_an_error_with_names():
    scores = np.zeros((5, 4))
    scores[:, 0] = scores[:, 2] = 3.0
    with pytest.raises(
        ValueError, match=r"Murphy-Topel covariance is not positive definite for .*\bc\b.*robust"
    ):
        two_step_covariance("murphy-topel", *steps(FINE, FINE, scores), WEIGHTS, NAMES, HELD)
    assert np.isfinite(
        two_step_covariance("robust", *steps(FINE, FINE, scores), WEIGHTS, NAMES, HELD).matrix
    ).all()
