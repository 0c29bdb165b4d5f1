"""Forms of attributes: values against plain numpy, derivatives at their joints, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv


@pytest.mark.parametrize("power", [-0.7, 1e-5, 0.0, 0.5, 1.0, 2.0])
def test_boxcox(power):
    x = np.array([0.01, 0.5, 1.0, 3.0, 200.0])
    expected = np.log(x) if power == 0.0 else np.expm1(power * np.log(x)) / power
    np.testing.assert_allclose(
        iclv.boxcox(jnp.asarray(x), jnp.asarray(power)), expected, rtol=1e-9, atol=1e-12
    )
    slope = jax.grad(iclv.boxcox, argnums=1)(jnp.asarray(3.0), jnp.asarray(power))
    moved = [float(iclv.boxcox(jnp.asarray(3.0), jnp.asarray(power + d))) for d in (1e-3, -1e-3)]
    assert float(slope) == pytest.approx((moved[0] - moved[1]) / 2e-3, rel=1e-5)


def test_boxcox_at_zero_and_below():
    assert float(iclv.boxcox(jnp.asarray(0.0), jnp.asarray(0.5))) == -2.0
    assert float(iclv.boxcox(jnp.asarray(0.0), jnp.asarray(1e-5))) == pytest.approx(-1e5)
    for power in (0.0, -0.5):
        assert float(iclv.boxcox(jnp.asarray(0.0), jnp.asarray(power))) == -np.inf
    assert np.isnan(float(iclv.boxcox(jnp.asarray(-1.0), jnp.asarray(0.5))))


@pytest.mark.parametrize("x", [0.01, 3.0, 200.0])
def test_derivatives_of_boxcox_at_a_power_of_zero(x):
    """With l = log x: l by itself, l^2 / 2 and l^3 / 3 by the power, 1 / x and -1 / x^2 by the attribute."""
    log, at = np.log(x), (jnp.asarray(x), jnp.asarray(0.0))
    assert float(jax.grad(iclv.boxcox, argnums=1)(*at)) == pytest.approx(log**2 / 2.0, rel=1e-12)
    assert float(jax.hessian(iclv.boxcox, argnums=1)(*at)) == pytest.approx(log**3 / 3.0, rel=1e-12)
    assert float(jax.grad(iclv.boxcox)(*at)) == pytest.approx(1.0 / x, rel=1e-12)
    assert float(jax.hessian(iclv.boxcox)(*at)) == pytest.approx(-1.0 / x**2, rel=1e-12)
    zero = jax.grad(iclv.boxcox, argnums=1)(jnp.asarray(0.0), jnp.asarray(0.5))
    assert float(zero) == pytest.approx(4.0)


def test_piecewise():
    x = np.linspace(-2.0, 5.0, 29)
    found = iclv.piecewise(jnp.asarray(x), [-1.0, 2.0], [1.0, -0.5, 3.0])
    expected = [
        -0.5 * v if -1 <= v <= 2 else (0.5 + 1.0 * (v + 1) if v < -1 else -1.0 + 3.0 * (v - 2)) for v in x
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    with pytest.raises(ValueError, match="2 knots take 3 slopes, not 2"):
        iclv.piecewise(1.0, [0.0, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="do not increase"):
        iclv.piecewise(1.0, [1.0, 0.0], [1.0, 2.0, 3.0])


def test_regret():
    given = {
        "a": {"time": 1.0, "cost": 2.0},
        "b": {"time": 2.0, "cost": 1.0},
        "c": {"time": 0.5, "cost": 4.0},
    }
    weights = {"time": -0.4, "cost": -0.7}
    found = iclv.regret(given, weights)
    for name, own in given.items():
        expected = -sum(
            np.log1p(np.exp(w * (other[m] - own[m])))
            for m, w in weights.items() for rival, other in given.items() if rival != name
        )  # fmt: skip
        assert float(found[name]) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="alternative 'b' has no attribute 'cost'"):
        iclv.regret(given | {"b": {"time": 1.0}}, weights)


def test_nobody_regrets_what_is_not_available():
    """Neither the attributes of what is not available nor their absence reach anything."""
    frame = pd.DataFrame(
        {"ta": [1.0, 2.0, 0.5], "tb": [2.0, np.nan, 1.5], "tc": [0.5, 1.0, 9.0], "av_b": [1, 0, 1]}
    )
    frame = frame.assign(av_c=[1, 1, 0], choice=["b", "c", "a"])

    def utility(b, x, lv):
        times = {name: {"time": x[f"t{name}"]} for name in "abc"}
        return iclv.regret(times, {"time": b.time}, available={"b": x.av_b, "c": x.av_c})

    choice = iclv.Logit(utility, "choice", available={"b": "av_b", "c": "av_c"})
    problem = iclv.Model(choice=choice).bind(frame)
    total = 0.0
    for i, offered in enumerate(("abc", "ac", "ab")):
        t = {name: frame.loc[i, f"t{name}"] for name in offered}
        v = {k: -sum(np.log1p(np.exp(-0.4 * (t[o] - t[k]))) for o in offered if o != k) for k in offered}
        total += v[frame.loc[i, "choice"]] - np.log(sum(np.exp(list(v.values()))))
    params = np.array([-0.4])
    assert float(problem.loglike(params)) == pytest.approx(total, rel=1e-12)
    slope = (problem.loglike(params + 1e-5) - problem.loglike(params - 1e-5)) / 2e-5
    assert float(problem.score(params)[0]) == pytest.approx(float(slope), rel=1e-7)
    with pytest.raises(ValueError, match="available= names 'd'"):
        iclv.regret({"a": {"time": 1.0}}, {"time": -1.0}, {"d": 1.0})


def test_names_of_other_programs_are_answered():
    with pytest.raises(AttributeError, match="random coefficients"):
        _ = iclv.MixedLogit
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = iclv.nothing
    assert not hasattr(iclv, "__path_of_nothing__")
