"""Summaries: columns, digits and details; correlations, eigenvalues, and what is known of each person."""

import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv
from iclv_jax._report._summary import in_a_sentence
from iclv_jax._tables._format import estimated


@pytest.mark.parametrize(
    ("value", "errors", "shown"),
    [
        (-0.0020312, (5.94e-05,), ("-0.002031", "0.000059")),
        (-0.40812, (0.0988,), ("-0.408", "0.099")),
        (-2.1391, (0.306,), ("-2.139", "0.306")),
        (123.456, (5.3,), ("123.5", "5.3")),
        (123.456, (0.0312,), ("123.456", "0.031")),
        (0.5, (0.2, 0.0041), ("0.5000", "0.2000", "0.0041")),
        (0.5, (float("nan"), 0.02), ("0.500", "", "0.020")),
        (0.5, (float("nan"),), ("0.500", "")),
        (2.0, (1e-12,), ("2.000", "1e-12")),
        (1.23456789e-8, (3.0e-13,), ("1.234568e-08", "3e-13")),
        (0.0, (0.1,), ("0.000", "0.100")),
        (3.2e7, (4.1e6,), ("3.2e+07", "4.1e+06")),
    ],
)
def test_digits_by_standard_error(value, errors, shown):
    assert estimated(value, *errors) == shown


def test_every_error_that_can_be_shown_has_two_digits():
    for exponent in np.arange(-7.9, 5.0, 0.37):
        value, error = estimated(12.3456789, 10.0**exponent)
        assert float(error) == pytest.approx(10.0**exponent, rel=0.06)
        assert float(value) == pytest.approx(12.3456789, abs=0.51 * 10.0**exponent)


def test_columns_on_request():
    fit = small.fitted("logit")
    found = fit.summary(columns=["start", "hessian", "robust", "ci"])
    assert found.columns == (
        "", "estimate", "start", "s.e. (hessian)", "t (hessian)", "s.e. (robust)", "t (robust)", "2.5 %", "97.5 %",
    )  # fmt: skip
    row = dict(
        zip(found.columns, next(r for s in found.sections for r in s.rows if r[0] == "price"), strict=True)
    )
    numbers = {k: float(v) for k, v in row.items() if k}
    robust = fit.standard_errors("robust")["price"]
    ends = fit.conf_int().loc["price"]
    assert numbers["s.e. (robust)"] == pytest.approx(robust, abs=6e-4)
    assert numbers["t (robust)"] == pytest.approx(fit.params["price"] / robust, abs=6e-3)
    assert (numbers["2.5 %"], numbers["97.5 %"]) == pytest.approx(tuple(ends), abs=6e-4)
    assert numbers["start"] == pytest.approx(fit.start[1], abs=6e-4)
    with pytest.raises(ValueError, match=r"columns= lists 'se', .* not 'robustt'. Did you mean 'robust'"):
        fit.summary(columns=["robustt"])


def test_details_for_journals():
    fit = small.fitted("logit")
    facts = dict(fit.summary(details=True).facts)
    data = small.data()
    shares = data["choice"].value_counts()
    constants = (shares * np.log(shares / len(data))).sum()
    equal = len(data) * np.log(0.5)
    assert float(facts["Rho-squared against constants only"]) == pytest.approx(
        1 - fit.llf / constants, abs=6e-5
    )
    assert float(facts["  adjusted for 3 parameters"]) == pytest.approx(1 - (fit.llf - 3) / equal, abs=6e-5)
    start = small.logit_loglike(data, fit.start)
    assert float(facts["Log-likelihood at the start of the joint stage"].replace(",", "")) == pytest.approx(
        start, abs=6e-5
    )
    assert facts["  a"] == f"{shares['a']}, available 90"
    low, high = np.linalg.eigvalsh(-fit.hessian.to_numpy())[[0, -1]]
    assert facts["Eigenvalues of the negative Hessian"].startswith(f"{low:.2f} to {high:.2f}, ratio")
    report = fit.optimizer_report
    assert f"in {report.waited:.1f} s, by iclv_jax {iclv.__version__}" in facts["Fitted"]
    assert report.waited >= report.seconds
    assert "Alternatives" not in dict(fit.summary().facts)


def test_parameters_of_items_do_not_count_against_the_choices():
    fit = small.fitted("hybrid")
    facts = dict(fit.summary().facts)
    of_items = sum("=~" in name or "|" in name for name in fit.names)
    assert f"  adjusted for {len(fit.names) - of_items} parameters" in facts


def test_correlations_and_eigenvalues():
    fit = small.fitted("hybrid")
    matrix = fit.cov_params("robust").to_numpy()
    spread = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(fit.correlations("robust").to_numpy(), matrix / np.outer(spread, spread))
    found = fit.eigenvalues()
    values, vectors = np.linalg.eigh(fit.correlations().to_numpy())
    np.testing.assert_allclose(found["correlation"], values)
    np.testing.assert_allclose(found["hessian"], np.linalg.eigvalsh(-fit.hessian.to_numpy()))
    heaviest = fit.names[int(np.abs(vectors[:, 0]).argmax())]
    assert found["direction"].iloc[0].startswith(f"{heaviest} +{np.abs(vectors[:, 0]).max():.2f}")


def test_loaded_fits_have_them_too(tmp_path):
    fit = small.fitted("logit")
    fit.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    pd.testing.assert_frame_equal(saved.correlations(), fit.correlations())
    pd.testing.assert_frame_equal(saved.eigenvalues(), fit.eigenvalues())
    whole = iclv.load(tmp_path / "fit.npz", small.logit(), small.data())
    assert dict(whole.summary().facts)["Fitted"] == dict(fit.summary().facts)["Fitted"]


def test_individual_parameters_are_posterior_means():
    fit = small.fitted("hybrid")
    pd.testing.assert_frame_equal(fit.individual_parameters(), fit.latent_scores()[["green", "green.sd"]])
    assert list(fit.individual_parameters("green")) == ["green", "green.sd"]
    with pytest.raises(ValueError, match=r"'geen' is no random coefficient or latent variable .* 'green'"):
        fit.individual_parameters(["geen"])
    with pytest.raises(ValueError, match="everyone has the same parameters"):
        small.fitted("logit").individual_parameters()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Logit", "logit"),
        ("NestedLogit and LatentClasses", "nested logit and latent classes"),
        ("MDCEV", "MDCEV"),
    ],
)
def test_kernels_are_words_above_a_summary(kind, words):
    assert in_a_sentence(kind) == words
