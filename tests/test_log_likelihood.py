"""A log-likelihood of one's own in the place of a choice: against kernels that the library has, and what it cannot say."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE, ROWS = 40, 3
RULE = iclv.GaussHermite(7, adaptive=False)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    found = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), ROWS)})
    found["age"] = np.repeat(rng.normal(size=PEOPLE), ROWS)
    found[["t", "c"]] = rng.normal(size=(len(found), 2))
    return found.assign(q1=0.0, q2=0.0)


def index(b, x, lv):
    return b.asc + b.t * x.t + b.c * x.c + b.att * lv.trust


def plain(b, x, lv):
    return {1: index(b, x, lv), 0: 0.0}


def logit(b, x, lv):
    return -jnp.logaddexp(0.0, jnp.where(x.y == 1, -1.0, 1.0) * index(b, x, lv))


def chance(b, x, lv):
    return {"yes": jax.nn.sigmoid(index(b, x, lv))}


def draw(p, u):
    return {"y": jnp.where(u.one < p.yes, 1.0, 0.0)}


def hybrid(choice, **random):
    items = [iclv.Continuous(q, of="trust") for q in ("q1", "q2")]
    return iclv.Model([iclv.Latent("trust", on=["age"])], items, choice, random=random)


OWN = iclv.LogLikelihood(logit, "y", predict=chance, draw=draw)
TRUTH = {"asc": 0.2, "t": -1.0, "c": -0.5, "att": 0.8, "t.sd": 0.7, "trust ~ age": 0.5}
TRUTH |= {f"trust =~ {q}": 0.8 for q in ("q1", "q2")} | {f"{q} ~ 1": 0.1 for q in ("q1", "q2")}
TRUTH |= {f"{q} ~~ {q}": 0.5 for q in ("q1", "q2")}


@pytest.fixture(scope="module")
def data(frame):
    return hybrid(OWN, t=iclv.Normal()).simulate(TRUTH, frame, seed=1, person="id")


@pytest.mark.gate("False")
@pytest.mark.parametrize("within", [False, True])
def test_a_logit_of_ones_own_is_the_logit(data, within):
    """With a latent variable and a random coefficient, of people or of situations."""
    own, known = (
        hybrid(choice, t=iclv.Normal(within=within)).bind(data, person="id", integration=RULE)
        for choice in (OWN, iclv.Logit(plain, "y"))
    )
    params = own.vector(TRUTH)
    np.testing.assert_allclose(
        own.loglike_person(params), known.loglike_person(known.vector(TRUTH)), rtol=1e-12
    )
    exact = own.hessian(params, method="exact")
    np.testing.assert_allclose(exact, own.hessian(params, method="autodiff"), rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def fits(data):
    return [
        iclv.Model(choice=choice).fit(data.assign(trust=data["q1"]), person="id", progress=False)
        for choice in (
            iclv.LogLikelihood(_observed(logit), "y", predict=_observed(chance), draw=draw),
            iclv.Logit(_observed(plain), "y"),
        )
    ]


def _observed(function):
    """The function with the latent variable as a column."""
    return lambda b, x, lv: function(b, x, x)


def test_after_the_fit(fits, data, tmp_path):
    own, known = fits
    assert own.converged and own.llf == pytest.approx(known.llf, rel=1e-10)
    np.testing.assert_allclose(own.bse, known.bse, rtol=1e-6)
    np.testing.assert_allclose(own.predict()["yes"], known.predict()[1], rtol=1e-6)
    np.testing.assert_allclose(
        own.elasticities("t").aggregate.loc["yes"], known.elasticities("t").aggregate.loc[1], rtol=1e-5
    )
    with pytest.raises(ValueError, match="returns a log-likelihood, not utilities"):
        own.willingness_to_pay("t", "c")
    # Of people to come it is not known what they will do.
    new = data.assign(trust=data["q1"]).drop(columns="y").head(5)
    np.testing.assert_allclose(own.predict(new)["yes"], own.predict()["yes"].head(5), rtol=1e-10)
    own.save(tmp_path / "own.npz")
    again = iclv.Model(choice=iclv.LogLikelihood(_observed(logit), "y", _observed(chance), draw))
    loaded = iclv.load(tmp_path / "own.npz", again, data.assign(trust=data["q1"]))
    pd.testing.assert_frame_equal(loaded.predict(), own.predict())


def test_a_summary_says_what_has_no_meaning(fits):
    text = str(fits[0].summary(details=True))
    assert "choice explains numbers, not which alternative is chosen" in text
    assert "Rho-squared" not in text and "Constants" not in text
    assert np.isnan(fits[0].components.equal_shares) and np.isnan(fits[0].components.rho_squared)
    for verb in ("shares", "hit_rate", "choice_fit"):
        with pytest.raises(ValueError, match="no shares and no hits"):
            getattr(fits[0], verb)()


def test_without_predictions_there_are_none(data):
    model = iclv.Model(choice=iclv.LogLikelihood(_observed(logit), "y"))
    fit = model.fit(data.assign(trust=data["q1"]), person="id", progress=False)
    with pytest.raises(ValueError, match="predict: the log-likelihood 'choice' does not say what to expect"):
        fit.predict()
    with pytest.raises(
        ValueError, match="Nothing can be simulated: the log-likelihood 'choice' does not say how"
    ):
        model.simulate(dict(fit.params), data.assign(trust=data["q1"]))
    assert "y" in str(model.describe(data.assign(trust=data["q1"])))


def test_what_is_missing_is_no_situation(data):
    some = data.assign(trust=data["q1"], y=data["y"].where(data.index != 4))
    panel = iclv.Model(choice=iclv.LogLikelihood(_observed(logit), "y")).bind(some, person="id").panel
    assert panel.situations == len(data) - 1 and "1 of 120 rows" in panel.notes[0]
    with pytest.raises(
        ValueError, match=r"Row 4: 'c' is missing \(NaN\) although the function of the choice uses it"
    ):
        lost = data.assign(trust=data["q1"], c=data["c"].where(data.index != 4))
        iclv.Model(choice=iclv.LogLikelihood(_observed(logit), "y")).bind(lost, person="id")


@pytest.mark.slow
def test_in_latent_classes(data):
    def other(b, x, lv):
        return -jnp.logaddexp(0.0, jnp.where(x.y == 1, -1.0, 1.0) * (b.other + b.t * x.t))

    def other_chance(b, x, lv):
        return {"yes": jax.nn.sigmoid(b.other + b.t * x.t)}

    def membership(b, x, lv):
        return {"one": b.m + b.m_att * lv.trust, "two": 0.0}

    def mixed(one, two):
        return hybrid(iclv.LatentClasses(membership, {"one": one, "two": two}))

    own = mixed(OWN, iclv.LogLikelihood(other, "y", predict=other_chance, draw=draw))
    known = mixed(iclv.Logit(plain, "y"), iclv.Logit(lambda b, x, lv: {1: b.other + b.t * x.t, 0: 0.0}, "y"))
    values = TRUTH | {"m": 0.3, "m_att": 0.5, "other": 1.0}
    a, b = (m.bind(data, person="id", integration=RULE) for m in (own, known))
    np.testing.assert_allclose(
        a.loglike_person(a.vector({n: values[n] for n in a.names})),
        b.loglike_person(b.vector({n: values[n] for n in b.names})),
        rtol=1e-12,
    )
    drawn = own.simulate({n: values[n] for n in a.names}, data, seed=2, person="id")
    assert drawn["y"].isin([0.0, 1.0]).all() and drawn["y"].nunique() == 2


def test_draws_like_the_data_are_drawn_in_the_columns_too(fits):
    """The parametric bootstrap writes answers where the function reads them."""
    found = fits[0].check_consistency(samples=3)
    assert np.isfinite(found.table.to_numpy()).all()


def days(b, x, lv):
    return b.rate - jnp.exp(b.rate) * x.days


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: iclv.LogLikelihood(days, []), "explains= names the columns"),
        (
            lambda: iclv.LogLikelihood(days, "day"),
            "'day', which the log-likelihood does not use. Did you mean 'days'",
        ),
        (lambda: iclv.LogLikelihood(plain, "t"), "returns one number, the log-likelihood of a row"),
        (lambda: iclv.LogLikelihood(days, "days", draw=draw), "draw= is a function of the predictions"),
        (lambda: iclv.LogLikelihood(days, "days", predict=days), "predict= returns a mapping"),
        (
            lambda: iclv.LogLikelihood(days, "days", predict=lambda b, x, lv: {"m": x.days * b.rate}),
            "'m' uses the column 'days', which is not known",
        ),
        (
            lambda: iclv.LogLikelihood(
                days, "days", lambda b, x, lv: {"m": b.rate}, lambda p, u: {"day": u.one}
            ),
            "draw= returns a mapping from the columns in explains=",
        ),
        (
            lambda: iclv.LogLikelihood(
                days, "days", lambda b, x, lv: {"m": b.rate}, lambda p, u: {"days": p.mean}
            ),
            "draw= uses 'mean', which predict= does not return",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        iclv.Model([iclv.Latent("trust")], [iclv.Continuous("q1", of="trust")], choice=build())


def test_a_sample_of_durations_comes_back():
    """Exponential durations with a mean by covariate: drawn, and estimated."""

    def mean(b, x, lv):
        return {"days": jnp.exp(b.const + b.slope * x.z)}

    def density(b, x, lv):
        m = b.const + b.slope * x.z
        return -m - x.days / jnp.exp(m)

    choice = iclv.LogLikelihood(density, "days", mean, lambda p, u: {"days": -p.days * jnp.log(u.one)})
    frame = pd.DataFrame({"z": np.random.default_rng(0).normal(size=2000)})
    model = iclv.Model(choice=choice)
    data = model.simulate({"const": 1.0, "slope": -0.5}, frame, seed=3)
    fit = model.fit(data, progress=False)
    assert abs(fit.params["const"] - 1.0) < 4.0 * fit.bse["const"] < 0.2
    assert abs(fit.params["slope"] + 0.5) < 4.0 * fit.bse["slope"] < 0.2
