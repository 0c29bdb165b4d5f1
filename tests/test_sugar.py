"""The artificial survey: what it holds, that it comes from its model, and that its truth fits it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax.datasets import sugar_substitutes

ITEMS = {"concern": 6, "benefit": 6, "intention": 3, "price_perception": 3, "knowledge": 20}
COVARIATES = ["age", "female", "income", "education"]
ATTRIBUTES = ["price_sugar", "price_free", "label_sugar", "label_free"]
COLUMNS = [f"{latent}_{i + 1}" for latent, count in ITEMS.items() for i in range(count)]


@pytest.fixture(scope="module")
def survey():
    return sugar_substitutes()


@pytest.fixture(scope="module")
def problem(survey):
    return survey.model.bind(survey.data, person="person", integration=iclv.Adaptive(8))


def test_it_is_the_reference_workload(survey):
    assert survey.data.shape == (328 * 6, 2 + len(COVARIATES) + len(ATTRIBUTES) + 38 + 1)
    assert survey.data["person"].nunique() == 328
    assert (survey.data.groupby("person")["situation"].agg(list).map(lambda s: s == [1, 2, 3, 4, 5, 6])).all()
    assert sum("=~" in name for name in survey.truth) == 38
    assert sum(" | " in name for name in survey.truth) == 152
    assert len(survey.truth) == 205


def test_the_truth_names_every_free_parameter(survey, problem):
    assert len(problem.names) == len(survey.truth)
    assert set(problem.names) == set(survey.truth)
    np.testing.assert_array_equal(problem.vector(survey.truth), [survey.truth[n] for n in problem.names])


def test_the_data_are_drawn_by_the_model(survey):
    design = survey.data[["person", "situation", *COVARIATES, *ATTRIBUTES]]
    drawn = survey.model.simulate(survey.truth, design, seed=0, person="person")
    pd.testing.assert_frame_equal(drawn, survey.data)


def test_the_truth_is_likelier_than_the_start(survey, problem):
    values = {}
    for name, params in (("truth", problem.vector(survey.truth)), ("start", problem.start())):
        values[name] = float(problem.recentre(params).loglike(params))
    assert np.isfinite(values["truth"])
    assert values["truth"] > values["start"] + 100.0


def test_it_is_reproducible(survey):
    pd.testing.assert_frame_equal(sugar_substitutes().data, survey.data)


def test_seeds_differ_and_share_the_truth(survey):
    other = sugar_substitutes(1)
    assert other.truth == survey.truth
    assert list(other.data.columns) == list(survey.data.columns)
    for column in ("age", "price_sugar", "choice", "concern_1", "knowledge_20"):
        assert (other.data[column] != survey.data[column]).mean() > 0.2


@pytest.mark.gate("0")
@pytest.mark.parametrize("seed", range(5))
def test_every_answer_occurs(seed):
    answers = sugar_substitutes(seed).data.drop_duplicates("person")[COLUMNS]
    shares = pd.DataFrame({c: answers[c].value_counts(normalize=True) for c in answers})
    assert sorted(shares.index) == [1, 2, 3, 4, 5]
    assert shares.min(axis=None) > 0.02


@pytest.mark.parametrize("seed", range(3))
def test_every_alternative_is_chosen(seed):
    shares = sugar_substitutes(seed).data["choice"].value_counts(normalize=True)
    assert set(shares.index) == {"sugar", "sugar_free", "none"}
    assert shares.between(0.15, 0.6).all()


def test_people_answer_once(survey):
    assert len(survey.data[["person", *COVARIATES, *COLUMNS]].drop_duplicates()) == 328


def test_covariates_have_sensible_scales(survey):
    people = survey.data.drop_duplicates("person")
    for name in ("age", "income"):
        assert abs(people[name].mean()) < 0.2
        assert people[name].std() == pytest.approx(1.0, abs=0.15)
    for name in ("female", "education"):
        assert set(people[name]) == {0.0, 1.0}


def test_every_pack_of_profiles_is_a_full_factorial(survey):
    levels = survey.data[ATTRIBUTES]
    assert sorted(set(levels["price_sugar"])) == [0.89, 1.29, 1.69, 2.09]
    for start in (0, 64, 128):
        assert len(levels.iloc[start : start + 64].drop_duplicates()) == 64
    assert np.abs(levels.iloc[: 30 * 64].corr().to_numpy() - np.eye(4)).max() < 1e-12


def test_reverse_worded_items_run_against_the_others(survey):
    people = survey.data.drop_duplicates("person")
    for latent, count in ITEMS.items():
        for i in range(2, count + 1):
            correlation = people[f"{latent}_1"].corr(people[f"{latent}_{i}"])
            assert np.sign(correlation) == np.sign(survey.truth[f"{latent} =~ {latent}_{i}"]) != 0.0
    assert sum(value < 0.0 for name, value in survey.truth.items() if "=~" in name) == 12


@pytest.mark.parametrize(
    ("people", "situations", "items"), [(90, 1, (1, 1, 1, 1, 1)), (120, 8, [2, 3, 1, 2, 4])]
)
def test_other_sizes(survey, people, situations, items):
    small = sugar_substitutes(3, people, situations, items)
    assert small.data["person"].nunique() == people
    assert len(small.data) == people * situations
    expected = [f"{latent}_{i + 1}" for latent, n in zip(ITEMS, items, strict=True) for i in range(n)]
    assert [c for c in small.data if c in COLUMNS] == expected
    assert len(small.truth) == 5 * sum(items) + 15
    assert small.truth.items() <= survey.truth.items()
    assert set(small.model.bind(small.data, person="person").names) == set(small.truth)


def test_it_is_frozen(survey):
    with pytest.raises(dataclasses.FrozenInstanceError):
        survey.truth = {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"items": (6, 6, 3)}, "five numbers"),
        ({"items": (6, 6, 3, 3, 0)}, "items of knowledge"),
        ({"items": (6, 6.0, 3, 3, 20)}, "items of benefit"),
        ({"people": 0}, "people"),
        ({"situations": 2.5}, "situations"),
    ],
)
def test_senseless_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sugar_substitutes(**arguments)
