"""Bad input: every mistake is answered by a ValueError that names it and says what to do.

All of them are found before the likelihood is touched, except for one that is not finite at the start.
"""

import math
import re

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._problem import _evaluated, _portions, _problem

PEOPLE = 8
NAN, INF = np.nan, np.inf


def utility(b, x, lv):
    return {
        "car": b.asc_car + b.time * x.time_car + b.cost * x.cost_car,
        "bus": b.time * x.time_bus + b.cost * x.cost_bus + b.green * lv.green,
        "walk": b.asc_walk + b.time * x.time_walk,
    }


def plain_utility(b, x, lv):
    return {"car": b.asc + b.time * x.time_car, "bus": b.time * x.time_bus}


def frame(**changed):
    """Two situations of each of eight people in rows 100 to 115; a column changed to None is left out."""
    random = np.random.default_rng(3)
    person = np.repeat(np.arange(PEOPLE), 2)

    def constant(values):
        return np.asarray(values)[person]

    columns = {
        "id": [f"p{n + 1}" for n in person],
        "age": constant(random.normal(size=PEOPLE)),
        "female": constant([0, 1] * 4),
        "q1": constant([1, 2, 3, 2, 1, 3, 2, 2]),
        "q2": constant([3, 2, 1, 2, 3, 1, 2, 3]),
        "k1": constant(random.normal(size=PEOPLE)),
        "k2": constant(random.normal(size=PEOPLE)),
        **{f"{a}_{b}": random.uniform(1, 2, 16) for a in ("time", "cost") for b in ("car", "bus", "walk")},
        "av_walk": np.ones(16, int),
        "mode": ["car", "bus", "walk", "bus"] * 4,
        "bus_or_car": ["car", "bus"] * 8,
        "weight": constant(np.arange(1.0, 9.0)),
        "region": constant(["a", "b"] * 4),
    }
    columns = {k: v for k, v in (columns | changed).items() if v is not None}
    return pd.DataFrame(columns, index=range(100, 116))


def put(column, value, rows=(4, 5)):
    """The data with one value changed, in both rows of person p3 (104 and 105) or in the rows given."""
    data = frame()
    values = data[column].astype(object).tolist()
    for row in rows:
        values[row] = value
    return data.assign(**{column: pd.Series(values, index=data.index).infer_objects()})


def items(*names, **options):
    return [iclv.Ordered(name, of="green", **options) for name in names]


LATENT = iclv.Latent("green", on=["age", "female"])
ITEMS = [*items("q1", "q2"), iclv.Continuous("k1", of="green")]
K2 = iclv.Continuous("k2", of="green")
LOGIT = iclv.Logit(utility, chosen="mode", available={"walk": "av_walk"})
ALONE = {"latent": [LATENT], "indicators": ITEMS, "choice": None}
PLAIN = {"latent": [], "indicators": [], "choice": iclv.Logit(plain_utility, chosen="bus_or_car")}


def model(**parts):
    return iclv.Model(**({"latent": [LATENT], "indicators": ITEMS, "choice": LOGIT} | parts))


def bind(data=None, options=None, **parts):
    """Bind the model, with other parts, to the data; `options` are those of `bind`."""
    return model(**parts).bind(frame() if data is None else data, **({"person": "id"} | (options or {})))


def fit(data=None, options=None, **parts):
    quiet = {"person": "id", "progress": False, "integration": iclv.MonteCarlo(2)}
    return model(**parts).fit(frame() if data is None else data, **(quiet | (options or {})))


def logit(function, **options):
    """A model whose choice has this utility function."""
    return model(choice=iclv.Logit(function, **({"chosen": "mode"} | options)))


def item(name, **options):
    """The model with item q1 in place of all, with these options."""
    return {"indicators": [iclv.Ordered(name, of="green", **options)]}


def person_level(data=None, **changed):
    """The columns of people in a frame of their own, and the data without them."""
    columns = ["age", "female", "q1", "q2", "k1"]
    data = frame() if data is None else data
    people = data.drop_duplicates("id")[["id", *columns]].assign(**changed).reset_index(drop=True)
    return data.drop(columns=columns), people


def bind_two(change=lambda people: people, data=lambda rows: rows, **options):
    rows, people = person_level()
    return bind(data(rows), {"people": change(people), **options})


def shared(*names, **options):
    return [iclv.Ordered(q, of="green", thresholds=iclv.Thresholds("likert", **options)) for q in names]


MISSING_COLUMNS = {
    "covariate": (
        lambda: bind(frame(age=None)),
        r"'green' needs the column 'age', which the data do not have",
    ),
    "covariate misspelt": (
        lambda: bind(latent=[iclv.Latent("green", on=["agee"])]),
        r"'green' needs the column 'agee'.*Did you mean 'age'",
    ),
    "item misspelt": (lambda: bind(**item("q11")), r"Item 'q11' needs the column 'q11'.*Did you mean 'q1'"),
    "attribute misspelt": (
        lambda: bind(frame().rename(columns={"time_car": "tim_car"})),
        r"utility needs the column 'time_car'.*Did you mean 'tim_car'",
    ),
    "chosen misspelt": (
        lambda: bind(choice=iclv.Logit(utility, chosen="mod")),
        r"chosen= needs the column 'mod'.*Did you mean 'mode'",
    ),
    "availability misspelt": (
        lambda: bind(choice=iclv.Logit(utility, chosen="mode", available={"walk": "av_wolk"})),
        r"available\['walk'\] needs the column 'av_wolk'.*Did you mean 'av_walk'",
    ),
    "person misspelt": (
        lambda: bind(options={"person": "idd"}),
        r"person= names the column 'idd'.*Did you mean 'id'",
    ),
    "person in the index": (
        lambda: bind(frame().set_index("id")),
        r"person= names the column 'id'.*reset_index",
    ),
    "weights misspelt": (
        lambda: bind(options={"weights": "weigth"}),
        r"weights= needs the column 'weigth'.*Did you mean 'weight'",
    ),
    "cluster misspelt": (
        lambda: bind(options={"cluster": "regio"}),
        r"cluster= needs the column 'regio'.*Did you mean 'region'",
    ),
    "nothing is near": (lambda: bind(**item("zzz")), r"'zzz'.*Known names: 'id', 'age'"),
}

