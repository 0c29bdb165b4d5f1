"""What any measurement family and any choice kernel must pass, and members that a user writes."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import after
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, Logit, Ordered, Probit, Thresholds, families

# The templates of the documentation are the members of a user.
TEMPLATES = re.findall(r"```python\n(.*?)```", families.__doc__, re.DOTALL)
OWN: dict = {"__name__": __name__}
for template in TEMPLATES:
    exec(template, OWN)
Count, ScaledLogit = OWN["Count"], OWN["ScaledLogit"]


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.use * lv.trust, "b": 0.0}


LIKERT = [1, 3, 2, 4, 5, 3, 2, 3, 4, 1, 5]


@pytest.mark.gate(
    "item0-answers0-support0",
    "item3-answers3-None",
    "item5-answers5-None",
    "item8-answers8-None",
    "item9-answers9-support9",
)
@pytest.mark.parametrize(
    ("item", "answers", "support"),
    [
        (Continuous("y", of="trust"), [0.3, -1.2, 2.0, 0.8], np.linspace(-25.0, 25.0, 4001)),
        (
            Continuous("y", of=["trust", "mood"], intercept=False),
            [0.3, -1.2, 2.0],
            np.linspace(-25.0, 25.0, 4001),
        ),
        (Ordered("q", of="trust"), LIKERT, None),
        (
            Ordered("q", of="trust", link="logit", thresholds=Thresholds("s", symmetric=True), scale=True),
            LIKERT,
            None,
        ),
        (Count("n", of="trust"), [0.0, 2.0, 1.0, 5.0], np.arange(200.0)),
        (iclv.Binary("b", of="trust"), [0, 1, 1, 0, 1], None),
        (iclv.Binary("b", of="trust", guessing=True, slipping=True), [0, 1, 1, 0, 1], None),
        (iclv.PartialCredit("q", of="trust"), LIKERT, None),
        (iclv.Nominal("m", of=["trust", "mood"]), ["a", "b", "c", "c"], None),
        (iclv.Count("n", of="trust"), [0.0, 2.0, 1.0, 5.0], np.arange(200.0)),
        (iclv.Count("n", of="trust", dispersion=True), [0.0, 2.0, 1.0, 9.0, 0.0], np.arange(1000.0)),
        (iclv.Duration("d", of="trust"), [0.5, 1.2, 3.0, 0.7, 9.0], np.linspace(0.0, 18.0, 10_001)[1:] ** 2),
    ],
)
def test_every_family_passes(item, answers, support):
    families.check_indicator(item, answers, support)


@pytest.mark.gate("limits1-support1-atoms1")
@pytest.mark.parametrize(
    ("limits", "support", "atoms"),
    [
        ({"lower": 0.0}, np.linspace(1e-9, 12.0, 10_001), [0.0]),
        ({"lower": 0.0, "upper": 2.0}, np.linspace(1e-9, 2.0 - 1e-9, 4001), [0.0, 2.0]),
    ],
)
def test_censored_items_pass(limits, support, atoms):
    """A density between the limits, and probabilities at them."""
    families.check_indicator(
        iclv.Censored("y", of="trust", **limits), [0.0, 0.0, 1.0, 2.0, 1.2], support, atoms
    )


@pytest.mark.parametrize(("kernel", "alternatives"), [(Logit, 4), (Probit, 2), (ScaledLogit, 3)])
def test_every_kernel_passes(kernel, alternatives):
    families.check_kernel(kernel(utility, "choice"), alternatives)


class Twice(Count):
    """A density that is not one."""

    def log_density(self, cells, values, index):
        return super().log_density(cells, values, index) + 0.1


class Elsewhere(Count):
    """Draws from another distribution."""

    def sample(self, cells, index, key):
        return super().sample(cells, index, key) + 1.0


class Unequal(ScaledLogit):
    """Probabilities that see what is not on offer."""

    def log_density(self, cells, utilities, outcome, offered):
        return jax.nn.log_softmax(cells["scale"] * utilities)[outcome]


@pytest.mark.parametrize(("member", "message"), [(Twice, "adds up to 1.105"), (Elsewhere, "mean of draws")])
def test_what_does_not_hold_is_said(member, message):
    with pytest.raises(AssertionError, match=message):
        families.check_indicator(member("n", of="trust"), [0.0, 2.0, 1.0, 5.0], np.arange(200.0))


def test_a_kernel_that_does_not_hold_is_told():
    with pytest.raises(AssertionError, match="add up to"):
        families.check_kernel(Unequal(utility, "choice"), 3)


def test_members_of_a_user_are_simulated_and_fitted():
    """Counts and a scaled logit in one model; the scale is known, and so the logit is the plain one."""
    generator = np.random.default_rng(0)
    data = pd.DataFrame({"age": generator.normal(size=80), "price": generator.normal(size=80)})

    def model(kernel, **parts):
        items = [Count(f"n{k}", of="trust") for k in (1, 2)]
        return iclv.Model([Latent("trust", on=["age"])], items, kernel(utility, "choice"), **parts)

    truth = {"trust ~ age": 0.5, "asc": 0.2, "price": -0.8, "use": 0.6}
    truth |= {f"n{k} ~ 1": 0.3 for k in (1, 2)} | {f"trust =~ n{k}": 0.6 for k in (1, 2)}
    own = model(ScaledLogit, fixed={"scale": 2.0})
    data = own.simulate(truth, data, seed=1)
    rule = GaussHermite(15, adaptive=False)
    one, two = (m.bind(data, integration=rule) for m in (own, model(Logit)))
    params = one.vector(truth)
    doubled = two.vector({n: 2.0 * v if n in ("asc", "price", "use") else v for n, v in truth.items()})
    np.testing.assert_allclose(one.loglike_person(params), two.loglike_person(doubled), rtol=1e-10)
    value, score, hessian, _ = one.expansion(params)
    # One Newton step from the truth goes uphill, and not far: the draws are those of the density.
    step = -np.linalg.solve(hessian, score)
    assert 0.0 < score @ step < 30.0
    assert float(one.loglike(params + step)) > float(value)
    assert "n1 ~ 1" in own.describe(data).to_frame()["name"].tolist()


@dataclass(frozen=True)
class Written(families.Kernel):
    """A log-likelihood as a kernel of one's own: the one outcome is chosen always."""

    utility: Any
    chosen: str
    available: Any = None
    name: str = "choice"
    indexed: ClassVar[bool] = True

    def __post_init__(self):
        families.normalise_kernel(self)

    def check(self, alternatives):
        pass

    def declare(self):
        return families.Declared((), ())

    def log_density(self, cells, utilities, outcome, offered):
        return utilities[0]

    def sample(self, cells, utilities, offered, key):
        return jnp.zeros((), int)


