"""Kinds of choice inside and beside each other, against plain numpy: nests in classes with a random coefficient, rankings in
classes, and two sources with other people, one of them with a nest."""

import after
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import iclv_jax as iclv

POINTS, LOGS = after.grid(40, 1)
U = POINTS[:, 0]
PEOPLE, TIMES = 9, 3
STEP = 1e-4


def nested(v, members, scale):
    """Log probabilities and log-sum of a nested logit with one nest, whose logsum coefficient is `scale`."""
    inside = scale * logsumexp([v[a] / scale for a in members], axis=0)
    total = logsumexp([inside, *(v[a] for a in v if a not in members)], axis=0)
    logs = {a: inside - total + v[a] / scale - inside / scale if a in members else v[a] - total for a in v}
    return logs, total


class Plain:
    """The oracle of a case: `logs(row)` is log probabilities by (class, node) and answer, `sums(row)` the log-sums of the
    same shape, `members(row)` log shares of the classes, `cost` the coefficient of cost by class."""

    def __init__(self, frame, logs, sums, members, cost, answer):
        rows = [row for _, row in frame.iterrows()]
        self.ids = frame["id"].to_numpy()
        self.people = list(dict.fromkeys(self.ids))
        self.each = [logs(row) for row in rows]
        self.sums = np.array([sums(row) for row in rows])
        chosen = [answer(row) for row in rows]
        joint = {}
        for row, logs_of, at in zip(rows, self.each, chosen, strict=True):
            first = members(row)[:, None] + LOGS
            joint.setdefault(row["id"], first.copy())
            joint[row["id"]] += logs_of[at]
        self.prior = {row["id"]: np.exp(members(row)[:, None] + LOGS) for row in rows}
        self.loglike = np.array([logsumexp(joint[i]) for i in self.people])
        self.posterior = {i: np.exp(joint[i] - logsumexp(joint[i])) for i in self.people}
        self.cost = cost

    def weights(self, given):
        known = self.posterior if given == "answers" else self.prior
        return np.stack([known[i] for i in self.ids])

    def predicted(self, given, answers):
        w = self.weights(given)
        return np.array(
            [[(w[t] * np.exp(self.each[t][a])).sum() for a in answers] for t in range(len(self.ids))]
        )


# --- nests in classes, one of them with a random coefficient --------------------------------------------------------

NESTS = {
    "share": -0.3,
    "share_age": 0.6,
    "asc": 0.2,
    "time": -0.8,
    "time.sd": 0.5,
    "cost": -0.9,
    "poor": -1.6,
}
NESTS |= {"keen.public.lambda": 0.6, "thrifty.public.lambda": 0.8}
MODES = ("bus", "train", "car")


def keen(b, x, lv):
    v = {a: b.time * x[f"time_{a}"] + b.cost * x[f"cost_{a}"] for a in MODES}
    return v | {"car": b.asc + v["car"]}


def thrifty(b, x, lv):
    return {a: b.poor * x[f"cost_{a}"] for a in MODES}


def classes():
    nests = {"public": ["bus", "train"]}
    kinds = {
        "keen": iclv.NestedLogit(keen, "mode", nests, {"train": "av"}),
        "thrifty": iclv.NestedLogit(thrifty, "mode", nests, {"train": "av"}),
    }

    def membership(b, x, lv):
        return {"keen": b.share + b.share_age * x.age, "thrifty": 0.0}

    choice = iclv.LatentClasses(membership, kinds, apart=True)
    return iclv.Model(choice=choice, random={"time": iclv.Normal()})


def trips():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), TIMES)})
    frame["age"] = rng.normal(size=PEOPLE)[frame["id"]]
    for a in MODES:
        frame[f"time_{a}"], frame[f"cost_{a}"] = rng.uniform(0.2, 2.0, (2, len(frame)))
    frame["av"] = (np.arange(len(frame)) % 4 > 0).astype(int)
    frame["mode"] = [rng.choice(["bus", "car", *(["train"] if av else [])]) for av in frame["av"]]
    return frame


