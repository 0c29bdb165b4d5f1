"""Two small models with artificial data, whose fits and compiled functions the tests of training and penalties share."""

from functools import cache

import numpy as np
import pandas as pd

import iclv_jax as iclv


def data(people=90, seed=0):
    """Choices, one attitude with three items, and clusters of three people."""
    generator = np.random.default_rng(seed)
    price, time, age = generator.normal(size=(3, people))
    green = 0.6 * age + generator.normal(size=people)
    lead = 0.5 - price + 0.4 * time + 0.7 * green + generator.logistic(size=people)
    answers = 0.9 * green + generator.normal(size=(3, people))
    items = {f"q{k + 1}": np.digitize(a, [-0.8, 0.7]) + 1 for k, a in enumerate(answers)}
    columns = {"price": price, "time": time, "age": age, **items}
    return pd.DataFrame(
        columns
        | {"choice": np.where(lead > 0, "a", "b"), "group": np.arange(people) // 3, "w": 1.0 + (price > 0)}
    )


def logit(**parts):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"), **parts)


def hybrid(**parts):
    def utility(b, x, lv):
        return {"a": b.asc + b.price * x.price + b.taste * lv.green, "b": 0.0}

    items = [iclv.Ordered(q, of="green") for q in ("q1", "q2", "q3")]
    choice = iclv.Logit(utility, chosen="choice")
    return iclv.Model([iclv.Latent("green", on=["age"])], items, choice, **parts)


RULE = iclv.GaussHermite(4)


@cache
def fitted(name):
    """Maximum likelihood by the trust region."""
    model, rule = {"logit": (logit(), None), "hybrid": (hybrid(), RULE)}[name]
    return model.fit(data(), integration=rule, progress=False)


def logit_loglike(frame, params):
    """The log-likelihood of the logit in plain numpy."""
    index = params[0] + params[1] * frame["price"].to_numpy() + params[2] * frame["time"].to_numpy()
    side = np.where(frame["choice"] == "a", 1.0, -1.0)
    return -np.logaddexp(0.0, -side * index).sum()
