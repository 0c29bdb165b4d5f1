"""A bank of small models with artificial data, for every test that takes any model.

`NAMES` lists the cases, `get(name)` builds one, `bound(name)` binds it to its data and `centred(name)` places its
nodes. Data are seeded and drawn by `plain.simulate`, so that no case rests on the package that it tests.
"""

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import plain

import iclv_jax as iclv
from iclv_jax import Continuous, Latent, Logit, Ordered, Probit, Thresholds


@dataclass(frozen=True, eq=False)
class Case:
    """A model with data, what `bind` takes beside them, and parameters near the optimum.

    `parts` are the keyword arguments of `iclv.Model`; `params` maps every free parameter to the value with
    which the data were drawn.
    """

    name: str
    parts: dict[str, Any]
    data: pd.DataFrame
    bind: dict[str, Any]
    params: dict[str, float]

    @cached_property
    def model(self) -> iclv.Model:
        return iclv.Model(**self.parts)


@dataclass(frozen=True, eq=False)
class Bound:
    """A case bound to its data, and its parameters as a vector."""

    case: Case
    problem: iclv.Problem
    params: Any = field(repr=False)

    def plain(self, problem=None, **changes: float):
        """log L_n of every person by `plain`, at the nodes of the problem (or of another one)."""
        people = {key: self.case.bind[key] for key in ("person", "people") if key in self.case.bind}
        nodes = (problem or self.problem).core.nodes
        return plain.loglike_person(
            self.case.parts, self.case.data, self.case.params | changes, *map(np.asarray, nodes), **people
        )


BUILDERS: dict[str, Any] = {}


def case(build):
    BUILDERS[build.__name__] = build
    return build


@cache
def get(name: str) -> Case:
    return Case(name, *BUILDERS[name]())


@cache
def bound(name: str) -> Bound:
    """The case at nodes that are not centred."""
    one = get(name)
    problem = one.model.bind(one.data, **one.bind)
    return Bound(one, problem, problem.vector(one.params))


@cache
def centred(name: str) -> Bound:
    """The case at nodes for its parameters; the same for a rule without centres."""
    one = bound(name)
    return replace(one, problem=one.problem.recentre(one.params))


# --- designs ----------------------------------------------------------------------------------------------------


