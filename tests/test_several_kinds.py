"""Best and worst, and ordered levels, beside each other in tables of their own, against plain numpy."""

import after
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

import iclv_jax as iclv

PEOPLE = 8
P = {"green ~ age": 0.5, "green =~ q": 0.8, "q ~ 1": 0.1, "q ~~ q": 0.6, "asc": 0.3, "t": -0.7, "g": 0.9}
P |= {"md.scale": 0.7, "k": 0.4, "s": 0.6, "sat | 1": -1.2, "sat | 2": -0.3, "sat | 3": 0.6}
POINTS, LOGS = after.grid(60, 1)


def cards(b, x, lv):
    return {"a": b.asc + b.t * x.t1 + b.g * lv.green, "b": b.t * x.t2, "c": b.t * x.t3}


def satisfaction(b, x, lv):
    return b.t * x.t + b.k * x.z + b.s * lv.green


def frames():
    """Cards with the best and the worst of three, of which one is not always there; and answers in four levels."""
    rng = np.random.default_rng(12)
    people = pd.DataFrame(
        {"id": np.arange(PEOPLE), "age": rng.normal(size=PEOPLE), "q": rng.normal(size=PEOPLE)}
    )
    md = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), 2), "there": [1, 0] * PEOPLE})
    oc = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), 3), "z": rng.uniform(size=3 * PEOPLE)})
    for name in ("t1", "t2", "t3"):
        md[name] = rng.uniform(0.5, 2.0, len(md))
    oc["t"], oc["sat"] = rng.uniform(0.5, 2.0, len(oc)), rng.integers(1, 5, len(oc))
    pairs = [rng.permutation(["a", "b", "c"][: 2 + there])[:2] for there in md["there"]]
    md["best"], md["worst"] = zip(*pairs, strict=True)
    md.loc[5, "worst"] = None
    return {"people": people, "md": md, "oc": oc}


def model():
    best = iclv.BestWorst(cards, kind="maxdiff", scale=True, available={"c": "there"}, name="md", table="md")
    ordered = iclv.OrderedChoice(satisfaction, "sat", link="probit", name="sat", table="oc")
    return iclv.Model([iclv.Latent("green", on=["age"])], [iclv.Continuous("q", of="green")], [best, ordered])


@pytest.fixture(scope="module")
def fit():
    problem = model().bind(frames(), person="id")
    params = problem.vector({n: P[n] for n in problem.names})
    return after.fit_at(problem.recentre(params), params)


def green(data, frame):
    age = data["people"].set_index("id")["age"].loc[frame["id"]].to_numpy()
    return P["green ~ age"] * age[:, None] + POINTS[:, 0]


def pairs(data):
    """P(best, worst), (best, worst, row, node)."""
    md, eta = data["md"], green(data, data["md"])
    v = [P["t"] * md[name].to_numpy()[:, None] + 0.0 * eta for name in ("t1", "t2", "t3")]
    v[0] = v[0] + P["asc"] + P["g"] * eta
    on = np.stack([md["there"] >= 0, md["there"] >= 0, md["there"] == 1])
    both = on[:, None] & on[None, :] & ~np.eye(3, dtype=bool)[:, :, None]
    e = both[..., None] * np.exp(np.array(v)[:, None] - P["md.scale"] * np.array(v)[None, :])
    return e / e.sum(axis=(0, 1))


def levels(data):
    """P(level), (level, row, node)."""
    oc = data["oc"]
    index = (P["t"] * oc["t"] + P["k"] * oc["z"]).to_numpy()[:, None] + P["s"] * green(data, oc)
    cuts = np.array([-np.inf, *(P[f"sat | {k}"] for k in (1, 2, 3)), np.inf])
    return np.diff(norm.cdf(cuts[:, None, None] - index), axis=0)


