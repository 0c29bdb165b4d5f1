"""Fit of items: limited-information statistics, S-X2 and l_z against plain numpy, and residuals that are standard normal."""

import itertools

import after
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, roots_hermitenorm

import iclv_jax as iclv
from iclv_jax import (
    Binary,
    Continuous,
    Count,
    Duration,
    GaussHermite,
    Latent,
    Nominal,
    Ordered,
    PartialCredit,
)
from iclv_jax._predict import _limited_information as limited

ITEMS = [f"item{i}" for i in range(1, 6)]
# Five binary items of section 7 of the Law School Admission Test, 1,000 people (Bock and Lieberman 1970): how many have
# which of the 32 patterns from 00000 to 11111.
COUNTS = """12 19 1 7 3 19 3 17 10 5 3 7 7 23 8 28 7 39 11 34 14 51 15 90 6 25 7 35 18 136 32 308"""
PATTERNS = np.array(list(itertools.product([0, 1], repeat=5)))
PEOPLE = np.array([float(c) for c in COUNTS.split()])
POINTS, WEIGHTS = roots_hermitenorm(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


TRUTH = {"f ~ x": 0.5, "f ~~ g": 0.4}
for k in range(3):
    TRUTH |= {f"f =~ o{k}": 0.8 + 0.2 * k, f"o{k} | 1": -0.6, f"o{k} | 2": 0.5, f"g =~ p{k}": 1.2}
    TRUTH |= {f"p{k} | 1": -0.4, f"p{k} | 2": 0.3}


@pytest.fixture(scope="module")
def law():
    model = iclv.Model([Latent("ability")], [Binary(q, "ability") for q in ITEMS])
    frame = pd.DataFrame(PATTERNS, columns=ITEMS).assign(people=PEOPLE)
    return model.fit(
        frame, weights="people", weights_are="frequency", integration=GaussHermite(41), progress=False
    )


def curves(params):
    """P(y = 1) by point and item, from loadings and intercepts in turn."""
    loadings, intercepts = params[:5], params[5:]
    return expit(intercepts + POINTS[:, None] * loadings)


def probabilities(params):
    """Of all 32 patterns."""
    p = curves(params)
    return WEIGHTS @ np.stack([np.prod(np.where(y, p, 1.0 - p), axis=1) for y in PATTERNS], axis=1)


def plain(law):
    return np.array([law.params[f"ability =~ {q}"] for q in ITEMS] + [law.params[f"{q} ~ 1"] for q in ITEMS])


def test_m2_is_that_of_the_whole_table(law):
    """`N e' (X - X D (D' X D)^-1 D' X) e` with X the inverse of the moments' covariance, all from the 32 probabilities."""
    pairs = list(itertools.combinations(range(5), 2))
    marks = np.array([*PATTERNS.T, *(PATTERNS[:, i] * PATTERNS[:, j] for i, j in pairs)], float)
    params, size = plain(law), PEOPLE.sum()
    p = probabilities(params)
    away = marks @ (PEOPLE / size - p)
    inverse = np.linalg.inv(marks @ (np.diag(p) - np.outer(p, p)) @ marks.T)
    slopes = marks @ after.differences(probabilities, params)
    inside = np.linalg.solve(slopes.T @ inverse @ slopes, slopes.T @ inverse @ away)
    m2 = size * (away @ inverse @ away - (slopes.T @ inverse @ away) @ inside)
    found = law.fit_measures()
    assert (found["df"], found["baseline_df"]) == (5, 10)
    assert found["m2"] == pytest.approx(m2, rel=1e-5)
    assert found["p"] == pytest.approx(stats.chi2(5).sf(m2), rel=1e-4)
    assert found["rmsea2"] == pytest.approx(((m2 - 5) / 5000) ** 0.5, rel=1e-4)
    # Of independent items the covariance of single answers and products is known.
    share = marks[:5] @ (PEOPLE / size)
    alone = np.prod(np.where(PATTERNS, share, 1.0 - share), axis=1)
    away = marks[5:] @ (PEOPLE / size - alone)
    spread = [share[i] * (1 - share[i]) * share[j] * (1 - share[j]) for i, j in pairs]
    assert found["baseline_m2"] == pytest.approx(size * (away**2 / spread).sum(), rel=1e-8)
    assert found["cfi2"] == pytest.approx(1.0 - (m2 - 5) / (found["baseline_m2"] - 10), rel=1e-5)
    data, model = (np.cov(PATTERNS.T, aweights=w, bias=True) for w in (PEOPLE, p))
    residual = [
        (data[i, j] / (data[i, i] * data[j, j]) ** 0.5 - model[i, j] / (model[i, i] * model[j, j]) ** 0.5)
        for i, j in pairs
    ]
    assert found["srmsr"] == pytest.approx(np.mean(np.square(residual)) ** 0.5, rel=1e-6)


@pytest.mark.parametrize("statistic", ["C2", "M2*"])
def test_the_statistics_are_one_where_items_are_binary(law, statistic):
    found = law.fit_measures(statistic=statistic)
    assert found[statistic.lower()] == pytest.approx(law.fit_measures()["m2"], rel=1e-9)


def test_s_x2_is_that_of_the_whole_table(law):
    p, sums = probabilities(plain(law)), PATTERNS.sum(axis=1)
    found = law.item_fit()
    assert list(found.index) == ITEMS and (found["df"] == 2).all() and (found["people"] == 1000).all()
    for i, q in enumerate(ITEMS):
        statistic = 0.0
        for k in range(1, 5):
            at = sums == k
            people, expected = PEOPLE[at].sum(), p[at & (PATTERNS[:, i] == 1)].sum() / p[at].sum()
            share = PEOPLE[at & (PATTERNS[:, i] == 1)].sum() / people
            statistic += people * (share - expected) ** 2 / (expected * (1.0 - expected))
        assert found.loc[q, "statistic"] == pytest.approx(statistic, rel=1e-6)
        assert found.loc[q, "p"] == pytest.approx(stats.chi2(2).sf(statistic), rel=1e-6)


@pytest.mark.slow
def test_s_x2_of_more_levels_and_a_covariate_is_that_of_all_patterns():
    names, grid = ["o0", "o1", "o2"], np.array(list(itertools.product([1, 2, 3], repeat=3)))
    model = iclv.Model([Latent("f", on=["x"])], [Ordered(q, "f", levels=[1, 2, 3]) for q in names])
    truth = {k: v for k, v in TRUTH.items() if k == "f ~ x" or k[-2:] in names or k[:2] in names}
    frame = pd.DataFrame({"x": np.random.default_rng(1).integers(-1, 2, 300) * 1.0})
    frame = model.simulate(truth, frame, seed=1)
    problem = model.bind(frame)
    found = after.fit_at(problem, problem.vector(truth)).item_fit(fewest=1e-9)
    values = np.array([-1.0, 0.0, 1.0])
    every = pd.DataFrame(np.tile(grid, (3, 1)), columns=names).assign(x=np.repeat(values, len(grid)))
    full = model.bind(every, integration=GaussHermite(61)).recentre(problem.vector(truth))
    shares = np.array([(frame["x"] == x).mean() for x in values])
    p = shares @ np.exp(np.asarray(full.loglike_person(problem.vector(truth)))).reshape(3, -1)
    sums, own = frame[names].sum(axis=1), grid.sum(axis=1)
    for i, q in enumerate(names):
        statistic, df = 0.0, -3
        for k in range(4, 9):
            people = frame[sums == k]
            levels = [v for v in (1, 2, 3) if ((own == k) & (grid[:, i] == v)).any()]
            df += len(levels) - 1
            for level in levels:
                expected = len(people) * p[(own == k) & (grid[:, i] == level)].sum() / p[own == k].sum()
                statistic += ((people[q] == level).sum() - expected) ** 2 / expected
        assert found.loc[q, "statistic"] == pytest.approx(statistic, rel=1e-6)
        assert found.loc[q, "df"] == df


def test_l_z_is_that_of_plain_numpy(law):
    found, scores = law.person_fit(), law.latent_scores()["ability"].to_numpy()
    params = plain(law)
    p = expit(params[5:] + scores[:, None] * params[:5])
    logit = np.log(p / (1.0 - p))
    value = np.where(PATTERNS, np.log(p), np.log(1.0 - p)).sum(axis=1)
    mean = (p * np.log(p) + (1.0 - p) * np.log(1.0 - p)).sum(axis=1)
    lz = (value - mean) / np.sqrt((p * (1.0 - p) * logit**2).sum(axis=1))
    np.testing.assert_allclose(found["lz"], lz, rtol=1e-8)
    assert (found["answers"] == 5).all()


# --- several latent variables, covariates, groups, gaps -------------------------------------------------------------


def several(**parts):
    items = [Ordered(f"o{k}", "f", levels=[1, 2, 3]) for k in range(3)]
    items += [PartialCredit(f"p{k}", "g", levels=[1, 2, 3]) for k in range(3)]
    return iclv.Model([Latent("f", on=["x"]), Latent("g")], items, covariances=[("f", "g")], **parts)


def simulated(seed, size=300, gaps=0.1):
    """Answers by seed; covariates and gaps are the same, so that nothing is compiled again."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": generator.integers(-1, 2, size) * 1.0, "school": np.arange(size) % 2})
    frame = several().simulate(TRUTH, frame, seed=seed)
    items = [n for n in frame if n[0] in "op"]
    gone = generator.uniform(size=(size, len(items))) < gaps
    gone[:, 0] &= ~gone[:, 1:].all(axis=1)
    frame[items] = frame[items].astype(float).mask(gone)
    return frame


@pytest.mark.gate("C2-19", "M2*-7", "None-19")
@pytest.mark.parametrize(("statistic", "df"), [("M2", 64), ("C2", 19), ("M2*", 7), (None, 19)])
def test_degrees_of_freedom_count_moments_and_parameters(statistic, df):
    """12 levels above the first (or 6 scores), with and without x; 60 pairs of levels or 15 of scores; 20 parameters."""
    problem = several().bind(simulated(0, 150))
    found = after.fit_at(problem, problem.vector(TRUTH)).fit_measures(statistic)
    assert found["df"] == df


@pytest.mark.slow
def test_groups_with_nothing_in_common_add_up():
    frame = simulated(1)
    grouped = several(group="school").bind(frame)
    apart = [several().bind(frame[frame["school"] == k].drop(columns="school")) for k in (0, 1)]
    values = [TRUTH, {n: 1.1 * v for n, v in TRUTH.items()}]
    both = {f"{n} [{k}]": v for k, own in enumerate(values) for n, v in own.items()}
    found = after.fit_at(grouped, grouped.vector(both)).fit_measures()
    parts = [after.fit_at(p, p.vector(v)).fit_measures() for p, v in zip(apart, values, strict=True)]
    for name in ("c2", "df", "baseline_c2", "baseline_df"):
        assert found[name] == pytest.approx(sum(p[name] for p in parts), rel=1e-8)
    assert found["srmsr"] == pytest.approx(np.mean([p["srmsr"] for p in parts]), rel=1e-8)


@pytest.mark.slow
def test_the_statistic_has_the_mean_and_spread_of_its_distribution():
    """At maxima of 40 samples with two latent variables, a covariate and gaps."""
    values = []
    for seed in range(40):
        fit = several().fit(simulated(seed), progress=False, start=TRUTH, integration=GaussHermite(7))
        values.append([fit.fit_measures(s) for s in ("M2", "C2")])
    for i, name in enumerate(("m2", "c2")):
        each, df = np.array([v[i][name] for v in values]), values[0][i]["df"]
        assert abs(each.mean() - df) < 4.0 * (2.0 * df / 40) ** 0.5
        assert 0.5 < each.var() / (2.0 * df) < 2.0


# --- residuals ------------------------------------------------------------------------------------------------------

KINDS = {
    "t ~ x": 0.6,
    "t =~ o": 1.2, "o | 1": -0.5, "o | 2": 0.6,
    "t =~ b": 1.5, "b ~ 1": 0.2,
    "m[u] ~ 1": 0.3, "t =~ m[u]": 0.7, "m[v] ~ 1": -0.2, "t =~ m[v]": -0.8,
    "n ~ 1": 0.5, "t =~ n": 0.4,
    "k ~ 1": 0.2, "t =~ k": 0.3, "k.dispersion": 0.5,
    "c ~ 1": 0.1, "t =~ c": 0.9, "c ~~ c": 0.8,
    "d ~ 1": 0.3, "t =~ d": 0.5, "d.shape": 1.5,
    "y ~ 1": 0.4, "t =~ y": 0.8, "y ~~ y": 0.7, "z ~ 1": 0.0, "t =~ z": 0.6, "z ~~ z": 1.0, "y ~~ z": 0.4,
}  # fmt: skip


def kinds():
    items = [
        Ordered("o", "t", levels=[1, 2, 3]),
        Binary("b", "t"),
        Nominal("m", "t", levels=["w", "u", "v"]),
        Count("n", "t"),
        Count("k", "t", dispersion=True),
        iclv.Censored("c", "t", lower=-0.5, upper=1.5),
        Duration("d", "t", event="ended"),
        Continuous("y", "t"),
        Continuous("z", "t"),
    ]
    return iclv.Model([Latent("t", on=["x"])], items, covariances=[("y", "z")])


@pytest.fixture(scope="module")
def every():
    generator = np.random.default_rng(5)
    frame = kinds().simulate(KINDS, pd.DataFrame({"x": generator.normal(size=600)}), seed=2)
    limit = generator.exponential(3.0, 600)
    frame = frame.assign(ended=(frame["d"] < limit).astype(int), d=np.minimum(frame["d"], limit))
    frame.loc[::9, "n"] = np.nan
    problem = kinds().bind(frame)
    return after.fit_at(problem, problem.vector(KINDS))


@pytest.mark.slow
@pytest.mark.parametrize("given", [pytest.param("others", marks=pytest.mark.slow), "nothing"])
def test_residuals_at_the_truth_are_standard_normal(every, given):
    found = every.item_residuals(given=given, seed=3)
    assert found.columns.tolist() == [i.column for i in kinds().spec.indicators]
    assert found["n"].isna().sum() == 67 and found.drop(columns="n").notna().all(axis=None)
    p = [stats.kstest(found[q].dropna(), "norm").pvalue for q in found]
    assert min(p) > 0.001
    if given == "others":
        # The distribution is the one given the others: what they say of the latent variable is no longer in it.
        against = every.latent_scores()["t"] * 0.0 + every.problem.panel.person.covariates[:, 0]
        assert np.abs(found.corrwith(against)).max() < 0.15


def test_residuals_are_those_of_plain_numpy(law):
    """The distribution of an answer given the other four, from the 32 probabilities, at the middle of its part."""
    p = probabilities(plain(law))
    found = [law.item_residuals(seed=s)["item2"].to_numpy() for s in (0, 1)]
    drawn = [np.random.default_rng(s).uniform(size=(32, 5))[:, 1] for s in (0, 1)]
    other = [PATTERNS.tolist().index([*y[:1], 1 - y[1], *y[2:]]) for y in PATTERNS.tolist()]
    zero = np.where(PATTERNS[:, 1] == 0, p, p[other]) / (p + p[other])
    for u, r in zip(drawn, found, strict=True):
        expected = np.where(PATTERNS[:, 1] == 0, u * zero, zero + u * (1.0 - zero))
        np.testing.assert_allclose(r, stats.norm.ppf(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_residuals_of_continuous_items_are_exact_and_agree_with_nodes():
    """In closed form, and by nodes where a function stands in the place of a linear equation."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 4)), columns=["x", "y", "z", "w"])
    frame.loc[3, "y"] = np.nan
    items = [Continuous(q, "t") for q in "yzw"]
    truth = {f"{q} ~ 1": 0.1 for q in "yzw"} | {f"t =~ {q}": 0.7 for q in "yzw"}
    truth |= {f"{q} ~~ {q}": 0.8 for q in "yzw"}
    linear = iclv.Model([Latent("t", on=["x"])], items, covariances=[("z", "w")]).bind(frame)
    curved = iclv.Model([Latent("t", on=lambda b, x, lv: b.slope * x.x)], items, covariances=[("z", "w")])
    curved = curved.bind(frame, integration=GaussHermite(31))
    both = [
        after.fit_at(p, p.vector(truth | {"z ~~ w": 0.2, name: 0.5})).item_residuals()
        for p, name in ((linear, "t ~ x"), (curved, "slope"))
    ]
    pd.testing.assert_frame_equal(*both, rtol=1e-5, atol=1e-6)
    # y alone: its mean given x and the other two, from their joint normal distribution.
    own, rest = np.full((3, 3), 0.49) + np.diag([0.8] * 3), frame[["z", "w"]].to_numpy()
    own[1, 2] = own[2, 1] = 0.69
    mean = 0.1 + 0.35 * frame["x"].to_numpy()
    weights = np.linalg.solve(own[1:, 1:], own[0, 1:])
    z = (frame["y"] - mean - (rest - mean[:, None]) @ weights) / (own[0, 0] - own[0, 1:] @ weights) ** 0.5
    np.testing.assert_allclose(both[0]["y"], z, rtol=1e-10)


def test_far_answers_have_finite_residuals():
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 40), "y": np.r_[np.linspace(-1, 1, 39), 30.0]})
    problem = iclv.Model([], [Continuous("y", [], on=["x"])]).bind(frame)
    fit = after.fit_at(problem, problem.vector({"y ~ 1": 0.0, "y ~ x": 0.0, "y ~~ y": 1.0}))
    np.testing.assert_allclose(fit.item_residuals()["y"], frame["y"], rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f.fit_measures(), "items with levels, without a choice.*goodness_of_fit"),
        (lambda f: f.item_fit(), "'m' has no levels in order"),
        (lambda f: f.item_residuals(given="all"), "given= is 'others' or 'nothing', not 'all'"),
        (lambda f: f.item_residuals(seed=-1), "seed= is a whole number"),
        (lambda f: iclv.plot.residuals_against(f, "q"), "'q' is no item"),
        (lambda f: iclv.plot.residuals_against(f, "y", "age"), "'age' is no latent variable or covariate"),
        (lambda f: iclv.plot.residual_quantiles(f, ["q"]), "'q' is no item"),
    ],
)
def test_what_cannot_be_said_is_told(every, call, words):
    with pytest.raises(ValueError, match=words):
        call(every)


