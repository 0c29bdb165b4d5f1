"""A fit as a model of marginaleffects: the numbers of that package against those of the fit."""

import dataclasses
import sys

import numpy as np
import pytest
import small

import iclv_jax as iclv


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "marginaleffects.classes.model", None)
    with pytest.raises(ImportError, match=r'pip install "iclv-jax\[marginaleffects\]"'):
        small.fitted("logit").exports.to_marginaleffects()


def test_a_table_of_its_own_is_refused():
    data = small.data()

    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, chosen="choice", table="cards"))
    problem = model.bind({"cards": data.assign(id=range(len(data)))}, person="id")
    there = dataclasses.replace(small.fitted("logit"), problem=problem)
    with pytest.raises(ValueError, match=r"'cards', and marginaleffects takes one frame"):
        there.exports.to_marginaleffects()


@pytest.fixture(scope="module", params=["logit", pytest.param("hybrid", marks=pytest.mark.slow)])
def fit(request):
    pytest.importorskip("marginaleffects")
    return small.fitted(request.param)


def by_group(found, group, column="estimate"):
    frame = found.data if hasattr(found, "data") else found
    return frame.filter(frame["group"] == group)[column].to_numpy()


def test_predictions_are_those_of_the_fit(fit):
    from marginaleffects import predictions  # pyright: ignore[reportMissingImports]

    mine = fit.predict(errors=True)
    found = predictions(fit.exports.to_marginaleffects())
    for name in fit.predict():
        np.testing.assert_allclose(by_group(found, name), mine[name], rtol=1e-12)
        np.testing.assert_allclose(by_group(found, name, "std_error"), mine[f"{name}.se"], rtol=1e-4)


def test_average_slopes_are_marginal_effects(fit):
    from marginaleffects import avg_slopes  # pyright: ignore[reportMissingImports]

    column = "age" if fit.problem.spec.latents else "time"
    robust = fit.exports.to_marginaleffects(cov="robust")
    mine = fit.choices.marginal_effects(column, cov="robust").aggregate
    found = avg_slopes(robust, variables=column, eps_vcov=1e-5)
    for name, row in mine.iterrows():
        np.testing.assert_allclose(by_group(found, name), row["value"], rtol=1e-6)
        np.testing.assert_allclose(by_group(found, name, "std_error"), row["se"], rtol=1e-3)
    plain = avg_slopes(robust, variables=column, vcov="hessian", eps_vcov=1e-5)
    mine = fit.choices.marginal_effects(column, cov="hessian").aggregate
    np.testing.assert_allclose(by_group(plain, name, "std_error"), mine.loc[name, "se"], rtol=1e-3)


def test_other_data_and_no_errors(fit):
    from marginaleffects import avg_comparisons, predictions  # pyright: ignore[reportMissingImports]

    model = fit.exports.to_marginaleffects()
    frame = model.get_modeldata()[:5]
    dearer = frame.with_columns(frame["price"] + 1.0)
    after = fit.predict(fit.problem.panel.frame.data.iloc[:5].assign(price=lambda d: d["price"] + 1.0))
    found = predictions(model, newdata=dearer, vcov=False)
    np.testing.assert_allclose(by_group(found, "a"), after["a"], rtol=1e-12)
    change = avg_comparisons(model, variables={"price": 1.0}, newdata=frame)
    half = fit.problem.panel.frame.data.iloc[:5]
    up, down = (fit.predict(half.assign(price=half["price"] + h)).mean() for h in (0.5, -0.5))
    np.testing.assert_allclose(by_group(change, "a"), up["a"] - down["a"], rtol=1e-9)