NOT_A_NUMBER = {
    "list in an item": (
        lambda: bind(frame(q1=[[1]] * 16)),
        r"Item 'q1': column 'q1' holds \[1\] in row 100.*single numbers or text",
    ),
    "list in chosen": (
        lambda: bind(frame(mode=[["car"]] * 16)),
        r"'mode' holds \['car'\] in row 100.*single",
    ),
    "list in person": (
        lambda: bind(frame(id=[[1]] * 16)),
        r"person column 'id' holds \[1\] in row 100.*single",
    ),
    "NaN in a covariate": (
        lambda: bind(put("age", NAN)),
        r"'green': column 'age' is missing \(NaN\) for 1 person, first for person 'p3'.*Drop or impute",
    ),
    "NaN in availability": (
        lambda: bind(put("av_walk", NAN, rows=[4, 9])),
        r"'av_walk' is missing \(NaN\) for 2 rows, first in row 104.*Drop or impute",
    ),
    "NaN in person": (
        lambda: bind(put("id", None)),
        r"person column 'id' is missing \(NaN\) in 2 rows, first in row 104.*needs a person",
    ),
    "NaN in weights": (
        lambda: bind(put("weight", NAN), {"weights": "weight"}),
        r"weights=: column 'weight' is missing \(NaN\) for 1 person, first for person 'p3'",
    ),
    "NaN in cluster": (
        lambda: bind(put("region", None), {"cluster": "region"}),
        r"cluster=: column 'region' is missing \(NaN\) for person 'p3'.*Give everyone a cluster",
    ),
    "NaN in an attribute": (
        lambda: bind(put("time_car", NAN, rows=[4, 9])),
        (
            r"Row 104: 'time_car' is missing \(NaN\).*'car', whose utility uses it, is available.*1 more "
            "row.*available="
        ),
    ),
    "NaN in one of two attributes": (
        lambda: bind(put("cost_bus", NAN, rows=[7])),
        r"Row 107: 'cost_bus' is missing.*'bus'.*Fill it in, drop the row",
    ),
    "attribute missing everywhere": (
        lambda: bind(frame(time_bus=NAN)),
        r"column 'time_bus' is missing \(NaN\) in every row.*leave it out",
    ),
    "chosen missing everywhere": (
        lambda: bind(frame(mode=NAN)),
        r"chosen=: column 'mode' is missing \(NaN\) in every row.*Leave choice= out",
    ),
    "item missing for everyone": (
        lambda: bind(frame(q1=NAN, q2=NAN, k1=NAN)),
        r"Item 'q1' is missing for everyone.*Remove it",
    ),
    "item with nothing but missing codes": (
        lambda: bind(frame(q1=9), **item("q1", missing=(9,))),
        r"Item 'q1' is missing for everyone.*Remove it",
    ),
    "infinite covariate": (
        lambda: bind(put("age", INF)),
        r"'green': column 'age' holds inf for person 'p3', which is not finite.*Correct it",
    ),
    "infinite attribute": (
        lambda: bind(put("time_car", -INF, rows=[4])),
        r"column 'time_car' holds -inf in row 104, which is not finite.*drop the row",
    ),
    "infinite item": (lambda: bind(put("k1", INF)), r"Item 'k1' has the value inf for person 'p3'.*missing="),
    "infinite level": (lambda: bind(put("q1", INF)), r"Item 'q1' has the value inf.*missing="),
    "infinite weight": (
        lambda: bind(put("weight", INF), {"weights": "weight"}),
        r"column 'weight' holds inf for person 'p3', which is not finite",
    ),
    "text in a covariate": (
        lambda: bind(put("age", "old")),
        r"column 'age' holds 'old' for person 'p3', which is text and no number.*Code the column",
    ),
    "digits as text in a covariate": (
        lambda: bind(frame(age=frame()["age"].astype(str))),
        r"column 'age' holds '[-\d.]+' for person 'p1', which is text and no number",
    ),
    "text in an attribute": (
        lambda: bind(put("time_car", "long", rows=[4])),
        r"column 'time_car' holds 'long' in row 104, which is text and no number",
    ),
    "dates in an attribute": (
        lambda: bind(frame(time_car=pd.date_range("2020-01-01", periods=16))),
        r"column 'time_car' holds Timestamp.* in row 100, which is no number.*Code the column",
    ),
    "text in availability": (
        lambda: bind(put("av_walk", "yes", rows=[4])),
        r"'av_walk' holds 'yes' in row 104, which is text and no number",
    ),
    "text in a continuous item": (
        lambda: bind(put("k1", "refused")),
        r"Item 'k1' has the value 'refused' for person 'p3'.*missing=",
    ),
    "text in weights": (
        lambda: bind(options={"weights": "region"}),
        r"weights=: column 'region' holds 'a' for person 'p1', which is text and no number",
    ),
}

CHOICES = {
    "chosen is unavailable": (
        lambda: bind(put("av_walk", 0, rows=[2, 6])),
        r"Row 102 chose 'walk', which is not available there \(and so in 1 more row\).*Correct",
    ),
    "chosen is unknown": (
        lambda: bind(put("mode", "bsu", rows=[4])),
        r"chosen=: column 'mode' holds 'bsu' in row 104.*no alternative.*Did you mean 'bus'",
    ),
    "chosen as text of a number": (
        lambda: bind(
            frame(mode=["1", "2"] * 8),
            choice=iclv.Logit(lambda b, x, lv: {1: b.asc, 2: 0.0}, chosen="mode"),
            latent=[],
            indicators=[],
        ),
        r"holds '1' in row 100.*Did you mean 1\?",
    ),
    "availability is not 0 or 1": (
        lambda: bind(put("av_walk", 2, rows=[4])),
        r"available\['walk'\]: column 'av_walk' holds 2 in row 104; it may hold only 0 and 1",
    ),
    "availability of an unknown alternative": (
        lambda: logit(utility, available={"wlak": "av_walk"}),
        r"available= names 'wlak', which is no alternative.*Did you mean 'walk'",
    ),
    "availability by text of a number": (
        lambda: logit(lambda b, x, lv: {1: b.asc, 2: lv.green}, available={"1": "av_walk"}),
        r"available= names '1', which is no alternative.*Did you mean 1\?",
    ),
    "availability is no mapping": (
        lambda: logit(utility, available=["av_walk"]),
        r"available= is a mapping from alternatives to columns",
    ),
    "availability is no pairs": (
        lambda: logit(utility, available=("walk", "av_walk")),
        r"available= is a mapping from alternatives to columns",
    ),
    "availability is no column": (
        lambda: logit(utility, available={"walk": 1}),
        r"available\['walk'\] is the name of a column of zeros and ones, not 1",
    ),
    "chosen is no column": (
        lambda: logit(utility, chosen=None),
        r"chosen= is the name of the column.*not None",
    ),
    "probit of three": (
        lambda: model(choice=iclv.Probit(utility, chosen="mode")),
        r"Probit serves two alternatives.*returns 3 \('car', 'bus', 'walk'\).*Use Logit",
    ),
    "no kernel": (lambda: model(choice=utility), r"choice= is a choice kernel such as iclv.Logit"),
}