def test_an_unknown_statistic_is_named(law):
    with pytest.raises(ValueError, match="statistic= is one of 'M2', 'C2', 'M2\\*', not 'M3'"):
        law.fit_measures("M3")


@pytest.mark.slow
def test_pictures_of_residuals(every):
    plt = pytest.importorskip("matplotlib.pyplot")
    ax = iclv.plot.residual_quantiles(every)
    assert len(ax.get_legend().get_texts()) == 9
    ax = iclv.plot.residuals_against(every, "o", "x")
    assert ax.get_xlabel() == "x" and ax.get_ylabel() == "Residual of o"
    assert iclv.plot.residuals_against(every, "y").get_xlabel() == "Expected answer to y"
    plt.close("all")


def residuals(parameters=4, moments=30, seed=0, dependent=False):
    random = np.random.default_rng(seed)
    root = random.normal(size=(moments, moments))
    root[-1] = root[:2].sum(axis=0) if dependent else root[-1]
    slopes = random.normal(size=(moments, parameters))
    if dependent:
        slopes[-1] = slopes[:2].sum(axis=0)
    slopes[:, -1] = 2.0 * slopes[:, 0]  # a direction that the others have already
    return limited.Residuals(random.normal(size=moments), root @ root.T, slopes)


def test_the_statistic_is_the_quadratic_form_in_what_parameters_do_not_move():
    part = residuals()
    rest = np.linalg.svd(part.slopes)[0][:, 3:]
    expected = part.away @ rest @ np.linalg.solve(rest.T @ part.covariance @ rest, rest.T @ part.away)
    found, df = limited.quadratic([part], shared=True)
    assert found == pytest.approx(expected, rel=1e-9) and df == 27
    groups = [residuals(), residuals(seed=1)]
    alone = [limited.quadratic([part], shared=True) for part in groups]
    found, df = limited.quadratic(groups, shared=False)
    assert found == pytest.approx(sum(v for v, _ in alone), rel=1e-9) and df == sum(d for _, d in alone)


