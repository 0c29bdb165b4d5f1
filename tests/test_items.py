"""Items of every family: against independent likelihoods, regressions of other programs, and published numbers."""

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from scipy.special import expit, logsumexp, roots_hermitenorm
from statsmodels.discrete.discrete_model import NegativeBinomial

import iclv_jax as iclv
from iclv_jax import Binary, Censored, Count, Duration, GaussHermite, Latent, Nominal, Ordered, PartialCredit

# Five binary items of section 7 of the Law School Admission Test, 1,000 people (Bock and Lieberman 1970): pattern, count.
LSAT7 = """00000:12 00001:19 00010:1 00011:7 00100:3 00101:19 00110:3 00111:17 01000:10 01001:5 01010:3 01011:7 01100:7
01101:23 01110:8 01111:28 10000:7 10001:39 10010:11 10011:34 10100:14 10101:51 10110:15 10111:90 11000:6 11001:25 11010:7
11011:35 11100:18 11101:136 11110:32 11111:308"""
ITEMS = [f"item{i}" for i in range(1, 6)]


def lsat7():
    patterns, counts = zip(*(entry.split(":") for entry in LSAT7.split()), strict=True)
    answers = pd.DataFrame([list(map(int, p)) for p in patterns], columns=ITEMS)
    return answers.assign(people=np.array(counts, float))


@pytest.fixture(scope="module")
def law():
    model = iclv.Model([Latent("ability")], [Binary(q, "ability") for q in ITEMS])
    return model.fit(
        lsat7(), weights="people", weights_are="frequency", integration=GaussHermite(41), progress=False
    )


def test_two_parameter_logistic_items_as_published(law):
    """-2658.805 is what mirt prints; the further digits are those of a quadrature in plain numpy."""
    assert law.converged and law.llf == pytest.approx(-2658.805114, abs=1e-4)
    assert law.params["ability =~ item3"] == pytest.approx(1.706, abs=2e-3)  # mirt's a1 and d of item 3
    assert law.params["item3 ~ 1"] == pytest.approx(1.804, abs=2e-3)


def test_information_of_binary_items(law):
    from iclv_jax._predict._item_curves import item_curves

    found = item_curves(law, "item3", "ability")
    slope, level = law.params["ability =~ item3"], law.params["item3 ~ 1"]
    p = expit(level + slope * found.values)
    np.testing.assert_allclose(found.levels[:, 1], p, rtol=1e-10)
    np.testing.assert_allclose(found.information, slope**2 * p * (1.0 - p), rtol=1e-9)


# --- one latent variable behind items of all families ---------------------------------------------------------------

LEVELS = {"p": [1, 2, 3], "p4": [0, 1, 2, 3], "m": ["car", "bus", "train"], "m2": ["x", "y"]}
TRUTH = {
    "trust ~ age": 0.5,
    "b ~ 1": 0.3, "trust =~ b": 1.1, "b ~ sex": 0.4,
    "g ~ 1": -0.4, "trust =~ g": 1.4, "g.guessing": 0.2,
    "h ~ 1": 0.2, "trust =~ h": 1.2, "h.guessing": 0.1, "h.slipping": 0.05,
    "trust =~ p": 0.9, "p | 1": 0.2, "p | 2": -0.3,
    "trust =~ p4": 0.7, "p4 | 1": -1.0, "p4 | 2": 0.1, "p4 | 3": 0.8, "p4 ~ sex": 0.5,
    "m[bus] ~ 1": 0.4, "m[train] ~ 1": -0.2, "trust =~ m[bus]": 0.8, "trust =~ m[train]": -0.6,
    "m[bus] ~ sex": 0.3, "m[train] ~ sex": -0.4,
    "m2[y] ~ 1": 0.1, "trust =~ m2[y]": 0.6,
    "n ~ 1": 0.3, "trust =~ n": 0.5,
    "k ~ 1": 0.2, "trust =~ k": 0.4, "k.dispersion": 0.6, "k ~ sex": 0.2,
    "c ~ 1": 0.3, "trust =~ c": 0.8, "c ~~ c": 1.3,
    "c2 ~ 1": 0.3, "trust =~ c2": 0.7, "c2 ~~ c2": 0.9,
    "d ~ 1": 0.5, "trust =~ d": 0.4, "d.shape": 1.4, "d ~ sex": -0.2,
}  # fmt: skip