def branching(b, x, lv):
    return {"car": b.time * x.time_car if x.time_car > 1.0 else 0.0, "bus": lv.green}


def with_max(b, x, lv):
    return {"car": max(b.time * x.time_car, 0.0), "bus": lv.green}


def assigning(b, x, lv):
    b.time = 1.0
    return {"car": b.time * x.time_car, "bus": lv.green}


def assigning_item(b, x, lv):
    x["time_car"] = 1.0
    return {"car": b.time * x.time_car, "bus": lv.green}


def member(function, first=plain_utility):
    """Two classes with this membership, in a model."""
    second = iclv.Logit(lambda b, x, lv: {"car": b.second, "bus": 0.0}, "mode")
    iclv.Model(choice=iclv.LatentClasses(function, {"one": iclv.Logit(first, "mode"), "two": second}))


def other(function):
    """A log-likelihood of one's own beside a choice."""
    own = iclv.LogLikelihood(function, explains="k1", name="own")
    iclv.Model(choice=[iclv.Logit(plain_utility, "mode"), own])


A_MAPPING = (
    r"membership function must return a mapping from the classes.*{'one': b.one, 'two': 0.0}; it returned "
)
MEMBERSHIPS = {
    "list": (lambda: member(lambda b, x, lv: [b.m, 0.0]), A_MAPPING + "a list"),
    "tuple": (lambda: member(lambda b, x, lv: (b.m, 0.0)), A_MAPPING + "a tuple"),
    "nothing": (lambda: member(lambda b, x, lv: None), A_MAPPING + "nothing"),
    "one number": (lambda: member(lambda b, x, lv: b.m), A_MAPPING + "one number"),
    "array": (lambda: member(lambda b, x, lv: jnp.stack([b.m, 0.0])), A_MAPPING + "an array"),
    "one class": (lambda: member(lambda b, x, lv: {"one": b.m}), A_MAPPING + r"a mapping with 1 class\b"),
    "no class": (lambda: member(lambda b, x, lv: {}), A_MAPPING + "a mapping with 0 classes"),
    "array of one": (
        lambda: member(lambda b, x, lv: {"one": b.m * jnp.ones(2), "two": 0.0}),
        r"utility of membership in 'one' must be one number.*shape \(2,\)",
    ),
    "text": (
        lambda: member(lambda b, x, lv: {"one": b.m, "two": "0"}),
        r"membership in 'two' must be a number",
    ),
    "arguments": (
        lambda: member(lambda b, x: {"one": b.m, "two": 0.0}),
        "membership function is a function of b",
    ),
    "no function": (
        lambda: member({"one": 0.1, "two": 0.0}),
        "membership function is a function of b.*not {",
    ),
    "branch": (
        lambda: member(lambda b, x, lv: {"one": b.m if x.age > 0 else 0.0, "two": 0.0}),
        "membership function branches in Python",
    ),
    "latent": (
        lambda: member(lambda b, x, lv: {"one": lv.green, "two": 0.0}),
        "membership function uses the latent variable 'green'",
    ),
    "utility": (
        lambda: member(lambda b, x, lv: {"one": b.m, "two": 0.0}, lambda b, x, lv: [b.m]),
        "utility function of the class 'one' must return a mapping from at least two alternatives",
    ),
    "own, list": (
        lambda: other(lambda b, x, lv: [b.m, x.k1]),
        "function of a LogLikelihood of 'own' must be one",
    ),
    "own, mapping": (
        lambda: other(lambda b, x, lv: {"a": b.m * x.k1}),
        "function of a LogLikelihood of 'own' must return one number.*a mapping with 1 alternative",
    ),
}


UTILITIES = {
    "branch": (lambda: logit(branching), r"utility function branches in Python.*jnp\.where"),
    "max": (lambda: logit(with_max), r"utility function branches in Python.*jnp\.maximum"),
    "numpy": (
        lambda: logit(lambda b, x, lv: {"car": b.time * np.log(x.time_car), "bus": lv.green}),
        r"utility function passes a value.*numpy or math.*jax\.numpy",
    ),
    "math": (
        lambda: logit(lambda b, x, lv: {"car": b.time * math.log(x.time_car), "bus": lv.green}),
        r"utility function passes a value.*numpy or math.*jax\.numpy",
    ),
    "unknown latent": (
        lambda: logit(lambda b, x, lv: {"car": b.time * x.time_car, "bus": lv.gren}),
        r"uses the latent variable 'gren', which the model does not have.*Did you mean 'green'",
    ),
    "no latents": (lambda: model(latent=[], indicators=[]), r"latent variable 'green'.*There are none"),
    "list": (
        lambda: logit(lambda b, x, lv: [b.time * x.time_car, lv.green]),
        r"must return a mapping from at least two alternatives.*returned a list",
    ),
    "nothing": (lambda: logit(lambda b, x, lv: None), r"must return a mapping.*returned nothing"),
    "single alternative": (
        lambda: logit(lambda b, x, lv: {"car": lv.green}),
        r"must return a mapping from at least two.*a mapping with 1 alternative\b",
    ),
    "array": (
        lambda: logit(lambda b, x, lv: {"car": b.asc * jnp.ones(3), "bus": lv.green}),
        r"utility of 'car' must be one number.*shape \(3,\).*one person and one situation",
    ),
    "text": (
        lambda: logit(lambda b, x, lv: {"car": b.asc + lv.green, "bus": "0"}),
        r"utility of 'bus' must be a number, not '0'",
    ),
    "no number": (
        lambda: logit(lambda b, x, lv: {"car": b.asc + lv.green, "bus": None}),
        r"utility of 'bus' must be a number, not None",
    ),
    "complex": (
        lambda: logit(lambda b, x, lv: {"car": b.asc + 1j, "bus": lv.green}),
        r"utility of 'car' must be a real number",
    ),
    "assignment": (lambda: logit(assigning), r"'time' cannot be assigned.*read-only"),
    "assignment to an item": (lambda: logit(assigning_item), r"'time_car' cannot be assigned.*read-only"),
    "name is no text": (
        lambda: logit(lambda b, x, lv: {"car": b[0], "bus": lv.green}),
        r"Names of parameters, columns and latent variables are text, not 0",
    ),
    "two arguments": (
        lambda: logit(lambda b, x: {"car": b.asc, "bus": 0.0}),
        r"utility function is a function of b, x, lv, but it cannot be called so: too many",
    ),
    "no function": (
        lambda: logit({"car": 0.0}),
        r"utility function is a function of b, x, lv, not \{'car': 0.0\}",
    ),
}

