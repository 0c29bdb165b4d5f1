"""The models of the reference numbers, on public data."""

import jax.numpy as jnp

import iclv_jax as iclv

ITEMS = (
    "Envir01",
    "Envir02",
    "Envir06",
    "Mobil03",
    "Mobil05",
    "Mobil08",
    "Mobil09",
    "Mobil10",
    "LifSty07",
)
LIKERT = iclv.Thresholds("likert", symmetric=True)


def swissmetro(**kwargs):
    def utility(b, x, lv):
        return {
            "train": b.asc_train + b.b_time * x.TRAIN_TT + b.b_cost * x.TRAIN_COST,
            "swissmetro": b.b_time * x.SM_TT + b.b_cost * x.SM_COST,
            "car": b.asc_car + b.b_time * x.CAR_TT + b.b_cost * x.CAR_CO,
        }

    available = {"train": "TRAIN_AVAIL", "swissmetro": "SM_AVAIL", "car": "CAR_AVAIL"}
    return iclv.Model(choice=iclv.Logit(utility, chosen="choice", available=available), **kwargs)


def mixed_swissmetro():
    return swissmetro(random={"b_time": iclv.Normal()})


def optima_choice():
    def utility(b, x, lv):
        dist = jnp.where(x.work_trip == 1, b.dist_work, b.dist_other)
        return {
            "public_transport": b.scale * (b.asc_pt + b.time_pt * x.time_pt - x.cost_pt),
            "car": b.scale * (b.asc_car + b.time_car * x.time_car - x.cost_car + b.att_car * lv.car),
            "slow": b.scale * dist * x.distance,
        }

    return iclv.Logit(utility, chosen="choice", available={"car": "car_available"})


def optima(probit: bool, choice: bool = True):
    car = iclv.Latent(
        "car",
        on=["top_manager", "car_parents", "high_edu", "low_edu", "school_car"],
        scale="loading",
        intercept=True,
    )
    fixed = {"Envir01 ~ 1": 0.0, "car =~ Envir01": -1.0}
    if probit:
        items = [iclv.Ordered(q, of="car", thresholds=LIKERT) for q in ITEMS]
        fixed["Envir01 ~~ Envir01"] = 1.0
    else:
        items = [iclv.Continuous(q, of="car") for q in ITEMS]
    return iclv.Model([car], items, optima_choice() if choice else None, fixed=fixed)
