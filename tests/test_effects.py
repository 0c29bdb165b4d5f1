"""Effects, standard units, reliability and fit measures: closed forms, simulation-free oracles, lavaan's numbers."""

import after
import bank
import moments
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import iclv_jax as iclv
from iclv_jax import Continuous, Latent


def three_factors():
    factors = ("visual", "textual", "speed")
    return iclv.Model(
        latent=[Latent(name) for name in factors],
        indicators=[Continuous(f"x{3 * i + k}", of=f) for i, f in enumerate(factors) for k in (1, 2, 3)],
        covariances=[("visual", "textual"), ("visual", "speed"), ("textual", "speed")],
    )


@pytest.fixture(scope="module")
def pupils():
    return iclv.datasets.holzinger_swineford(download=True)


@pytest.fixture(scope="module")
def pupils_fit(pupils):
    return three_factors().fit(pupils, progress=False)


def test_fit_measures_of_holzinger_and_swineford(pupils_fit):
    """Reference: lavaan's documented output for this model."""
    found = pupils_fit.fit_measures()
    assert pupils_fit.llf == pytest.approx(-3737.745, abs=1e-3)
    expected = {
        "chi2": 85.306, "df": 24, "baseline_chi2": 918.852, "baseline_df": 36, "cfi": 0.931, "tli": 0.896,
        "rmsea": 0.092, "rmsea_lower": 0.071, "rmsea_upper": 0.114, "srmr": 0.065, "saturated_loglike": -3695.092,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=6e-4), name


def test_standard_units_of_holzinger_and_swineford(pupils_fit):
    """Reference: lavaan's standardised loadings of this model; the reliabilities by their formula."""
    found = pupils_fit.standardized()
    loadings = found.loc[found.index.str.contains("=~"), "std.all"]
    expected = [0.772, 0.424, 0.581, 0.852, 0.855, 0.838, 0.570, 0.723, 0.665]
    np.testing.assert_allclose(loadings, expected, atol=6e-4)
    np.testing.assert_allclose(found.filter(like="R2 x", axis=0)["std.all"], loadings**2, atol=1e-9)
    reliability = pupils_fit.reliability()
    np.testing.assert_allclose(reliability["ave"], (loadings.to_numpy() ** 2).reshape(3, 3).mean(axis=1))
    value = pupils_fit.params[[f"visual =~ x{k}" for k in (1, 2, 3)]].sum() ** 2
    rest = pupils_fit.params[[f"x{k} ~~ x{k}" for k in (1, 2, 3)]].sum()
    assert reliability.loc["visual", "omega"] == pytest.approx(value / (value + rest))


