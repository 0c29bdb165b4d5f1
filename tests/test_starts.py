"""Start values that know the model: sizes and signs from fixed coefficients."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import public
import pytest

import iclv_jax as iclv


def trips(unit=1.0, people=150, mean=-0.05, spread=0.02, seed=0):
    """Times of 10 to 400 minutes, in `unit` of them; a normal coefficient."""
    rng = np.random.default_rng(seed)
    rows = people * 4
    times = rng.uniform(10.0, 400.0, (rows, 2))
    cost = rng.uniform(1.0, 10.0, (rows, 2))
    taste = np.repeat(mean + spread * rng.normal(size=people), 4)
    v = taste[:, None] * times - 0.3 * cost + rng.gumbel(size=times.shape)
    frame = pd.DataFrame(
        {f"t{j}": times[:, j] * unit for j in range(2)} | {f"c{j}": cost[:, j] for j in range(2)}
    )
    return frame.assign(y=v.argmax(1), id=np.repeat(np.arange(people), 4))


def utility(b, x, lv):
    return {j: b.t * x[f"t{j}"] + b.c * x[f"c{j}"] + (b.asc if j else 0.0) for j in range(2)}


def mixed(mixing, **options):
    return iclv.Model(choice=iclv.Logit(utility, "y"), random={"t": mixing}, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mixing",
    [iclv.Normal(), iclv.LogNormal(sign=-1), iclv.Uniform(), iclv.TruncatedNormal(upper=0.0)],
    ids=lambda m: type(m).__name__,
)
def test_the_maximum_does_not_depend_on_the_unit(mixing):
    found = [mixed(mixing).fit(trips(unit), person="id", progress=False) for unit in (1.0, 1e-3)]
    assert all(f.converged for f in found)
    assert found[0].llf == pytest.approx(found[1].llf, abs=1e-3)
    plain = iclv.Model(choice=iclv.Logit(utility, "y")).fit(trips(), progress=False)
    assert found[0].llf > plain.llf + 1.0


@pytest.mark.slow
def test_the_sign_that_the_data_say():
    found = mixed(iclv.LogNormal(sign=1)).fit(trips(), person="id", progress=False)
    remarks = " ".join(found.optimizer_report.remarks)
    assert "look at the sign" in remarks and "lies below" in remarks and not found.converged
    assert "look at the sign" in str(found.summary())


def test_a_diagnosis_of_a_spread_out_of_scale():
    problem = mixed(iclv.Normal()).bind(trips(), person="id")
    assert "units of utility" in " ".join(iclv.diagnose(problem, problem.start()).sentences)
    wrong = problem.vector({"t": 0.05, "t.sd": 0.02, "c": 0.3, "asc": 0.0})
    assert "equal shares" in " ".join(iclv.diagnose(problem, wrong).sentences)
    good = problem.vector({"t": -0.05, "t.sd": 0.02, "c": -0.3, "asc": 0.0})
    said = " ".join(iclv.diagnose(problem, good).sentences)
    assert "equal shares" not in said and "units of utility" not in said


@pytest.mark.slow
def test_willingness_to_pay_space():
    rng = np.random.default_rng(3)
    people, rows = 120, 960
    t, c = rng.uniform(10, 120, (rows, 2)), rng.uniform(1, 30, (rows, 2))
    each = np.repeat(np.exp(np.array([-1.0, -1.5]) + 0.4 * rng.normal(size=(people, 2))), 8, axis=0)
    v = -each[:, :1] * (each[:, 1:] * t + c) + rng.gumbel(size=t.shape)
    frame = pd.DataFrame({"t0": t[:, 0], "t1": t[:, 1], "c0": c[:, 0], "c1": c[:, 1], "y": v.argmax(1)})
    frame["id"] = np.repeat(np.arange(people), 8)

    def space(b, x, lv):
        return {j: -jnp.exp(b.money) * (b.value * x[f"t{j}"] + x[f"c{j}"]) for j in range(2)}

    model = iclv.Model(
        choice=iclv.Logit(space, "y"), random={"money": iclv.Normal(), "value": iclv.LogNormal()}
    )
    found = model.fit(frame, person="id", progress=False)
    truth = {"money": -1.0, "money.sd": 0.4, "value": -1.5, "value.sd": 0.4}
    assert found.converged
    np.testing.assert_allclose(found.params[list(truth)], list(truth.values()), atol=3.5 * found.bse.max())


@pytest.mark.slow
def test_swissmetro_in_its_cross_section():
    model = public.swissmetro(random={"b_time": iclv.LogNormal(sign=-1)})
    found = model.fit(iclv.datasets.swissmetro(), progress=False)
    # -5231.419920 by quadrature in plain numpy; the integral is asked for to a tenth of a point.
    assert found.converged and found.llf == pytest.approx(-5231.41992, abs=0.1)