ITEM_DATA = {
    "gap": (
        lambda: bind(frame(q1=np.repeat([1, 2, 4, 4, 1, 2, 2, 1], 2))),
        r"item 'q1' has gaps: nobody answered 3 between 1 and 4.*levels=\[\.\.\.\].*missing=",
    ),
    "gap by a missing code": (
        lambda: bind(put("q2", 99)),
        r"item 'q2' has gaps: nobody answered 4, 5.*missing=",
    ),
    "single level": (
        lambda: bind(frame(q1=2)),
        r"item 'q1' has only the level 2: it measures nothing.*Remove it",
    ),
    "level never observed": (
        lambda: bind(**item("q1", levels=[1, 2, 3, 4])),
        r"item 'q1' never has the level 4.*unidentified.*Leave the level out",
    ),
    "category never observed": (
        lambda: bind(frame(q1=pd.Categorical(frame()["q1"], [1, 2, 3, 4], ordered=True))),
        r"item 'q1' never has the level 4.*or of the categories",
    ),
    "value not declared": (
        lambda: bind(**item("q1", levels=[1, 2])),
        r"Item 'q1' has the value 3 for person 'p3', which is none of its levels \[1, 2\].*missing=",
    ),
    "labels without order": (
        lambda: bind(frame(q1=np.repeat(["low", "high"] * 4, 2))),
        r"Item 'q1' holds labels whose order is not known.*levels=\[\.\.\.\].*ordered categorical",
    ),
    "hardly ordered": (
        lambda: iclv.Model([iclv.Latent("green")], items("q1")).bind(pd.DataFrame({"q1": np.arange(60) / 7})),
        r"item 'q1' has 60 different values, from 0 to 8\.4.*iclv\.Continuous.*levels=",
    ),
    "dates": (
        lambda: bind(frame(q1=np.repeat(pd.date_range("2020-01-01", periods=8), 2))),
        r"Item 'q1' has the value Timestamp.*neither a finite number nor a label",
    ),
    "constant continuous item": (
        lambda: bind(frame(k1=1.5)),
        r"item 'k1' has the same value, 1.5, for everyone.*Remove it",
    ),
    "constant covariate": (
        lambda: bind(frame(age=40)),
        r"'green': the covariate 'age' is constant \(40 for everyone\).*Remove it.*intercept=True",
    ),
    "shared levels in different orders": (
        lambda: bind(
            indicators=[
                iclv.Ordered("q1", of="green", levels=[3, 2, 1], thresholds=iclv.Thresholds("t", True)),
                iclv.Ordered("q2", of="green", levels=[1, 2, 3], thresholds=iclv.Thresholds("t", True)),
            ],
            fixed={"q1 ~~ q1": 1.0},
        ),
        r"share 't' have different levels.*the same `levels=`",
    ),
    "shared labels that differ": (
        lambda: bind(
            frame(q1=np.repeat(["low", "high"] * 4, 2), q2=np.repeat(["no", "yes"] * 4, 2)),
            indicators=[
                iclv.Ordered("q1", of="green", levels=["low", "high"], thresholds=iclv.Thresholds("t")),
                iclv.Ordered("q2", of="green", levels=["no", "yes"], thresholds=iclv.Thresholds("t")),
            ],
            fixed={"q1 ~~ q1": 1.0, "q1 ~ 1": 0.0},
        ),
        r"share 't' have different levels.*the same `levels=`",
    ),
    "levels of other data for an unknown item": (
        lambda: bind(options={"levels": {"q1": (1, 2, 3), "q2": (1, 2, 3), "q22": (1, 2)}}),
        r"levels= names 'q22', which is no item.*Did you mean 'q2'",
    ),
    "levels of other data without an item": (
        lambda: bind(options={"levels": {"q1": (1, 2, 3)}}),
        r"levels= lacks the item 'q2'.*panel\.levels",
    ),
    "value outside the levels of other data": (
        lambda: bind(options={"levels": {"q1": (1, 2), "q2": (1, 2, 3)}}),
        r"Item 'q1' has the value 3 for person 'p3'.*none of its levels \[1, 2\]",
    ),
}

PEOPLE_AND_FRAMES = {
    "nothing is known of a person": (
        lambda: bind(
            frame(q1=np.repeat([NAN, 1, 2, 3, 1, 2, 3, 1], 2)),
            indicators=items("q1"),
            choice=None,
        ),
        r"1 person without an observed item and without a choice: 'p1'.*drop them",
    ),
    "item varies within a person": (
        lambda: bind(put("q1", 1, rows=[5])),
        r"column 'q1' is not constant within person 'p3' \(values \[3, 1\]\)\. Give it one value per person",
    ),
    "item varies within two people": (
        lambda: bind(put("q1", 1, rows=[5, 10])),
        r"'q1' is not constant within person 'p3' .* and within 1 more of 8 people",
    ),
    "covariate varies within a person": (
        lambda: bind(put("age", 1.0, rows=[5])),
        r"'green': column 'age' is not constant within person 'p3'.*one value per person",
    ),
    "covariate missing in one row of a person": (
        lambda: bind(put("age", NAN, rows=[5])),
        r"'green': column 'age' is not constant within person 'p3' \(values \[.*nan\]\)",
    ),
    "weights vary within a person": (
        lambda: bind(put("weight", 1.0, rows=[5]), {"weights": "weight"}),
        r"weights=: column 'weight' is not constant within person 'p3' \(values \[3.0, 1.0\]\)",
    ),
    "cluster varies within a person": (
        lambda: bind(put("region", "b", rows=[5]), {"cluster": "region"}),
        r"cluster=: column 'region' is not constant within person 'p3'",
    ),
    "person twice in the person-level frame": (
        lambda: bind_two(lambda people: pd.concat([people, people.iloc[[2]]])),
        r"person-level frame has person 'p3' more than once.*Keep one row",
    ),
    "person-level frame without the person column": (
        lambda: bind_two(lambda people: people.rename(columns={"id": "idd"})),
        r"person-level frame has neither a column nor an index called 'id'.*Did you mean 'idd'",
    ),
    "column in both frames": (
        lambda: bind_two(lambda people: people.assign(time_car=1.0)),
        r"'time_car' stands in the data and in the person-level frame.*Keep it in one",
    ),
    "person-level frame without an id": (
        lambda: bind_two(lambda people: people.assign(id=[*people["id"][:-1], None])),
        r"person column of the person-level frame is missing \(NaN\) in 1 row, first in row 7",
    ),
    "person-level frame of other people": (
        lambda: bind_two(lambda people: people.assign(id=range(8))),
        r"No person of the data stands in the person-level frame.*'id' holds 'p1'.*and 0.*same type",
    ),
    "person-level frame lacks a person": (
        lambda: bind_two(lambda people: people[people["id"] != "p3"]),
        (
            "'green': column 'age' stands in the person-level frame, which has no row for person 'p3'.*Add "
            "the "
            "row"
        ),
    ),
    "data lack a person of the other frame": (
        lambda: bind_two(
            lambda people: people.drop(columns="age"),
            data=lambda rows: rows.assign(age=frame()["age"])[lambda d: d["id"] != "p3"],
        ),
        r"'green': column 'age' stands in the data, which has no row for person 'p3'.*drop these people",
    ),
    "person-level frame without person=": (
        lambda: bind_two(person=None),
        r"person-level frame needs person=",
    ),
    "person-level frame is no frame": (
        lambda: bind_two(lambda people: people.to_dict()),
        r"people is a data frame of pandas, .* not dict",
    ),
    "person is several columns": (
        lambda: bind(options={"person": ["id", "region"]}),
        r"person= is the name of one column, not \['id', 'region'\]",
    ),
    "empty data": (lambda: bind(frame().iloc[:0]), r"data is empty: it has no rows"),
    "data of rows alone": (
        lambda: bind(frame()[[]]),
        r"names the column 'id', which the data do not have\. There are none",
    ),
    "two-part names, all in the index": (
        lambda: bind(pd.concat({"a": frame()}, axis=1).set_index(["a"])),
        r"The columns of data have names of 2 parts\. Give each column one name",
    ),
    "data are no frame": (
        lambda: bind({"id": [1]}),
        r"The frame 'id': data is a data frame of pandas, .* not list",
    ),
    "data are an array": (lambda: bind(np.zeros((3, 2))), r"data is a data frame of pandas, .* not ndarray"),
    "column twice": (
        lambda: bind(pd.concat([frame(), frame()[["age"]]], axis=1)),
        r"data has two columns called 'age'.*Rename or drop one",
    ),
    "negative weight": (
        lambda: bind(put("weight", -1.0), {"weights": "weight"}),
        r"weights=: person 'p3' has the negative weight -1.*0 or more",
    ),
    "weights all zero": (
        lambda: bind(options={"weights": np.zeros(8)}),
        r"weights=: every person has weight zero",
    ),
    "too few weights": (
        lambda: bind(options={"weights": np.ones(7)}),
        r"weights= has 7 values for 8 people.*one number per person, or the name of a column",
    ),
    "one weight": (lambda: bind(options={"weights": 2.0}), r"weights= has the shape \(\) for 8 people"),
    "weights by row": (
        lambda: bind(options={"weights": frame()["weight"]}),
        r"weights= has 16 values for 8 people",
    ),
    "weights for other people": (
        lambda: bind(options={"weights": pd.Series(1.0, index=[f"q{i}" for i in range(8)])}),
        r"weights= is a Series whose index does not hold the people.*'q0'.*to_numpy",
    ),
}