def everything(**parts):
    return iclv.Model(
        [Latent("trust", on=["age"])],
        [
            Binary("b", "trust", on=["sex"]),
            Binary("g", "trust", guessing=True),
            Binary("h", "trust", guessing=True, slipping=True),
            *(
                PartialCredit(q, "trust", levels=LEVELS[q], on=["sex"] if q == "p4" else [])
                for q in ("p", "p4")
            ),
            *(Nominal(q, "trust", levels=LEVELS[q], on=["sex"] if q == "m" else []) for q in ("m", "m2")),
            Count("n", "trust", exposure="hours"),
            Count("k", "trust", dispersion=True, on=["sex"]),
            Censored("c", "trust", lower=0.0),
            Censored("c2", "trust", lower=-1.0, upper=1.5),
            Duration("d", "trust", event="ended", on=["sex"]),
        ],
        **parts,
    )


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(2)
    size = 60
    frame = pd.DataFrame({"age": generator.normal(size=size), "sex": generator.integers(0, 2, size) * 1.0})
    frame = everything().simulate(TRUTH, frame.assign(hours=generator.uniform(0.5, 3.0, size)), seed=1)
    assert (frame["ended"] == 1).all()
    limit = generator.exponential(6.0, size)
    frame = frame.assign(ended=(frame["d"] < limit).astype(int), d=np.minimum(frame["d"], limit))
    frame.loc[3, ["m", "ended"]], frame.loc[[4, 5], "n"], frame.loc[3, "d"] = None, np.nan, np.nan
    return frame


@pytest.fixture(scope="module")
def problem(data):
    return everything().bind(data, integration=GaussHermite(15, adaptive=False))


def steps(weights, code):
    return weights[code] - logsumexp(weights, axis=0)


def answers(p, x, eta):
    """Log densities of one person's answers at values of the latent variable, with scipy and numpy alone."""

    def index(name, column=None):
        column = column or name
        level = p.get(f"{name} ~ 1", 0.0) + p[f"trust =~ {name}"] * eta
        return level + p.get(f"{name} ~ sex", 0.0) * x["sex"]

    def logistic(name, low=0.0, high=0.0):
        chance = low + (1.0 - low - high) * expit(index(name))
        return np.log(chance if x[name] == 1 else 1.0 - chance)

    def credit(name):
        limits = [0.0, *(p[f"{name} | {k}"] for k in range(1, len(LEVELS[name])))]
        weights = np.stack([k * index(name) - sum(limits[: k + 1]) for k in range(len(limits))])
        return steps(weights, LEVELS[name].index(x[name]))

    def nominal(name):
        if not isinstance(x[name], str):
            return 0.0 * eta
        weights = np.stack([0.0 * eta, *(index(f"{name}[{v}]") for v in LEVELS[name][1:])])
        return steps(weights, LEVELS[name].index(x[name]))

    def censored(name, low, high):
        spread = p[f"{name} ~~ {name}"] ** 0.5
        if x[name] <= low:
            return stats.norm.logcdf(low, index(name), spread)
        if x[name] >= high:
            return stats.norm.logsf(high, index(name), spread)
        return stats.norm.logpdf(x[name], index(name), spread)

    total = logistic("b") + logistic("g", p["g.guessing"]) + logistic("h", p["h.guessing"], p["h.slipping"])
    total += credit("p") + credit("p4") + nominal("m") + nominal("m2")
    if np.isfinite(x["n"]):
        total += stats.poisson.logpmf(x["n"], x["hours"] * np.exp(index("n")))
    size = 1.0 / p["k.dispersion"]
    total += stats.nbinom.logpmf(x["k"], size, size / (size + np.exp(index("k"))))
    total += censored("c", 0.0, np.inf) + censored("c2", -1.0, 1.5)
    if np.isfinite(x["d"]):
        weibull = stats.weibull_min(p["d.shape"], scale=np.exp(index("d")))
        total += weibull.logpdf(x["d"]) if x["ended"] == 1 else weibull.logsf(x["d"])
    return total