def plain_classes(frame, p=NESTS):
    def both(row):
        found = []
        for k in ("keen", "thrifty"):
            time = p["time"] + p["time.sd"] * U if k == "keen" else 0.0 * U
            cost = p["cost"] if k == "keen" else p["poor"]
            v = {a: time * row[f"time_{a}"] + cost * row[f"cost_{a}"] for a in MODES}
            v["car"] = v["car"] + (p["asc"] if k == "keen" else 0.0)
            if not row["av"]:
                v["train"] = np.full_like(U, -np.inf)
            found.append(nested(v, ("bus", "train"), p[f"{k}.public.lambda"]))
        return found

    def logs(row):
        each = both(row)
        return {a: np.stack([one[a] for one, _ in each]) for a in MODES}

    def members(row):
        m = p["share"] + p["share_age"] * row["age"]
        return np.array([-np.logaddexp(0.0, -m), -np.logaddexp(0.0, m)])

    cost = np.array([p["cost"], p["poor"]])[:, None]
    return Plain(
        frame, logs, lambda row: np.stack([s for _, s in both(row)]), members, cost, lambda row: row["mode"]
    )


@pytest.fixture(scope="module")
def nests():
    data = trips()
    problem = classes().bind(data, person="id", integration=iclv.GaussHermite(40, adaptive=False))
    return after.fit_at(problem, problem.vector({n: NESTS[n] for n in problem.names})), data


@pytest.mark.gate("nothing")
@pytest.mark.parametrize("given", ["nothing", "answers"])
def test_nests_in_classes(nests, given):
    fit, data = nests
    plain = plain_classes(data)
    np.testing.assert_allclose(fit.problem.loglike_person(fit.estimates), plain.loglike, rtol=1e-12)
    expected = plain.predicted(given, MODES)
    np.testing.assert_allclose(fit.predict(given=given)[list(MODES)], expected, atol=1e-6)
    known = plain.posterior if given == "answers" else plain.prior
    shares = np.stack([known[i].sum(axis=1) for i in plain.people])
    np.testing.assert_allclose(fit.class_probabilities(given=given), shares, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["nothing", "answers"])
def test_surplus_and_cross_effects_of_nests_in_classes(nests, given):
    """Log-sums of each class over its own worth of money; and elasticities with what people are known by held."""
    fit, data = nests
    plain = plain_classes(data)
    second = data.assign(cost_bus=data["cost_bus"] - 0.4, time_car=data["time_car"] + 0.3, av=1)
    more = plain_classes(second).sums - plain.sums
    weights = plain.weights(given)
    found = fit.scenario(data, second.drop(columns="mode"), cost="cost_bus", given=given)
    assert not found.notes
    np.testing.assert_allclose(found.surplus, (weights * more / -plain.cost).sum(axis=(1, 2)), atol=1e-6)
    moved = [plain_classes(data.assign(time_bus=data["time_bus"] + h)) for h in (STEP, -STEP)]
    sides = [
        np.array(
            [[(w * np.exp(each[a])).sum() for a in MODES] for w, each in zip(weights, one.each, strict=True)]
        )
        for one in moved
    ]
    base = plain.predicted(given, MODES)
    slope = (sides[0] - sides[1]) / (2.0 * STEP) * data[["time_bus"]].to_numpy()
    expected = np.where(base > 0.0, slope / np.where(base > 0.0, base, 1.0), np.nan)
    np.testing.assert_allclose(fit.elasticities("time_bus", given=given).rows, expected, atol=1e-5)


@pytest.mark.slow
def test_nests_in_classes_exact_hessian_and_saving(nests, tmp_path):
    fit, data = nests
    exact, automatic = (np.asarray(fit.problem.hessian(fit.estimates, m)) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, automatic, rtol=1e-8, atol=1e-8 * np.abs(automatic).max())
    fit.save(tmp_path / "fit.npz")
    again = iclv.load(tmp_path / "fit.npz", classes(), data)
    np.testing.assert_allclose(again.predict(given="nothing"), fit.predict(given="nothing"), rtol=1e-12)


# --- two sources with other people, one with a nest -----------------------------------------------------------------

