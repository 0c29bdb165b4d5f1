"""A log-likelihood that is rough at its nodes: a verdict of its own, soon."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood, Verdict
from iclv_jax._optimise._rough import is_rough


def certain(people=60, rows=6):
    """People who choose as if there were no chance: the money scale has no end."""
    g = np.random.default_rng(2)
    frame = pd.DataFrame({"id": np.repeat(np.arange(people), rows)})
    for j in (1, 2):
        frame[f"t{j}"], frame[f"c{j}"] = g.uniform(0, 3, len(frame)), g.uniform(0, 3, len(frame))
    value = np.repeat(np.exp(1.5 * g.normal(size=people)), rows)
    worth = [-(value * frame[f"t{j}"] + frame[f"c{j}"]) + 0.02 * g.gumbel(size=len(frame)) for j in (1, 2)]
    frame["y"] = np.where(worth[0] > worth[1], 1, 2)
    return frame


def money(b, x, lv):
    return {
        j: -jnp.exp(b.scale) * (b.value * x[f"t{j}"] + x[f"c{j}"] + (b.asc if j == 1 else 0.0))
        for j in (1, 2)
    }


@pytest.fixture(scope="module")
def model():
    random = {"scale": iclv.Normal(), "value": iclv.LogNormal()}
    return iclv.Model(choice=iclv.Logit(money, "y"), random=random)


RULE = iclv.Adaptive(64, "sobol", final_draws=64, proposal="mean")


@pytest.mark.slow
def test_a_scale_that_runs_away_is_no_maximum(model):
    fit = model.fit(certain(), person="id", integration=RULE, progress=False)
    # Either is true: the nodes cannot follow the scale, and it has no end.
    verdict = fit.optimizer_report.verdict
    searching = fit.trace["stage"] != "probe"
    assert verdict in (Verdict.ROUGH, Verdict.DRIFTS) and searching.sum() < 60
    assert verdict is Verdict.ROUGH or fit.optimizer_report.limits == {"scale": "infinity"}
    assert verdict.value in str(fit.summary())


@pytest.mark.parametrize(("radius", "poor", "rough"), [(1e-3, 6, True), (1e-2, 6, False), (1e-3, 3, False)])
def test_a_radius_below_what_the_data_can_tell(model, radius, poor, rough):
    problem = model.bind(certain(), person="id", integration=RULE)
    objective = Likelihood(problem, np.ones(len(problem.names), bool))
    trace = [{"ratio": 1.0}, *({"ratio": -0.5} for _ in range(poor)), {"ratio": 0.9}]
    for kind, narrow in ((iclv.TrustRegion("bhhh", radius=radius), rough), (iclv.LBFGSB(), False)):
        memory = jax.tree.map(jnp.asarray, kind.method.begin(len(problem.names)))
        assert is_rough(trace, kind.method, memory, objective) is narrow


def test_a_fit_that_ends_rough_says_so_above_its_title_with_names():
    """Twenty people whose money scale is given a spread of 4: one standard deviation is a factor of 55."""
    random = {"scale": iclv.Normal(), "value": iclv.LogNormal()}
    wide = iclv.Model(choice=iclv.Logit(money, "y"), random=random, fixed={"scale.sd": 4.0})
    few = iclv.Adaptive(16, "sobol", final_draws=16, proposal="mean")
    fit = wide.fit(certain(20), person="id", integration=few, progress=False)
    report = fit.optimizer_report
    assert report.verdict is Verdict.ROUGH and not fit.converged and len(fit.trace) < 60
    above, title, _ = str(fit.summary()).partition("Mixed logit model")
    assert title and above.startswith("*** DID NOT CONVERGE (rough at its nodes)")
    assert "scale (" in above and "value (" in above and above.index("scale (") < above.index("value (")
    assert "INTEGRAL NOT ACCURATE" in above and (fit.accuracy.error or 0.0) > 0.1
    # The decrement is that of outer products of scores, and what second derivatives say is not taken for standard errors.
    assert report.decrement > 1e-4 and fit.bse.isna().all()