def cyclic():
    a, b, c = (iclv.Latent(n, on=[p]) for n, p in (("a", "c"), ("b", "a"), ("c", "b")))
    return iclv.Model([a, b, c], [iclv.Continuous("k1", of=["a", "b", "c"])])


STRUCTURE = {
    "latent twice": (lambda: model(latent=[LATENT, LATENT]), r"latent variable 'green' occurs twice"),
    "item twice": (lambda: model(indicators=items("q1", "q1")), r"indicator column 'q1' occurs twice"),
    "predictor twice": (
        lambda: iclv.Latent("green", on=["age", "age"]),
        r"'green' has the predictor 'age' twice",
    ),
    "latent variable of an item twice": (
        lambda: iclv.Continuous("k1", of=["green", "green"]),
        r"Indicator 'k1' names the latent variable 'green' twice",
    ),
    "name of a latent variable and an item": (
        lambda: model(indicators=items("green")),
        r"'green' is the name of a latent variable and of an indicator.*Rename one",
    ),
    "name of thresholds and an item": (
        lambda: model(
            indicators=[
                iclv.Ordered("q1", of="green", thresholds=iclv.Thresholds("q2")),
                iclv.Ordered("q2", of="green"),
            ]
        ),
        r"Thresholds\('q2'\) has the name of a latent variable or an indicator.*Rename",
    ),
    "cycle": (cyclic, r"paths among the latent variables are cyclic: a -> c -> b -> a.*Remove one"),
    "predictor is no name": (
        lambda: iclv.Latent("calm", on=[LATENT]),
        r"'calm': predictors are names of columns and latent variables, not Latent\(name='green'",
    ),
    "predictor of itself": (
        lambda: iclv.Latent("green", on="green"),
        r"'green' cannot be a predictor of itself",
    ),
    "item of an unknown latent variable": (
        lambda: model(indicators=[iclv.Continuous("k1", of="gren")]),
        r"'k1' measures 'gren', which is not a latent variable.*Did you mean 'green'",
    ),
    "item of nothing": (
        lambda: iclv.Continuous("k1", of=[]),
        r"'k1' measures nothing: name a latent variable in `of=`",
    ),
    "latent variable of no use": (
        lambda: model(latent=[LATENT, iclv.Latent("idle", on=["age"])]),
        r"'idle' has no indicator, enters no utility and predicts nothing.*Remove it",
    ),
    "nothing to explain": (
        lambda: model(latent=[], indicators=[], choice=None),
        r"neither a choice nor an indicator",
    ),
    "wrong latent": (lambda: model(latent=["green"]), r"latent= holds Latent objects, not 'green'"),
    "wrong indicator": (lambda: model(indicators=["q1"]), r"indicators= holds Indicator objects.*not 'q1'"),
    "latent among the indicators": (
        lambda: model(indicators=[LATENT]),
        r"indicators= holds Indicator objects",
    ),
    "empty name": (lambda: iclv.Latent(""), r"name of a latent variable is a non-empty text, not ''"),
    "column of an item is no text": (
        lambda: iclv.Continuous(3, of="green"),
        r"column of an indicator is.*not 3",
    ),
    "wrong scale": (
        lambda: iclv.Latent("green", scale="var"),
        r"'green': scale is 'variance' or 'loading', not 'var'",
    ),
    "wrong link": (lambda: items("q1", link="log"), r"'q1': link is 'probit' or 'logit', not 'log'"),
    "wrong thresholds": (
        lambda: items("q1", thresholds="shared"),
        r"'q1': thresholds is 'free' or iclv.Thresholds",
    ),
    "nameless thresholds": (lambda: iclv.Thresholds(""), r"name of Thresholds is a non-empty text, not ''"),
    "one level": (
        lambda: items("q1", levels=[1]),
        r"'q1': levels= lists at least two different levels.*\[1\]",
    ),
    "number of levels": (
        lambda: items("q1", levels=5),
        r"'q1': levels= lists at least two different levels.*\[5\]",
    ),
    "level twice": (
        lambda: items("q1", levels=[1, 2, 2]),
        r"'q1': levels= lists at least two different levels",
    ),
    "level that is missing": (
        lambda: items("q1", levels=[1, 2, 9], missing=[9]),
        r"'q1' has 9 in levels= and in missing=.*Keep it in one",
    ),
    "value of a scale": (lambda: items("q1", scale=1.0), r"'q1': scale is True or False, not 1.0.*fixed="),
    "value of an item's intercept": (
        lambda: iclv.Continuous("k1", of="green", intercept=0.0),
        r"'k1': intercept is True or False, not 0.0.*fixed=",
    ),
    "value of a latent variable's intercept": (
        lambda: iclv.Latent("green", intercept=1.0),
        r"'green': intercept is True or False, not 1.0.*fixed=",
    ),
    "sign of a lognormal": (lambda: iclv.LogNormal(sign=0), r"sign of a LogNormal is 1 or -1, not 0"),
}