def test_a_kernel_without_alternatives_has_no_shares():
    """Neither rho-squared of one nor probabilities of one, which would say nothing."""
    data = pd.DataFrame({"price": np.linspace(0.5, 2.0, 30), "y": "index"})
    problem = iclv.Model(choice=Written(lambda b, x, lv: b.rate - jnp.exp(b.rate) * x.price, "y")).bind(data)
    fit = after.fit_at(problem, problem.start())
    text = str(fit.summary(details=True))
    assert "not defined: there is one outcome only, 'index'" in text and "Rho-squared" not in text
    assert np.isnan(fit.components.rho_squared)
    for verb in ("predict", "shares", "choice_fit"):
        with pytest.raises(ValueError, match="one outcome only, 'index', so there is nothing to predict"):
            getattr(fit, verb)()


def counted():
    """Counts and a continuous item of one latent variable, with a choice that it enters."""
    generator = np.random.default_rng(3)
    frame = pd.DataFrame({"age": generator.normal(size=150), "price": generator.normal(size=150)})
    items = [Count("n1", of="trust"), Count("n2", of="trust")]
    items += [iclv.Continuous(q, of="trust") for q in ("c1", "c2", "c3")]
    model = iclv.Model([Latent("trust", on=["age"])], items, Logit(utility, "choice"))
    truth = {"trust ~ age": 0.5, "asc": 0.2, "price": -0.8, "use": 0.6}
    truth |= {f"n{k} ~ 1": 0.3 for k in (1, 2)} | {f"trust =~ n{k}": 0.6 for k in (1, 2)}
    for q in ("c1", "c2", "c3"):
        truth |= {f"{q} ~ 1": 0.0, f"trust =~ {q}": 0.8, f"{q} ~~ {q}": 0.5}
    data = model.simulate(truth, frame, seed=1)
    problem = model.bind(data, integration=GaussHermite(15, adaptive=False))
    return after.fit_at(problem, problem.vector(truth)), truth


@pytest.mark.slow
def test_what_has_no_variance_is_left_out_of_standard_units_and_named():
    fit, p = counted()
    variance = 1.0 + p["trust ~ age"] ** 2 * np.var(fit.problem.panel.frame.data["age"])
    effects, standard, reliable = fit.effects(), fit.standardized(), fit.reliability()
    assert effects.loc[("age", "c1"), "total"] == pytest.approx(0.5 * 0.8)
    assert standard.loc["trust =~ n1", "std.lv"] == pytest.approx(0.6 * np.sqrt(variance))
    assert np.isnan(standard.loc["trust =~ n1", "std.all"]) and "R2 n1" not in standard.index
    assert standard.loc["R2 c1", "std.all"] == pytest.approx(0.64 * variance / (0.64 * variance + 0.5))
    common = (3 * 0.8) ** 2 * variance
    assert reliable.loc["trust", "omega"] == pytest.approx(common / (common + 1.5))
    assert reliable.loc["trust", "items"] == 3
    for found in (effects, standard, reliable):
        assert sum("family Count" in note for note in found.attrs["notes"]) == 2


