"""A log-likelihood that is rough at its nodes: a verdict of its own, soon."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._optimise import Verdict
from iclv_jax._optimise._rough import is_rough


@pytest.mark.parametrize(
    ("progress", "bad", "rough"),
    [
        ({"radius": 1e-3}, False, True),
        ({"radius": 1e-2}, False, False),
        ({"radius": 1e-3}, True, False),
        ({"length": 1e-9}, False, False),
    ],
)
def test_a_radius_below_what_the_data_can_tell(progress, bad, rough):
    assert is_rough(progress, 400.0, bad) is rough


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


def test_a_scale_that_runs_away_is_no_maximum():
    model = iclv.Model(
        choice=iclv.Logit(money, "y"), random={"scale": iclv.Normal(), "value": iclv.LogNormal()}
    )
    rule = iclv.Adaptive(64, "sobol", final_draws=64, proposal="mean")
    fit = model.fit(certain(), person="id", integration=rule, progress=False)
    report = fit.optimizer_report
    print(report.verdict, report.iterations, report.message, fit.params, len(fit.trace))
    assert report.verdict in (Verdict.ROUGH, Verdict.DRIFTS)
