"""Cross-validation against explicit fits to frames without the people who are left out."""

import bank
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

RULE = iclv.GaussHermite(21)


def logit(**kwargs):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0, "c": b.cost * x.cost}

    return iclv.Model(choice=iclv.Logit(utility, "choice", available={"c": "open"}), **kwargs)


@pytest.fixture(scope="module")
def data():
    frame = bank.panel(
        90, 3, 0, constant=("w", "group"), price="normal", time="normal", cost=(0, 2), open="binary", w=(0.5, 2),
        group=(0, 9),
    )  # fmt: skip
    frame["group"] = frame["group"].round()
    truth = {"asc": 0.5, "price": -1.0, "time": -0.5, "cost": -0.7}
    return logit().simulate(truth, frame, person="id", seed=1)


@pytest.fixture(scope="module")
def plain(data):
    return logit().fit(data, person="id", weights="w", progress=False)


@pytest.fixture(scope="module")
def hybrid():
    case = bank.get("likert5")
    frame = bank.panel(120, 3, 4, constant=("age",), age="normal", time=(0, 3), cost=(0, 3))
    data = case.model.simulate(case.params, frame, person="id", seed=2)
    return case.model.fit(data, person="id", integration=RULE, start=case.params, progress=False), data


def without(model, data, people, fit, **keywords):
    """Fitted to the others, and the problem of those left out."""
    out = data["id"].isin(people)
    trained = model.fit(data[~out], person="id", progress=False, start=fit, **keywords)
    assert trained.converged
    return trained, data[out]


@pytest.mark.slow
def test_held_out_choices_of_a_logit_are_those_of_explicit_fits(data, plain):
    found = plain.cross_validate(folds=3, seed=5)
    assert found.converged.all()
    for k in (1, 2, 3):
        people = found.people.index[found.people["fold"] == k]
        trained, held = without(logit(), data, people, plain, weights="w")
        problem = logit().bind(held, person="id", weights="w")
        params = jnp.asarray(trained.estimates)
        row = found.table.loc[str(k)]
        assert row["choices"] == pytest.approx(float(problem.loglike(params)), abs=1e-5)
        each = pd.Series(np.asarray(problem.loglike_person(params)), index=list(problem.panel.people))
        np.testing.assert_allclose(found.people.loc[people, "joint"], each[list(people)], atol=1e-5)
        np.testing.assert_allclose(found.params[str(k)], trained.params, atol=1e-4)
        assert row["people"] == 30 and row["situations"] == len(held)
        equal = -held["w"] @ np.log(2 + held["open"])
        assert row["equal shares"] == pytest.approx(equal)
        assert row["per choice"] == pytest.approx(row["choices"] / held["w"].sum())
    total = found.table.loc["total"]
    columns = ["people", "situations", "choices", "equal shares"]
    np.testing.assert_allclose(total[columns], found.table.loc[["1", "2", "3"], columns].sum())
    assert found.table.loc["in sample", "choices"] == pytest.approx(plain.llf)
    assert total["choices"] < plain.llf
    assert list(found.table.columns) == ["people", "situations", "choices", "equal shares", "per choice"]


@pytest.mark.slow
def test_held_out_people_of_a_hybrid_model_are_those_of_explicit_fits(hybrid):
    fit, data = hybrid
    model = bank.get("likert5").model
    found = fit.cross_validate(folds=3)
    assert found.converged.all()
    people = found.people.index[found.people["fold"] == 2]
    trained, held = without(model, data, people, fit, integration=RULE)
    problem = model.bind(held, person="id", integration=RULE, levels=fit.problem.panel.levels)
    params, row = jnp.asarray(trained.estimates), found.table.loc["2"]
    joint, choices, items = (
        float(p.recentre(params).loglike(params))
        for p in (problem, problem.part("choices"), problem.part("items"))
    )
    assert row["joint"] == pytest.approx(joint, abs=1e-5)
    assert row["choices"] == pytest.approx(choices, abs=1e-5)
    assert row["choices given items"] == pytest.approx(joint - items, abs=1e-5)
    inside = found.table.loc["in sample"]
    parts = fit.components
    assert inside["joint"] == pytest.approx(fit.llf, abs=1e-6)
    assert inside["choices"] == pytest.approx(parts.choices, abs=1e-6)
    assert inside["choices given items"] == pytest.approx(parts.joint - parts.items, abs=1e-6)
    text = str(found)
    assert "Held out" in text and "3 folds drawn with the seed 0" in text


@pytest.mark.slow
def test_whole_clusters_are_left_out(data):
    fit = logit().fit(data, person="id", cluster="group", progress=False)
    found = fit.cross_validate(folds=4)
    group = data.drop_duplicates("id").set_index("id")["group"]
    pairs = pd.DataFrame({"group": group, "fold": found.people["fold"]}).drop_duplicates()
    assert not pairs["group"].duplicated().any()
    assert "whole clusters" in found.notes[0]


def test_nothing_is_compiled_for_a_second_cross_validation(plain):
    plain.cross_validate(folds=3)
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: compiled.append(event))
    plain.cross_validate(folds=4, seed=2)
    assert not [event for event in compiled if "backend_compile" in event]


def test_the_seed_draws_the_folds(plain):
    a, b, c = (plain.cross_validate(folds=2, seed=s).people["fold"] for s in (0, 0, 1))
    assert a.equals(b) and not a.equals(c)
    assert set(np.bincount(a)[1:]) == {45}


def test_a_fold_without_which_nothing_is_found_says_so(data, plain):
    """Only people of the second fold know the second attribute."""
    fold = plain.cross_validate(folds=3).people["fold"]
    known = fold[data["id"]].to_numpy() == 2
    fit = logit().fit(data.assign(time=data["time"].where(known, 0.0)), person="id", progress=False)
    assert fit.converged
    found = fit.cross_validate(folds=3)
    assert list(found.converged) == [True, False, True]
    assert "NOT CONVERGED WITHOUT FOLD 2" in str(found)
    assert any(note.startswith("without fold 2: ") for note in found.notes)


@pytest.mark.parametrize("folds", [1, 91, 2.0, True, "five"])
def test_other_numbers_of_folds_are_refused(plain, folds):
    with pytest.raises(ValueError, match="from 2 to 90, the number of people"):
        plain.cross_validate(folds=folds)