def test_the_likelihood_is_that_of_plain_numpy(problem, data):
    points, weights = roots_hermitenorm(15)
    expected = [
        logsumexp(answers(TRUTH, x, TRUTH["trust ~ age"] * x["age"] + points), b=weights / weights.sum())
        for x in data.to_dict("records")
    ]
    assert set(problem.names) == set(TRUTH)
    np.testing.assert_allclose(problem.loglike_person(problem.vector(TRUTH)), expected, rtol=1e-10)


@pytest.mark.slow
def test_the_hessian_is_that_of_automatic_differentiation(problem):
    params = problem.vector(TRUTH)
    exact = problem.hessian(params)
    np.testing.assert_allclose(exact, problem.hessian(params, "autodiff"), rtol=1e-9, atol=1e-9)


def test_derivatives_are_differences(problem):
    params = problem.vector(TRUTH)
    exact = np.asarray(problem.hessian(params))
    moved = after.differences(lambda p: np.asarray(problem.score_person(p)).sum(axis=0), params)
    np.testing.assert_allclose(exact, moved, rtol=1e-5, atol=1e-5)
    slope = after.differences(lambda p: np.asarray(problem.loglike_person(p)), params)
    np.testing.assert_allclose(problem.score_person(params), slope, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def fit(problem):
    return after.fit_at(problem, problem.vector(TRUTH))


@pytest.mark.slow
def test_expected_answers_are_those_of_plain_numpy(fit, data):
    found = fit.predict_items(errors=True)
    assert np.isfinite(found).all(axis=None)
    points, weights = roots_hermitenorm(64)
    x = data.iloc[7]
    eta, weights = TRUTH["trust ~ age"] * x["age"] + points, weights / weights.sum()
    mean = x["hours"] * np.exp(0.3 + 0.5 * eta)
    assert found["n", "mean"][7] == pytest.approx(weights @ mean)
    assert found["n", "sd"][7] == pytest.approx(np.sqrt(weights @ (mean + mean**2) - (weights @ mean) ** 2))
    bus = np.exp([0.0 * eta, 0.4 + 0.8 * eta + 0.3 * x["sex"], -0.2 - 0.6 * eta - 0.4 * x["sex"]])
    np.testing.assert_allclose(
        found.loc[7, [("m", v) for v in LEVELS["m"]]], (bus / bus.sum(axis=0)) @ weights, rtol=1e-8
    )
    seen = np.maximum(stats.norm.rvs(0.3 + 0.8 * eta[:, None], 1.3**0.5, (64, 20_000), random_state=0), 0.0)
    assert found["c", "mean"][7] == pytest.approx(weights @ seen.mean(axis=1), rel=0.01)
    duration = stats.weibull_min.mean(1.4, scale=np.exp(0.5 + 0.4 * eta - 0.2 * x["sex"]))
    assert found["d", "mean"][7] == pytest.approx(weights @ duration)
    known = fit.predict_items(given="items")
    assert not np.allclose(known["b", 1], found["b", 1]) and np.isfinite(known).all(axis=None)


@pytest.mark.slow
def test_what_has_a_response_is_standardised_and_the_rest_is_named(fit):
    found = fit.standardized()
    variance = 1.0 + 0.25 * fit.problem.panel.frame.data["age"].var(ddof=0)
    response = np.pi**2 / (6.0 * 1.4**2)
    sex = fit.problem.panel.frame.data[["age", "sex"]].cov(ddof=0)
    total = (
        0.16 * variance
        + 0.04 * sex.loc["sex", "sex"]
        - 2 * 0.4 * 0.5 * 0.2 * sex.loc["age", "sex"]
        + response
    )
    assert found.loc["R2 d", "std.all"] == pytest.approx(1.0 - response / total)
    effect = -0.2 * np.sqrt(sex.loc["sex", "sex"] / total)
    assert found.loc["d ~ sex", "std.all"] == pytest.approx(effect)
    assert np.isnan(found.loc["trust =~ n", "std.all"]) and found.loc["trust =~ n", "std.lv"] > 0.5
    lost = [note.split(" ")[0] for note in fit.reliability().attrs["notes"] if "family" in note]
    assert lost == ["g", "h", "p", "p4", "m", "m2", "n", "k"]
    assert fit.reliability().loc["trust", "items"] == 4


def test_durations_that_did_not_end_stand_in_groups(data):
    """What is known of a group alone is that of its people."""
    item = Duration("d", [], event="ended", on=["sex"])
    frame = data.dropna(subset="d").assign(land=np.where(data.dropna(subset="d").index < 30, "a", "b"))
    both = iclv.Model([], [item], group="land").bind(frame)
    point = {"d ~ 1": 0.4, "d.shape": 1.3, "d ~ sex": -0.2}
    found = both.loglike_person(both.vector({f"{n} [{g}]": v for n, v in point.items() for g in "ab"}))
    alone = iclv.Model([], [item]).bind(frame)
    np.testing.assert_allclose(found, alone.loglike_person(alone.vector(point)), rtol=1e-12)


def test_people_without_a_time_of_censoring_cannot_be_simulated_again(fit):
    with pytest.raises(ValueError, match=r"'d' is censored where 'ended' is 0.*cannot be simulated"):
        fit.goodness_of_fit(samples=2, refit=False)


def test_data_are_described(data):
    text = str(everything().describe(data))
    assert "censored" in text and "m[bus] ~ sex" in text and "probability of guessing at g" in text


@pytest.mark.slow
def test_a_fit_is_saved(fit, data, tmp_path):
    fit.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", everything(), data)
    pd.testing.assert_frame_equal(again.predict_items(), fit.predict_items())
    other = iclv.Model(
        [Latent("trust", on=["age"])],
        [Count("k", "trust", dispersion=True), Count("n", "trust", exposure="hours")],
    )
    with pytest.raises(ValueError, match="another model"):
        iclv.load(tmp_path / "fit.npz", other, data)


# --- without latent variables: regressions ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def regressions():
    """Items that are regressions on covariates alone; given these they are independent, and fitted as one model."""
    generator = np.random.default_rng(5)
    size = 300
    frame = pd.DataFrame({"x": generator.normal(size=size), "z": generator.integers(0, 2, size) * 1.0})
    frame = frame.assign(hours=generator.uniform(0.5, 3.0, size))
    on = ["x", "z"]
    model = iclv.Model(
        indicators=[
            Count("n", [], exposure="hours", on=on),
            Count("k", [], dispersion=True, on=on),
            Binary("b", [], on=on),
            Nominal("m", [], levels=["a", "b", "c"], on=on),
            Ordered("o", [], on=on, link="logit", levels=[1, 2, 3]),
            Censored("c", [], lower=0.0, on=on),
            Duration("d", [], event="ended", on=on),
        ]
    )
    names = model.describe().to_frame()["name"]
    truth = dict.fromkeys(names, 0.4) | {"o | 2": 1.2, "k.dispersion": 0.8, "d.shape": 1.5, "m[b] ~ x": -0.7}
    frame = model.simulate(truth, frame, seed=3)
    limit = generator.exponential(4.0, size)
    frame = frame.assign(ended=(frame["d"] < limit).astype(int), d=np.minimum(frame["d"], limit))
    return model.fit(frame, progress=False), frame


def design(frame):
    return sm.add_constant(frame[["x", "z"]])


def same(fit, names, estimates, errors=None, rel=2e-4):
    np.testing.assert_allclose(fit.params[names], estimates, rtol=rel, atol=2e-5)
    if errors is not None:
        np.testing.assert_allclose(fit.bse[names], errors, rtol=2e-3)


@pytest.mark.slow
def test_regressions_are_those_of_statsmodels(regressions):
    fit, frame = regressions
    assert fit.converged
    poisson = sm.Poisson(frame["n"], design(frame), exposure=frame["hours"]).fit(disp=0, tol=1e-12)
    same(fit, ["n ~ 1", "n ~ x", "n ~ z"], poisson.params, poisson.bse)
    negative = NegativeBinomial(frame["k"], design(frame)).fit(disp=0, gtol=1e-8, maxiter=500)
    same(fit, ["k ~ 1", "k ~ x", "k ~ z", "k.dispersion"], negative.params, negative.bse)
    logit = sm.Logit(frame["b"], design(frame)).fit(disp=0, tol=1e-12)
    same(fit, ["b ~ 1", "b ~ x", "b ~ z"], logit.params, logit.bse)
    several = sm.MNLogit(frame["m"].map({"a": 0, "b": 1, "c": 2}), design(frame)).fit(disp=0, tol=1e-12)
    for k, level in enumerate("bc"):
        same(fit, [f"m[{level}] ~ {v}" for v in (1, "x", "z")], several.params[k], several.bse[k])


def test_regressions_are_those_of_scipy(regressions):
    """A tobit and a Weibull with right censoring, maximised in plain scipy."""
    fit, frame = regressions
    x, y, t = design(frame).to_numpy(), frame["c"].to_numpy(), frame["d"].to_numpy()

    def tobit(b):
        mean, spread = x @ b[:3], np.exp(b[3])
        inside = stats.norm.logpdf(y, mean, spread)
        return -np.where(y > 0.0, inside, stats.norm.logcdf(0.0, mean, spread)).sum()

    def weibull(b):
        lasting = stats.weibull_min(np.exp(b[3]), scale=np.exp(x @ b[:3]))
        return -np.where(frame["ended"] == 1, lasting.logpdf(t), lasting.logsf(t)).sum()

    for negative, item, last in ((tobit, "c", "c ~~ c"), (weibull, "d", "d.shape")):
        best = optimize.minimize(negative, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
        power = 2.0 if item == "c" else 1.0
        same(fit, [f"{item} ~ {v}" for v in (1, "x", "z")], best.x[:3])
        assert fit.params[last] == pytest.approx(np.exp(power * best.x[3]), rel=1e-3)


@pytest.mark.slow
def test_a_small_dispersion_is_nearly_poisson():
    """The series meets the difference of log gamma functions, and ends in the Poisson density, with its derivatives."""
    values, index = jnp.arange(8.0), jnp.full(8, 0.3)
    cells = {"intercept": jnp.zeros(8), "dispersion": jnp.full(8, 0.02)}

    def density(dispersion):
        return Count("k", "t", dispersion=True).log_density(cells | {"dispersion": dispersion}, values, index)

    for alpha in (0.02 - 1e-12, 0.02 + 1e-12):
        expected = stats.nbinom.logpmf(values, 1.0 / alpha, 1.0 / (1.0 + alpha * np.exp(0.3)))
        np.testing.assert_allclose(density(jnp.full(8, alpha)), expected, rtol=1e-11)
    tiny = jnp.full(8, 1e-11)
    np.testing.assert_allclose(density(tiny), stats.poisson.logpmf(values, np.exp(0.3)), rtol=1e-9)
    mean = np.exp(0.3)
    slope = jax.jvp(density, (tiny,), (jnp.ones(8),))[1]
    np.testing.assert_allclose(
        slope, 0.5 * ((np.asarray(values) - mean) ** 2 - np.asarray(values)), rtol=1e-6
    )


@pytest.mark.slow
def test_priors_of_guessing_are_penalties(data):
    model = iclv.Model([Latent("trust")], [Binary(q, "trust", guessing=q == "g") for q in ("b", "g", "h")])
    rule = GaussHermite(15, adaptive=False)
    held = {"g.guessing": iclv.Gaussian(0.2, 1e-4)}
    fit = model.fit(data, integration=rule, penalties=held, progress=False)
    assert fit.params["g.guessing"] == pytest.approx(0.2, abs=1e-3)


# --- bad input --------------------------------------------------------------------------------------------------------

BAD = {
    "negative count": (Count("y", [], on=["x"]), {"y": [1.0, -2.0]}, r"'y' has the value -2.0 for person 1.*whole numbers"),
    "broken count": (Count("y", [], on=["x"]), {"y": [1.0, 2.5]}, r"'y' has the value 2.5"),
    "exposure": (Count("y", [], exposure="e", on=["x"]), {"y": [1.0, 2.0], "e": [1.0, -1.0]}, r"exposure 'e' is -1"),
    "no exposure": (Count("y", [], exposure="e", on=["x"]), {"y": [1.0, 2.0]}, r"needs the column 'e'"),
    "one count": (Count("y", [], on=["x"]), {"y": [1.0, 1.0]}, r"same value, 1.0, for everyone"),
    "three levels": (Binary("y", [], on=["x"]), {"y": [1, 2, 3]}, r"'y' has 3 levels, 1, 2, 3.*Ordered or iclv.Nominal"),
    "one level": (Binary("y", [], on=["x"]), {"y": [1, 1]}, r"'y' has only the level 1"),
    "labels": (Binary("y", [], on=["x"]), {"y": ["no", "yes"]}, r"labels whose order is not known"),
    "mixed": (Nominal("y", [], on=["x"]), {"y": ["no", 1]}, r"mixes labels and numbers"),
    "single": (Nominal("y", [], on=["x"]), {"y": ["no", "no"]}, r"has only the level 'no'"),
    "gap": (PartialCredit("y", [], on=["x"]), {"y": [1, 2, 4]}, r"has gaps: nobody answered 3"),
    "beyond": (Censored("y", [], lower=0.0, on=["x"]), {"y": [1.0, 2.0, -1.0]}, r"value -1.0 for person 2, below lower=0"),
    "no spread": (Censored("y", [], lower=0.0, on=["x"]), {"y": [0.0, 1.0]}, r"hardly has values between its limits"),
    "time": (Duration("y", [], on=["x"]), {"y": [1.0, 0.0]}, r"value 0.0 for person 1. Durations are positive"),
    "event": (Duration("y", [], event="e", on=["x"]), {"y": [1.0, 2.0], "e": [1, 2]}, r"column 'e' is 2 for person 1"),
    "no event": (Duration("y", [], event="e", on=["x"]), {"y": [1.0, 2.0], "e": [0, 0]}, r"'e' is 0 for everyone"),
    "lost event": (Duration("y", [], event="e", on=["x"]), {"y": [1.0, 2.0], "e": [1, np.nan]}, r"'e' is missing \(NaN\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_answers_of_no_such_kind(case):
    item, columns, message = BAD[case]
    size = 4
    frame = pd.DataFrame({name: (values * size)[: size * len(values)] for name, values in columns.items()})
    frame = frame.assign(x=np.arange(len(frame)) * 1.0)
    with pytest.raises(ValueError, match=message):
        iclv.Model(indicators=[item]).bind(frame)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Binary("q", "t", guessing=0.2), r"guessing is True or False, not 0.2.*fixed="),
        (lambda: Binary("q", "t", levels=[0, 1, 2]), r"'q' has 3 levels"),
        (lambda: Count("q", "t", exposure=2), r"exposure= is the name of a column"),
        (lambda: Censored("q", "t"), r"'q' has no limit"),
        (lambda: Censored("q", "t", lower=1.0, upper=0.0), r"lower=1 is not below upper=0"),
        (lambda: Censored("q", "t", lower="zero"), r"lower= is a finite number"),
        (lambda: Duration("q", "t", event="q"), r"event= is the name of another column"),
        (lambda: Nominal("q", "t", levels=["a", "a"]), r"at least two different levels"),
        (lambda: Count("q", []), r"'q' measures nothing.*of=.*on="),
        (lambda: Count("q", [], on=["q"]), None),
        (lambda: Count("q", [], on=["x", "x"]), r"the covariate 'x' twice"),
        (lambda: Count("q", [], on=[3]), r"on= holds names of columns, not 3"),
    ],
)
def test_fields_of_no_such_kind(make, message):
    if message is None:
        with pytest.raises(ValueError, match="cannot depend on itself"):
            iclv.Model(indicators=[make()])
        return
    with pytest.raises(ValueError, match=message):
        make()


def test_levels_of_a_nominal_item_must_be_declared_to_be_simulated():
    model = iclv.Model([Latent("trust")], [Nominal("m", "trust")])
    truth = {"m[bus] ~ 1": 0.4, "trust =~ m[bus]": 0.8}
    with pytest.raises(
        ValueError, match=r"levels of 'm' are unknown: give its item `levels=\[...\]`, the first of which"
    ):
        model.simulate(truth, pd.DataFrame({"x": [1.0, 2.0]}))