SOURCES = {
    "asc": 0.2,
    "time": -0.8,
    "time.sd": 0.5,
    "cost": -0.9,
    "mu": 1.4,
    "none": -0.7,
    "public.lambda": 0.6,
}
CARDS = ("a", "b", "none")


def rp(b, x, lv):
    v = {a: b.time * x[f"time_{a}"] + b.cost * x[f"cost_{a}"] for a in MODES}
    return v | {"car": b.asc + v["car"]}


def sp(b, x, lv):
    v = {a: b.mu * (b.time * x[f"time_{a}"] + b.cost * x[f"cost_{a}"]) for a in CARDS[:2]}
    return v | {"none": b.mu * b.none}


def two_sources():
    nest = {"public": ["bus", "train"]}
    choices = [
        iclv.NestedLogit(rp, "mode", nest, {"train": "av"}, name="rp", table="trips"),
        iclv.Logit(sp, "card", name="sp", table="cards"),
    ]
    return iclv.Model(choice=choices, random={"time": iclv.Normal()})


def frames():
    """People 0 to 8 with trips and 5 to 11 with cards."""
    rng = np.random.default_rng(8)
    cards = pd.DataFrame({"id": np.repeat(np.arange(5, 12), 2)})
    for a in CARDS[:2]:
        cards[f"time_{a}"], cards[f"cost_{a}"] = rng.uniform(0.2, 2.0, (2, len(cards)))
    return {"trips": trips(), "cards": cards.assign(card=rng.choice(CARDS, len(cards)))}


def logs_of_sources(tables, p=SOURCES):
    """By table and row: log probabilities by answer and node, and log-sums in units of the source's scale."""
    time, found = p["time"] + p["time.sd"] * U, {"trips": [], "cards": []}
    for _, row in tables["trips"].iterrows():
        v = {a: time * row[f"time_{a}"] + p["cost"] * row[f"cost_{a}"] for a in MODES}
        v["car"] = v["car"] + p["asc"]
        if not row["av"]:
            v["train"] = np.full_like(U, -np.inf)
        found["trips"].append(nested(v, ("bus", "train"), p["public.lambda"]))
    for _, row in tables["cards"].iterrows():
        v = {a: p["mu"] * (time * row[f"time_{a}"] + p["cost"] * row[f"cost_{a}"]) for a in CARDS[:2]}
        v["none"] = np.full_like(U, p["mu"] * p["none"])
        total = logsumexp([v[a] for a in CARDS], axis=0)
        found["cards"].append(({a: v[a] - total for a in CARDS}, total / p["mu"]))
    return found


@pytest.fixture(scope="module")
def sources():
    tables = frames()
    problem = two_sources().bind(tables, person="id", integration=iclv.GaussHermite(40, adaptive=False))
    fit = after.fit_at(problem, problem.vector({n: SOURCES[n] for n in problem.names}))
    joint = {i: LOGS.copy() for i in range(12)}
    each = logs_of_sources(tables)
    for name, answer in (("trips", "mode"), ("cards", "card")):
        for at, (i, chosen) in enumerate(zip(tables[name]["id"], tables[name][answer], strict=True)):
            joint[i] = joint[i] + each[name][at][0][chosen]
    return fit, tables, each, joint


WHERE = {"rp": ("trips", "mode", MODES), "sp": ("cards", "card", CARDS)}


