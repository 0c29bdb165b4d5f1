"""`fit(..., starts=)`: the highest of several maxima, and how many starts agree."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv


def frame(people=200):
    rng = np.random.default_rng(0)
    x = rng.normal(size=people) * 2.0
    probability = 1.0 / (1.0 + np.exp(-np.cos(1.6 * x) * 2.0))
    return pd.DataFrame({"x": x, "y": (rng.uniform(size=people) < probability).astype(int)})


def wave(b, x, lv):
    """A frequency: many maxima."""
    return {1: b.size * jnp.cos(b.often * x.x), 0: 0.0}


def test_the_best_of_many():
    model = iclv.Model(choice=iclv.Logit(wave, "y"), start={"size": 1.0, "often": 3.5})
    alone = model.fit(frame(), progress=False)
    best = model.fit(frame(), progress=False, starts=12)
    assert best.llf > alone.llf + 5.0 and abs(best.params["often"]) == pytest.approx(1.6, abs=0.1)
    said = " ".join(best.optimizer_report.remarks)
    assert (
        "of 12 starts agree" in said and "another maximum" in said and "of 12 starts" in str(best.summary())
    )


@pytest.mark.slow
def test_one_maximum_is_agreed_on():
    model = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: b.a + b.b * x.x, 0: 0.0}, "y"))
    fit = model.fit(frame(), progress=False, starts=4)
    assert "4 of 4 starts agree" in " ".join(fit.optimizer_report.remarks)


@pytest.mark.slow
def test_the_best_of_many_over_a_stream():
    """From a first start at another maximum to that of all people in memory."""
    model, data = iclv.Model(choice=iclv.Logit(wave, "y")), frame()
    people = iclv.People.stream([data[:120], data[120:]])
    found = model.fit(people, progress=False, start={"size": 1.0, "often": 3.5}, starts=12)
    assert found.llf == pytest.approx(-107.869107, abs=1e-5)
    assert abs(found.params["often"]) == pytest.approx(1.6, abs=0.1)
    said = found.optimizer_report.remarks[-1]
    assert "of 12 starts agree" in said and "another maximum" in said and said in str(found.summary())
    assert {"everybody", "start 2 of 12", "start 12 of 12"} <= set(found.trace["stage"])


@pytest.mark.parametrize("wrong", [0, -1, 1.5])
def test_counts_that_are_none(wrong):
    model = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: b.a, 0: 0.0}, "y"))
    with pytest.raises(ValueError, match="starts"):
        model.fit(frame(), starts=wrong)
