"""Groups of people with parameters of their own, and what is equal across them."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import iclv_jax as iclv


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.att * lv.green, "b": 0.0}


def ordered(**parts):
    items = [iclv.Ordered(f"q{k}", of="green") for k in (1, 2, 3)]
    choice = iclv.Logit(utility, chosen="choice")
    return iclv.Model([iclv.Latent("green", on=["age"])], items, choice, group="land", **parts)


def continuous(**parts):
    items = [iclv.Continuous(f"y{k}", of="green") for k in (1, 2, 3)]
    latent = [iclv.Latent("green", on=["age"], scale=parts.pop("scale", "variance"))]
    return iclv.Model(latent, items, parts.pop("choice", None), group=parts.pop("group", "land"), **parts)


@pytest.fixture(scope="module")
def people():
    """Two lands, the second with a higher mean and another spread of the attitude, and one item that works differently."""
    rng = np.random.default_rng(4)
    count = 150
    land = np.where(rng.random(count) < 0.4, "south", "north")
    land[0] = "north"
    south = (land == "south").astype(float)
    age, price = rng.normal(size=(2, count))
    green = 0.5 * age + 0.4 * south + (1.0 + 0.3 * south) * rng.normal(size=count)
    answers = 0.9 * green[:, None] + rng.normal(size=(count, 3)) + np.outer(south, [0.0, 0.0, 0.9])
    lead = 0.3 - price * (1.0 + 0.5 * south) + 0.7 * green + rng.logistic(size=count)
    frame = {f"q{k + 1}": np.digitize(answers[:, k], [-0.7, 0.8]) + 1 for k in range(3)}
    frame |= {f"y{k + 1}": answers[:, k] + 3.0 for k in range(3)}
    return pd.DataFrame(
        {"land": land, "age": age, "price": price, "choice": np.where(lead > 0, "a", "b"), **frame}
    )


@pytest.fixture(scope="module")
def pupils():
    return iclv.datasets.holzinger_swineford(download=True)


def factors(**parts):
    of = {"visual": ("x1", "x2", "x3"), "textual": ("x4", "x5", "x6"), "speed": ("x7", "x8", "x9")}
    pairs = [("visual", "textual"), ("visual", "speed"), ("textual", "speed")]
    return iclv.Model(
        [iclv.Latent(name, scale="loading") for name in of],
        [iclv.Continuous(x, of=name) for name, items in of.items() for x in items],
        covariances=pairs,
        group="school",
        **parts,
    )


# --- names ----------------------------------------------------------------------------------------------------------


def test_parameters_carry_the_name_of_their_group(people):
    problem = ordered().bind(people)
    plain = {row.parameter.base for row in problem.table.rows}
    assert plain == {row.parameter.base for row in iclv_rows(people)}
    assert len(problem.names) == 2 * 13
    assert "green =~ q2 [north]" in problem.names and "price [south]" in problem.names
    assert problem.table.row("green ~~ green [south]").standing == "fixed"


def iclv_rows(people):
    items = [iclv.Ordered(f"q{k}", of="green") for k in (1, 2, 3)]
    choice = iclv.Logit(utility, chosen="choice")
    return iclv.Model([iclv.Latent("green", on=["age"])], items, choice).bind(people).table.rows


def test_what_is_equal_keeps_its_name_and_frees_means_and_variances(people):
    problem = ordered(equal_across=["loadings", "thresholds", "choice"]).bind(people)
    assert {"green =~ q1", "q1 | 1", "price"} <= set(problem.names)
    rows = {row.name: row for row in problem.table.rows}
    assert (rows["green ~ 1 [north]"].status, rows["green ~ 1 [north]"].value) == ("fixed", 0.0)
    assert (rows["green ~~ green [north]"].status, rows["green ~~ green [north]"].value) == ("fixed", 1.0)
    assert {"green ~ 1 [south]", "green ~~ green [south]", "green ~ age [south]"} <= set(problem.names)


def test_means_stay_at_zero_until_locations_are_equal(people):
    assert not any("green ~ 1" in n for n in continuous(equal_across=["loadings"]).bind(people).names)
    strong = continuous(equal_across=["loadings", "intercepts"]).bind(people)
    assert "green ~ 1 [south]" in strong.names and "y3 ~ 1" in strong.names
    partly = continuous(equal_across=["loadings", "intercepts"], free_across=["y3 ~ 1"]).bind(people)
    assert {"y3 ~ 1 [north]", "y3 ~ 1 [south]", "y2 ~ 1"} <= set(partly.names)
    same = continuous(equal_across=["loadings", "intercepts", "means", "latent variances"]).bind(people)
    assert not any(n.startswith(("green ~ 1", "green ~~")) for n in same.names)


def test_a_plain_name_speaks_of_every_group(people):
    model = continuous(
        fixed={"y1 ~~ y1": 0.8, "y1 ~ 1 [south]": 3.0},
        equal=[["green =~ y1", "green =~ y2"], ["y2 ~ 1 [north]", "y2 ~ 1 [south]"]],
        define={
            "y3 ~~ y3": lambda p: 2.0 * p["y2 ~~ y2"],
            "ratio": lambda p: p["green ~ age"],
            "green =~ y3": lambda p: p.ratio,
        },
        start={"y2 ~~ y2": 0.7},
        derived={"share": lambda p: p["y2 ~~ y2"] / p["y3 ~~ y3"]},
        covariances=[("y1", "y2")],
    )
    problem = model.bind(people)
    row = problem.table.row
    assert [row(f"y1 ~~ y1 [{land}]").value for land in ("north", "south")] == [0.8, 0.8]
    assert row("y1 ~ 1 [south]").status == "fixed" and row("y1 ~ 1 [north]").status == "free"
    assert row("green =~ y2 [south]").tied == "green =~ y1 [south]"
    assert row("y2 ~ 1 [south]").tied == "y2 ~ 1 [north]"
    values = problem.unpack(problem.start(), everything=True)
    for land in ("north", "south"):
        assert float(values[f"y3 ~~ y3 [{land}]"]) == pytest.approx(1.4)
        assert float(values[f"share [{land}]"]) == pytest.approx(0.5)
        assert row(f"y1 ~~ y2 [{land}]").status == "free"
        assert float(values[f"green =~ y3 [{land}]"]) == float(values[f"green ~ age [{land}]"])


def test_groups_come_in_the_order_of_the_data_or_of_their_categories(people):
    assert continuous().bind(people).spec.groups.names == ("north", "south")
    dtype = pd.CategoricalDtype(["south", "north"], ordered=True)
    assert continuous().bind(people.astype({"land": dtype})).spec.groups.names == ("south", "north")
    assert "Groups are read" in str(continuous().describe())
    assert "green =~ y1 [south]" in str(continuous().describe(people))


# --- the likelihood -------------------------------------------------------------------------------------------------


def at(problem):
    """Some parameters away from the start, and the problem with its nodes there."""
    rng = np.random.default_rng(1)
    params = problem.start() + 0.05 * jnp.asarray(rng.normal(size=len(problem.names)))
    return problem.recentre(params), params


@pytest.mark.parametrize("equal", [pytest.param((), marks=pytest.mark.slow), ("loadings", "thresholds")])
def test_the_likelihood_of_ordered_items_and_a_choice(people, equal):
    """The log-likelihoods of the groups by themselves."""
    free = ["green =~ q2", "q3 | 1"] if equal else []
    model = ordered(equal_across=equal, free_across=free)
    problem, params = at(model.bind(people, integration=iclv.GaussHermite(5)))
    values, each = problem.unpack(params, everything=True), problem.loglike_person(params)
    for label in ("north", "south"):
        alone = of_one(label, problem, people[people.land == label])
        mine = {n: values[f"{n} [{label}]"] if f"{n} [{label}]" in values else values[n] for n in alone.names}
        own = alone.vector(mine)
        np.testing.assert_allclose(
            alone.recentre(own).loglike_person(own), each[(people.land == label).to_numpy()], rtol=1e-10
        )


@pytest.mark.slow
def test_derivatives_of_ordered_items_and_a_choice(people):
    model = ordered(equal_across=("loadings", "thresholds"), free_across=["green =~ q2", "q3 | 1"])
    problem, params = at(model.bind(people, integration=iclv.GaussHermite(5)))
    score = problem.score(params)
    np.testing.assert_allclose(score, jax.grad(problem.loglike)(params), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(problem.score_person(params).sum(axis=0), score, rtol=1e-9, atol=1e-9)
    exact, automatic = problem.hessian(params), problem.hessian(params, method="autodiff")
    np.testing.assert_allclose(exact, automatic, rtol=1e-9, atol=1e-9 * float(jnp.abs(automatic).max()))


def of_one(label, problem, frame):
    """The model of one group alone, with a mean where the group has one."""
    located = any(r.parameter.base == "green ~ 1" for r in problem.table.rows)
    items = [iclv.Ordered(f"q{k}", of="green", levels=[1, 2, 3]) for k in (1, 2, 3)]
    if not located:
        return iclv.Model(
            [iclv.Latent("green", on=["age"])], items, iclv.Logit(utility, chosen="choice")
        ).bind(frame, integration=iclv.GaussHermite(5))
    # A mean and a variance of its own, held so that each model is identified by itself.
    values = {r.parameter.base: r for r in problem.table.rows if r.parameter.group in ("", label)}
    params = problem.unpack(at(problem)[1], everything=True)
    held = {n: float(params[values[n].name]) for n in ("green ~ 1", "green ~~ green")}
    return iclv.Model(
        [iclv.Latent("green", on=["age"], intercept=True)],
        items,
        iclv.Logit(utility, chosen="choice"),
        fixed=held,
    ).bind(frame, integration=iclv.GaussHermite(5))


@pytest.mark.slow
def test_the_likelihood_of_continuous_items_is_that_of_normal_groups(people):
    frame = people.copy()
    frame.loc[[3, 40], "y2"] = np.nan
    model = continuous(
        equal_across=["loadings", "intercepts"],
        covariances=[("y1", "y2")],
        define={"y3 ~~ y3": lambda p: p["y1 ~~ y1"] * p["y2 ~~ y2"]},
    )
    problem, params = at(model.bind(frame))
    values = {n: float(v) for n, v in problem.unpack(params, everything=True).items()}

    def of(name, land):
        return values.get(f"{name} [{land}]", values.get(name))

    expected = []
    for row in frame.itertuples():
        load = np.array([of(f"green =~ y{k}", row.land) for k in (1, 2, 3)])
        mean = of("green ~ 1", row.land) + of("green ~ age", row.land) * row.age
        centre = np.array([of(f"y{k} ~ 1", row.land) for k in (1, 2, 3)]) + load * mean
        spread = np.outer(load, load) * of("green ~~ green", row.land)
        spread += np.diag([of(f"y{k} ~~ y{k}", row.land) for k in (1, 2, 3)])
        spread[[0, 1], [1, 0]] += of("y1 ~~ y2", row.land)
        y = np.array([row.y1, row.y2, row.y3])
        seen = ~np.isnan(y)
        expected.append(stats.multivariate_normal.logpdf(y[seen], centre[seen], spread[np.ix_(seen, seen)]))
    np.testing.assert_allclose(problem.loglike_person(params), expected, rtol=1e-10)
    exact, automatic = problem.hessian(params), problem.hessian(params, method="autodiff")
    np.testing.assert_allclose(exact, automatic, rtol=1e-9, atol=1e-9 * float(jnp.abs(automatic).max()))
    np.testing.assert_allclose(problem.score_person(params).sum(axis=0), problem.score(params), atol=1e-9)


STRONG = {
    "visual =~ x2": (0.575661, 0.100772),
    "visual =~ x3": (0.798431, 0.111727),
    "textual =~ x5": (1.119934, 0.066013),
    "textual =~ x6": (0.931975, 0.056117),
    "speed =~ x8": (1.129523, 0.145065),
    "speed =~ x9": (1.009077, 0.131612),
    "x1 ~~ x1 [Pasteur]": (0.555441, 0.139465),
    "x2 ~~ x2 [Pasteur]": (1.296296, 0.158363),
    "x3 ~~ x3 [Pasteur]": (0.9444, 0.136297),
    "x4 ~~ x4 [Pasteur]": (0.445428, 0.069274),
    "x5 ~~ x5 [Pasteur]": (0.502401, 0.081882),
    "x6 ~~ x6 [Pasteur]": (0.263207, 0.050002),
    "x7 ~~ x7 [Pasteur]": (0.888343, 0.119794),
    "x8 ~~ x8 [Pasteur]": (0.540711, 0.09476),
    "x9 ~~ x9 [Pasteur]": (0.653566, 0.096045),
    "visual ~~ visual [Pasteur]": (0.796208, 0.171577),
    "textual ~~ textual [Pasteur]": (0.879448, 0.131384),
    "speed ~~ speed [Pasteur]": (0.322388, 0.082376),
    "visual ~~ textual [Pasteur]": (0.409739, 0.095454),
    "visual ~~ speed [Pasteur]": (0.178058, 0.066266),
    "textual ~~ speed [Pasteur]": (0.180099, 0.062107),
    "x1 ~ 1": (5.001404, 0.089696),
    "x2 ~ 1": (6.151206, 0.076982),
    "x3 ~ 1": (2.271215, 0.08293),
    "x4 ~ 1": (2.777936, 0.086937),
    "x5 ~ 1": (4.034724, 0.096392),
    "x6 ~ 1": (1.925624, 0.078834),
    "x7 ~ 1": (4.242128, 0.073172),
    "x8 ~ 1": (5.630458, 0.071697),
    "x9 ~ 1": (5.465289, 0.069167),
    "x1 ~~ x1 [Grant-White]": (0.653706, 0.128338),
    "x2 ~~ x2 [Grant-White]": (0.964158, 0.123413),
    "x3 ~~ x3 [Grant-White]": (0.640571, 0.101417),
    "x4 ~~ x4 [Grant-White]": (0.343131, 0.061999),
    "x5 ~~ x5 [Grant-White]": (0.376319, 0.073315),
    "x6 ~~ x6 [Grant-White]": (0.437085, 0.066634),
    "x7 ~~ x7 [Grant-White]": (0.625048, 0.095079),
    "x8 ~~ x8 [Grant-White]": (0.434059, 0.088327),
    "x9 ~~ x9 [Grant-White]": (0.522142, 0.085567),
    "visual ~~ visual [Grant-White]": (0.708006, 0.160277),
    "textual ~~ textual [Grant-White]": (0.870092, 0.130665),
    "speed ~~ speed [Grant-White]": (0.505003, 0.115336),
    "visual ~~ textual [Grant-White]": (0.426973, 0.096663),
    "visual ~~ speed [Grant-White]": (0.328612, 0.082034),
    "textual ~~ speed [Grant-White]": (0.23612, 0.073243),
    "visual ~ 1 [Grant-White]": (-0.147699, 0.121968),
    "textual ~ 1 [Grant-White]": (0.576363, 0.11719),
    "speed ~ 1 [Grant-White]": (-0.17735, 0.090135),
}


# --- lavaan's numbers -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_equal_loadings_and_intercepts_of_holzinger_and_swineford(pupils):
    """lavaan 0.6-14: log-likelihood, fit measures, estimates, standard errors from the expected information, and
    standardised estimates."""
    model = factors(equal_across=["loadings", "intercepts"])
    near = {name: round(estimate, 1) or 0.1 for name, (estimate, _) in STRONG.items()}
    fit = model.fit(pupils, progress=False, start=near)
    assert fit.llf == pytest.approx(-3706.323256, abs=1e-4)
    measures = fit.fit_measures()
    published = {
        "cfi": 0.882472,
        "tli": 0.858966,
        "rmsea": 0.107371,
        "srmr": 0.082447,
        "chi2": 164.10283,
        "df": 60,
    }
    assert {k: measures[k] for k in published} == pytest.approx(published, abs=1e-5)
    estimates, errors = zip(*(STRONG[name] for name in fit.names), strict=True)
    np.testing.assert_allclose(fit.estimates, estimates, atol=1e-4)
    information = expected_information(fit.problem, jnp.asarray(fit.estimates))
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(information))), errors, rtol=1e-3)
    # The observed information is another estimate of the same.
    np.testing.assert_allclose(fit.bse, errors, rtol=0.25)
    standard = fit.standardized()["std.all"]
    assert standard["Pasteur", "textual =~ x4"] == pytest.approx(0.81474, abs=1e-4)
    assert standard["Grant-White", "textual =~ x4"] == pytest.approx(0.84686, abs=1e-4)
    assert standard["Grant-White", "visual ~ 1"] == pytest.approx(-0.17553, abs=1e-4)


def expected_information(problem, params):
    """Of normal items: `n (mu' S^-1 mu + tr(S^-1 dS S^-1 dS) / 2)`, group by group."""
    items, latents = [f"x{k}" for k in range(1, 10)], ["visual", "textual", "speed"]
    total = 0.0
    for at, label in enumerate(problem.spec.groups.names):

        def moments(p, label=label):
            values = problem.unpack(p, everything=True)

            def of(name):
                return values.get(f"{name} [{label}]", values.get(name, jnp.zeros(())))

            load = jnp.stack([jnp.stack([of(f"{v} =~ {x}") for v in latents]) for x in items])
            both = [[of(f"{a} ~~ {b}") + float(a != b) * of(f"{b} ~~ {a}") for b in latents] for a in latents]
            spread = load @ jnp.stack(list(map(jnp.stack, both))) @ load.T
            spread = spread + jnp.diag(jnp.stack([of(f"{x} ~~ {x}") for x in items]))
            mean = jnp.stack([of(f"{x} ~ 1") for x in items]) + load @ jnp.stack(
                [of(f"{v} ~ 1") for v in latents]
            )
            return mean, spread

        spread = np.asarray(moments(params)[1])
        by_mean, by_spread = map(np.asarray, jax.jacfwd(moments)(params))
        inverse, count = np.linalg.inv(spread), int((problem.panel.person.group == at).sum())
        turned = np.einsum("ij,jkp->ikp", inverse, by_spread)
        total = total + count * (
            by_mean.T @ inverse @ by_mean + 0.5 * np.einsum("ijp,jiq->pq", turned, turned)
        )
    return total


@pytest.mark.slow
def test_the_ladder_of_holzinger_and_swineford(pupils):
    found = iclv.invariance(factors(), pupils, progress=False)
    published = {
        "configural": (-3682.197512, 115.851, 48),
        "loadings": (-3686.293612, 124.044, 54),
        "intercepts": (-3706.323256, 164.103, 60),
        "residuals": (-3715.027513, 181.511, 69),
    }
    assert list(found.fits) == list(published)
    for step, (loglike, chi2, df) in published.items():
        row = found.measures.loc[step]
        assert row.loglike == pytest.approx(loglike, abs=1e-4)
        assert row.chi2 == pytest.approx(chi2, abs=1e-3) and row.df == df
    assert found.level == "loadings" and found.rejected == "intercepts"
    assert found.score_tests().index[0] == "x3 ~ 1"
    assert found.group_means("intercepts").loc[("Grant-White", "textual"), "mean"] == pytest.approx(
        0.576, abs=1e-3
    )


# --- after the fit --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(people):
    model = ordered(equal_across=["loadings", "thresholds"], free_across=["q3 | 1", "q3 | 2"])
    return model, model.fit(people, progress=False, integration=iclv.GaussHermite(7))


def test_a_hybrid_with_groups_is_fitted_and_reported(fitted, people):
    _, fit = fitted
    assert fit.converged and np.isfinite(fit.bse).all()
    text = str(fit.summary())
    assert "Measurement equations, south" in text and "Choice model, north" in text
    assert "north 90, south 60" in text.replace("  ", " ") or "Groups by land" in text
    for kind in ("robust", "bhhh"):
        assert np.isfinite(fit.standard_errors(kind)).all()
    assert fit.standardized().index.get_level_values("group").unique().tolist() == ["north", "south"]
    assert ("south", "age", "green") in fit.effects().index
    assert fit.reliability().shape[0] == 2
    assert fit.latent_scores().shape[0] == len(people)
    assert fit.predict().shape[0] == len(people)
    assert "price [south]" in fit.table().index
    assert fit.willingness_to_pay("att", "price").people.notna().all()


def test_predictions_are_those_of_the_persons_group(fitted, people):
    _, fit = fitted
    one = people.iloc[[0]].assign(land="south")
    both = pd.concat([people.iloc[[0]], one], ignore_index=True)
    north, south = fit.predict(both, given="nothing").to_numpy()[:, 0]
    values = fit.all_params
    for label, found in (("north", north), ("south", south)):
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        mean = values[f"green ~ 1 [{label}]"] + values[f"green ~ age [{label}]"] * both.age[0]
        green = mean + values[f"green ~~ green [{label}]"] ** 0.5 * nodes
        lead = values[f"asc [{label}]"] + values[f"price [{label}]"] * both.price[0]
        share = 1.0 / (1.0 + np.exp(-lead - values[f"att [{label}]"] * green))
        assert found == pytest.approx(weights @ share / weights.sum(), abs=1e-8)
    with pytest.raises(ValueError, match="'west' for person 0, which is none of the model's groups"):
        fit.predict(people.iloc[[0]].assign(land="west"))


def test_a_model_with_groups_is_simulated_saved_and_read(fitted, people, tmp_path):
    model, fit = fitted
    drawn = model.simulate(dict(fit.params), people, seed=3)
    assert set(drawn.q1.unique()) == {1, 2, 3} and len(drawn) == len(people)
    fit.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", model, people)
    assert again.llf == pytest.approx(fit.llf, abs=1e-9)
    other = people.assign(land=people.land.map({"north": "south", "south": "north"}))
    with pytest.raises(ValueError, match=r"fit of other data|fit of another model"):
        iclv.load(tmp_path / "fit.npz", model, other)


@pytest.mark.slow
def test_score_tests_agree_with_the_larger_model(fitted, people):
    _, fit = fitted
    found = fit.equality_tests()
    assert set(found.index) == {
        "green =~ q1",
        "green =~ q2",
        "green =~ q3",
        "q1 | 1",
        "q1 | 2",
        "q2 | 1",
        "q2 | 2",
    }
    name = str(found.index[0])
    free = ["q3 | 1", "q3 | 2", name]
    larger = ordered(equal_across=["loadings", "thresholds"], free_across=free)
    bound = larger.bind(people, integration=iclv.GaussHermite(7))
    values = {f"{name} [{land}]": fit.params[name] for land in ("north", "south")}
    assert found.statistic[name] == pytest.approx(fit.lm_test(bound, values).statistic, rel=1e-4)
    with pytest.raises(ValueError, match="no free parameter that the groups share"):
        fit.equality_tests(["q3 | 1"])


def test_surplus_by_group(fitted, people):
    """Money is worth to everybody what it is worth in the own group."""
    _, fit = fitted
    found = fit.scenario(people, people.assign(price=people["price"] + 0.5), cost="price")
    p, land = fit.all_params, people["land"].to_numpy()

    def of(name):
        return np.array([p[f"{name} [{g}]"] for g in land])

    z, weights = np.polynomial.hermite_e.hermegauss(40)
    eta = of("green ~ age") * people["age"] + of("green ~ 1")
    eta = eta.to_numpy()[:, None] + np.sqrt(of("green ~~ green"))[:, None] * z
    v = (of("asc") + of("price") * people["price"]).to_numpy()[:, None] + of("att")[:, None] * eta
    change = np.logaddexp(0.0, v + 0.5 * of("price")[:, None]) - np.logaddexp(0.0, v)
    expected = change @ (weights / weights.sum()) / -of("price")
    np.testing.assert_allclose(found.surplus, expected, rtol=1e-6)
    assert not found.notes


@pytest.mark.slow
def test_the_ladder_of_continuous_items(people):
    found = iclv.invariance(
        continuous(group=None), people, group="land", steps=["loadings", "intercepts"], progress=False
    )
    assert list(found.fits) == ["loadings", "intercepts"]
    assert found.rejected == "intercepts" and found.score_tests().index[0] == "y3 ~ 1"
    assert "Measurement invariance" in str(found) and "y3 ~ 1" in found._repr_html_()
    assert found.tests.df["intercepts"] == 2
    assert found.group_means("intercepts").index.tolist() == [("south", "green")]
    released = iclv.invariance(
        continuous(), people, steps=["intercepts"], free_across=["y3 ~ 1"], progress=False
    )
    assert "y3 ~ 1 [south]" in released.fits["intercepts"].names and released.tests.empty


@pytest.mark.slow
def test_the_ladder_of_items_with_levels_has_their_measures(people):
    items = [iclv.Ordered(f"q{k}", of="green") for k in (1, 2, 3)]
    found = iclv.invariance(iclv.Model([iclv.Latent("green")], items), people, "land", progress=False)
    assert list(found.fits) == ["configural", "loadings", "thresholds"]
    direct = found.fits["thresholds"].fit_measures()
    for name in ("c2", "df", "cfi2", "rmsea2", "srmsr"):
        assert found.measures.loc["thresholds", name] == direct[name]
    assert direct["df"] > 0 and "cfi2.change" in found.measures
    head = str(found).splitlines()
    assert any("C2" in line and "RMSEA2" in line and "SRMSR" in line for line in head)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"group": None, "equal_across": ["loadings"]}, "speaks of groups, but there are none"),
        ({"group": 3}, "group= is the name of a column, not 3"),
        ({"equal_across": ["loading"]}, "not 'loading'. Did you mean 'loadings'"),
        ({"equal_across": ["loadings", "loadings"]}, "holds 'loadings' twice"),
    ],
)
def test_words_without_a_meaning_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        continuous(**parts)


@pytest.mark.parametrize(
    ("change", "parts", "message"),
    [
        ({"land": "north"}, {}, "holds only the group 'north'"),
        ({"land": ["north", None] * 75}, {}, "missing .NaN. for 75 people, first for person 1"),
        ({"land": [1, "1"] * 75}, {}, "look alike in names"),
        ({"land": None}, {}, "missing"),
        ({}, {"group": "country"}, "needs the column 'country'"),
        ({}, {"equal_across": ["loadings"], "free_across": ["y3 ~ 1"]}, "free_across= names 'y3 ~ 1'"),
        (
            {},
            {"equal_across": ["loadings"], "define": {"green =~ y1": lambda p: p["y1 ~~ y1"]}},
            "depends on 'y1 ~~ y1', which is not. Name a group",
        ),
        ({}, {"fixed": {"y1 ~~ y1 [west]": 1.0}}, "does not have"),
    ],
)
def test_groups_that_do_not_fit_the_data_are_named(people, change, parts, message):
    with pytest.raises(ValueError, match=message):
        continuous(**parts).bind(people.assign(**change))


def test_what_a_group_lacks_is_said(people):
    south = people.land == "south"
    lost = people.assign(q2=people.q2.mask(south & (people.q2 == 3), 2))
    with pytest.raises(ValueError, match="In the group 'south': Ordered item 'q2' never has the level 3"):
        ordered().bind(lost)
    assert "q2 | 2" in ordered(equal_across=["loadings", "thresholds"]).bind(lost).names
    with pytest.raises(ValueError, match="Item 'y1' is missing for everyone in the group 'south'"):
        continuous().bind(people.assign(y1=people.y1.mask(south)))
    with pytest.raises(ValueError, match="In the group 'south': Continuous item 'y1' has the same value"):
        continuous().bind(people.assign(y1=people.y1.mask(south, 1.0)))
    with pytest.raises(ValueError, match="covariate 'age' is constant in the group 'south'"):
        continuous().bind(people.assign(age=people.age.mask(south, 1.0)))
    moved = people.assign(id=np.arange(len(people)) // 2)
    with pytest.raises(ValueError, match="'land' is not constant within person"):
        iclv.Model(
            choice=iclv.Logit(lambda b, x, lv: {"a": b.asc, "b": 0.0}, chosen="choice"), group="land"
        ).bind(moved, person="id")


def test_a_ladder_needs_groups_and_items(people):
    with pytest.raises(ValueError, match="name the column of the groups"):
        iclv.invariance(continuous(group=None), people)
    with pytest.raises(ValueError, match="steps= names 'thresholds'"):
        iclv.invariance(continuous(), people, steps=["thresholds"])
    with pytest.raises(ValueError, match="no items"):
        plain = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"a": b.asc, "b": 0.0}, chosen="choice"))
        iclv.invariance(plain, people, group="land")


def one_level_in_the_north(**options):
    random = np.random.default_rng(0)
    data = pd.DataFrame(random.normal(size=(40, 2)), columns=["y1", "y2"]).assign(
        where=["north", "south"] * 20
    )
    north = data["where"] == "north"
    data["yes"] = np.where(north, 1, random.integers(0, 2, 40))
    data["mode"] = np.where(north, "bus", random.choice(["bus", "car", "foot"], 40))
    kinds = {"yes": iclv.Binary, "mode": iclv.Nominal}
    items = [
        kinds[options.pop("item")](options.pop("column"), of="f"),
        *(iclv.Continuous(v, of="f") for v in ("y1", "y2")),
    ]
    return iclv.Model([iclv.Latent("f")], items, group="where", **options).bind(data)


@pytest.mark.parametrize(("item", "words"), [("yes", "level 0"), ("mode", "level 'car'")])
def test_a_group_with_one_level_of_an_item(item, words):
    with pytest.raises(ValueError, match=f"In the group 'north'.*never has the {words}.*equal intercepts by"):
        one_level_in_the_north(item=item, column=item)
    one_level_in_the_north(item=item, column=item, equal_across=["loadings", "intercepts"])
