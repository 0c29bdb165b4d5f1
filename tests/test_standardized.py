"""Standardised covariates: another path to the same maximum, reported in the units of the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Standardized

PEOPLE = 200
ITEMS = ("y1", "y2", "y3")
REGIONS = np.array(["south", "north", "west"])


def survey(seed=3, people=PEOPLE):
    """An attitude that depends on income (in euros), birth year and region, and three items."""
    generator = np.random.default_rng(seed)
    income = generator.lognormal(10.0, 0.5, people)
    year = generator.integers(1950, 2000, people).astype(float)
    region = REGIONS[np.arange(people) % 3]
    green = 3e-5 * income + 0.03 * (year - 1975.0) + 0.6 * (region == "north") + generator.normal(size=people)
    items = {q: 0.5 + 0.8 * green + 0.6 * generator.normal(size=people) for q in ITEMS}
    return pd.DataFrame({"income": income, "year": year, "region": region, **items})


def model(*on, intercept=False, **options):
    fixed = {"y1 ~ 1": 0.0} if intercept else {}
    return iclv.Model(
        latent=[iclv.Latent("green", on=on, intercept=intercept)],
        indicators=[iclv.Continuous(q, of="green") for q in ITEMS],
        fixed=fixed | options.pop("fixed", {}),
        **options,
    )


def units(problem):
    """d params / d z at the start values."""
    mapping, constants = problem.table.map, problem.core.constants
    z = mapping.unconstrained(constants, problem.start())
    return np.asarray(jax.jacfwd(lambda v: mapping.natural(constants, v))(z))


def place(problem, name):
    return problem.names.index(name)


# --- the same model ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "intercept"),
    [pytest.param("z", False, marks=pytest.mark.slow), ("minmax", True)],
    ids=["scaled", "centred"],
)
def test_estimates_and_standard_errors_are_those_of_the_raw_columns(how, intercept):
    # Income in thousands and years since 1900: the raw columns must be within reach of the optimiser too.
    data = survey().assign(income=lambda d: d["income"] / 1e3, year=lambda d: d["year"] - 1900.0)
    options = {"progress": False, "optimizer": iclv.TrustRegion(tolerance=1e-13)}
    raw = model("income", "year", intercept=intercept).fit(data, **options)
    standard = model(Standardized("income", how), Standardized("year"), intercept=intercept)
    fit = standard.fit(data, **options)
    assert raw.converged and fit.converged
    assert list(fit.params.index) == list(raw.params.index)
    assert fit.llf == pytest.approx(raw.llf, abs=1e-6)
    np.testing.assert_allclose(fit.params, raw.params, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.bse, raw.bse, rtol=1e-6)
    pd.testing.assert_frame_equal(
        fit.table()[["estimate", "se"]], raw.table()[["estimate", "se"]], rtol=1e-6, atol=1e-6
    )


@pytest.mark.slow
def test_dummies_are_those_made_by_hand():
    data = survey().assign(income=lambda d: d["income"] / 1e4)
    by_hand = data.assign(north=(data["region"] == "north") * 1.0, west=(data["region"] == "west") * 1.0)
    raw = model("income", "north", "west").fit(by_hand, progress=False)
    one_hot = Standardized("region", "one-hot", baseline="south")
    fit = model("income", one_hot).fit(data, progress=False)
    names = {"green ~ north": "green ~ region[north]", "green ~ west": "green ~ region[west]"}
    np.testing.assert_allclose(
        fit.params[list(raw.params.rename(names).index)], raw.params, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(fit.bse[list(raw.params.rename(names).index)], raw.bse, rtol=1e-6)
    assert fit.llf == pytest.approx(raw.llf, abs=1e-6)
    assert "green ~ region[north]" in str(fit.summary())


@pytest.mark.parametrize("intercept", [False, True])
def test_the_log_likelihood_is_that_of_the_raw_columns_everywhere(intercept):
    data = survey()
    raw = model("income", "year", intercept=intercept).bind(data)
    standard = model(Standardized("income"), Standardized("year", "minmax"), intercept=intercept).bind(data)
    params = raw.start() + 0.1 * jnp.asarray(np.random.default_rng(1).normal(size=len(raw.names)))
    params = params * jnp.where(jnp.arange(len(raw.names)) == place(raw, "green ~ income"), 1e-4, 1.0)
    np.testing.assert_allclose(standard.loglike(params), raw.loglike(params), rtol=1e-12)
    np.testing.assert_allclose(standard.score(params), raw.score(params), rtol=1e-9)


# --- what the optimiser moves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "unit"), [("z", lambda x: x.std()), ("minmax", np.ptp)])
def test_the_optimiser_moves_standard_units(how, unit):
    data = survey()
    problem = model(Standardized("income", how), "year").bind(data)
    stretch = units(problem)
    at = place(problem, "green ~ income")
    assert stretch[at, at] == pytest.approx(1.0 / unit(data["income"].to_numpy()))
    assert stretch[place(problem, "green ~ year"), place(problem, "green ~ year")] == 1.0
    assert np.count_nonzero(stretch[:, at]) == 1


def test_a_free_intercept_takes_the_centre():
    data = survey()
    problem = model(Standardized("year"), intercept=True).bind(data)
    slope, intercept = place(problem, "green ~ year"), place(problem, "green ~ 1")
    year = data["year"].to_numpy()
    assert units(problem)[intercept, slope] == pytest.approx(-year.mean() / year.std())


def test_z_and_params_go_both_ways():
    problem = model(Standardized("year"), Standardized("income", "minmax"), intercept=True).bind(survey())
    mapping, constants = problem.table.map, problem.core.constants
    params = problem.start() + 0.3
    np.testing.assert_allclose(
        mapping.natural(constants, mapping.unconstrained(constants, params)), params, rtol=1e-12
    )


@pytest.mark.parametrize(
    "bounds", [{"green ~ year": (0.0, None)}, {"green ~ year": (0.0, None), "green ~ 1": (-9, 9)}]
)
def test_bounded_slopes_stay_in_their_units(bounds):
    problem = model(Standardized("year"), intercept=True, bounds=bounds).bind(survey())
    at = place(problem, "green ~ year")
    assert units(problem)[at, at] == 1.0


def test_moments_count_every_person_once():
    data = survey(people=50)
    rows = data.loc[np.repeat(data.index, np.arange(50) % 4 + 1)].rename_axis("id").reset_index()
    panel = model(Standardized("income")).bind(rows, person="id").panel
    ((centre, unit),) = panel.moments.values()
    assert (centre, unit) == pytest.approx((data["income"].mean(), data["income"].std(ddof=0)))


def test_other_data_of_the_same_shape_compile_nothing_anew():
    one, other = (model(Standardized("income"), intercept=True).bind(survey(seed)) for seed in (1, 2))
    assert one.core.structure == other.core.structure
    assert hash(one.core.structure) == hash(other.core.structure)
    assert not np.array_equal(one.core.constants, other.core.constants)


def test_a_covariate_in_large_units_is_flagged_unless_standardised():
    data = survey().assign(old=(lambda d: (d["year"] < 1970) * 1.0))
    raw = model("income", "old").bind(data)
    standard = model(Standardized("income"), "old").bind(data)
    found = iclv.diagnose(raw, raw.start())
    assert any("'income'" in s and "scales" in s for s in found.sentences)
    assert iclv.diagnose(standard, standard.start()).healthy


# --- nominal columns --------------------------------------------------------------------------------------------


def slopes(problem):
    return [n for n in problem.names if n.startswith("green ~ ")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["green ~ region[south]", "green ~ region[west]"]),
        ({"baseline": "west"}, ["green ~ region[north]", "green ~ region[south]"]),
        ({"levels": ["west", "south", "north"]}, ["green ~ region[south]", "green ~ region[north]"]),
    ],
)
def test_levels_and_baseline(options, expected):
    assert slopes(model(Standardized("region", "one-hot", **options)).bind(survey())) == expected


def test_categories_give_the_order_and_numbers_their_names():
    data = survey()
    categories = pd.Categorical(data["region"], ["west", "east", "north", "south"])
    problem = model(Standardized("region", "one-hot")).bind(data.assign(region=categories))
    assert slopes(problem) == ["green ~ region[north]", "green ~ region[south]"]
    codes = data.assign(region=np.arange(PEOPLE) % 3 + 1.0)
    assert slopes(model(Standardized("region", "one-hot")).bind(codes)) == [
        "green ~ region[2]",
        "green ~ region[3]",
    ]


def test_levels_are_kept_for_new_data():
    one_hot, data = model(Standardized("region", "one-hot")), survey()
    bound = one_hot.bind(data)
    part = data[data["region"] != "west"].reset_index(drop=True)
    again = one_hot.bind(part, levels=bound.panel.levels)
    assert again.names == bound.names
    params = bound.start() + 0.1
    people = np.flatnonzero(data["region"] != "west")
    np.testing.assert_allclose(again.loglike_person(params), bound.loglike_person(params)[people], rtol=1e-12)
    with pytest.raises(ValueError, match=r"'east'.*none of its levels"):
        one_hot.bind(part.assign(region="east"), levels=bound.panel.levels)
    with pytest.raises(ValueError, match=r"lacks the nominal covariate 'region'.*panel\.levels"):
        one_hot.bind(part, levels={})


def test_one_column_may_serve_several_equations():
    region = Standardized("region", "one-hot")
    both = iclv.Model(
        latent=[
            iclv.Latent("green", on=[region, Standardized("income")]),
            iclv.Latent("calm", on=[region, "income"]),
        ],
        indicators=[iclv.Continuous(q, of="green") for q in ITEMS[:2]] + [iclv.Continuous("y3", of="calm")],
        fixed={"y3 ~~ y3": 0.5},
    )
    problem = both.bind(survey())
    assert problem.panel.person.covariates.shape == (PEOPLE, 3)
    stretch = np.diag(units(problem))
    assert stretch[place(problem, "green ~ income")] < 1e-3
    assert stretch[place(problem, "calm ~ income")] == 1.0


def test_describe_says_how_they_are_estimated_and_against_what():
    both = model(Standardized("income"), Standardized("region", "one-hot"))
    text = str(both.describe(survey()))
    assert "effect of income on green (estimated per standard deviation; given per unit)" in text
    assert "effect of region[west] on green, against north" in text
    before = str(both.describe())
    assert "green ~ region[other]" in before and "region" in before
    assert "centred" in str(model(Standardized("income"), intercept=True).describe(survey()))


def test_simulated_data_follow_the_dummies():
    one_hot = model(Standardized("region", "one-hot"))
    params = {"green ~ region[south]": 3.0, "green ~ region[west]": -3.0}
    params |= (
        {f"{q} ~ 1": 0.0 for q in ITEMS}
        | {f"green =~ {q}": 1.0 for q in ITEMS}
        | {f"{q} ~~ {q}": 0.1 for q in ITEMS}
    )
    means = one_hot.simulate(params, survey()[["region"]], seed=4).groupby("region")["y1"].mean()
    np.testing.assert_allclose(means[["north", "south", "west"]], [0.0, 3.0, -3.0], atol=0.6)


# --- bad input --------------------------------------------------------------------------------------------------


def with_region(values):
    return survey().assign(region=values)


BAD = {
    "how": (lambda: Standardized("age", "zscore"), r"how is 'z', 'minmax', 'one-hot', not 'zscore'"),
    "column": (lambda: Standardized(["age"]), r"name of a column, not \['age'\]"),
    "levels of numbers": (lambda: Standardized("age", levels=[1, 2]), r"belong to how='one-hot'"),
    "one level": (lambda: Standardized("r", "one-hot", levels=["a"]), r"at least two different levels"),
    "baseline": (
        lambda: Standardized("r", "one-hot", levels=["a", "b"], baseline="c"),
        r"baseline 'c' is none of the levels",
    ),
    "twice": (lambda: model("income", Standardized("income")), r"predictor 'income' twice"),
    "latent": (
        lambda: iclv.Model(
            latent=[iclv.Latent("green"), iclv.Latent("calm", on=[Standardized("green")])],
            indicators=[iclv.Continuous(q, of=["green", "calm"]) for q in ITEMS],
        ),
        r"Standardized\('green'\) names a latent variable",
    ),
    "itself": (lambda: iclv.Latent("green", on=[Standardized("green")]), r"predictor of itself"),
    "indicator": (lambda: model(Standardized("y1", "one-hot")), r"indicator as well"),
    "two ways": (
        lambda: iclv.Model(
            latent=[
                iclv.Latent("green", on=[Standardized("region", "one-hot")]),
                iclv.Latent("calm", on=[Standardized("region", "one-hot", baseline="west")]),
            ],
            indicators=[iclv.Continuous("y1", of="green"), iclv.Continuous("y2", of="calm")],
        ),
        r"dummies in two different ways",
    ),
    "text": (
        lambda: model(Standardized("region")).bind(survey()),
        r"'region' holds 'south'.*text and no number",
    ),
    "constant": (lambda: model(Standardized("year")).bind(survey().assign(year=2.0)), r"'year' is constant"),
    "missing": (
        lambda: model(Standardized("region", "one-hot")).bind(with_region([None, *["a", "b"] * 99, "a"])),
        r"'region' is missing \(NaN\) for 1 person, first for person 0",
    ),
    "only one": (
        lambda: model(Standardized("region", "one-hot")).bind(with_region("a")),
        r"only the level 'a'.*Remove it",
    ),
    "too many": (
        lambda: model(Standardized("income", "one-hot")).bind(survey()),
        r"200 different values.*Group its values",
    ),
    "mixed": (
        lambda: model(Standardized("region", "one-hot")).bind(with_region([1, "a"] * 100)),
        r"mixes text and numbers.*levels=",
    ),
    "empty level": (
        lambda: model(Standardized("region", "one-hot", levels=["south", "north", "west", "east"])).bind(
            survey()
        ),
        r"nobody has the level 'east'",
    ),
    "unknown level": (
        lambda: model(Standardized("region", "one-hot", levels=["south", "north"])).bind(survey()),
        r"holds 'west' for person 2, which is none of its levels",
    ),
    "absent": (lambda: model(Standardized("incom")).bind(survey()), r"Did you mean 'income'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    act, words = BAD[case]
    with pytest.raises(ValueError, match=words):
        act()
