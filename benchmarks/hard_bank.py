"""Thirty fits that are hard, each with data drawn from its own model: the bank of `hard_fits.py`.

A case is small enough for a minute or two. `maximum` says whether there is one at finite values that the data determine;
where there is none, a truthful verdict says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

import iclv_jax as iclv


@dataclass(frozen=True)
class Case:
    """A model with data; `starts` random ones say what the best maximum is."""

    name: str
    model: iclv.Model
    data: pd.DataFrame
    person: str | None = None
    maximum: bool = True
    starts: int = 10
    options: dict[str, Any] = field(default_factory=dict)


BANK: dict[str, Callable[[], Case]] = {}


def case(function: Callable[[], Case]) -> Callable[[], Case]:
    BANK[function.__name__] = function
    return function


def panel(people: int, rows: int, seed: int, **columns: tuple[float, float]) -> pd.DataFrame:
    """People with some situations each; uniform columns, two of each: `t1`, `t2`."""
    g = np.random.default_rng(seed)
    found = pd.DataFrame({"id": np.repeat(np.arange(people), rows)})
    found["age"] = np.repeat(g.normal(size=people), rows)
    for name, (low, high) in columns.items():
        for j in (1, 2):
            found[f"{name}{j}"] = g.uniform(low, high, len(found))
    return found


# --- latent variables ---------------------------------------------------------------------------------------------------


def hybrid(name: str, marker: float, seed: int, people: int = 200) -> Case:
    """One latent variable with the first loading fixed at 1; its true size is `marker`."""
    loadings = (marker, 1.0, 0.8, 0.9)

    def items(scale: str) -> iclv.Model:
        return iclv.Model(
            iclv.Latent("green", on=["age"], scale=scale),
            [iclv.Ordered(f"q{i}", of="green") for i in range(4)],
            iclv.Logit(lambda b, x, lv: {1: b.asc + b.cost * x.t1 + b.att * lv.green, 2: 0.0}, "y"),
        )

    free = items("variance")
    truth = {"green ~ age": 0.5, "asc": 0.2, "cost": -0.5, "att": 0.8}
    for i, size in enumerate(loadings):
        truth |= {f"green =~ q{i}": size, f"q{i} | 1": -0.8, f"q{i} | 2": 0.0, f"q{i} | 3": 0.9}
    frame = panel(people, 1, seed, t=(-2.0, 2.0))
    g = np.random.default_rng(seed)
    for i in range(4):
        frame[f"q{i}"] = g.integers(1, 5, people)
    frame["y"] = g.integers(1, 3, people)
    data = simulated(free, truth, frame)
    return Case(name, items("loading"), data, starts=4)


def simulated(
    model: iclv.Model, truth: dict[str, float], frame: pd.DataFrame, person: str | None = None
) -> Any:
    return model.simulate(truth, frame, seed=1, person=person)


@case
def good_marker() -> Case:
    return hybrid("marker scale, a good marker", 1.0, 0)


@case
def weak_marker() -> Case:
    return hybrid("marker scale, a weak marker", 0.15, 1)


@case
def reversed_marker() -> Case:
    return hybrid("marker scale, a reversed marker", -0.9, 2)


def factors(name: str, crossing: float, seed: int, scale: str = "variance") -> Case:
    """Two latent variables, six continuous items, two of which load on both."""
    people = 200
    g = np.random.default_rng(seed)
    f = g.normal(size=(people, 2))
    weights = np.array([[1.0, 0.0], [0.8, 0.0], [0.7, crossing], [0.0, 1.0], [0.0, 0.9], [crossing, 0.6]])
    y = f @ weights.T + 0.7 * g.normal(size=(people, 6))
    data = pd.DataFrame(y, columns=[f"y{i}" for i in range(6)])
    of = [("one",), ("one",), ("one", "two"), ("two",), ("two",), ("one", "two")]
    items = [iclv.Continuous(f"y{i}", of=o) for i, o in enumerate(of)]
    latents = [iclv.Latent("one", scale=scale), iclv.Latent("two", on=["one"], scale=scale)]
    return Case(name, iclv.Model(latents, items), data)


@case
def cross_loadings() -> Case:
    return factors("cross-loadings", 0.4, 0)


@case
def cross_loadings_reversed() -> Case:
    return factors("cross-loadings of the other sign, marker scale", -0.5, 1, "loading")


@case
def heywood() -> Case:
    g = np.random.default_rng(3)
    f = g.normal(size=120)
    data = pd.DataFrame({"y1": f, "y2": 0.4 * f + g.normal(size=120), "y3": 0.4 * f + g.normal(size=120)})
    items = [iclv.Continuous(q, of="one") for q in data]
    return Case("a Heywood case", iclv.Model(iclv.Latent("one"), items), data, maximum=False)


@case
def too_few_items() -> Case:
    g = np.random.default_rng(4)
    f = g.normal(size=200)
    data = pd.DataFrame({"y1": f + g.normal(size=200), "y2": f + g.normal(size=200)})
    items = [iclv.Continuous(q, of="one") for q in data]
    return Case("two items for four parameters", iclv.Model(iclv.Latent("one"), items), data, maximum=False)


# --- classes --------------------------------------------------------------------------------------------------------------

SIZES = {"t": (20.0, 60.0), "c": (5.0, 25.0), "h": (15.0, 60.0)}


def member(s: str) -> iclv.Logit:
    def utility(b, x, lv):
        return {
            j: b[f"t{s}"] * x[f"t{j}"]
            + b[f"c{s}"] * x[f"c{j}"]
            + b[f"h{s}"] * x[f"h{j}"]
            + (b[f"a{s}"] if j == 1 else 0.0)
            for j in (1, 2)
        }

    return iclv.Logit(utility, "y")


TASTES = {
    "1": {"t1": -0.10, "c1": -0.05, "h1": -0.02, "a1": 0.0},
    "2": {"t2": -0.03, "c2": -0.35, "h2": -0.06, "a2": 0.3},
    "3": {"t3": -0.02, "c3": -0.08, "h3": -0.15, "a3": -0.5},
}


def classes(
    name: str, seed: int, count: int, shares: dict[str, float], of: str = "person", people: int = 150
) -> Case:
    labels = list(TASTES)[:count]

    def membership(b, x, lv):
        found = {
            k: b[f"m{k}"] + (b[f"m{k}_age"] * x.age if f"m{k}_age" in shares else 0.0) for k in labels[:-1]
        }
        return found | {labels[-1]: 0.0}

    model = iclv.Model(choice=iclv.LatentClasses(membership, {k: member(k) for k in labels}, of=of))
    frame = panel(people, 6, seed, **SIZES)
    truth = {n: v for k in labels for n, v in TASTES[k].items()} | shares
    return Case(name, model, simulated(model, truth, frame, "id"), "id")


@case
def two_classes() -> Case:
    return classes("two classes of people", 0, 2, {"m1": 0.0})


@case
def a_small_class() -> Case:
    return classes("two classes, one of 12 %", 1, 2, {"m1": 2.0})


@case
def classes_by_age() -> Case:
    return classes("two classes by a covariate", 2, 2, {"m1": 0.3, "m1_age": 0.8})


@case
def three_classes() -> Case:
    return classes("three classes of people", 3, 3, {"m1": 0.3, "m2": 0.1}, people=250)


@case
def classes_of_situations() -> Case:
    return classes("two classes of situations", 4, 2, {"m1": 0.3}, "situation", people=250)


# --- random coefficients ------------------------------------------------------------------------------------------------


def drawn(
    name: str,
    utility: Callable[..., Any],
    random: dict[str, Any],
    truth: dict[str, float],
    seed: int,
    **options: Any,
) -> Case:
    """A panel of 150 people with eight binary choices each."""
    covariances = options.pop("covariances", ())
    fitted = options.pop("fitted", None)
    people, starts = options.pop("people", 150), options.pop("starts", 4)
    model = iclv.Model(choice=iclv.Logit(utility, "y"), random=random, covariances=covariances)
    data = simulated(model, truth, panel(people, 8, seed, **SIZES), "id")
    model = model if fitted is None else iclv.Model(choice=iclv.Logit(utility, "y"), random=fitted)
    return Case(name, model, data, "id", starts=starts, **options)


def plain(b, x, lv):
    return {j: b.t * x[f"t{j}"] + b.c * x[f"c{j}"] + (b.asc if j == 1 else 0.0) for j in (1, 2)}


def three(b, x, lv):
    return {j: b.t * x[f"t{j}"] + b.c * x[f"c{j}"] + b.h * x[f"h{j}"] for j in (1, 2)}


def money(b, x, lv):
    return {j: -jnp.exp(b.m) * (b.wt * x[f"t{j}"] + x[f"c{j}"] + b.wh * x[f"h{j}"]) for j in (1, 2)}


LOG = iclv.LogNormal(sign=-1)


@case
def lognormal() -> Case:
    return drawn(
        "one lognormal coefficient", plain, {"t": LOG}, {"t": -2.5, "t.sd": 0.8, "c": -0.2, "asc": 0.2}, 0
    )


@case
def wrong_sign() -> Case:
    truth = {"t": -2.5, "t.sd": 0.8, "c": -0.2, "asc": 0.2}
    found = drawn(
        "a lognormal of the wrong sign", plain, {"t": LOG}, truth, 0, fitted={"t": iclv.LogNormal(sign=1)}
    )
    return Case(found.name, found.model, found.data, "id", maximum=False, starts=4)


@case
def three_lognormals() -> Case:
    truth = {"t": -2.3, "t.sd": 0.6, "c": -1.5, "c.sd": 0.8, "h": -3.0, "h.sd": 0.8}
    return drawn("three lognormal coefficients", three, dict.fromkeys("tch", LOG), truth, 1)


@case
def correlated_lognormals() -> Case:
    truth = {"t": -2.3, "t.sd": 0.7, "c": -1.5, "c.sd": 0.8, "t ~~ c": 0.3, "asc": 0.2}
    return drawn("two correlated lognormals", plain, {"t": LOG, "c": LOG}, truth, 2, covariances=[("c", "t")])


@case
def correlated_normals() -> Case:
    truth = {"t": -0.1, "t.sd": 0.06, "c": -0.25, "c.sd": 0.15, "t ~~ c": -0.004, "asc": 0.2}
    random = {"t": iclv.Normal(), "c": iclv.Normal()}
    return drawn("two correlated normals", plain, random, truth, 3, covariances=[("c", "t")])


@case
def pay_space() -> Case:
    truth = {"m": -1.3, "m.sd": 0.5, "wt": -1.0, "wt.sd": 0.5, "wh": 0.3}
    random = {"m": iclv.Normal(), "wt": iclv.LogNormal()}
    return drawn("WTP space, two random coefficients", money, random, truth, 4)


@case
def pay_space_lognormals() -> Case:
    truth = {"m": -1.3, "m.sd": 0.5, "wt": -1.0, "wt.sd": 0.5, "wh": -1.6, "wh.sd": 0.6}
    random = {"m": iclv.Normal(), "wt": iclv.LogNormal(), "wh": iclv.LogNormal()}
    return drawn("WTP space, three random coefficients", money, random, truth, 5)


@case
def no_spread() -> Case:
    truth = {"t": -0.1, "t.sd": 0.0, "c": -0.2, "asc": 0.2}
    return drawn("a spread of zero", plain, {"t": iclv.Normal()}, truth, 6)


# --- choices alone -------------------------------------------------------------------------------------------------------


def modes(seed: int, rows: int = 800) -> pd.DataFrame:
    g = np.random.default_rng(seed)
    return pd.DataFrame({f"{k}{j}": g.uniform(0.0, 2.0, rows) for k in "tc" for j in (1, 2, 3)})


def three_ways(b, x, lv):
    return {j: b.t * x[f"t{j}"] + b.c * x[f"c{j}"] + (0.0 if j == 3 else b[f"a{j}"]) for j in (1, 2, 3)}


def nested(name: str, logsum: float, seed: int) -> Case:
    model = iclv.Model(choice=iclv.NestedLogit(three_ways, "y", {"nest": [1, 2]}))
    truth = {"t": -1.0, "c": -0.8, "a1": 0.2, "a2": -0.2, "nest.lambda": logsum}
    return Case(name, model, simulated(model, truth, modes(seed)))


@case
def nest_near_one() -> Case:
    return nested("a nest near 1", 0.98, 0)


@case
def nest_near_zero() -> Case:
    return nested("a nest near 0", 0.08, 1)


@case
def cross_nested() -> Case:
    nests = {"one": [1, 2], "two": [2, 3]}
    model = iclv.Model(choice=iclv.CrossNestedLogit(three_ways, "y", nests))
    truth = {"t": -1.0, "c": -0.8, "a1": 0.2, "a2": -0.2, "one.lambda": 0.4, "two.lambda": 0.6, "2.one": 0.4}
    return Case("a cross-nested logit", model, simulated(model, truth, modes(2, 1500)))


@case
def separation() -> Case:
    g = np.random.default_rng(5)
    data = pd.DataFrame({"x": g.normal(size=200), "z": g.normal(size=200)})
    data["y"] = (data["x"] > 0.0).astype(int)
    model = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: b.a + b.x * x.x + b.z * x.z, 0: 0.0}, "y"))
    return Case("complete separation", model, data, maximum=False)


@case
def never_chosen() -> Case:
    data = modes(6)
    data["y"] = np.random.default_rng(6).integers(1, 3, len(data))
    return Case(
        "an alternative that nobody chooses",
        iclv.Model(choice=iclv.Logit(three_ways, "y")),
        data,
        maximum=False,
    )


def units(name: str, unit: float) -> Case:
    model = iclv.Model(choice=iclv.Logit(plain, "y"), random={"t": iclv.Normal()})
    truth = {"t": -0.1, "t.sd": 0.08, "c": -0.2, "asc": 0.2}
    data = simulated(model, truth, panel(150, 8, 8, **SIZES), "id")
    return Case(name, model, data.assign(t1=data["t1"] * unit, t2=data["t2"] * unit), "id", starts=4)


@case
def tiny_units() -> Case:
    return units("a column in units of a million", 1e-6)


@case
def huge_units() -> Case:
    return units("a column in millionths", 1e6)


@case
def box_cox() -> Case:
    def utility(b, x, lv):
        return {j: b.t * iclv.boxcox(x[f"t{j}"] + 0.05, b.power) + b.c * x[f"c{j}"] for j in (1, 2, 3)}

    model = iclv.Model(choice=iclv.Logit(utility, "y"))
    truth = {"t": -1.2, "power": 0.4, "c": -0.8}
    return Case("a Box-Cox transform", model, simulated(model, truth, modes(9)))


@case
def scales_of_sources() -> Case:
    def utility(b, x, lv):
        scale = jnp.where(x.source == 1, jnp.exp(b.log_scale), 1.0)
        return {
            j: scale * (b.t * x[f"t{j}"] + b.c * x[f"c{j}"] + (0.0 if j == 3 else b[f"a{j}"]))
            for j in (1, 2, 3)
        }

    model = iclv.Model(choice=iclv.Logit(utility, "y"))
    truth = {"t": -1.0, "c": -0.8, "a1": 0.2, "a2": -0.2, "log_scale": 1.2}
    frame = modes(10).assign(source=lambda d: np.arange(len(d)) % 2)
    return Case("a scale for a source of data", model, simulated(model, truth, frame))


@case
def a_wave() -> Case:
    g = np.random.default_rng(0)
    x = 2.0 * g.normal(size=200)
    data = pd.DataFrame(
        {"x": x, "y": (g.uniform(size=200) < 1.0 / (1.0 + np.exp(-2.0 * np.cos(1.6 * x)))).astype(int)}
    )
    model = iclv.Model(
        choice=iclv.Logit(lambda b, x, lv: {1: b.size * jnp.cos(b.often * x.x), 0: 0.0}, "y"),
        start={"size": 1.0, "often": 1.2},
    )
    return Case("a frequency", model, data)
