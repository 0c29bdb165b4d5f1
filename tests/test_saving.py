"""Fits in files: what comes back without the model, and with it."""

import bank
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax import Continuous, GaussHermite, Latent, Logit


def utility(b, x, lv):
    return {"yes": b.asc + b.mood * lv.mood + b.price * x.price, "no": 0.0}


def model(**changes):
    return iclv.Model(
        [Latent("mood", on=["age"])],
        [Continuous(f"y{k}", of="mood") for k in (1, 2, 3)],
        Logit(utility, "choice"),
        **changes,
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    values = {"mood ~ age": 0.5, "asc": 0.3, "mood": 0.7, "price": -0.8}
    values |= {f"y{k} ~ 1": 0.2 * k for k in (1, 2, 3)} | {f"mood =~ y{k}": 0.9 for k in (1, 2, 3)}
    values |= {f"y{k} ~~ y{k}": 0.5 for k in (1, 2, 3)}
    frame = bank.panel(
        60, 3, 2, constant=("age", "w", "town"), age="normal", price=(0, 3), w=(0.5, 2.0), town="binary"
    )
    data = model().simulate(values, frame, seed=1, person="id")
    fit = model().fit(
        data, person="id", weights="w", cluster="id", integration=GaussHermite(9), progress=False
    )
    path = tmp_path_factory.mktemp("fit") / "fit.npz"
    fit.save(path)
    return fit, data, path


def test_without_the_model_everything_that_is_numbers_comes_back(fitted):
    fit, _, path = fitted
    found = iclv.load(path)
    for kind in ("hessian", "bhhh", "robust", "cluster"):
        pd.testing.assert_frame_equal(found.cov_params(kind), fit.cov_params(kind))
        pd.testing.assert_frame_equal(found.table(kind), fit.table(kind))
    for name in ("params", "all_params", "bse", "tvalues", "pvalues", "scores", "hessian"):
        one, other = getattr(found, name), getattr(fit, name)
        (pd.testing.assert_series_equal if one.ndim == 1 else pd.testing.assert_frame_equal)(one, other)
    assert (found.llf, found.aic, found.bic, found.nobs) == (fit.llf, fit.aic, fit.bic, fit.nobs)
    assert found.converged == fit.converged
    pd.testing.assert_frame_equal(found.conf_int(), fit.conf_int())
    pd.testing.assert_frame_equal(found.latent_scores(), fit.latent_scores())
    assert str(found) == str(fit)
    assert len(found.trace) == len(fit.trace)


def test_with_the_model_it_is_the_fit(fitted):
    fit, data, path = fitted
    found = iclv.load(path, model(), data)
    assert isinstance(found, iclv.Fit)
    assert found.llf == fit.llf
    assert found.optimizer_report == fit.optimizer_report
    pd.testing.assert_frame_equal(found.predict(given="answers"), fit.predict(given="answers"))
    pd.testing.assert_frame_equal(found.cov_params("cluster"), fit.cov_params("cluster"))


def test_another_model_or_other_data_are_refused(fitted):
    _, data, path = fitted
    with pytest.raises(ValueError, match="another model: fixed, asc stands only here"):
        iclv.load(path, model(fixed={"asc": 0.1}), data)
    with pytest.raises(ValueError, match="of other data"):
        iclv.load(path, model(), data.assign(price=data["price"] + 1.0))
    with pytest.raises(ValueError, match="together"):
        iclv.load(path, model())


def test_what_is_no_saved_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no file"):
        iclv.load(tmp_path / "none.npz")
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros(3))
    with pytest.raises(ValueError, match="not a saved fit"):
        iclv.load(other)


def test_nothing_is_pickled(fitted):
    with np.load(fitted[2], allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