def logs_of(data):
    """Log densities of people with the weights of the nodes, (person, node)."""
    people, md, place = data["people"], data["md"], {"a": 0, "b": 1, "c": 2}
    both, total = pairs(data), np.tile(LOGS, (PEOPLE, 1))
    mean = P["q ~ 1"] + P["green =~ q"] * green(data, people)
    total = total + norm.logpdf(people["q"].to_numpy()[:, None], mean, P["q ~~ q"] ** 0.5)
    for i, (best, worst) in enumerate(zip(md["best"], md["worst"], strict=True)):
        row = both[place[best], :, i]
        total[md["id"][i]] += np.log(row[place[worst]] if isinstance(worst, str) else row.sum(axis=0))
    at = data["oc"]["sat"].to_numpy() - 1
    with np.errstate(divide="ignore"):  # At the outermost nodes some levels have a probability of zero.
        answered = np.log(levels(data)[at, np.arange(len(at))])
    np.add.at(total, data["oc"]["id"].to_numpy(), answered)
    return total


@pytest.mark.slow
def test_the_likelihood_is_that_of_plain_numpy(fit):
    expected = logsumexp(logs_of(frames()), axis=1)
    np.testing.assert_allclose(fit.problem.loglike_person(fit.estimates), expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "column"), [("md", "t2"), ("sat", "z")])
def test_what_is_asked_after_a_fit(fit, choice, column, tmp_path):
    data, table = frames(), "md" if choice == "md" else "oc"

    def probabilities(move=0.0):
        moved = data[table].assign(**{column: data[table][column] + move})
        found = data | {table: moved}
        return pairs(found).sum(axis=1) if choice == "md" else levels(found)

    prior, logs = np.exp(LOGS), logs_of(data)
    posterior = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))[data[table]["id"]]
    before = np.einsum("jnk,k->nj", probabilities(), prior)
    np.testing.assert_allclose(fit.predict(choice=choice), before, rtol=1e-10)
    known = np.einsum("jnk,nk->nj", probabilities(), posterior)
    np.testing.assert_allclose(fit.predict(choice=choice, given="answers"), known, rtol=1e-8)
    np.testing.assert_allclose(fit.shares(choice=choice)["predicted"], before.mean(axis=0), rtol=1e-10)
    slopes = np.einsum("jnk,k->nj", probabilities(1e-5) - probabilities(-1e-5), prior) / 2e-5
    expected = np.divide(slopes, before, out=np.full(before.shape, np.nan), where=before > 0.0)
    expected = expected * data[table][column].to_numpy()[:, None]
    np.testing.assert_allclose(fit.elasticities(column, choice=choice).rows, expected, rtol=1e-6, atol=1e-9)
    fit.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", model(), data)
    np.testing.assert_array_equal(again.predict(choice=choice), fit.predict(choice=choice))


@pytest.mark.slow
def test_simulated_answers_have_their_probabilities():
    times, data = 100, frames()
    many = {
        name: pd.concat([f.assign(id=f["id"] + 100 * r) for r in range(times)]) for name, f in data.items()
    }
    many = {name: f.reset_index(drop=True) for name, f in many.items()}
    drawn = model().simulate(P, many, seed=4, person="id")
    both = np.einsum("abnk,k->nab", pairs(data), np.exp(LOGS))
    place, seen = {"a": 0, "b": 1, "c": 2}, np.zeros(both.shape)
    at = [drawn["md"][c].map(place).to_numpy() for c in ("best", "worst")]
    np.add.at(seen, (np.arange(len(at[0])) % len(both), *at), 1.0 / times)
    four = np.einsum("jnk,k->nj", levels(data), np.exp(LOGS))
    level = np.eye(4)[drawn["oc"]["sat"].to_numpy(int) - 1].reshape(times, len(four), 4).mean(axis=0)
    for share, p in ((seen, both), (level, four)):
        z = (share - p)[p > 0.0] / np.sqrt(p * (1.0 - p) / times)[p > 0.0]
        assert 0.7 < (z**2).mean() < 1.4
