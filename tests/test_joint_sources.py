"""Revealed and stated preferences in frames of their own: what is asked after the fit, against plain numpy."""

import after
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import iclv_jax as iclv
from iclv_jax._problem._scales import scales_of

P = {"asc": 0.3, "time": -0.9, "time.sd": 0.6, "cost": -0.7, "mu": 1.5, "none": -1.2}


def rp(b, x, lv):
    return {
        "car": b.asc + b.time * x.time_c + b.cost * x.cost_c,
        "bus": b.time * x.time_b + b.cost * x.cost_b,
    }


def sp(b, x, lv):
    return {
        "a": b.mu * (b.time * x.time_a + b.cost * x.cost_a),
        "b": b.mu * (b.time * x.time_b + b.cost * x.cost_b),
        "none": b.mu * b.none,
    }


def frames(people=12, seed=0):
    rng = np.random.default_rng(seed)
    found = {"people": pd.DataFrame({"id": np.arange(people), "w": rng.uniform(0.5, 2.0, people).round(2)})}
    for name, alternatives, answers in (("trips", "cb", ["car", "bus"]), ("cards", "ab", ["a", "b", "none"])):
        who = np.repeat(np.arange(people), 2 if name == "trips" else 3)
        columns = {
            f"{k}_{a}": rng.uniform(0.2, 2.0, len(who)) for k in ("time", "cost") for a in alternatives
        }
        found[name] = pd.DataFrame({"id": who, **columns, "chosen": rng.choice(answers, len(who))})
    found["trips"] = found["trips"].iloc[4:]
    return found


def model(**more):
    choices = [iclv.Logit(rp, "chosen", name="rp", table="trips")]
    choices.append(iclv.Logit(sp, "chosen", name="sp", table="cards"))
    return iclv.Model(choice=choices, **more)


@pytest.fixture(scope="module")
def fit():
    problem = model(random={"time": iclv.Normal()}).bind(
        frames(), person="id", weights="w", integration=iclv.GaussHermite(30)
    )
    params = problem.vector(P)
    return after.fit_at(problem.recentre(params), params)


POINTS, LOGS = after.grid(40, 1)
TIME = P["time"] + P["time.sd"] * POINTS[:, 0]


def utilities(frame):
    """(row, alternative, node) of one source."""
    x = {name: frame[name].to_numpy()[:, None] for name in frame if name[:4] in ("time", "cost")}
    if "time_c" in x:
        car = P["asc"] + TIME * x["time_c"] + P["cost"] * x["cost_c"]
        return np.stack([car, TIME * x["time_b"] + P["cost"] * x["cost_b"]], axis=1)
    two = [TIME * x[f"time_{a}"] + P["cost"] * x[f"cost_{a}"] for a in "ab"]
    return P["mu"] * np.stack([*two, np.full_like(two[0], P["none"])], axis=1)


def posterior(data):
    """(person, node) weights given all choices of both sources."""
    total = np.tile(LOGS, (len(data["people"]), 1))
    for name, alternatives in (("trips", ["car", "bus"]), ("cards", ["a", "b", "none"])):
        v = utilities(data[name])
        logs = v - logsumexp(v, axis=1, keepdims=True)
        at = [alternatives.index(c) for c in data[name]["chosen"]]
        np.add.at(total, data[name]["id"].to_numpy(), logs[np.arange(len(at)), at])
    return np.exp(total - logsumexp(total, axis=1, keepdims=True))


@pytest.mark.slow
def test_a_scenario_of_frames_is_that_of_each_source(fit):
    """The log-sum of stated choices is in units of their scale; what is known comes from both sources."""
    first = frames()
    second = {**first, "cards": first["cards"].assign(cost_a=lambda d: d["cost_a"] - 0.4)}
    found = fit.scenario(first, second, cost="cost", choice="sp", given="answers")
    gain = logsumexp(utilities(second["cards"]), axis=1) - logsumexp(utilities(first["cards"]), axis=1)
    weights = posterior(first)[first["cards"]["id"]]
    expected = (weights * gain).sum(axis=1) / (P["mu"] * -P["cost"])
    np.testing.assert_allclose(found.surplus, expected, rtol=1e-6)
    of_row = first["people"]["w"].to_numpy()[first["cards"]["id"]]
    assert found.mean_surplus == pytest.approx(np.average(expected, weights=of_row), rel=1e-6)
    with pytest.raises(ValueError, match="frames 'cards' of a scenario have different rows"):
        fit.scenario(first, {**first, "cards": first["cards"].iloc[1:]}, choice="sp")
    with pytest.raises(ValueError, match="have different frames"):
        fit.scenario(first, {"people": first["people"], "cards": first["cards"]}, choice="sp")