IDENTIFICATION = {
    "free thresholds and intercept": (
        lambda: bind(**item("q1", intercept=True)),
        (
            "'q1' has free thresholds and a free intercept.*location is unidentified.*intercept=False.*'q1 "
            r"\| "
            "1': 0.0"
        ),
    ),
    "free thresholds and scale": (
        lambda: bind(**item("q1", scale=True)),
        r"'q1' has free thresholds and a free scale.*scale is unidentified.*scale=False.*'q1 ~~ q1'",
    ),
    "shared thresholds, all scales free": (
        lambda: bind(indicators=shared("q1", "q2", symmetric=True)),
        r"share the thresholds 'likert' have a free scale.*unidentified.*fixed=\{'q1 ~~ q1': 1.0\}",
    ),
    "shared thresholds, all intercepts free": (
        lambda: bind(indicators=shared("q1", "q2"), fixed={"q1 ~~ q1": 1.0}),
        r"share the thresholds 'likert' have a free intercept.*fixed=\{'q1 ~ 1': 0.0\}.*symmetric=True",
    ),
    "shared thresholds of two kinds": (
        lambda: bind(indicators=[*shared("q1", symmetric=True), *shared("q2")]),
        r"share the thresholds 'likert', but some of them as symmetric.*Make one",
    ),
    "intercept without an anchor": (
        lambda: bind(latent=[iclv.Latent("green", on=["age"], intercept=True)]),
        r"'green' has an intercept, but the location of every item.*intercept=False.*'q1 \| 1': 0.0",
    ),
    "scale by loading without items": (
        lambda: model(latent=[iclv.Latent("green", on=["age"], scale="loading")], indicators=[]),
        r"'green' has no indicator, so scale='loading' leaves its scale unidentified.*scale='variance'",
    ),
    "scale by a loading of zero": (
        lambda: bind(
            latent=[iclv.Latent("green", on=["age"], scale="loading")],
            indicators=items("q1"),
            fixed={"green =~ q1": 0.0},
        ),
        r"'green' has scale='loading', but every loading of it is fixed at 0.*scale='variance'",
    ),
}

NAMES = {
    "fixed": (
        lambda: bind(fixed={"green =~ q11": 1.0}),
        r"fixed= names the parameter 'green =~ q11'.*Did you mean 'green =~ q1'",
    ),
    "equal": (
        lambda: bind(equal=[["green =~ q1", "green =~ Q2"]]),
        r"equal= names the parameter 'green =~ Q2'.*Did you mean 'green =~ q2'",
    ),
    "start": (lambda: bind(start={"tme": 1.0}), r"start= names the parameter 'tme'.*Did you mean 'time'"),
    "start of the fit": (
        lambda: fit(options={"start": {"tme": 1.0}}),
        r"no parameter 'tme' in this model.*Did you mean 'time'",
    ),
    "bounds": (
        lambda: bind(bounds={"tme": (None, 0)}),
        r"bounds= names the parameter 'tme'.*Did you mean 'time'",
    ),
    "define": (
        lambda: bind(define={"tme": lambda p: 2 * p.cost}),
        r"define= gives a value to 'tme', which neither.*Did you mean 'time'",
    ),
    "random": (
        lambda: model(random={"tme": iclv.Normal()}),
        r"random= names 'tme', which the utility does not use.*Did you mean 'time'",
    ),
    "random without a choice": (
        lambda: model(**ALONE, random={"time": iclv.Normal()}),
        r"random= names 'time', which the utility does not use.*There are none",
    ),
    "random without a distribution": (
        lambda: model(random={"time": "normal"}),
        r"random\['time'\] is a distribution such as iclv.Normal\(\).*not 'normal'",
    ),
    "covariances": (
        lambda: model(covariances=[("green", "gren")]),
        r"covariances names 'gren', which is neither.*Did you mean 'green'",
    ),
    "covariance twice": (
        lambda: model(
            random={"time": iclv.Normal(), "cost": iclv.Normal()},
            covariances=[("time", "cost"), ("cost", "time")],
        ),
        r"covariances holds the pair 'time ~~ cost' twice",
    ),
    "covariance with itself": (
        lambda: model(covariances=[("green", "green")]),
        r"pairs of two different names, not \('green', 'green'\)",
    ),
    "covariances is a pair": (
        lambda: model(covariances=("green", "age")),
        r"covariances holds pairs.*not 'green'",
    ),
    "simulated without a value": (
        lambda: model(**PLAIN).simulate({"asc": 1.0}, frame()),
        r"1 free parameters have no value: time",
    ),
    "value of an unknown parameter": (
        lambda: bind(**PLAIN).vector({"asc": 0.0, "time": 0.0, "tme": 0.0}),
        r"no parameter 'tme' in this model.*Did you mean 'time'",
    ),
    "value against a fixed one": (
        lambda: bind(**PLAIN, fixed={"asc": 1.0}).vector({"asc": 0.0, "time": 0.0}),
        r"'asc' is fixed and so 1, not 0.*Leave it out",
    ),
    "unknown Hessian": (
        lambda: bind(**PLAIN).hessian(jnp.zeros(2), method="bhh"),
        r"method is one of.*not 'bhh'.*Did you mean 'bhhh'",
    ),
}