@dataclass(frozen=True)
class Density(families.Kernel):
    """The first utility is the log-likelihood itself, whatever was chosen."""

    utility: Any
    chosen: str
    available: Any = None

    def __post_init__(self):
        families.normalise_kernel(self)

    def check(self, alternatives):
        pass

    def declare(self):
        return families.Declared((), ())

    def log_density(self, cells, utilities, outcome, offered):
        return utilities[0]

    def sample(self, cells, utilities, offered, key):
        return jnp.zeros((), int)


@pytest.mark.parametrize("same", [True, False])
def test_what_a_kernel_of_a_user_leaves_undefined_is_said(same):
    """Counts written as a choice: a Poisson log density."""
    generator = np.random.default_rng(0)
    data = pd.DataFrame(
        {"n": generator.poisson(2.0, 60) * 1.0, "y": 1 if same else generator.integers(0, 2, 60)}
    )

    def log_density(b, x, lv):
        return {1: x.n * b.level - jnp.exp(b.level), 0: 0.0 * x.n}

    fit = iclv.Model(choice=Density(log_density, "y")).fit(data, progress=False)
    assert fit.params["level"] == pytest.approx(np.log(data["n"].mean()), rel=1e-6)
    text = str(fit.summary())
    assert "not defined" in text and "Rho-squared" not in text and "constants only" not in text
    assert np.isnan(fit.components.rho_squared) and np.isnan(fit.components.constants)


# --- a family, a kernel and a second choice from outside ------------------------------------------------------------


def card(b, x, lv):
    return {"x": b.price * x.cost + b.use * lv.trust, "y": b.asc_y, "z": 0.0}


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A model of parts that the package does not know, its data, its fit and the file of that."""
    model = iclv.Model(
        latent=[Latent("trust", on=["age"])],
        indicators=[Count("n", of="trust"), Continuous("y", of="trust")],
        choice=[Logit(utility, "mode", name="mode"), ScaledLogit(card, "card", name="cards")],
    )
    truth = {
        "trust ~ age": 0.5, "n ~ 1": 0.3, "trust =~ n": 0.4, "y ~ 1": 0.0, "trust =~ y": 0.8, "y ~~ y": 0.5, "asc": 0.2,
        "price": -0.8, "use": 0.6, "asc_y": 0.3, "scale": 1.5,
    }  # fmt: skip
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(250), 3), "age": np.repeat(generator.normal(size=250), 3)}
    )
    frame = frame.assign(price=generator.normal(size=750), cost=generator.normal(size=750))
    data = model.simulate(truth, frame, seed=1, person="id")
    fit = model.fit(data, person="id", integration=GaussHermite(9), progress=False)
    path = tmp_path_factory.mktemp("saved") / "fit.npz"
    fit.save(path)
    return model, truth, data, fit, path


def test_what_comes_from_outside_is_fitted(outside):
    _, truth, _, fit, _ = outside
    assert fit.converged
    far = (fit.params - pd.Series(truth)) / fit.bse
    assert far.abs().max() < 3.5 and set(fit.names) == set(truth)
    problem, at = fit.problem, jnp.asarray(fit.estimates)
    np.testing.assert_allclose(problem.hessian(at), problem.hessian(at, "autodiff"), rtol=1e-8, atol=1e-7)


def test_what_comes_from_outside_is_predicted_and_reported(outside):
    _, _, data, fit, _ = outside
    counts = fit.predict_items(errors=True)
    assert set(counts["n"].columns) == {
        "mean", "mean.se", "sd", "sd.se",
    }  # fmt: skip
    observed = data.drop_duplicates("id").set_index("id")["n"]
    assert counts["n", "mean"].mean() == pytest.approx(observed.mean(), rel=0.1)
    # A Poisson count varies by its own mean and by that of the mean.
    assert (counts["n", "sd"] ** 2 > counts["n", "mean"]).all()
    found = fit.predict(choice="cards", errors=True)
    np.testing.assert_allclose(found[["x", "y", "z"]].sum(axis=1), 1.0)
    assert np.isfinite(found).all(axis=None)
    shares = fit.shares(choice="cards")
    np.testing.assert_allclose(shares["observed"], shares["predicted"], atol=0.05)
    assert fit.willingness_to_pay("use", cost="price", choice="mode").cost == "price"
    text = str(fit.summary())
    assert "of mode (marginal)" in text and "of cards (marginal)" in text and "scale" in text
    assert "n" in fit.standardized().attrs["notes"][0]


def test_what_comes_from_outside_is_saved(outside):
    model, _, data, fit, path = outside
    alone, whole = iclv.load(path), iclv.load(path, model, data)
    pd.testing.assert_series_equal(alone.params, fit.params)
    assert whole.llf == pytest.approx(fit.llf, abs=1e-9)
    pd.testing.assert_frame_equal(whole.predict(choice="cards"), fit.predict(choice="cards"))
    other = iclv.Model(
        latent=[Latent("trust", on=["age"])],
        indicators=[Count("n", of="trust"), Continuous("y", of="trust")],
        choice=[Logit(utility, "mode", name="mode"), Logit(card, "card", name="cards")],
    )
    with pytest.raises(ValueError, match=r"The file holds a fit of another model"):
        iclv.load(path, other, data)