def test_one_source_is_predicted_without_the_other(fit):
    """Nothing of the other source enters where nothing that was chosen is known; where it is, that is asked for."""
    data = frames(seed=1)
    alone = {"people": data["people"], "cards": data["cards"].drop(columns="chosen")}
    v = utilities(data["cards"])
    shares = np.exp(v - logsumexp(v, axis=1, keepdims=True)) @ np.exp(LOGS)
    np.testing.assert_allclose(fit.predict(alone, choice="sp"), shares, atol=1e-7)
    assert len(fit.elasticities("time_a", choice="sp", data=alone).rows) == len(data["cards"])
    with pytest.raises(ValueError, match="'rp' stands in the table 'trips', which the data do not have"):
        fit.predict(alone, choice="sp", given="answers")


def test_weights_of_other_people_are_read_from_the_first_frame(fit):
    data = frames(seed=2)
    moved = {name: frame.assign(id=frame["id"] + 100) for name, frame in data.items()}
    found = fit.scenario(moved, moved, choice="sp").shares["first"]
    v = utilities(data["cards"])
    shares = np.exp(v - logsumexp(v, axis=1, keepdims=True)) @ np.exp(LOGS)
    weights = data["people"]["w"].to_numpy()[data["cards"]["id"]]
    np.testing.assert_allclose(found, np.average(shares, axis=0, weights=weights), atol=1e-7)


def test_a_picture_of_shares_is_of_one_choice(fit):
    labels = [t.get_text() for t in iclv.plot.shares(fit, choice="sp").get_yticklabels()]
    assert labels == ["a", "b", "none"]
    with pytest.raises(ValueError, match="Name one by choice="):
        iclv.plot.shares(fit)


@pytest.mark.slow
def test_two_sources_are_the_stacked_logit_with_a_scale():
    """All rows in one frame, with the alternatives of both, of which each source offers its own."""
    data, params = frames(), {k: v for k, v in P.items() if k != "time.sd"}
    rows = pd.concat([data["trips"].assign(sp=0.0), data["cards"].assign(sp=1.0)], ignore_index=True)
    rows = rows.fillna(0.0).assign(rp=1.0 - rows["sp"])

    def both(b, x, lv):
        return rp(b, x, lv) | sp(b, x, lv)

    asked = dict.fromkeys(("car", "bus"), "rp") | dict.fromkeys(("a", "b", "none"), "sp")
    stacked = iclv.Model(choice=iclv.Logit(both, "chosen", asked)).bind(rows, person="id")
    joint = model().bind(data, person="id")
    found = [p.loglike_person(p.vector(params)) for p in (joint, stacked)]
    np.testing.assert_allclose(np.sort(found[0]), np.sort(found[1]), rtol=1e-12)


# --- scales -----------------------------------------------------------------------------------------------------------


def test_a_scale_starts_at_one_and_is_found():
    data = model().simulate({k: v for k, v in P.items() if k != "time.sd"}, frames(60), seed=3, person="id")
    found = model().fit(data, person="id", progress=False)
    assert found.converged and found.params["mu"] == pytest.approx(P["mu"], abs=4 * found.bse["mu"])
    np.testing.assert_allclose(found.problem.score(found.estimates), 0.0, atol=1e-3)
    assert found.problem.start()[list(found.names).index("mu")] == 1.0
    assert "likelihood depends on mu" not in str(found.summary()) and not found.optimizer_report.unscaled


@pytest.mark.parametrize(
    ("utility", "scales"),
    [
        (lambda b, x, lv: {"a": b.s * (b.p * x.p + b.q * x.q), "b": 0.0}, ["s"]),
        (lambda b, x, lv: {"a": b.p * (x.p + b.w * x.q + b.v * x.r), "b": 0.0}, []),
        (lambda b, x, lv: {"a": b.p * x.p * (1.0 + b.w * x.q + b.v * x.r), "b": 0.0}, []),
        (lambda b, x, lv: {"a": b.p * b.q * x.p, "b": b.r}, []),
    ],
)
def test_what_is_a_scale(utility, scales):
    """What has an effect of its own at zero is none, as the cost coefficient of a model in willingness to pay."""
    kernel = iclv.Model(choice=iclv.Logit(utility, "y"))._spec.choices[0]
    assert scales_of(kernel) == scales