@pytest.mark.gate("rp")
@pytest.mark.parametrize("choice", WHERE)
def test_two_sources_with_other_people_and_a_nest(sources, choice):
    fit, tables, each, joint = sources
    expected = [logsumexp(joint[i]) for i in fit.problem.panel.people]
    np.testing.assert_allclose(fit.problem.loglike_person(fit.estimates), expected, rtol=1e-12)
    table, _, answers = WHERE[choice]
    for given in ("nothing", "answers"):
        known = {
            i: np.exp((v if given == "answers" else LOGS) - logsumexp(v if given == "answers" else LOGS))
            for i, v in joint.items()
        }
        weights = [known[i] for i in tables[table]["id"]]
        wanted = [
            [w @ np.exp(logs[a]) for a in answers] for w, (logs, _) in zip(weights, each[table], strict=True)
        ]
        np.testing.assert_allclose(fit.predict(given=given, choice=choice)[list(answers)], wanted, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("choice", WHERE)
def test_surplus_of_sources_with_other_people_and_a_nest(sources, choice):
    fit, tables, each, joint = sources
    table = WHERE[choice][0]
    column = "cost_bus" if choice == "rp" else "cost_a"
    second = tables | {table: tables[table].assign(**{column: tables[table][column] - 0.4})}
    posterior = [np.exp(joint[i] - logsumexp(joint[i])) for i in tables[table]["id"]]
    more = [b - a for (_, a), (_, b) in zip(each[table], logs_of_sources(second)[table], strict=True)]
    wanted = [w @ change / -SOURCES["cost"] for w, change in zip(posterior, more, strict=True)]
    found = fit.scenario(tables, second, cost=column, given="answers", choice=choice)
    assert not found.notes
    np.testing.assert_allclose(found.surplus, wanted, atol=1e-6)


# --- rankings in classes --------------------------------------------------------------------------------------------

RANKS = {"share": 0.4, "asc": 0.3, "time": -0.9, "cost": -1.2, "rank2.scale": 0.7, "rank3.scale": 0.7}


def hurried(b, x, lv):
    v = {a: b.time * x[f"time_{a}"] for a in MODES}
    return v | {"car": b.asc + v["car"]}


def saving(b, x, lv):
    return {a: b.cost * x[f"cost_{a}"] for a in MODES}


@pytest.mark.slow
def test_rankings_in_classes():
    """Probabilities of a first choice, and classes from whole and partial rankings; what is not there is never drawn."""
    rng = np.random.default_rng(9)
    data = trips()
    orders = [rng.permutation(MODES) if av else rng.permutation(["bus", "car"]) for av in data["av"]]
    for k in range(3):
        data[f"r{k + 1}"] = [
            o[k] if k < len(o) - (at % 5 == 0) and len(o) > k else None for at, o in enumerate(orders)
        ]
    ranks = ["r1", "r2", "r3"]
    kinds = {k: iclv.Ranking(u, ranks, available={"train": "av"}) for k, u in (("h", hurried), ("s", saving))}
    choice = iclv.LatentClasses(lambda b, x, lv: {"h": b.share, "s": 0.0}, kinds)
    problem = iclv.Model(choice=choice).bind(data, person="id")
    fit = after.fit_at(problem, problem.vector({n: RANKS[n] for n in problem.names}))

    def of_class(row, k):
        v = {
            a: RANKS["time"] * row[f"time_{a}"] if k == "h" else RANKS["cost"] * row[f"cost_{a}"]
            for a in MODES
        }
        v["car"] += RANKS["asc"] if k == "h" else 0.0
        return {a: value for a, value in v.items() if row["av"] or a != "train"}

    joint = np.tile([-np.logaddexp(0.0, -RANKS["share"]), -np.logaddexp(0.0, RANKS["share"])], (PEOPLE, 1))
    firsts = np.zeros((2, len(data), 3))
    for at, (_, row) in enumerate(data.iterrows()):
        for c, k in enumerate("hs"):
            v = of_class(row, k)
            firsts[c, at] = [np.exp(v[a] - logsumexp(list(v.values()))) if a in v else 0.0 for a in MODES]
            for rank in ranks:
                if isinstance(row[rank], str) and len(v) > 1:
                    joint[row["id"], c] += v[row[rank]] - logsumexp(list(v.values()))
                    del v[row[rank]]
    np.testing.assert_allclose(problem.loglike_person(fit.estimates), logsumexp(joint, axis=1), rtol=1e-12)
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(fit.class_probabilities(given="answers"), posterior, rtol=1e-9)
    wanted = np.einsum("tc,ctj->tj", posterior[data["id"]], firsts)
    np.testing.assert_allclose(fit.predict(given="answers")[list(MODES)], wanted, rtol=1e-9)
    drawn = iclv.Model(choice=choice).simulate(
        dict(zip(problem.names, fit.estimates, strict=True)), data, seed=1, person="id"
    )
    assert not (drawn[ranks].eq("train").any(axis=1) & (data["av"] == 0)).any()
