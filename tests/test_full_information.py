"""Fit measures with missing answers, in one group and in two, against lavaan 0.6-14 (`missing="fiml"`)."""

import numpy as np
import pytest

import iclv_jax as iclv

TEXT = """
    visual  =~ x1 + x2 + x3
    textual =~ x4 + x5 + x6
    speed   =~ x7 + x8 + x9
"""
NAMES = (
    "loglike", "saturated_loglike", "chi2", "df", "baseline_chi2", "baseline_df", "cfi", "tli", "rmsea", "rmsea_lower",
    "rmsea_upper",
)  # fmt: skip
ONE = (
    -3368.514305,
    -3335.447223,
    66.134164,
    24,
    791.227293,
    36,
    0.944210,
    0.916315,
    0.076371,
    0.054754,
    0.098622,
)
TWO = (
    -3339.830886,
    -3271.613232,
    136.435308,
    60,
    825.814351,
    72,
    0.898602,
    0.878322,
    0.092003,
    0.071599,
    0.112509,
)
GIRLS = (-3361.969933, -3321.268293, 81.403279, 30, 819.585153, 45, 0.933638, 0.900456, 0.075449)
LOADINGS = {
    "Pasteur": (0.822, 0.424, 0.514, 0.805, 0.830, 0.871, 0.523, 0.695, 0.616),
    "Grant-White": (0.738, 0.429, 0.575, 0.852, 0.866, 0.798, 0.661, 0.784, 0.729),
}


@pytest.fixture(scope="module")
def pupils():
    """One answer in ten is missing, at places that R finds as well."""
    data, pupil = iclv.datasets.holzinger_swineford(download=True), np.arange(1, 302)
    for k in range(1, 10):
        data.loc[(pupil * 7 + 13 * k) % 10 == 0, f"x{k}"] = np.nan
    return data.assign(girl=data["sex"] - 1.0)


def measured(text, data, **options):
    fit = iclv.Model.from_text(text, **options).fit(data, progress=False)
    measures = fit.fit_measures()
    return fit, [measures[name] for name in NAMES]


@pytest.mark.slow
def test_one_group(pupils):
    _, found = measured(TEXT, pupils)
    np.testing.assert_allclose(found, ONE, atol=2e-6)


@pytest.mark.slow
def test_two_schools_with_equal_loadings_and_intercepts(pupils):
    fit, found = measured(TEXT, pupils, group="school", equal_across=["loadings", "intercepts"])
    np.testing.assert_allclose(found, TWO, atol=2e-6)
    assert fit.fit_measures()["srmr"] == pytest.approx(0.084053, abs=1e-6)
    standardized = fit.structure.standardized()["std.all"]
    for school, expected in LOADINGS.items():
        own = standardized[school].filter(like="=~")
        np.testing.assert_allclose(own, expected, atol=6e-4, err_msg=school)


@pytest.mark.slow
def test_a_covariate(pupils):
    _, found = measured(TEXT + "visual + textual + speed ~ girl", pupils)
    np.testing.assert_allclose(found[: len(GIRLS)], GIRLS, atol=2e-6)
