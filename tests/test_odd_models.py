"""Odd functions and fields of models, by kind: each is refused in a sentence before any data are read. To add a case, add a
row.
"""

import re

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._spec._groups import Groups, chosen_group

ANSWERS = {
    "a number that is called": (lambda b, x, lv: b.a(), "'value' object is not callable"),
    "a number joined with text": (lambda b, x, lv: b.a + "x", "joined with text"),
    "columns that are counted": (lambda b, x, lv: b.a * len(x), r"has no len\(\)"),
    "what no number has": (lambda b, x, lv: b.a.wealth, "what Python refuses"),
    "a parameter without a name": (lambda b, x, lv: b[""], "have letters and are known at once, not ''"),
    "a name made of data": (lambda b, x, lv: b[f"a{x.t}"], "a name cannot be made of values of the data"),
    "a missing value": (lambda b, x, lv: np.nan, "must be a finite number, but it is nan, whatever"),
    "no end": (lambda b, x, lv: -np.inf, "must be a finite number, but it is -inf"),
    "nothing": (lambda b, x, lv: None, "must be a number, not None"),
    "all columns at once": (lambda b, x, lv: x, "must be a number"),
    "a position": (lambda b, x, lv: b[0], "are text, not 0"),
    "two numbers": (lambda b, x, lv: jnp.array([b.a, 1.0]), r"array of shape \(2,\)"),
}


def both(answer):
    return lambda b, x, lv: {"a": answer(b, x, lv), "b": b.c}


FUNCTIONS = {
    "a utility": lambda f: iclv.Model(choice=iclv.Logit(both(f), "y")),
    "an index": lambda f: iclv.Model(choice=iclv.OrderedChoice(f, "y")),
    "a baseline": lambda f: iclv.Model(choice=iclv.MDCEV(both(f), {"a": "qa", "b": "qb"})),
    "a log-likelihood": lambda f: iclv.Model(choice=iclv.LogLikelihood(f, "y")),
    "an equation": lambda f: iclv.Model([iclv.Latent("z", on=f)], [iclv.Continuous("y", of="z")]),
    "membership": lambda f: iclv.Model(
        choice=iclv.LatentClasses(
            both(f), {n: iclv.Logit(lambda b, x, lv: {1: b.c, 2: 0.0}, "y") for n in ("a", "b")}
        )
    ),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_functions_that_answer_oddly_are_refused(answer, function):
    gives, words = ANSWERS[answer]
    with pytest.raises(ValueError, match=words) as error:
        FUNCTIONS[function](gives)
    assert not re.search(r"Tracer|Traced|Namespace|jaxlib|not iterable|unhashable", str(error.value))


def price(b, x, lv):
    return {"a": b.price * x.t, "b": b.c}


def logit(**options):
    return iclv.Model(choice=iclv.Logit(price, "y"), **options)


def classes(**options):
    each = {n: iclv.Logit(price, "y") for n in ("a", "b")}
    return iclv.LatentClasses(lambda b, x, lv: {"a": b.m, "b": 0.0}, each, **options)


CODES = {
    "a function": len,
    "a class": int,
    "a mapping": {"a": 1},
    "a frame": pd.DataFrame({"a": [1]}),
    "an object": object(),
    "a list": [[1]],
    "a missing value": [pd.NA],
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("family", [iclv.Continuous, iclv.Ordered, iclv.Count, iclv.Nominal, iclv.Duration])
def test_codes_that_no_column_holds_are_refused(family, code):
    with pytest.raises(ValueError, match="Indicator 'q': missing= holds the codes that mean 'no answer'"):
        family("q", of="z", missing=CODES[code])


REFUSED = {
    "a normal coefficient cut nowhere": (lambda: iclv.TruncatedNormal(upper=np.inf), "That is Normal"),
    "a pair of lists": (lambda: logit(random={"price": iclv.Normal()}, covariances=[[["x"]]]), "pairs of two different"),
    "a derived value without a name": (lambda: logit(derived={" ": lambda p: p.price}), "which is empty"),
    "a derived value that is none": (lambda: logit(derived={"d": lambda p: np.nan}), r"derived\['d'\] must be a finite"),
    "a derived value without end": (lambda: logit(derived={"d": lambda p: jnp.log(0.0)}), r"derived\['d'\] is -inf"),
    "a definition that is none": (lambda: logit(define={"c": lambda p: jnp.nan * 2}), r"define\['c'\] must be a finite"),
    "a text that divides by zero": (
        lambda: iclv.Model.from_text("z =~ q1 + q2 + q3\nd := 1/0"),
        r"derived\['d'\] is inf",
    ),
    "a link of no item": (lambda: iclv.Model.from_text("z =~ q1 + q2 + q3", link="probt"), "link is 'probit' or 'logit'"),
    "what the model finds itself": (lambda: classes(personal="age"), "personal= is what the model finds"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_odd_fields_are_refused(case):
    does, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        does()


def test_one_end_that_is_no_end_is_as_if_it_were_left_out():
    assert iclv.TruncatedNormal(-np.inf, 0.0).starts == iclv.TruncatedNormal(upper=0.0).starts


def test_constants_of_definitions_are_numbers_all_the_same():
    data = pd.DataFrame({"y": ["a", "b", "b", "a"], "t": [1.0, 2.0, 0.5, 0.1]})
    assert logit(define={"c": lambda p: 2.0}).bind(data).names == ("price",)


@pytest.mark.parametrize("group", [np.ones(2), pd.DataFrame({"a": [1]}), pd.NA, ["north"], 3])
def test_what_is_no_group_is_refused(group):
    groups = Groups("school", (), (), names=("north", "south"))
    with pytest.raises(
        ValueError, match=r"item_response: Name a group by group=, one of \['north', 'south'\]"
    ):
        chosen_group(groups, group, "item_response")
