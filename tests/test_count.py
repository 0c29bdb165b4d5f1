"""What items can determine is counted, and a model with more than that is no success."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._diagnose._count import uncounted


def data(people=80):
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=people), rng.integers(0, 3, people)
    trait = 0.5 * x + rng.normal(size=people)
    frame = pd.DataFrame({"x": x, "z": np.array(list("abc"))[z]})
    for k in range(1, 4):
        frame[f"y{k}"] = trait + rng.normal(size=people)
        frame[f"q{k}"] = np.digitize(trait + rng.normal(size=people), [-1.0, 0.0, 1.0])
    frame["choice"] = np.where(trait + rng.normal(size=people) > 0.0, "a", "b")
    return frame


def items(kind, count, **options):
    letter = {"Ordered": "q", "Continuous": "y"}[kind]
    return [getattr(iclv, kind)(f"{letter}{k + 1}", of="t", **options) for k in range(count)]


def problem(indicators, on=("x",), **rest):
    model = iclv.Model(latent=[iclv.Latent("t", on=list(on))], indicators=indicators, **rest)
    return model.bind(data(), integration=iclv.GaussHermite(3))


@pytest.mark.parametrize(
    ("indicators", "on", "determined", "free"),
    [
        # Three thresholds and a slope; a loading more than that.
        (items("Ordered", 1), ("x",), 4, 5),
        # Means, variances, a correlation.
        (items("Continuous", 2), (), 5, 6),
        (items("Ordered", 2), (), 7, 8),
        # A nominal covariate with three levels has two slopes.
        (items("Continuous", 1), (iclv.Standardized("z", "one-hot"),), 4, 5),
    ],
)
def test_too_few_items(indicators, on, determined, free):
    (found,) = uncounted(problem(indicators, on))
    assert (found.determined, len(found.parameters)) == (determined, free)
    assert f"at most {determined} numbers" in found.sentence and f"but {free} parameters" in found.sentence


def utility(b, x, lv):
    return {"a": b.asc + b.t * lv.t, "b": 0.0}


@pytest.mark.parametrize(
    "bound",
    [
        lambda: problem(items("Ordered", 3)),
        lambda: problem(items("Continuous", 3), ()),
        # A slope on both items makes two items enough.
        lambda: problem(items("Continuous", 2)),
        lambda: problem(items("Ordered", 1), fixed={"t =~ q1": 1.0}),
        # What a choice adds is not counted, nor what the shape of a link does.
        lambda: problem(items("Ordered", 1), choice=iclv.Logit(utility, "choice")),
        lambda: problem(items("Ordered", 1, link="logit")),
    ],
)
def test_enough_or_not_countable(bound):
    assert uncounted(bound()) == ()


def test_other_items_do_not_help():
    """A latent variable with one item is not identified by those of another one that it has nothing to do with."""
    indicators = [*items("Ordered", 1), *(iclv.Continuous(f"y{k}", of="s") for k in (1, 2, 3))]
    latent = [iclv.Latent("t", on=["x"]), iclv.Latent("s")]
    apart = iclv.Model(latent=latent, indicators=indicators).bind(data(), integration=iclv.GaussHermite(3))
    (found,) = uncounted(apart)
    assert found.latents == ("t",)
    together = iclv.Model(latent=latent, indicators=indicators, covariances=[("s", "t")])
    assert uncounted(together.bind(data(), integration=iclv.GaussHermite(3))) == ()


@pytest.mark.slow
def test_a_fit_says_so_first():
    model = iclv.Model(latent=[iclv.Latent("t", on=["x"])], indicators=items("Ordered", 1))
    fit = model.fit(data(), progress=False, accuracy=None)
    assert not fit.optimizer_report.verdict.success
    assert "determine at most 4 numbers" in str(fit.summary()).partition("Log-likelihood")[0]
    assert any("determine at most 4" in s for s in iclv.diagnose(fit.problem, fit.params).sentences)
