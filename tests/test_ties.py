"""What equal= may tie: parameters of one kind, whatever they belong to."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 9)), columns=list("abcdefghx"))
FRAME = FRAME.assign(q=[1, 2, 3, 1, 2, 3, 2, 2], r=[1, 2, 3, 3, 2, 1, 2, 2], s=[0, 1] * 4, t=[1, 0] * 4)
FRAME = FRAME.assign(bought=["one", "two"] * 4, took=["yes", "no"] * 4)


def model(**parts):
    def buy(b, x, lv):
        return {"one": b.price * x.a + b.att * lv.f, "two": b.asc + b.price * x.b}

    def take(b, x, lv):
        return {"yes": b.asc_take + b.cost * x.c + b.liking * lv.g, "no": 0.0}

    latent = [iclv.Latent("f", on=["x"]), iclv.Latent("g", on=["f", "x"])]
    items = [iclv.Continuous(v, of="f", on=["x"] if v == "c" else []) for v in "abc"]
    items += [iclv.Ordered(v, of="g", intercept=False) for v in "qr"]
    items += [iclv.Binary(v, of="g", guessing=True, slipping=True) for v in "st"]
    choices = [iclv.Logit(buy, chosen="bought", name="buy"), iclv.Logit(take, chosen="took", name="take")]
    random = {"price": iclv.Triangular(), "cost": iclv.Normal()}
    return iclv.Model(latent, items, choices, random=random, **parts)


ALLOWED = [
    ["f =~ a", "f =~ b", "g =~ q"],
    ["price", "cost"],
    ["price", "price.width"],
    ["att", "g ~ f"],
    ["f ~ x", "c ~ x", "g ~ x"],
    ["f =~ a", "g ~ f"],
    ["f =~ c", "c ~ x"],
    ["q | 1", "r | 1"],
    ["a ~~ a", "b ~~ b"],
    ["s.guessing", "t.guessing"],
    ["a ~ 1", "s ~ 1"],
]
REFUSED = [
    ["f =~ a", "f ~ x"],
    ["f =~ a", "att"],
    ["q | 1", "a ~ 1"],
    ["s.guessing", "s.slipping"],
    ["cost.sd", "a ~~ a"],
    ["g ~ f", "q | 2"],
    ["a ~ 1", "asc"],
]


@pytest.mark.parametrize("tied", ALLOWED, ids=" = ".join)
def test_parameters_of_one_kind_are_tied(tied):
    problem = model(equal=[tied]).bind(FRAME, integration=iclv.MonteCarlo(2))
    values = problem.unpack(problem.start() + 0.01, everything=True)
    assert len({float(values[name]) for name in tied}) == 1
    assert not {*tied[1:]} & {*problem.names}


@pytest.mark.parametrize("tied", REFUSED, ids=" = ".join)
def test_parameters_of_two_kinds_are_not_tied(tied):
    with pytest.raises(ValueError, match="of one kind") as said:
        model(equal=[tied]).bind(FRAME, integration=iclv.MonteCarlo(2))
    assert all(repr(name) in str(said.value) for name in tied)


def test_one_number_of_two_kinds_by_a_definition():
    define = {"a ~~ a": lambda p: p["f =~ a"]}
    problem = model(define=define).bind(FRAME, integration=iclv.MonteCarlo(2))
    values = problem.unpack(problem.start(), everything=True)
    assert values["a ~~ a"] == values["f =~ a"]


def test_what_only_definitions_use_has_the_kind_that_they_make_of_it():
    define = {"a ~~ a": lambda p: p["one"], "q | 1": lambda p: -p["other"]}
    problem = model(define=define, equal=[["one", "other"]]).bind(FRAME, integration=iclv.MonteCarlo(2))
    values = problem.unpack(problem.start(), everything=True)
    assert values["a ~~ a"] == -values["q | 1"]


def test_bounds_of_a_probability_stay_within_its_own():
    bounds = {"s.guessing": (None, 0.35), "t.guessing": (0.1, None)}
    problem = model(bounds=bounds).bind(FRAME, integration=iclv.MonteCarlo(2))
    lower, upper = (dict(zip(problem.names, end, strict=True)) for end in problem.bounds)
    assert (lower["s.guessing"], upper["s.guessing"]) == (0.0, 0.35)
    assert (lower["t.guessing"], upper["t.guessing"]) == (0.1, 1.0)
    for beyond in ((-0.2, 0.5), (0.0, 1.2)):
        with pytest.raises(ValueError, match=r"bounds\['s.guessing'\] end at .*lies between 0 and 1"):
            model(bounds={"s.guessing": beyond}).bind(FRAME, integration=iclv.MonteCarlo(2))