VALUES = {
    "fixed and defined": (
        lambda: bind(fixed={"time": -1.0}, define={"time": lambda p: 2 * p.cost}),
        r"'time' stands in fixed= and in define=.*Keep one",
    ),
    "two fixed ones tied": (
        lambda: bind(fixed={"time": -1.0, "cost": -1.0}, equal=[["time", "cost"]]),
        r"equal= ties 'time' to 'cost', but both are fixed or defined.*Untie",
    ),
    "tied twice": (
        lambda: model(equal=[["time", "cost"], ["cost", "green"]]),
        r"'cost' occurs twice in equal=.*Join its groups",
    ),
    "a loading tied to a variance": (
        lambda: bind(equal=[["green =~ k1", "k1 ~~ k1"]]),
        r"ties 'green =~ k1' \(a loading\) to 'k1 ~~ k1' \(a variance\).*of one kind.*define=\{'k1 ~~ k1': lambda p: p",
    ),
    "a threshold tied to a taste": (
        lambda: bind(equal=[["q1 | 1", "cost"]]),
        r"ties 'q1 \| 1' \(a threshold\) to 'cost' \(a coefficient\).*of one kind",
    ),
    "kinds in a longer list": (
        lambda: bind(equal=[["green =~ q1", "green =~ q2", "green ~ age"]]),
        r"ties 'green =~ q1' \(a loading\) to 'green ~ age' \(a regression coefficient\)",
    ),
    "an intercept tied to a covariance": (
        lambda: bind(equal=[["k1 ~ 1", "k1 ~~ k2"]], covariances=[("k1", "k2")], indicators=[*ITEMS, K2]),
        r"ties 'k1 ~ 1' \(an intercept\) to 'k1 ~~ k2' \(a covariance\)",
    ),
    "tied alone": (lambda: model(equal=[["time"]]), r"equal= holds lists of at least two.*not \['time'\]"),
    "equal is one list": (
        lambda: model(equal=["time", "cost"]),
        r"equal= holds lists of at least two.*not 'time'",
    ),
    "equal is a number": (
        lambda: model(equal=3),
        r"equal= holds lists of at least two parameter names, not 3",
    ),
    "define in a cycle": (
        lambda: bind(define={"time": lambda p: p.cost, "cost": lambda p: p.time}),
        r"define= is cyclic: time -> cost -> time",
    ),
    "define by itself": (
        lambda: model(define={"time": lambda p: p.time + 1.0}),
        r"define\['time'\] uses itself.*other parameters",
    ),
    "define without use": (
        lambda: bind(define={"unused": lambda p: p.cost}),
        r"define= gives a value to 'unused', which neither the model nor another definition uses",
    ),
    "define nothing": (
        lambda: model(define={"time": lambda p: None}),
        r"define\['time'\] must be a number, not None",
    ),
    "define a value": (
        lambda: model(define={"time": 2.0}),
        r"define\['time'\] is a function of the other parameters.*not 2.0.*fixed=",
    ),
    "define without arguments": (
        lambda: model(define={"time": lambda: 2.0}),
        r"define\['time'\] is a function of p, but it cannot be called so: too many",
    ),
    "define by numpy": (
        lambda: model(define={"time": lambda p: np.exp(p.cost)}),
        r"define\['time'\] passes a value.*jax\.numpy",
    ),
    "define an array": (
        lambda: model(define={"time": lambda p: p.cost * jnp.ones(2)}),
        r"define\['time'\] must be one number.*shape \(2,\)",
    ),
    "infinite start": (
        lambda: model(start={"time": INF}),
        r"start\['time'\] must be a finite number, not inf",
    ),
    "infinite start of the fit": (
        lambda: fit(options={"start": {"time": NAN}}),
        r"start\['time'\] must be a finite number, not nan",
    ),
    "text as a start": (
        lambda: fit(options={"start": {"time": "zero"}}),
        r"start\['time'\] must be a finite number, not 'zero'",
    ),
    "start outside its bounds": (
        lambda: bind(start={"time": 1.0}, bounds={"time": (None, 0)}),
        r"start\['time'\] = 1 lies outside its bounds \[-inf, 0\]",
    ),
    "start of the fit outside its bounds": (
        lambda: fit(options={"start": {"time": 1.0}}, bounds={"time": (None, 0)}),
        r"start\['time'\] = 1 lies outside its bounds \[-inf, 0\]",
    ),
    "start for a fixed parameter": (
        lambda: bind(start={"time": 1.0}, fixed={"time": 2.0}),
        r"start= gives a value to 'time', which is fixed and not free.*Leave it out",
    ),
    "start of the fit for a tied parameter": (
        lambda: fit(options={"start": {"cost": 1.0}}, equal=[["time", "cost"]]),
        r"start= gives a value to 'cost', which is tied to 'time' and not free.*Leave it out",
    ),
    "start for a variance fixed by convention": (
        lambda: bind(start={"green ~~ green": 2.0}),
        r"start= gives a value to 'green ~~ green', which is fixed and not free",
    ),
    "negative start of a variance": (
        lambda: fit(options={"start": {"k1 ~~ k1": -1.0}}),
        r"start value -1 of 'k1 ~~ k1' cannot be: a variance is positive",
    ),
    "start of thresholds out of order": (
        lambda: fit(start={"q1 | 1": 9.0}),
        r"start value .* of 'q1 \| 2' cannot be: thresholds increase",
    ),
    "start is a word": (
        lambda: fit(options={"start": "best"}),
        r"start= is 'sequential', 'default', a mapping of names to values, or a fit, not 'best'",
    ),
    "start is a list": (
        lambda: fit(options={"start": [0.0]}),
        r"start= is 'sequential', 'default', a mapping",
    ),
    "bounds reversed": (
        lambda: model(bounds={"time": (0, -1)}),
        r"bounds\['time'\]: the lower bound 0 is not below the upper bound -1",
    ),
    "bounds are one number": (lambda: model(bounds={"time": 0.0}), r"bounds\['time'\] is a pair.*not 0.0"),
    "bounds are text": (
        lambda: model(bounds={"time": ("low", 0)}),
        r"bounds\['time'\] is a pair of numbers.*not \('low', 0\)",
    ),
    "bounds of a fixed parameter": (
        lambda: bind(fixed={"time": -1.0}, bounds={"time": (None, 0)}),
        r"bounds= names 'time', which is not free.*Leave it out",
    ),
    "fixed is text": (
        lambda: model(fixed={"time": "-1"}),
        r"fixed\['time'\] must be a finite number, not '-1'",
    ),
    "fixed is infinite": (
        lambda: model(fixed={"time": -INF}),
        r"fixed\['time'\] must be a finite number, not -inf",
    ),
    "fixed is no mapping": (lambda: model(fixed=["time"]), r"fixed= is a mapping from names.*not \['time'\]"),
    "random is no mapping": (
        lambda: model(random=["time"]),
        r"random= is a mapping from names.*not \['time'\]",
    ),
    "fixed negative variance": (
        lambda: bind(fixed={"k1 ~~ k1": -1.0}),
        r"fixed\['k1 ~~ k1'\] = -1 must be positive: it is a variance",
    ),
    "fixed thresholds out of order": (
        lambda: bind(fixed={"q1 | 1": 1.0, "q1 | 2": 0.0}),
        r"fixed\['q1 \| 1'\] = 1 is not below fixed\['q1 \| 2'\] = 0.*Thresholds increase",
    ),
    "fixed covariance too large": (
        lambda: bind(
            latent=[LATENT, iclv.Latent("calm")],
            indicators=[*ITEMS, iclv.Continuous("k2", of="calm")],
            covariances=[("green", "calm")],
            fixed={"green ~~ calm": 1.5},
        ),
        r"fixed values of .*'green ~~ calm'.* make no positive definite matrix",
    ),
    "nothing is free": (
        lambda: fit(**PLAIN, fixed={"asc": 0.0, "time": -1.0}),
        r"no free parameter, so there is nothing to estimate.*Free one",
    ),
}

