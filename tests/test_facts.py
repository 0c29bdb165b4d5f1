"""Models and data as facts: what makes two of them the same to a file, and what does not."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import small
from jax import nn

import iclv_jax as iclv
from iclv_jax._base._facts import difference, fact
from iclv_jax._problem._fingerprint import mismatch, of_data, of_model
from iclv_jax._spec._facts import facts_of


def facts(utility, **parts):
    return facts_of(iclv.Model(choice=iclv.Logit(utility, "choice"), **parts).spec)


def base(b, x, lv):
    return {"a": b.asc + b.price * x.price + jnp.where(x.purpose == 2, b.time, 0.5) * x.time, "b": 0.0}


def same_in_other_words(b, x, lv):
    trip = jnp.equal(x.purpose, 2.0)
    price = x.price * b.price
    return {"a": jnp.where(trip, b.time, 1.0 / 2.0) * x.time + (b.asc + price), "b": jnp.zeros(())}


def in_the_same_order(function):
    """The names in the order in which `base` uses them."""

    def ordered(b, x, lv):
        _ = b.asc, b.price, x.price, x.purpose, b.time, x.time
        return function(b, x, lv)

    return ordered


def test_two_ways_to_write_a_function_agree():
    assert difference(facts(base), facts(in_the_same_order(same_in_other_words))) is None
    assert facts(base) == json.loads(json.dumps(facts(base)))


OTHERS = {
    "a constant": lambda b, x, lv: {
        "a": b.asc + b.price * x.price + jnp.where(x.purpose == 2, b.time, 0.5001) * x.time, "b": 0.0
    },
    "a sign": lambda b, x, lv: {
        "a": b.asc - b.price * x.price + jnp.where(x.purpose == 2, b.time, 0.5) * x.time, "b": 0.0
    },
    "the code of a branch": lambda b, x, lv: {
        "a": b.asc + b.price * x.price + jnp.where(x.purpose == 3, b.time, 0.5) * x.time, "b": 0.0
    },
    "a branch for negative values": lambda b, x, lv: {
        "a": b.asc + b.price * jnp.abs(x.price) + jnp.where(x.purpose == 2, b.time, 0.5) * x.time, "b": 0.0
    },
    "a branch for large values": lambda b, x, lv: {
        "a": b.asc + b.price * jnp.minimum(x.price, 2e4) + jnp.where(x.purpose == 2, b.time, 0.5) * x.time, "b": 0.0
    },
    "a term far from zero": lambda b, x, lv: {
        "a": b.asc + b.price * x.price + jnp.where(x.purpose == 2, b.time, 0.5) * x.time, "b": 1e-4
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_functions_that_differ_differ(name):
    found = difference(facts(base), facts(in_the_same_order(OTHERS[name])))
    assert found is not None and "computes" in found


def test_values_that_are_not_finite_are_compared_too():
    def log(sign):
        return lambda b, x, lv: {"a": b.price * jnp.log(x.price) + sign / (x.time - x.time), "b": 0.0}

    assert difference(facts(log(1.0)), facts(log(1.0))) is None
    assert difference(
        facts(log(1.0)), facts(lambda b, x, lv: {"a": b.price * jnp.log(x.price), "b": 0.0 * x.time})
    )
    text = json.dumps(facts(log(1.0)), allow_nan=False)
    assert '"nan"' in text


def network(activation=nn.tanh, width=2, seed=0):
    net = eqx.nn.MLP(2, "scalar", width, 1, activation=activation, key=jax.random.key(seed))
    return facts(
        lambda b, x, lv: {"a": b.net(jnp.stack([x.price, x.time])), "b": b.asc}, modules={"net": net}
    )


def test_a_network_is_known_by_its_shapes_and_what_it_computes():
    assert difference(network(), network(seed=1)) is None
    assert difference(network(), network(nn.relu)) is not None
    assert difference(network(), network(width=3)) is not None


PARTS = {
    "fixed": {"fixed": {"price": -1.0}},
    "bounds": {"bounds": {"price": (None, 0.0)}},
    "equal": {"equal": [["price", "time"]]},
    "define": {"define": {"price": lambda p: -jnp.exp(p.log_price)}},
    "random": {"random": {"price": iclv.Normal()}},
    "another distribution": {"random": {"price": iclv.LogNormal(sign=-1)}},
    "another sign": {"random": {"price": iclv.LogNormal(sign=1)}},
    "nothing": {},
}


def test_every_part_of_a_model_is_a_fact():
    found = {name: facts_of(small.logit(**parts).spec) for name, parts in PARTS.items()}
    again = {name: facts_of(small.logit(**parts).spec) for name, parts in PARTS.items()}
    for one in PARTS:
        for other in PARTS:
            assert (difference(found[one], again[other]) is None) == (one == other), (one, other)


def test_families_and_their_fields_are_facts():
    def items(*members):
        return facts_of(iclv.Model([iclv.Latent("green")], members).spec)

    probit = [iclv.Ordered(q, of="green") for q in ("q1", "q2", "q3")]
    logit = [iclv.Ordered(q, of="green", link="logit" if q == "q3" else "probit") for q in ("q1", "q2", "q3")]
    assert "items, q3, link is 'probit' in the file" in str(difference(items(*probit), items(*logit)))
    assert "family" in str(difference(items(*probit), items(*probit[:2], iclv.Continuous("q3", of="green"))))


def test_start_values_are_no_fact():
    assert facts_of(small.logit(start={"price": -0.5}).spec) == facts_of(small.logit().spec)


def test_what_differs_is_said():
    frame = small.data()
    one, other = (small.logit(**parts).bind(frame) for parts in ({}, {"fixed": {"asc": 0.5}}))
    said = mismatch({"model": of_model(one)}, {"model": of_model(other)})
    assert said == "another model: fixed, asc stands only here"
    turned = iclv.Model(
        choice=iclv.Logit(
            lambda b, x, lv: {"a": b.asc - b.price * x.price + b.time * x.time, "b": 0.0}, "choice"
        )
    ).bind(frame)
    said = mismatch({"model": of_model(one)}, {"model": of_model(turned)})
    assert said == "another model: choices, choice, utility computes something else"


# --- data ---


def hybrid(frame, **keywords):
    return of_data(small.hybrid().bind(frame, integration=small.RULE, **keywords))


def test_data_are_known_by_value():
    frame = small.data()
    found = hybrid(frame)
    assert hybrid(frame.astype({"q1": float}).assign(unused=1.0)) == found
    assert json.loads(json.dumps(found)) == found
    changed = {
        "people": frame.set_axis(frame.index + 1),
        "covariates": frame.assign(age=frame["age"] + 1e-9),
        "items": frame.assign(q2=frame["q2"].where(frame.index > 0)),
        "choices": frame.assign(price=-frame["price"]),
    }
    for part, other in changed.items():
        assert {key for key, value in hybrid(other).items() if value != found[key]} == {part}
    assert hybrid(frame, weights="w")["weights"] != found["weights"]
    assert hybrid(frame.iloc[::-1]) != found


def test_padding_is_no_part_of_the_data():
    """The same people beside one with a longer panel."""
    frame = small.data(12).assign(id=np.repeat(np.arange(6), 2))
    short = small.logit().bind(frame, person="id")
    longer = pd.concat([frame, frame.iloc[[-1, -1, -1]]], ignore_index=True)
    long = small.logit().bind(longer, person="id")
    assert short.panel.person.data[0].outcome.shape != long.panel.person.data[0].outcome.shape
    part = of_data(small.logit().bind(longer.iloc[:12], person="id"))
    assert part == of_data(short) != of_data(long)


# --- plain data ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.nan, "nan"),
        (-np.inf, "-inf"),
        ((1, "a", None, np.True_), [1, "a", None, True]),
        ({"a": (1,)}, {"a": [1]}),
        ({1: "a"}, [[1, "a"]]),
        (np.arange(2), [0, 1]),
        (iclv.LogNormal(-1), {"kind": "LogNormal", "sign": -1, "within": False}),
        (pd.Timestamp("2020-01-02"), {"kind": "Timestamp", "text": "2020-01-02 00:00:00"}),
        (len, {"named": "len"}),
    ],
)  # fmt: skip
def test_values_as_plain_data(value, expected):
    found = fact(value)
    assert found == expected and type(found) is type(expected)


def test_numbers_agree_to_roundings_and_kinds_of_values_do_not():
    assert difference([1.0, 2], [1.0 + 1e-12, 2]) is None
    assert difference([1.0], [1.0 + 1e-5]) == "1 is 1.0 in the file and 1.00001 here"
    assert difference({"a": 1}, {"a": True}) and difference({"a": 1}, {"a": "1"}) and difference([1], [1, 2])
    assert difference({"a": {"b": 1}}, {"a": {}}) == "a, b stands only in the file"
