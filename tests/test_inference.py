"""Functions of the estimates and tests, against statsmodels, closed forms, finite differences and refits."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import iclv_jax as iclv
from iclv_jax._inference._functions import normal_draws
from iclv_jax._inference._restrictions import parse_restrictions


def logit(columns=("price", "time"), **kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + sum(b[c] * x[c] for c in columns), "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"), **kwargs)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    price, time, comfort = generator.normal(size=(3, 400))
    better = 0.5 - price - 0.5 * time + 0.2 * comfort + generator.logistic(size=400) > 0
    frame = pd.DataFrame({"price": price, "time": time, "comfort": comfort})
    return frame.assign(choice=np.where(better, "a", "b"), group=np.arange(400) % 40)


@pytest.fixture(scope="module")
def fit(data):
    return logit().fit(data, progress=False, cluster="group")


@pytest.fixture(scope="module")
def theirs(data):
    """The same logit by statsmodels."""
    y = (data["choice"] == "a").astype(float)
    return sm.Logit(y, sm.add_constant(data[["price", "time"]])).fit(disp=0, tol=1e-14)


def test_a_fit_introduces_itself_in_a_line(fit):
    assert repr(fit) == "<Fit: 400 people, 3 free parameters, converged>"
    assert str(fit) == str(fit.summary())


# --- functions of the estimates ---------------------------------------------------------------------------------


def test_delta_intervals_of_linear_functions_are_those_of_statsmodels(fit, theirs):
    found = fit.delta(lambda p: {"price": p.price, "sum": p.price - 2 * p.time})
    their = theirs.t_test([[0, 1, 0], [0, 1, -2]])
    np.testing.assert_allclose(found["estimate"], their.effect, rtol=1e-6)
    np.testing.assert_allclose(
        found["se"], their.sd.ravel() if their.sd.ndim < 2 else np.diag(their.sd), rtol=1e-6
    )
    np.testing.assert_allclose(found[["lower", "upper"]], their.conf_int(), rtol=1e-5)


def test_delta_error_of_a_ratio_by_hand(fit):
    found = fit.delta(lambda p: p.time / p.price)
    assert list(found.index) == ["value"]
    price, time = fit.params["price"], fit.params["time"]
    slope = np.array([0.0, -time / price**2, 1.0 / price])
    error = np.sqrt(slope @ fit.cov_params().to_numpy() @ slope)
    assert found.loc["value", "se"] == pytest.approx(error, rel=1e-10)
    robust = fit.delta(lambda p: p.time / p.price, kind="robust")
    error = np.sqrt(slope @ fit.cov_params("robust").to_numpy() @ slope)
    assert robust.loc["value", "se"] == pytest.approx(error, rel=1e-10)


def test_delta_labels_arrays_and_mappings_and_keeps_the_order(fit):
    found = fit.delta(lambda p: {"z": p.asc, "a": jnp.array([p.price, p.time])})
    assert list(found.index) == ["z", "a[0]", "a[1]"]
    assert list(fit.delta(lambda p: jnp.stack([p.asc, p.time])).index) == [0, 1]
    matrix = fit.delta(lambda p: jnp.outer(jnp.array([p.asc, p.time]), jnp.ones(2)))
    assert list(matrix.index) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    np.testing.assert_allclose(matrix["estimate"], fit.params[["asc", "asc", "time", "time"]])


def test_delta_knows_fixed_and_defined_parameters(data):
    fit = logit(fixed={"asc": 0.5}, define={"time": lambda p: 2.0 * p.half}).fit(data, progress=False)
    found = fit.delta(lambda p: {"both": p.asc + p.time, "fixed": p.asc})
    assert found.loc["both", "se"] == pytest.approx(2.0 * fit.bse["half"])
    assert np.isnan(found.loc["fixed", "se"])
    assert fit.table()["se"]["time"] == pytest.approx(2.0 * fit.bse["half"])


def test_krinsky_robb_agrees_with_quantiles_of_the_normal_distribution(fit):
    found = fit.delta(lambda p: {"price": p.price, "cubed": p.price**3}, method="krinsky-robb", draws=40_000)
    mean, error = fit.params["price"], fit.bse["price"]
    for share, column in ((0.025, "lower"), (0.5, "median"), (0.975, "upper")):
        wanted = stats.norm.ppf(share, mean, error)
        # Four standard errors of a quantile of so many draws.
        noise = 4 * np.sqrt(share * (1 - share) / 40_000) / stats.norm.pdf(wanted, mean, error)
        assert found.loc["price", column] == pytest.approx(wanted, abs=noise)
        assert found.loc["cubed", column] == pytest.approx(found.loc["price", column] ** 3, rel=1e-9)
    assert found.loc["price", "se"] == pytest.approx(error, rel=0.03)
    again = fit.delta(lambda p: p.price, method="krinsky-robb", seed=1)
    assert again.loc["value", "lower"] != found.loc["price", "lower"]


def test_a_parameter_without_variance_gives_nan_and_the_reason(data):
    fit = logit(bounds={"time": (0.0, None)}).fit(data, progress=False)
    assert fit.params["time"] == 0.0
    for method in ("delta", "krinsky-robb"):
        found = fit.delta(lambda p: {"ratio": p.time / p.price, "price": p.price}, method=method)
        assert found.loc["ratio"].drop("estimate").isna().all()
        assert np.isfinite(found.loc["price"]).all()
        assert any("time is at its bound" in note for note in found.attrs["notes"])
    test = fit.wald_test("time = 0")
    assert np.isnan(test.statistic)
    assert "time is at its bound" in str(test)


@pytest.mark.slow
def test_errors_of_functions_take_a_parameter_at_its_bound_as_known(data):
    """They are those of the model in which it is fixed there."""
    frame = data.assign(price=data["price"] + 3.0, time=data["time"] + 3.0)
    held = logit(bounds={"time": (-0.1, None)}).fit(frame, progress=False)
    fixed = logit(fixed={"time": -0.1}).fit(frame, progress=False)
    assert held.optimizer_report.active == {"time": -0.1}
    assert np.isnan(held.bse["time"]) and np.isfinite(held.bse[["asc", "price"]]).all()
    for ask in (
        lambda f: f.elasticities("price").aggregate,
        lambda f: f.elasticities("time").aggregate,
        lambda f: f.marginal_effects("price").aggregate,
        lambda f: f.predict(errors=True).head(),
        lambda f: f.delta(lambda p: p.time / p.price),
        lambda f: f.delta(lambda p: p.time / p.price, method="krinsky-robb"),
        lambda f: f.scenario(frame, frame.assign(price=frame["price"] + 1), cost="price").shares,
        lambda f: f.willingness_to_pay("time", "price").intervals.drop(columns="words"),
        lambda f: f.t_test("price - time = 0"),
    ):
        found, right = ask(held).to_numpy(float), ask(fixed).to_numpy(float)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, right, rtol=1e-5)
    test, right = held.wald_test("price = time, asc = 0"), fixed.wald_test("price = time, asc = 0")
    assert test.statistic == pytest.approx(right.statistic, rel=1e-5)
    assert any("take it as known" in note for note in held.elasticities("price").notes)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p: p.prise, "Did you mean 'price'"),
        (lambda p: p.price if p.time > 0 else p.asc, "jnp.where"),
        (lambda p: {}, "empty"),
        (lambda p: "text", "returns numbers"),
        (3.0, "is a function of p"),
    ],
)
def test_delta_says_what_is_wrong_with_a_function(fit, function, message):
    with pytest.raises(ValueError, match=message):
        fit.delta(function)


def test_draws_from_a_covariance_of_low_rank_stay_in_its_plane():
    """As of fewer clusters than parameters."""
    root = np.array([[1.0, 0.0], [0.5, 1.0], [-1.0, 2.0]])
    drawn = normal_draws(np.zeros(3), root @ root.T, 20_000, 0)
    np.testing.assert_allclose(np.cov(drawn.T), root @ root.T, rtol=0.05, atol=0.05)
    assert np.linalg.matrix_rank(drawn, tol=1e-6) == 2
    with pytest.raises(ValueError, match="negative eigenvalue"):
        normal_draws(np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]), 5, 0)


def test_krinsky_robb_refuses_a_function_that_draws_leave(fit):
    near = 0.05 - float(fit.params["time"])
    assert np.isfinite(fit.delta(lambda p: jnp.log(p.time + near)).loc["value", "estimate"])
    with pytest.raises(ValueError, match=r"not finite at \d+ of 1000 draws"):
        fit.delta(lambda p: jnp.log(p.time + near), method="krinsky-robb")


# --- Wald tests -------------------------------------------------------------------------------------------------

NAMES = [
    "price",
    "price.sd",
    "label",
    "concern ~ age",
    "concern =~ q6",
    "concern ~~ concern",
    "q6 | 1",
    "price_high",
    "concern",
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("concern ~ age = 0", ["concern ~ age = 0"]),
        ("concern ~ age=0, price = 2 * label", ["concern ~ age = 0", "price - 2 * label = 0"]),
        ("concern =~ q6 = 1", ["concern =~ q6 = 1"]),
        ("concern =~ q6=price.sd", ["concern =~ q6 - price.sd = 0"]),
        ("concern ~~ concern = concern", ["concern ~~ concern - concern = 0"]),
        ("q6 | 1 = price_high = 3", ["q6 | 1 - price_high = 0", "price_high = 3"]),
        ("-price + 1e-3*label/2 = -.5", ["-price + 0.0005 * label = -0.5"]),
        ("2*(price - 3) = label + 1", ["2 * price - label = 7"]),
        ("price", ["price = 0"]),
        (["price = 1", "label == 2"], ["price = 1", "label = 2"]),
        ({"price": 1, "q6 | 1": -2}, ["price = 1", "q6 | 1 = -2"]),
    ],
)
def test_restrictions_are_read(text, words):
    assert [str(r) for r in parse_restrictions(text, NAMES)] == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concern ~ agee = 0", r"'concern ~ agee'.*Did you mean 'concern ~ age'"),
        ("concern =~ q7 = 0", r"'concern =~ q7'.*Did you mean 'concern =~ q6'"),
        ("prize = 0", r"'prize'.*Did you mean 'price'"),
        ("price_low = 0", r"'price_low'"),
        ("price * label = 0", "not linear"),
        ("1 / price = 0", "not linear"),
        ("price / 0 = 1", "divides by zero"),
        ("price = ", "cannot be read at its end"),
        ("price label = 1", "cannot be read at 'label'"),
        ("(price = 1", "cannot be read at '='"),
        ("price = price", "same one on both sides"),
        ("1 = 2", "names no parameter"),
        ("", "no restriction"),
        ({"prize": 1}, "Did you mean 'price'"),
        (3, "Restrictions are a text"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_restrictions(text, NAMES)


def test_wald_tests_are_those_of_statsmodels(fit, theirs):
    found = fit.wald_test("price = 2 * time, asc = 0.4")
    matrix = np.array([[0.0, 1, -2], [1, 0, 0]])
    their = theirs.wald_test((matrix, [0.0, 0.4]), use_f=False, scalar=True)
    assert found.statistic == pytest.approx(float(their.statistic), rel=1e-6)
    assert found.pvalue == pytest.approx(float(their.pvalue), rel=1e-5)
    assert found.df == 2
    same = fit.wald_test(matrix, [0.0, 0.4])
    assert same.statistic == pytest.approx(found.statistic, rel=1e-12)
    named = pd.DataFrame({"time": [-2.0, 0.0], "price": [1.0, 0.0], "asc": [0.0, 1.0]})
    assert fit.wald_test(named, [0.0, 0.4]).statistic == pytest.approx(found.statistic, rel=1e-12)
    assert str(found).splitlines()[1:3] == ["  price - 2 * time = 0", "  asc = 0.4"]


def test_t_tests_are_those_of_statsmodels(fit, theirs):
    found = fit.t_test("price = -1, price - 2 * time = 0.3")
    their = theirs.t_test(([[0, 1, 0], [0, 1, -2]], [-1.0, 0.3]))
    np.testing.assert_allclose(found["t"], their.tvalue.ravel(), rtol=1e-5)
    np.testing.assert_allclose(found["p"], their.pvalue.ravel(), rtol=1e-4)
    np.testing.assert_allclose(found[["lower", "upper"]], their.conf_int(), rtol=1e-5)
    assert found["t"].iloc[0] ** 2 == pytest.approx(fit.wald_test("price = -1").statistic)
    named = fit.t_test({"price": -1, "asc": 0})
    assert named["t"]["asc = 0"] == pytest.approx(fit.tvalues["asc"])


@pytest.mark.parametrize("value", [-1.2345678, 1e-9, 123456.789, 1.0 / 3.0])
def test_the_value_of_a_t_test_keeps_all_its_digits(fit, value):
    for given in ({"price": value}, f"price = {value!r}"):
        found = fit.t_test(given)
        assert found.index[0] == f"price = {value!r}"
        assert found["value"].iloc[0] == value
        assert found["estimate"].iloc[0] == pytest.approx(fit.params["price"], rel=1e-9)
        assert found["t"].iloc[0] == pytest.approx(
            (fit.params["price"] - value) / fit.bse["price"], rel=1e-12
        )
        np.testing.assert_allclose(found[["lower", "upper"]], fit.conf_int().loc[["price"]], rtol=1e-9)


@pytest.mark.parametrize("restrictions", ["price = 0, time = 0, price + time = 0", "price = 0, price = 1"])
def test_dependent_restrictions_are_refused(fit, restrictions):
    with pytest.raises(ValueError, match="not independent"):
        fit.wald_test(restrictions)


def test_a_restriction_on_nothing_estimated_is_refused(data):
    fit = logit(fixed={"asc": 0.5}).fit(data, progress=False)
    with pytest.raises(ValueError, match="restricts nothing"):
        fit.wald_test("asc = 0, price = 1")


def test_matrices_of_the_wrong_shape_are_refused(fit):
    with pytest.raises(ValueError, match="one column for each of the 3"):
        fit.wald_test(np.eye(2))
    with pytest.raises(ValueError, match="1 numbers for 3"):
        fit.wald_test(np.eye(3), [1.0])
    with pytest.raises(ValueError, match="no free parameter"):
        fit.wald_test(pd.DataFrame({"prise": [1.0]}))


# --- one fit against another ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def larger(data):
    return logit(("comfort", "price", "time")).fit(data, progress=False)


def test_likelihood_ratio_is_that_of_statsmodels(data, larger, theirs):
    fit = logit().fit(data, progress=False)
    found = larger.lr_test(fit)
    y = (data["choice"] == "a").astype(float)
    their = sm.Logit(y, sm.add_constant(data[["price", "time", "comfort"]])).fit(disp=0, tol=1e-14)
    assert found.statistic == pytest.approx(2 * (their.llf - theirs.llf), rel=1e-6)
    assert found.pvalue == pytest.approx(stats.chi2.sf(2 * (their.llf - theirs.llf), 1), rel=1e-5)
    assert found.df == 1
    assert not found.notes


def test_likelihood_ratio_refuses_what_is_not_nested(data, fit, larger):
    with pytest.raises(ValueError, match="It must have fewer"):
        fit.lr_test(larger)
    with pytest.raises(ValueError, match="the people"):
        larger.lr_test(logit().fit(data.assign(id=np.arange(1, 401)), person="id", progress=False))
    flipped = data.assign(choice=np.where(np.arange(400) == 0, "b", data["choice"]))
    assert data["choice"][0] == "a"
    with pytest.raises(ValueError, match="the choices differ"):
        larger.lr_test(logit().fit(flipped, progress=False))
    with pytest.raises(ValueError, match="the weights differ"):
        larger.lr_test(logit().fit(data, progress=False, weights=np.full(400, 2.0)))
    with pytest.raises(ValueError, match="not with"):
        larger.lr_test(3.0)
    short = iclv.TrustRegion(max_iterations=1, radius=1e-3)
    stopped = logit(("comfort", "price", "time")).fit(data, progress=False, optimizer=short, start="default")
    with pytest.raises(ValueError, match="larger log-likelihood"):
        stopped.lr_test(fit)


def test_the_order_of_alternatives_and_items_does_not_make_other_data(data, larger):
    def utility(b, x, lv):
        return {"b": -b.asc, "a": b.price * x.price}

    turned = iclv.Model(choice=iclv.Logit(utility, chosen="choice")).fit(data, progress=False)
    assert larger.lr_test(turned).df == 2


def test_vuong_by_hand(data):
    a, b = (logit((c,)).fit(data, progress=False) for c in ("time", "comfort"))
    found = iclv.vuong(a, b)
    v = [f.params["asc"] + f.params[c] * data[c].to_numpy() for f, c in ((a, "time"), (b, "comfort"))]
    sign = np.where(data["choice"] == "a", 1.0, -1.0)
    difference = np.log1p(np.exp(-sign * v[1])) - np.log1p(np.exp(-sign * v[0]))
    wanted = np.sqrt(400) * difference.mean() / difference.std()
    assert found.statistic == pytest.approx(wanted, rel=1e-9)
    assert found.pvalue == pytest.approx(2 * stats.norm.sf(abs(wanted)), rel=1e-9)
    assert iclv.vuong(b, a).statistic == pytest.approx(-wanted, rel=1e-9)
    assert iclv.vuong(a, b, "bic").statistic == found.statistic  # As many parameters.
    both = logit(("time", "comfort")).fit(data, progress=False)
    corrected = [iclv.vuong(both, a, c).statistic for c in ("none", "aic", "bic")]
    ratio = (corrected[0] - corrected[2]) / (corrected[0] - corrected[1])
    assert ratio == pytest.approx(0.5 * np.log(400))
    assert np.isnan(iclv.vuong(a, a).statistic)
    with pytest.raises(ValueError, match="correction is one of"):
        iclv.vuong(a, b, "hqic")


def test_ben_akiva_and_swait_by_hand(data):
    a, b = (logit(c).fit(data, progress=False) for c in (("time",), ("comfort", "price")))
    null = -400 * np.log(2)
    rho = [1 - (f.llf - len(f.names)) / null for f in (a, b)]
    wanted = stats.norm.cdf(-np.sqrt(-2 * (rho[1] - rho[0]) * null + 3 - 2))
    assert rho[1] > rho[0]
    for found in (iclv.ben_akiva_swait(a, b), iclv.ben_akiva_swait(b, a)):
        assert found.pvalue == pytest.approx(wanted, rel=1e-9)


def test_comparison_side_by_side(fit, larger):
    found = iclv.compare({"small": fit, "large": larger}, show="t", cov="robust")
    assert found.params.loc["price", ("small", "se")] == pytest.approx(fit.standard_errors("robust")["price"])
    assert np.isnan(found.params.loc["comfort", ("small", "estimate")])
    assert found.measures.loc["AIC", "large"] == larger.aic
    text = str(found)
    t = fit.params["price"] / fit.standard_errors("robust")["price"]
    assert f"({t:.2f})" in next(line for line in text.splitlines() if line.startswith("price"))
    assert f"{larger.llf:,.4f}" in text
    assert "<table" in found._repr_html_()
    with pytest.raises(ValueError, match="takes fits by name"):
        iclv.compare([fit])


def test_a_comparison_of_other_data_says_so(data, fit):
    other = logit().fit(data.assign(id=np.arange(1, 401)), person="id", progress=False)
    assert "do not explain the same data" in str(iclv.compare({"a": fit, "b": other}))
    assert "do not explain" not in str(iclv.compare({"a": fit, "b": fit}))


# --- what weights are -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counts(data):
    return data.assign(w=1.0 + np.arange(400) % 4)


@pytest.fixture(scope="module")
def counted(counts):
    return logit().fit(counts, weights="w", weights_are="frequency", progress=False)


@pytest.fixture(scope="module")
def repeated(counts):
    """Every row as often as its weight says."""
    rows = counts.loc[counts.index.repeat(counts["w"].astype(int))].reset_index(drop=True)
    return logit().fit(rows, progress=False)


@pytest.mark.slow
def test_frequency_weights_are_as_many_rows(counted, repeated, counts, tmp_path):
    np.testing.assert_allclose(counted.params, repeated.params, rtol=1e-8)
    for kind in ("hessian", "bhhh", "robust", "jackknife"):
        np.testing.assert_allclose(counted.cov_params(kind), repeated.cov_params(kind), rtol=1e-6)
    np.testing.assert_allclose(counted.bse, repeated.bse, rtol=1e-6)
    assert counted.nobs == repeated.nobs == counts["w"].sum()
    assert counted.bic == pytest.approx(repeated.bic) and counted.aic == pytest.approx(repeated.aic)
    assert "frequency: 400 rows count 1,000 people" in str(counted.summary())
    counted.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    assert (saved.nobs, saved.bic) == (counted.nobs, counted.bic)
    np.testing.assert_allclose(saved.standard_errors("robust"), counted.standard_errors("robust"))
    drawn = counted.bootstrap(400).standard_errors
    np.testing.assert_allclose(drawn, repeated.bse, rtol=0.15)


@pytest.mark.slow
def test_tests_with_frequency_weights_are_those_of_as_many_rows(counts, counted, repeated):
    rows = counts.loc[counts.index.repeat(counts["w"].astype(int))].reset_index(drop=True)
    other = logit(("price", "comfort"))
    pairs = (
        (counted, other.fit(counts, weights="w", weights_are="frequency", progress=False)),
        (repeated, other.fit(rows, progress=False)),
    )
    for correction in ("none", "bic"):
        found, right = (iclv.vuong(*pair, correction=correction).statistic for pair in pairs)
        assert found == pytest.approx(right, rel=1e-6)
    fixed = logit(fixed={"time": 0.0})
    found = fixed.fit(counts, weights="w", weights_are="frequency", progress=False)
    right = fixed.fit(rows, progress=False).modification_indices(kind="robust")
    np.testing.assert_allclose(
        found.modification_indices(kind="robust")["statistic"], right["statistic"], rtol=1e-6
    )
    assert not any("weights" in note for note in counted.lr_test(found).notes)


def test_sampling_weights_take_robust_errors_and_say_when_they_look_like_counts(counts, counted):
    fit = logit().fit(counts, weights="w", progress=False)
    np.testing.assert_allclose(fit.params, counted.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bse, fit.standard_errors("robust"))
    assert fit.nobs == 400 and fit.bic == pytest.approx(3 * np.log(400) - 2 * fit.llf)
    large = logit().fit(counts.assign(w=2500.0 * counts["w"]), weights="w", progress=False)
    np.testing.assert_allclose(large.bse, fit.bse, rtol=1e-5)
    assert "weights_are='frequency'" in str(large.summary())
    unit = logit().fit(counts.assign(w=counts["w"] / counts["w"].mean()), weights="w", progress=False)
    assert "sampling: they add up to 400" in str(unit.summary())
    assert "weights_are=" not in str(unit.summary())


def test_weights_that_are_neither_are_refused(counts):
    with pytest.raises(ValueError, match="Did you mean 'frequency'"):
        logit().bind(counts, weights="w", weights_are="frequencies")
    with pytest.raises(ValueError, match="no number of people"):
        logit().bind(counts.assign(w=0.5), weights="w", weights_are="frequency")
