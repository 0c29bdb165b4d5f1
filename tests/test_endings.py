"""Maxima that are none: nothing to be seen of a parameter, infinity, zero; and verdicts free of units."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE = 300


def choices(seed=0, people=PEOPLE):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(people, 3)), rng.normal(size=people)
    frame = pd.DataFrame({f"x{j}": x[:, j] for j in range(3)} | {"w": w, "female": np.arange(people) % 2.0})
    return frame.assign(y=(x + rng.gumbel(size=x.shape)).argmax(1))


def generic(b, x, lv):
    return {j: b.x * x[f"x{j}"] for j in range(3)}


def fitted(utility, frame, **options):
    kernel = options.pop("kernel", iclv.Logit)
    random = options.pop("random", {})
    return iclv.Model(choice=kernel(utility, "y"), random=random).fit(frame, progress=False, **options)


@pytest.mark.gate("optimizer0-1.0", "optimizer1-1000000.0")
@pytest.mark.parametrize("size", [1.0, 1e6, 1e-6])
@pytest.mark.parametrize("optimizer", [iclv.TrustRegion(), iclv.BHHH()])
def test_a_parameter_without_effect_leaves_the_rest_alone(size, optimizer):
    frame = choices()
    plain = fitted(generic, frame)
    more = fitted(
        lambda b, x, lv: {j: b.x * x[f"x{j}"] + b.f * x.female for j in range(3)},
        frame.assign(female=frame.female * size),
        optimizer=optimizer,
    )
    assert more.llf == pytest.approx(plain.llf, abs=1e-6)
    assert more.params["x"] == pytest.approx(plain.params["x"], abs=1e-4)
    assert more.bse["x"] == pytest.approx(plain.bse["x"], rel=1e-3) and np.isnan(more.bse["f"])
    assert more.optimizer_report.verdict.value == "singular" and more.optimizer_report.undetermined == ("f",)


def binary(b, x, lv):
    return {1: b.a + b.d * x.d + b.w * x.w, 0: 0.0}


@pytest.mark.parametrize("kernel", [iclv.Logit, pytest.param(iclv.Probit, marks=pytest.mark.slow)])
@pytest.mark.parametrize("unit", [1.0, 1e-5])
def test_quasi_separation_names_its_column_and_keeps_the_rest(kernel, unit):
    frame = choices(1)
    d = (np.arange(PEOPLE) % 9 == 0).astype(float)
    y = ((frame.w + np.random.default_rng(2).logistic(size=PEOPLE) > 0) | (d > 0)).astype(int)
    found = fitted(binary, frame.assign(d=d * unit, y=y), kernel=kernel)
    assert dict(found.optimizer_report.limits) == {"d": "infinity"} and not found.converged
    # The limit is the model of those whom d does not decide.
    rest = fitted(
        lambda b, x, lv: {1: b.a + b.w * x.w, 0: 0.0}, frame.assign(y=y)[d == 0].reset_index(), kernel=kernel
    )
    assert found.llf == pytest.approx(rest.llf, abs=1e-4)
    np.testing.assert_allclose(found.params[["a", "w"]], rest.params, atol=1e-4)
    np.testing.assert_allclose(found.bse[["a", "w"]], rest.bse, rtol=1e-3)
    assert "drifts to infinity" in str(found.summary())


@pytest.mark.parametrize("kernel", [iclv.Logit, iclv.Probit])
def test_complete_separation_is_said(kernel):
    frame = choices(1)
    found = fitted(binary, frame.assign(d=frame.x0, y=(frame.x0 > 0).astype(int)), kernel=kernel)
    assert "complete separation" in found.optimizer_report.message and not found.converged
    assert found.optimizer_report.limits["d"] == "infinity" and found.bse.isna().all()


def test_an_alternative_that_nobody_chose():
    frame = choices(3)
    found = fitted(
        lambda b, x, lv: {"car": 0.0, "bus": b.bus + b.w * x.w, "bike": b.bike},
        frame.assign(y=np.where(frame.y == 0, "bus", "car")),
    )
    assert dict(found.optimizer_report.limits) == {"bike": "minus infinity"}
    assert np.isfinite(found.bse[["bus", "w"]]).all() and np.isnan(found.bse["bike"])


@pytest.mark.slow
def test_a_heywood_case_goes_to_zero():
    rng = np.random.default_rng(2)
    z = rng.normal(size=40)
    sizes = {"y1": (1.5, 0.4), "y2": (0.5, 1.0), "y3": (0.5, 1.0)}
    frame = pd.DataFrame({q: a * z + e * rng.normal(size=40) for q, (a, e) in sizes.items()})
    found = iclv.Model([iclv.Latent("F")], [iclv.Continuous(q, of="F") for q in frame]).fit(
        frame, progress=False
    )
    assert dict(found.optimizer_report.limits) == {"y1 ~~ y1": "zero"} and not found.converged
    assert "y1 ~~ y1 goes to zero" in found.optimizer_report.message


@pytest.mark.slow
def test_ordered_items_that_are_one():
    rng = np.random.default_rng(4)
    z = rng.normal(size=PEOPLE)
    one, other = (np.digitize(a * z + rng.normal(size=PEOPLE), [-1, 0, 1]) for a in (1.2, 0.8))
    frame = pd.DataFrame({"q1": one, "q2": one, "q3": other})
    found = iclv.Model([iclv.Latent("F")], [iclv.Ordered(q, of="F") for q in frame]).fit(
        frame, progress=False
    )
    assert set(found.optimizer_report.limits) == {"F =~ q1", "F =~ q2"}
    assert found.optimizer_report.iterations < 100


def panel(seed, spread=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 3))
    a = 0.7 + spread * np.repeat(rng.normal(size=100), 4)
    frame = pd.DataFrame({f"x{j}": x[:, j] for j in range(3)})
    return frame.assign(
        y=(x * a[:, None] + rng.gumbel(size=x.shape)).argmax(1), id=np.repeat(np.arange(100), 4)
    )


@pytest.mark.gate("1")
@pytest.mark.parametrize("seed", [1, 5, 10])
def test_a_spread_that_is_zero_leaves_the_plain_logit(seed):
    frame = panel(seed)
    plain = fitted(generic, frame, person="id")
    mixed = fitted(generic, frame, person="id", random={"x": iclv.Normal()})
    assert mixed.llf == pytest.approx(plain.llf, abs=1e-8) and mixed.params["x.sd"] == 0.0
    assert mixed.optimizer_report.zero == ("x.sd",) and mixed.converged
    assert mixed.bse["x"] == pytest.approx(plain.bse["x"], rel=1e-6)
    assert "x.sd is 0" in str(mixed.summary())


@pytest.mark.slow
def test_a_lognormal_of_the_wrong_sign_goes_to_zero():
    found = fitted(
        lambda b, x, lv: {j: b.x * x[f"x{j}"] + b.z * x.w * (j == 1) for j in range(3)},
        choices(),
        random={"x": iclv.LogNormal(sign=-1)},
    )
    assert dict(found.optimizer_report.limits) == {"x": "minus infinity"}
    assert np.isfinite(found.bse["z"]) and found.bse[["x", "x.sd"]].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [iclv.Normal, iclv.LogNormal])
def test_who_looks_at_nothing_but_the_price_has_no_finite_worth_of_it(kind):
    rng, person = np.random.default_rng(1), np.repeat(np.arange(200), 6)
    price = rng.uniform(1.0, 5.0, (1200, 2))
    frame = pd.DataFrame(
        {"id": person, "p0": price[:, 0], "p1": price[:, 1], "t": rng.uniform(1.0, 5.0, 1200)}
    )
    sign = -1.0 if kind is iclv.LogNormal else 1.0

    def utility(b, x, lv):
        return {0: sign * b.p * x.p0 + b.t * x.t, 1: sign * b.p * x.p1}

    model = iclv.Model(choice=iclv.Logit(utility, "y"), random={"p": kind()})
    found = model.fit(frame.assign(y=price.argmin(axis=1)), person="id", progress=False)
    assert not found.converged and found.optimizer_report.limits
    # The sign of a spread is open, so that it cannot go to minus infinity.
    assert found.optimizer_report.limits.get("p.sd", "infinity") == "infinity"
    assert found.optimizer_report.limits["p"] == ("infinity" if sign < 0.0 else "minus infinity")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [iclv.TrustRegion(), iclv.BHHH(), iclv.LBFGSB()])
def test_verdicts_do_not_depend_on_the_unit_of_weights(optimizer):
    frame = panel(8, spread=0.8)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 100)
    options = {"person": "id", "random": {"x": iclv.Normal()}, "optimizer": optimizer}
    usual, tiny, huge = (
        fitted(generic, frame, weights=weights * unit, **options) for unit in (1.0, 1e-9, 1e9)
    )
    for other in (tiny, huge):
        np.testing.assert_allclose((other.params - usual.params) / usual.bse, 0.0, atol=2e-2)
        assert other.converged