def single(people, seed, **columns):
    """One row per person; `columns` maps names to `normal`, `binary` or a pair (low, high)."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame({name: _column(kind, people, generator) for name, kind in columns.items()})


def panel(people, situations, seed, constant=(), **columns):
    """Up to `situations` rows per person, in mixed order; columns in `constant` have one value per person."""
    generator = np.random.default_rng(seed)
    identifiers = generator.permutation(np.arange(100, 100 + people))
    owner = generator.permutation(np.repeat(np.arange(people), generator.integers(1, situations + 1, people)))
    found = {}
    for name, kind in columns.items():
        each = _column(kind, people, generator)[owner]
        found[name] = each if name in constant else _column(kind, len(owner), generator)
    return pd.DataFrame({"id": identifiers[owner], **found})


def _column(kind, count, generator):
    if kind == "normal":
        return np.round(generator.normal(size=count), 3)
    if kind == "binary":
        return generator.integers(0, 2, count)
    return np.round(generator.uniform(*kind, size=count), 3)


def blank(data, column, share, seed, person=None, code=np.nan):
    """The data with some answers of a column replaced by NaN or a code, for whole people."""
    generator = np.random.default_rng(seed)
    owner = data.index.to_numpy() if person is None else data[person].to_numpy()
    people = np.unique(owner)
    chosen = generator.choice(people, int(share * len(people)), replace=False)
    return data.assign(**{column: data[column].where(~np.isin(owner, chosen), code)})


def levels(**counts):
    return {name: list(range(1, count + 1)) for name, count in counts.items()}


def cut(column, *values):
    """Thresholds by name."""
    return {f"{column} | {i + 1}": v for i, v in enumerate(values)}


# --- the cases --------------------------------------------------------------------------------------------------


@case
def chain():
    """Three latent variables in a row, declared against the causal order, and an opt-out among three
    alternatives; one is not always on offer and has no attributes then."""

    def utility(b, x, lv):
        return {
            "sugar": b.asc_sugar + b.price * x.price_sugar + b.taste * lv.intention,
            "none": 0.0,
            "free": b.asc_free + b.price * x.price_free + b.label * x.label * lv.intention,
        }

    parts = {
        "latent": [
            Latent("intention", on=["benefit", "income"]),
            Latent("concern", on=["age", "female"]),
            Latent("benefit", on=["concern"]),
        ],
        "indicators": [
            Ordered("q1", of="concern"),
            Ordered("q2", of="concern"),
            Continuous("k1", of="benefit"),
            Ordered("q3", of="benefit", levels=[1, 2, 3, 4]),
            Ordered("q4", of="intention", link="logit"),
        ],
        "choice": Logit(utility, chosen="choice", available={"sugar": "av_sugar"}),
    }
    params = {
        "intention ~ benefit": 0.6, "intention ~ income": -0.3, "concern ~ age": 0.5, "concern ~ female": -0.4,
        "benefit ~ concern": 0.7, "concern =~ q1": 0.9, **cut("q1", -1.1, -0.3, 0.4, 1.2),
        "concern =~ q2": -0.7, **cut("q2", -0.4, 0.6), "k1 ~ 1": 0.3, "benefit =~ k1": 0.8, "k1 ~~ k1": 0.6,
        "benefit =~ q3": 0.7, **cut("q3", -0.8, 0.1, 0.9), "intention =~ q4": 1.1, **cut("q4", -1.0, 0.2, 1.4),
        "asc_sugar": 0.4, "asc_free": -0.2, "price": -0.7, "taste": 0.8, "label": 0.5,
    }  # fmt: skip
    frame = panel(
        36, 4, 1, constant=("age", "female", "income", "w"), age="normal", female="binary", income="normal",
        w=(0.2, 2.0), price_sugar=(0, 3), price_free=(0, 3), label="binary", av_sugar="binary",
    )  # fmt: skip
    frame["price_sugar"] = frame["price_sugar"].where(frame["av_sugar"] == 1)
    data = plain.simulate(parts, frame, params, levels(q1=5, q2=3, q3=4, q4=4), 1, "id")
    bind = {"person": "id", "weights": "w", "integration": iclv.MonteCarlo(6, "halton", seed=3)}
    return parts, data, bind, params


@case
def mimic():
    """One latent variable with a location and a unit of its own, continuous items, missing answers."""
    parts = {
        "latent": [Latent("health", on=["age", "income"], scale="loading", intercept=True)],
        "indicators": [Continuous(f"y{k}", of="health", missing=[-9]) for k in (1, 2, 3)]
        + [Continuous("y4", of="health", intercept=False)],
        "fixed": {"y1 ~ 1": 0.25},
    }
    params = {
        "health ~ 1": 0.5, "health ~ age": 0.4, "health ~ income": -0.6, "health ~~ health": 0.7,
        "y1 ~~ y1": 0.5, "y2 ~ 1": -0.3, "health =~ y2": 0.8, "y2 ~~ y2": 0.4, "y3 ~ 1": 1.0,
        "health =~ y3": -1.2, "y3 ~~ y3": 0.9, "health =~ y4": 0.5, "y4 ~~ y4": 0.3,
    }  # fmt: skip
    data = plain.simulate(parts, single(50, 2, age="normal", income="normal"), params, {}, 2)
    data = blank(blank(data, "y2", 0.2, 1), "y3", 0.3, 2, code=-9.0)
    return parts, data, {"integration": iclv.GaussHermite(5)}, params


@case
def cfa():
    """Two covarying latent variables, an item of both, links and numbers of levels side by side."""
    parts = {
        "latent": [Latent("trust"), Latent("risk")],
        "indicators": [
            Continuous("t1", of="trust"),
            Ordered("t2", of="trust", link="logit"),
            Ordered("both", of=["risk", "trust"], link="logit"),
            Ordered("r1", of="risk"),
            Continuous("mean", of=["trust", "risk"]),
            Ordered("r2", of="risk", missing=[99]),
        ],
        "covariances": [("risk", "trust")],
    }
    params = {
        "trust ~~ risk": -0.4, "t1 ~ 1": 2.0, "trust =~ t1": 0.8, "t1 ~~ t1": 0.5, "trust =~ t2": -1.2,
        **cut("t2", -1.5, 0.3, 1.6), "risk =~ both": 0.9, "trust =~ both": -0.6, **cut("both", -0.6, 0.9),
        "risk =~ r1": 0.8, **cut("r1", -1.0, -0.2, 0.5, 1.1), "mean ~ 1": -1.0, "trust =~ mean": 0.5,
        "risk =~ mean": 0.6, "mean ~~ mean": 0.4, "risk =~ r2": -0.7, **cut("r2", 0.2),
    }  # fmt: skip
    data = plain.simulate(parts, single(40, 3, nothing="normal"), params, levels(t2=4, both=3, r1=5, r2=2), 3)
    data = blank(data, "r2", 0.2, 3, code=99)
    return parts, data, {"integration": iclv.GaussHermite(4)}, params


@case
def likert5():
    """Five levels with one symmetric set of thresholds, a free location and scale per item; a binary logit
    in which the latent variable changes the weight of an attribute."""

    def utility(b, x, lv):
        return {"a": b.asc + (b.time + b.shift * lv.green) * x.time, "b": b.cost * x.cost}

    likert = Thresholds("likert", symmetric=True)
    parts = {
        "latent": [Latent("green", on=["age"])],
        "indicators": [Ordered(f"q{k}", of="green", thresholds=likert, missing=[-1, 6]) for k in (1, 2, 3)]
        + [Ordered("q4", of="green", thresholds=likert, scale=False)],
        "choice": Logit(utility, "choice"),
        "fixed": {"q1 ~~ q1": 1.0, "q1 ~ 1": 0.0},
    }
    params = {
        "green ~ age": 0.5, "green =~ q1": 0.9, "likert.delta1": 0.4, "likert.delta2": 0.8, "q2 ~ 1": 0.3,
        "green =~ q2": -0.8, "q2 ~~ q2": 1.4, "q3 ~ 1": -0.2, "green =~ q3": 0.6, "q3 ~~ q3": 0.7,
        "q4 ~ 1": 0.1, "green =~ q4": 0.7, "asc": 0.2, "time": -0.6, "shift": 0.4, "cost": -0.5,
    }  # fmt: skip
    frame = panel(40, 3, 4, constant=("age",), age="normal", time=(0, 3), cost=(0, 3))
    data = plain.simulate(parts, frame, params, levels(q1=5, q2=5, q3=5, q4=5), 4, "id")
    data = blank(blank(data, "q2", 0.1, 4, "id", code=-1), "q3", 0.1, 5, "id", code=6)
    return parts, data, {"person": "id", "integration": iclv.Adaptive(6, seed=1)}, params


@case
def likert4():
    """A symmetric set with a threshold at zero, and a set that is shared but not symmetric."""
    even, odd = Thresholds("even", symmetric=True), Thresholds("odd")
    parts = {
        "latent": [Latent("skill", on=["effort", "age"]), Latent("effort")],
        "indicators": [
            Ordered("e1", of="effort", link="logit", thresholds=even),
            Ordered("e2", of="effort", link="logit", thresholds=even),
            Ordered("s1", of="skill", thresholds=odd, intercept=False),
            Ordered("s2", of="skill", thresholds=odd, scale=False),
            Ordered("s3", of=["skill", "effort"], thresholds=odd),
        ],
        "fixed": {"e2 ~~ e2": 2.25},
    }
    params = {
        "skill ~ effort": 0.5, "skill ~ age": 0.3, "e1 ~ 1": 0.2, "effort =~ e1": 1.0, "e1 ~~ e1": 0.6,
        "e2 ~ 1": -0.3, "effort =~ e2": 0.8, "even.delta1": 1.1, "skill =~ s1": 0.7, "s1 ~~ s1": 0.8,
        "odd | 1": -0.5, "odd | 2": 0.6, "s2 ~ 1": 0.2, "skill =~ s2": 0.9, "s3 ~ 1": 0.1,
        "skill =~ s3": -0.6, "effort =~ s3": 0.4, "s3 ~~ s3": 1.3,
    }  # fmt: skip
    counts = levels(e1=4, e2=4, s1=3, s2=3, s3=3)
    data = plain.simulate(parts, single(40, 5, age="normal"), params, counts, 5)
    data = blank(blank(data, "e1", 0.2, 6), "s3", 0.2, 7)
    return parts, data, {"integration": iclv.MonteCarlo(8, "sobol", seed=2)}, params


@case
def scaled():
    """Covarying latent variables whose units come from loadings, one of them named in `fixed`; free scales
    beside fixed thresholds; a probit."""

    def utility(b, x, lv):
        return {1: b.asc + b.cost * x.cost + b.wealth * lv.wealth, 0: b.pride * lv.pride}

    parts = {
        "latent": [
            Latent("pride", on=["wealth"]),
            Latent("wealth", on=["age"], scale="loading", intercept=True),
            Latent("status", scale="loading"),
        ],
        "indicators": [
            Continuous("w1", of="wealth"),
            Ordered("w2", of="wealth", scale=True, intercept=True),
            Continuous("s1", of="status"),
            Continuous("s2", of=["status", "pride"]),
            Ordered("p1", of="pride"),
        ],
        "choice": Probit(utility, "choice"),
        "covariances": [("status", "wealth")],
        "fixed": {"status =~ s2": -1.0, "w1 ~ 1": 0.0, "w2 | 1": -0.5, "w2 | 3": 0.9},
    }
    params = {
        "pride ~ wealth": 0.5, "wealth ~ 1": 0.4, "wealth ~ age": 0.3, "wealth ~~ wealth": 0.8,
        "status ~~ status": 1.2, "wealth ~~ status": 0.5, "w1 ~~ w1": 0.6, "w2 ~ 1": -0.2, "wealth =~ w2": 0.7,
        "w2 | 2": 0.2, "w2 ~~ w2": 0.5, "s1 ~ 1": 1.0, "status =~ s1": -0.9, "s1 ~~ s1": 0.4, "s2 ~ 1": -0.5,
        "pride =~ s2": 0.4, "s2 ~~ s2": 0.7, "pride =~ p1": 0.8, **cut("p1", -0.6, 0.7), "asc": 0.3,
        "cost": -0.6, "wealth": 0.5, "pride": -0.4,
    }  # fmt: skip
    frame = panel(36, 3, 6, constant=("age",), age="normal", cost=(0, 2))
    data = plain.simulate(parts, frame, params, levels(w2=4, p1=3), 6, "id")
    data = blank(data, "s2", 0.2, 8, "id")
    return parts, data, {"person": "id", "integration": iclv.Adaptive(7, "halton", seed=5)}, params


@case
def interactions():
    """Products of latent variables and a smooth function in the utilities; numbers and text as alternatives,
    in no order."""

    def utility(b, x, lv):
        return {
            7: b.asc + b.twist * lv.calm * lv.haste - jnp.exp(b.log_price) * x.price,
            "none": 0.0,
            2: b["haste and time"] * lv.haste * x["travel time"] + b.calm * jnp.tanh(lv.calm),
        }

    parts = {
        "latent": [Latent("haste"), Latent("calm", on=["haste"])],
        "indicators": [
            Ordered("h1", of="haste"),
            Ordered("h2", of="haste"),
            Continuous("c1", of="calm"),
            Ordered("c2", of="calm"),
        ],
        "choice": Logit(utility, "choice", available={2: "av2"}),
    }
    params = {
        "calm ~ haste": -0.5, "haste =~ h1": 0.8, **cut("h1", -0.5, 0.6), "haste =~ h2": 0.9,
        **cut("h2", -0.9, 0.1, 0.8), "c1 ~ 1": 0.2, "calm =~ c1": 0.7, "c1 ~~ c1": 0.5, "calm =~ c2": -0.8,
        **cut("c2", 0.1), "asc": 0.9, "twist": 0.4, "log_price": -0.5, "haste and time": 0.6, "calm": 0.5,
    }  # fmt: skip
    frame = panel(36, 3, 7, **{"price": (0, 3), "travel time": (-1, 1), "av2": "binary"})
    data = plain.simulate(parts, frame, params, levels(h1=3, h2=4, c2=2), 7, "id")
    return parts, data, {"person": "id", "integration": iclv.MonteCarlo(7, "mlhs", seed=4)}, params


@case
def mixed_logit():
    """No latent variable: random coefficients over an unbalanced panel with weights."""

    def utility(b, x, lv):
        return {
            "car": b.asc_car + b.cost * x.cost_car + b.time * x.time_car,
            "bus": b.cost * x.cost_bus + b.time * x.time_bus + b.comfort * x.comfort,
        }

    parts = {
        "choice": Logit(utility, "choice"),
        "random": {"time": iclv.LogNormal(sign=-1), "asc_car": iclv.Normal()},
    }
    params = {"asc_car": 0.3, "asc_car.sd": -0.8, "cost": -0.7, "time": -0.5, "time.sd": 0.4, "comfort": 0.5}
    frame = panel(
        50, 5, 8, cost_car=(0, 3), cost_bus=(0, 3), time_car=(0, 2), time_bus=(0, 3), comfort="normal",
    )  # fmt: skip
    data = plain.simulate(parts, frame, params, {}, 8, "id")
    bind = {
        "person": "id",
        "weights": np.random.default_rng(8).uniform(0.5, 1.5, 50),
        "integration": iclv.MonteCarlo(9, "random", seed=6),
    }
    return parts, data, bind, params


@case
def correlated():
    """Correlated random coefficients, one of them lognormal, beside a latent variable."""

    def utility(b, x, lv):
        return {
            "left": b.asc + b.cost * x.cost + b.mood * lv.mood,
            "right": b.time * x.time,
            "stay": b.stay * x.rain,
        }

    parts = {
        "latent": [Latent("mood", on=["age"])],
        "indicators": [Continuous("m1", of="mood"), Ordered("m2", of="mood", link="logit")],
        "choice": Logit(utility, "choice"),
        "random": {"time": iclv.Normal(), "cost": iclv.LogNormal(sign=-1), "asc": iclv.Normal()},
        "covariances": [("cost", "time"), ("asc", "time")],
    }
    params = {
        "mood ~ age": 0.4, "m1 ~ 1": 0.5, "mood =~ m1": 0.9, "m1 ~~ m1": 0.5, "mood =~ m2": 1.1,
        **cut("m2", -0.7, 0.8), "asc": 0.4, "asc.sd": 0.7, "cost": -0.4, "cost.sd": 0.5, "mood": 0.6,
        "time": -0.3, "time.sd": 0.9, "stay": 0.4, "time ~~ cost": 0.15, "time ~~ asc": -0.2,
    }  # fmt: skip
    frame = panel(36, 4, 9, constant=("age",), age="normal", cost=(0, 2), time=(0, 2), rain="normal")
    data = plain.simulate(parts, frame, params, levels(m2=3), 9, "id")
    return parts, data, {"person": "id", "integration": iclv.Adaptive(6, "mlhs", seed=7)}, params


@case
def plain_logit():
    """Nothing to integrate; constraints among coefficients, availability, rows without a choice."""

    def utility(b, x, lv):
        return {
            3: b.asc3 + b.time3 * x.time3 + b.cost * x.cost3,
            1: b.asc1 + b.time1 * x.time1 + b.cost * x.cost1,
            2: b.asc2 + b.time2 * x.time2 + b.luxury * x.cost1**2,
        }

    parts = {
        "choice": Logit(utility, "choice", available={1: "av1", 3: "av3"}),
        "fixed": {"asc2": 0.0},
        "equal": [["time1", "time3"]],
        "define": {"time2": lambda p: p.ratio * p.time3, "luxury": lambda p: p["time2"] ** 2 / 10},
    }
    params = {"asc3": 0.3, "asc1": -0.2, "time1": -0.8, "cost": -0.5, "ratio": 1.4}
    frame = panel(
        40, 3, 10, time1=(0, 2), time2=(0, 2), time3=(0, 2), cost1=(0, 2), cost3=(0, 2), av1="binary", av3="binary",
    )  # fmt: skip
    data = plain.simulate(parts, frame, params, {}, 10, "id")
    later = data["id"].duplicated() & (np.arange(len(data)) % 4 == 0)
    return parts, data.assign(choice=data["choice"].where(~later)), {"person": "id"}, params


@case
def plain_probit():
    """Every row a person, an alternative that is the only one for some; labels as alternatives."""

    def utility(b, x, lv):
        return {"yes": b.asc + b.price * x.price, "no": b.habit * x.habit}

    parts = {"choice": Probit(utility, "choice", available={"no": "av_no"})}
    params = {"asc": 0.4, "price": -0.6, "habit": 0.5}
    frame = single(60, 11, price=(0, 3), habit="normal", av_no="binary")
    frame["habit"] = frame["habit"].where(frame["av_no"] == 1)
    return parts, plain.simulate(parts, frame, params, {}, 11), {"integration": iclv.GaussHermite(3)}, params


@case
def split():
    """Items and covariates in a frame of their own: people with items and no choices, and the reverse;
    labels as levels."""

    def utility(b, x, lv):
        return {"in": b.asc + b.fee * x.fee + b.will * lv.will, "out": b.wait * x.wait}

    scale = ["never", "rarely", "often"]
    parts = {
        "latent": [Latent("will", on=["age"])],
        "indicators": [
            Ordered("f1", of="will", levels=scale),
            Ordered("f2", of="will", levels=scale, link="logit", missing=["refused"]),
            Continuous("f3", of="will", intercept=False),
        ],
        "choice": Logit(utility, "choice"),
        "define": {"wait": lambda p: p.fee * p.patience},
    }
    params = {
        "will ~ age": 0.4, "will =~ f1": 0.9, **cut("f1", -0.5, 0.7), "will =~ f2": -1.1,
        **cut("f2", -0.8, 0.6), "will =~ f3": 0.7, "f3 ~~ f3": 0.6, "asc": 0.2, "fee": -0.6, "will": 0.7,
        "patience": 0.8,
    }  # fmt: skip
    frame = panel(44, 3, 12, constant=("age",), age="normal", fee=(0, 2), wait=(0, 2))
    data = plain.simulate(parts, frame, params, {"f1": scale, "f2": scale}, 12, "id")
    people = data.drop_duplicates("id")[["id", "age", "f1", "f2", "f3"]]
    people = blank(blank(people, "f1", 0.2, 9, "id"), "f2", 0.2, 10, "id", code="refused")
    silent, absent = people["id"].iloc[:6], people["id"].iloc[-8:]
    people.loc[people["id"].isin(silent), ["f1", "f2", "f3"]] = None
    data = data.loc[~data["id"].isin(absent), ["id", "fee", "wait", "choice"]]
    bind = {"person": "id", "people": people.iloc[::-1], "integration": iclv.GaussHermite(11, adaptive=False)}
    return parts, data, bind, params


@case
def constraints():
    """Values fixed, tied and defined in every block, also from one block to another and in chains."""

    def utility(b, x, lv):
        return {
            "go": b.asc + b.cost * x.cost + b.use * lv.use,
            "stay": (b.time + b["use ~ ease"] / 4) * x.time,
        }

    parts = {
        "latent": [Latent("ease", on=["age"]), Latent("use", on=["ease", "age"])],
        "indicators": [
            Ordered("u1", of="use"),
            Ordered("u2", of="use"),
            Ordered("e1", of="ease", link="logit"),
            Continuous("e2", of="ease"),
            Continuous("e3", of="ease"),
        ],
        "choice": Logit(utility, "choice"),
        "fixed": {"ease =~ e1": -1.0, "asc": 0.1},
        "equal": [["u1 | 1", "u2 | 1"], ["use ~ age", "ease ~ age"], ["e2 ~~ e2", "e3 ~~ e3", "both"]],
        "define": {
            "u1 | 3": lambda p: -p["u1 | 1"],
            "u2 | 2": lambda p: p["u2 | 1"] + jnp.exp(p.step),
            "use =~ u2": lambda p: p["ease =~ e2"] * p.double,
            "double": lambda p: 2.0 * p.half,
            "e3 ~ 1": lambda p: p.both + p.cost * p["fixed elsewhere"],
        },
        "start": {"step": -0.2},
    }
    params = {
        "use ~ ease": 0.5, "use ~ age": 0.4, "use =~ u1": 0.8, "u1 | 1": -0.7, "u1 | 2": 0.1,
        **cut("e1", -0.8, 0.9), "e2 ~ 1": 0.3, "ease =~ e2": 0.6, "e2 ~~ e2": 0.5, "ease =~ e3": 0.7,
        "cost": -0.6, "use": 0.5, "time": -0.4, "step": -0.1, "half": 0.6, "fixed elsewhere": 0.3,
    }  # fmt: skip
    frame = panel(40, 3, 13, constant=("age",), age="normal", cost=(0, 2), time=(0, 2))
    data = plain.simulate(parts, frame, params, levels(u1=4, u2=3, e1=3), 13, "id")
    return parts, data, {"person": "id", "integration": iclv.GaussHermite(3, adaptive=False)}, params


NAMES = tuple(BUILDERS)