def test_reliability_of_scores_by_regression(pupils, pupils_fit):
    """Posterior means of a normal model are Thurstone's regression scores."""
    factors, columns = ["visual", "textual", "speed"], [f"x{k}" for k in range(1, 10)]
    loadings, p = np.zeros((9, 3)), pupils_fit.all_params
    for k, column in enumerate(columns):
        loadings[k, k // 3] = p[f"{factors[k // 3]} =~ {column}"]
    spread = np.diag([p[f"{f} ~~ {f}"] for f in factors])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        name = f"{factors[i]} ~~ {factors[j]}"
        spread[i, j] = spread[j, i] = p[name]
    items = loadings @ spread @ loadings.T + np.diag([p[f"{c} ~~ {c}"] for c in columns])
    weights = spread @ loadings.T @ np.linalg.inv(items)
    between = np.diag(weights @ np.cov(pupils[columns].T, bias=True) @ weights.T)
    within = np.diag(spread - weights @ loadings @ spread)
    found = pupils_fit.reliability()["scores"]
    np.testing.assert_allclose(found[factors], between / (between + within), rtol=1e-6)
    assert (found > 0.6).all() and (found < 0.95).all()


def test_missing_answers_take_part_in_all_models():
    """With complete answers the saturated model has a closed form, which the algorithm for gaps comes to as well."""
    from iclv_jax._predict._fit_measures import normal_loglike, saturated

    generator = np.random.default_rng(0)
    values = generator.normal(size=(60, 3)) @ generator.normal(size=(3, 3))
    gaps = values.copy()
    gaps[:15, 2] = np.nan
    mean, covariance = saturated(gaps)
    # A monotone pattern has a closed form: the third given the first two, from those who have it.
    design = np.column_stack([np.ones(45), values[15:, :2]])
    slope = np.linalg.lstsq(design, values[15:, 2], rcond=None)[0]
    assert mean[2] == pytest.approx(slope @ [1.0, *values[:, :2].mean(axis=0)], abs=1e-7)
    top = normal_loglike(gaps, mean, covariance)
    assert top > normal_loglike(gaps, mean + 1e-3, covariance)
    assert top > normal_loglike(gaps, mean, covariance * 1.001)


def test_measures_of_a_model_with_covariates():
    """The saturated model is a regression of the items on the covariates, the baseline their own normals; neither
    depends on the estimates."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=200)
    eta = 0.6 * x + generator.normal(size=200)
    data = pd.DataFrame({"x": x, **{f"y{k}": eta + generator.normal(size=200) for k in (1, 2, 3)}})
    model = iclv.Model([Latent("eta", on=["x"])], [Continuous(f"y{k}", of="eta") for k in (1, 2, 3)])
    problem = model.bind(data)
    fit = after.fit_at(problem, problem.start())
    found = fit.fit_measures()
    assert (found["df"], found["baseline_df"]) == (2, 6)
    assert found["chi2"] == pytest.approx(2 * (found["saturated_loglike"] - fit.llf))
    y = data[["y1", "y2", "y3"]].to_numpy()
    residual = (
        y
        - np.column_stack([np.ones(200), x])
        @ np.linalg.lstsq(np.column_stack([np.ones(200), x]), y, rcond=None)[0]
    )
    top = -0.5 * 200 * (3 * np.log(2 * np.pi) + np.linalg.slogdet(residual.T @ residual / 200)[1] + 3)
    assert found["saturated_loglike"] == pytest.approx(top, rel=1e-12)
    alone = -0.5 * 200 * (np.log(2 * np.pi * y.var(axis=0)) + 1).sum()
    assert found["baseline_chi2"] == pytest.approx(2 * (top - alone), rel=1e-9)


@pytest.mark.slow
def test_effects_along_a_chain():
    found = after.at("chain").effects()
    assert found.loc[("age", "intention"), "direct"] == 0.0
    assert found.loc[("age", "intention"), "indirect"] == pytest.approx(0.5 * 0.7 * 0.6)
    assert found.loc[("concern", "benefit"), "total"] == pytest.approx(0.7)
    assert found.loc[("income", "q4"), "indirect"] == pytest.approx(-0.3 * 1.1)
    assert found.loc[("concern", "q4"), "total"] == pytest.approx(0.7 * 0.6 * 1.1)
    assert ("income", "concern") not in found.index
    np.testing.assert_allclose(found["direct"] + found["indirect"], found["total"])
    names = ["concern ~ age", "benefit ~ concern", "intention ~ benefit"]
    slopes = 0.5 * 0.7 * 0.6 / np.array([0.5, 0.7, 0.6])
    matrix = after.at("chain").cov_params().loc[names, names].to_numpy()
    assert found.loc[("age", "intention"), "total.se"] == pytest.approx(np.sqrt(slopes @ matrix @ slopes))
    assert np.isnan(found.loc[("age", "intention"), "direct.se"])


@pytest.mark.gate("chain")
@pytest.mark.parametrize("name", ["chain", "scaled"])
def test_standard_units_are_those_of_a_model_in_standard_units(name):
    """Variances of a large simulated sample in place of the formulas."""
    fit, case = after.at(name), bank.get(name)
    found, values = fit.standardized(), fit.all_params
    data = case.data.drop_duplicates("id")
    spec = fit.problem.spec
    generator, size = np.random.default_rng(1), 400_000
    rows = generator.integers(0, len(data), size)
    weights = data["w"].to_numpy() if "w" in data else np.ones(len(data))
    rows = generator.choice(len(data), size, p=weights / weights.sum())
    psi = np.array(
        [[values.get(f"{a} ~~ {b}", values.get(f"{b} ~~ {a}", 0.0)) for b in spec.order] for a in spec.order]
    )
    shocks = generator.multivariate_normal(np.zeros(len(psi)), psi, size).T
    eta = {}
    for latent, shock in zip(spec.order, shocks, strict=True):
        on = next(v for v in spec.latents if v.name == latent).on
        eta[latent] = shock + sum(
            values[f"{latent} ~ {p}"] * (eta[p] if p in eta else data[p].to_numpy()[rows]) for p in on
        )
    spread = {name: one.std() for name, one in eta.items()}
    for latent in spec.order:
        assert found.loc[f"R2 {latent}", "std.all"] == pytest.approx(
            1 - values[f"{latent} ~~ {latent}"] / spread[latent] ** 2, abs=5e-3
        )
    for item in spec.indicators:
        error = values.get(f"{item.column} ~~ {item.column}", 1.0)
        error *= np.pi**2 / 3 if getattr(item, "link", "") == "logit" else 1.0
        common = sum(values[f"{v} =~ {item.column}"] * eta[v] for v in item.of)
        total = np.sqrt(common.var() + error)
        for v in item.of:
            loading = values[f"{v} =~ {item.column}"] * spread[v]
            assert found.loc[f"{v} =~ {item.column}", "std.lv"] == pytest.approx(loading, rel=5e-3)
            assert found.loc[f"{v} =~ {item.column}", "std.all"] == pytest.approx(loading / total, rel=5e-3)
    slope = {"chain": ("concern", "age"), "scaled": ("wealth", "age")}[name]
    spread_x = data[slope[1]].to_numpy()[rows].std()
    expected = values[f"{slope[0]} ~ {slope[1]}"] * spread_x / spread[slope[0]]
    assert found.loc[f"{slope[0]} ~ {slope[1]}", "std.all"] == pytest.approx(expected, rel=5e-3)


@pytest.mark.slow
def test_errors_in_standard_units_against_finite_differences():
    fit = after.at("scaled")

    def value(params):
        return after.fit_at(fit.problem, params).standardized()[["std.lv", "std.all"]].to_numpy()

    jacobian = after.differences(value, fit.estimates)
    expected = np.sqrt(np.einsum("rjp,pq,rjq->rj", jacobian, fit.cov_params().to_numpy(), jacobian))
    errors = fit.standardized()[["std.lv.se", "std.all.se"]].to_numpy()
    np.testing.assert_allclose(np.nan_to_num(errors), expected, atol=1e-7)


def test_reliability_counts_items_of_one_latent_variable_alone():
    found = after.at("cfa").reliability()
    assert found["items"].tolist() == [2, 2]
    loading, error = np.array([0.8, -0.7]), 1.0
    standard = loading / np.sqrt(loading**2 + error)
    rest = (1 - standard**2).sum()
    omega = np.abs(standard).sum() ** 2
    assert found.loc["risk", "omega"] == pytest.approx(omega / (omega + rest))
    assert found.loc["risk", "ave"] == pytest.approx((standard**2).mean())


@pytest.mark.parametrize(
    ("name", "call", "words"),
    [
        ("chain", lambda f: f.fit_measures(), "without a choice"),
        ("mixed_logit", lambda f: f.effects(), "no latent variables"),
    ],
)
def test_what_is_refused(name, call, words):
    with pytest.raises(ValueError, match=words):
        call(after.at(name))


def test_the_pupils_are_looked_for_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("ICLV_JAX_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="download=True"):
        iclv.datasets.holzinger_swineford()
    other = tmp_path / "holzinger_swineford39_data.csv"
    other.write_text("x1\n1\n")
    with pytest.raises(ValueError, match="not the published"):
        iclv.datasets.holzinger_swineford(tmp_path)


def test_the_pupils(pupils):
    assert pupils.shape == (301, 15)
    assert pupils["x1"].mean() == pytest.approx(4.93577, abs=1e-5)


def test_the_countries_have_their_moments():
    """Of another source."""
    countries = iclv.datasets.political_democracy(download=True)
    assert countries.shape == (75, 11)
    other = moments.democracy()
    np.testing.assert_allclose(countries[list(other)].cov(), other.cov(), rtol=1e-5)


@pytest.mark.slow
def test_the_baseline_with_missing_items_counts_those_who_answered():
    """Of independent items maximum likelihood takes mean and variance over the answers to each."""
    generator = np.random.default_rng(9)
    factors = generator.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 250)
    values = factors[:, [0, 0, 0, 1, 1, 1]] + 0.8 * generator.normal(size=(250, 6)) + np.arange(1.0, 7.0)
    values[generator.uniform(size=values.shape) < 0.15] = np.nan
    values = values[~np.isnan(values).all(axis=1)]
    names = [f"y{k}" for k in range(6)]
    model = iclv.Model(
        [iclv.Latent("f"), iclv.Latent("g")],
        [iclv.Continuous(q, of="fg"[k > 2]) for k, q in enumerate(names)],
        covariances=[("f", "g")],
    )
    found = model.fit(pd.DataFrame(values, columns=names), progress=False).fit_measures()
    alone = sum(
        stats.norm(c[~np.isnan(c)].mean(), c[~np.isnan(c)].std()).logpdf(c[~np.isnan(c)]).sum()
        for c in values.T
    )
    base, excess = 2.0 * (found["saturated_loglike"] - alone), max(found["chi2"] - found["df"], 0.0)
    assert found["baseline_chi2"] == pytest.approx(base, rel=1e-6)
    assert found["cfi"] == pytest.approx(1.0 - excess / (base - 15), rel=1e-6)
    assert found["tli"] == pytest.approx(
        (base / 15 - found["chi2"] / found["df"]) / (base / 15 - 1.0), rel=1e-6
    )
    assert found["rmsea"] == pytest.approx(np.sqrt(excess / (len(values) * found["df"])), rel=1e-6)