OPTIONS = {
    "people in a batch": (
        lambda: bind(options={"batch_people": 0}),
        r"batch_people is a positive whole number, not 0",
    ),
    "integration is a word": (
        lambda: bind(options={"integration": "halton"}),
        r"integration= is a rule.*not 'halton'",
    ),
    "integration is a class": (
        lambda: bind(options={"integration": iclv.MonteCarlo}),
        r"integration= is a rule such as",
    ),
    "optimizer is a word": (
        lambda: fit(options={"optimizer": "newton"}),
        r"optimizer= is an optimiser.*not 'newton'",
    ),
    "no draws": (lambda: iclv.MonteCarlo(0), r"draws is a positive whole number, not 0"),
    "half a draw": (lambda: iclv.Adaptive(draws=0.5), r"draws is a positive whole number, not 0.5"),
    "wrong sequence": (lambda: iclv.MonteCarlo(10, "helton"), r"sequence is one of 'halton', .*not 'helton'"),
    "no nodes": (lambda: iclv.GaussHermite(0), r"nodes is a positive whole number, not 0"),
    "too large a grid": (
        lambda: bind(
            options={"integration": iclv.GaussHermite(30)},
            random={"time": iclv.Normal(), "cost": iclv.Normal()},
        ),
        r"30 nodes in each of 3 dimensions has 27,000 nodes per person.*Use fewer nodes, or iclv.Adaptive",
    ),
    "unknown Hessian of the optimiser": (
        lambda: iclv.TrustRegion(hessian="exct"),
        r"hessian is one of 'exact', 'bhhh', 'sr1', 'bfgs', not 'exct'\. Did you mean 'exact'\?",
    ),
    "negative tolerance": (lambda: iclv.TrustRegion(tolerance=-1.0), r"tolerance is positive, not -1.0"),
}

GROUPS = {
    "missing columns": MISSING_COLUMNS,
    "not a number": NOT_A_NUMBER,
    "choices": CHOICES,
    "utilities": UTILITIES,
    "memberships": MEMBERSHIPS,
    "items": ITEM_DATA,
    "people": PEOPLE_AND_FRAMES,
    "structure": STRUCTURE,
    "identification": IDENTIFICATION,
    "names": NAMES,
    "values": VALUES,
    "options": OPTIONS,
}
CASES = [
    pytest.param(build, pattern, id=f"{group}: {name}")
    for group, cases in GROUPS.items()
    for name, (build, pattern) in cases.items()
]

LIKELIHOOD = {
    _portions: ["person_values", "person_scores"],
    _evaluated: ["slope_at_once", "expand_exact"],
    _problem: ["centres"],
}


def message(build):
    with pytest.raises(ValueError) as caught:
        build()
    return str(caught.value)


@pytest.mark.parametrize(("build", "pattern"), CASES)
def test_refused_before_the_likelihood(build, pattern, monkeypatch):
    for module, names in LIKELIHOOD.items():
        for name in names:
            monkeypatch.setattr(module, name, None)
    said = message(build)
    assert re.search(pattern, said), said
    assert said[-1] in ".?", said


def test_the_data_are_good():
    bind()
    bind(**ALONE)
    bind(**PLAIN)
    bind_two()


def test_a_definition_replaces_a_convention():
    table = bind(define={"green ~~ green": lambda p: p.spread**2}).table
    assert table.row("green ~~ green").status == "defined"
    assert table.row("spread").status == "free"


def test_a_loading_of_zero_leaves_the_unit_to_the_next():
    latent = iclv.Latent("green", on=["age"], scale="loading")
    problem = bind(latent=[latent], fixed={"green =~ q1": 0.0})
    rows = [problem.table.row(f"green =~ {q}") for q in ("q1", "q2", "k1")]
    assert [(row.status, row.value) for row in rows[:2]] == [("fixed", 0.0), ("fixed", 1.0)]
    assert rows[2].status == "free"
    assert np.isfinite(problem.start()).all()


def test_nothing_and_a_series_are_mappings():
    values = pd.Series({"time": -1.0, "cost": -0.5})
    assert dict(model(fixed=values).spec.fixed) == dict(values)
    nothing = dict.fromkeys(["random", "define", "fixed", "bounds", "start", "covariances", "equal"])
    assert model(**nothing).spec == model().spec


def test_a_missing_attribute_of_an_unavailable_alternative_is_fine():
    data = put("time_walk", NAN, rows=[4, 5]).assign(mode="bus")
    data.loc[[104, 105], "av_walk"] = 0
    assert bind(data).panel.situations == 16


def logarithm(b, x, lv):
    return {"car": b.asc_car + b.time * jnp.log(x.time_car), "bus": b.green * lv.green, "walk": 0.0}


CALM = {
    "latent": [LATENT, iclv.Latent("calm")],
    "indicators": [iclv.Continuous("k1", of="green"), iclv.Continuous("k2", of="calm")],
    "choice": None,
    "covariances": [("green", "calm")],
    "bounds": {"green ~~ calm": (-5, 5)},
}
NOT_FINITE = [
    pytest.param(
        lambda: fit(put("time_car", 0.0, rows=[5]), choice=iclv.Logit(logarithm, chosen="mode")),
        (
            r"not finite at the start values for 1 of 8 people \('p3'\).*: the choice in situation 2\. Give "
            "other start"
        ),
        id="choice",
    ),
    pytest.param(
        lambda: fit(
            put("k1", 1e6), {"start": {"k1 ~~ k1": 1e-300, "k1 ~ 1": 0.0, "green =~ k1": 0.0}}, **ALONE
        ),
        r"for 1 of 8 people \('p3'\).*: item 'k1'\.",
        id="item",
    ),
    pytest.param(
        lambda: fit(options={"start": {"green ~~ calm": 3.0}}, **CALM),
        r"for 8 of 8 people \('p1', .*'p5', \.\.\.\).*: the structural equations\.",
        id="structure",
    ),
]


@pytest.mark.parametrize(("build", "pattern"), NOT_FINITE)
def test_a_likelihood_that_is_not_finite_at_the_start_names_people_and_factor(build, pattern):
    said = message(build)
    assert re.search(pattern, said), said
