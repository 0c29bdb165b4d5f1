"""What users write, for a type checker alone: the gate asks it for errors, nothing runs this file."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pandas as pd

import iclv_jax as iclv

df: pd.DataFrame = pd.read_csv("survey.csv")
available = {"car": "car_available"}
named = {1: "first", 2: "second"}


def utility(b, x, lv):
    return {
        "public_transport": b.asc_pt + b.time_pt * x.time_pt + b.cost * x.cost_pt,
        "car": b.asc_car + b.time_car * x.time_car + b.cost * x.cost_car + b.green_car * lv.green,
        "slow": b.distance * x.distance,
    }


def numbered(b, x, lv):
    return {1: b.asc + b.time * x.time_1, 2: b.time * x.time_2}


model = iclv.Model(
    latent=[iclv.Latent("green", on=["top_manager", "high_edu"])],
    indicators=[iclv.Ordered(q, of="green") for q in ("Envir01", "Envir02", "Mobil05")],
    choice=iclv.Logit(utility, chosen="choice", available=available),
    random={"cost": iclv.LogNormal(sign=-1)},
    covariances=[("cost", "green")],
    fixed={"asc_car": 0.0},
)
fit = model.fit(df, person="id", optimizer=iclv.TrustRegion(), integration=iclv.Adaptive(64))
print(fit.summary(), fit.params["cost"] + 1.0, fit.llf - 1.0)
fit.choices.elasticities("time_car")
fit.choices.willingness_to_pay("time_car", cost="cost")
fit.tests.lr_test(fit)
fit.predict(df).to_csv("probabilities.csv")

nested = iclv.NestedLogit(numbered, "y", nests={"n": [1, 2]}, available=named)
ranked = iclv.Ranking(numbered, ["best", "second"])
classes = iclv.LatentClasses(lambda b, x, lv: {"a": b.share, "b": 0.0}, {"a": nested, "b": nested})
both = iclv.Model(choice=[iclv.Logit(numbered, "rp", name="rp", rows="is_rp"), ranked, classes])
items = [iclv.Continuous("a", of=["f"]), iclv.Count("n", of="f"), iclv.Binary("q", of="f")]
factor = iclv.Model([iclv.Latent("f")], items, equal=[["f =~ a", "f =~ q"]])
text = iclv.Model.from_text("f =~ a + q", ordered=["q"], choice=iclv.Logit(numbered, "y"))

network = iclv.initialise(eqx.nn.MLP(2, "scalar", 8, 1, key=jax.random.key(0)), "he", seed=1)
learned = iclv.Model(
    choice=iclv.Logit(lambda b, x, lv: {1: b.taste(jnp.stack([x.age, x.income])), 2: 0.0}, "y"),
    modules={"taste": network},
)