def test_moments_that_are_functions_of_others_are_no_test():
    with pytest.raises(ValueError, match="functions of others"):
        limited.quadratic([residuals(dependent=True)], shared=True)


def test_moments_that_are_functions_of_others_where_parameters_move_them_are():
    part = residuals(parameters=2)
    covariance = part.covariance.copy()
    covariance[0], covariance[:, 0] = 0.0, 0.0
    covariance[0, 0] = 1e-30
    away = part.away.copy()
    slopes = np.eye(len(away))[:, :2]
    found, df = limited.quadratic([limited.Residuals(away, covariance, slopes)], shared=True)
    rest = covariance[2:, 2:]
    assert (
        found == pytest.approx(away[2:] @ np.linalg.solve(rest, away[2:]), rel=1e-9) and df == len(away) - 2
    )


STEEP = {
    "two parameters": lambda q: iclv.Binary(q, of="f"),
    "guessing": lambda q: iclv.Binary(q, of="f", guessing=True),
    "slipping": lambda q: iclv.Binary(q, of="f", slipping=True),
    "probit": lambda q: iclv.Ordered(q, of="f"),
    "logit": lambda q: iclv.Ordered(q, of="f", link="logit"),
    "partial credit": lambda q: iclv.PartialCredit(q, of="f"),
    "nominal": lambda q: iclv.Nominal(q, of="f"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "guessing" else pytest.mark.slow) for n in STEEP]
)
def test_an_item_without_end_leaves_the_degrees_of_freedom_as_they_are(name):
    levels = 2 if STEEP[name]("a").__class__ is iclv.Binary else 3
    data = pd.DataFrame(np.random.default_rng(0).integers(0, levels, (60, 5)), columns=list("abcde"))
    problem = iclv.Model([iclv.Latent("f")], [STEEP[name](q) for q in data]).bind(data)
    found = []
    for steep in (1.3, 400.0):
        values = {n: float(v) for n, v in zip(problem.names, problem.start(), strict=True)}
        values |= {n: 1.0 + 0.1 * k for k, n in enumerate(n for n in values if "=~" in n)}
        values[next(n for n in values if "=~ a" in n)] = steep
        values |= {n: 0.0 for n in values if "a.guessing" in n or "a.slipping" in n}
        found.append(after.fit_at(problem, problem.vector(values)).fit_measures("M2"))
    assert all(np.isfinite(measures["m2"]) for measures in found)
    moments = 5 * (levels - 1) + 10 * (levels - 1) ** 2
    assert all(moments - len(problem.names) <= measures["df"] < moments - 8 for measures in found)


def test_derivatives_that_are_not_numbers_are_no_degrees_of_freedom():
    part = residuals()
    part.slopes[0, 0] = np.nan
    with pytest.raises(ValueError, match="no derivatives at these estimates"):
        limited.quadratic([part], shared=True)
