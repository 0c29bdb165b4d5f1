"""Are networks of tastes worth it on real choices? Swissmetro, by the log-likelihood of people left out.

752 people with nine choices each between train, Swissmetro and car. Tastes for time and cost are constants, linear in eight
features of people, or a network of them; and the taste for time is the same for all with the same features, or normally
distributed around that. People are split into five folds by five seeds, and every model is judged by those whom it has not
seen. The strength of the ridge on networks (and on interactions) is chosen on a sixth split that is not reported. Writes
`results/neural_swissmetro.md` and `.csv`.

    python benchmarks/neural_swissmetro.py [--seeds 5]
"""

import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import on_device
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
FOLDS, CHOSEN_ON = 5, 1000
STRENGTHS = (1.0, 3.0, 10.0)
RULE = iclv.GaussHermite(9)
FEATURES = ("age", "income", "male", "business", "first", "luggage", "employer_pays", "ga")
BASE = "logit"


def survey():
    """The choices with features of people that are about of size one."""
    data = iclv.datasets.swissmetro(download=True)
    features = {
        "age": data["AGE"] - 3.0,
        "income": data["INCOME"] - 2.0,
        "male": data["MALE"],
        "business": data["PURPOSE"] == 3,
        "first": data["FIRST"],
        "luggage": data["LUGGAGE"] > 0,
        "employer_pays": data["WHO"] == 2,
        "ga": data["GA"],
    }
    return data.assign(**{name: np.asarray(values, float) for name, values in features.items()})


def model(tastes, **kwargs):
    """`tastes(b, features)` gives those for time and for cost."""

    def utility(b, x, lv):
        by_time, by_cost = tastes(b, jnp.stack([x[name] for name in FEATURES]))
        return {
            "train": b.asc_train + by_time * x.TRAIN_TT + by_cost * x.TRAIN_COST,
            "swissmetro": by_time * x.SM_TT + by_cost * x.SM_COST,
            "car": b.asc_car + by_time * x.CAR_TT + by_cost * x.CAR_CO,
        }

    available = {"train": "TRAIN_AVAIL", "swissmetro": "SM_AVAIL", "car": "CAR_AVAIL"}
    return iclv.Model(choice=iclv.Logit(utility, chosen="choice", available=available), **kwargs)


def constants(b, features):
    return b.b_time, b.b_cost


def interactions(b, features):
    time_of, cost_of = (jnp.stack([b[f"{what}_{name}"] for name in FEATURES]) for what in ("time", "cost"))
    return b.b_time + time_of @ features, b.b_cost + cost_of @ features


def network(b, features):
    by_time, by_cost = b.taste(features)
    return b.b_time + by_time, b.b_cost + by_cost


def candidates():
    """Name, model, and what its ridge is on."""
    layers = eqx.nn.MLP(len(FEATURES), 2, width_size=4, depth=1, activation=jnp.tanh, key=jax.random.key(0))
    modules = {"taste": iclv.initialise(layers, "glorot", seed=1)}
    crossed = [f"{what}_{name}" for what in ("time", "cost") for name in FEATURES]
    normal = {"b_time": iclv.Normal()}
    yield "logit", model(constants), ()
    yield "logit, interactions", model(interactions), crossed
    yield "logit, network", model(network, modules=modules), ("taste",)
    yield "panel mixed logit", model(constants, random=normal), ()
    yield "panel mixed logit, interactions", model(interactions, random=normal), crossed
    yield "panel mixed logit, network as mean", model(network, modules=modules, random=normal), ("taste",)


def fitted(one, data, ridge, strength, start="default"):
    penalties = {name: iclv.L2(strength) for name in ridge} or None
    return one.fit(data, person="ID", integration=RULE, penalties=penalties, start=start, progress=False)


def held_out(fit, seed):
    """Held-out log-likelihood per choice of every fold, and whether every fit converged."""
    found = fit.cross_validate(FOLDS, seed=seed)
    rows = found.table.loc[[str(k + 1) for k in range(FOLDS)]]
    return (rows["choices"] / rows["situations"]).to_numpy(), bool(found.converged.all())


def one_model(name, one, data, ridge, seeds):
    began = time.perf_counter()
    fits, tried = {}, {}
    for strength in STRENGTHS if ridge else (0.0,):
        fits[strength] = fitted(one, data, ridge, strength)
        tried[strength] = held_out(fits[strength], CHOSEN_ON)[0].mean() if ridge else 0.0
    best = max(tried, key=lambda s: tried[s])
    fit, rows = fits[best], []
    for seed in range(seeds):
        values, converged = held_out(fit, seed)
        rows += [
            {"model": name, "seed": seed, "fold": k + 1, "per choice": v, "converged": converged}
            for k, v in enumerate(values)
        ]
    facts = {
        "model": name,
        "parameters": len(fit.names),
        "strength": best if ridge else np.nan,
        "loglike": fit.llf,
        "converged": fit.converged,
        "seconds": time.perf_counter() - began,
    }
    return facts, rows


def write(facts, rows, machine):
    table, facts = pd.DataFrame(rows), pd.DataFrame(facts).set_index("model")
    table.to_csv(RESULTS / "neural_swissmetro.csv", index=False, float_format="%.6f")
    wide = table.pivot_table(index=["seed", "fold"], columns="model", values="per choice", sort=False)
    seeds, names = table["seed"].nunique(), ", ".join(name.replace("_", " ") for name in FEATURES)
    lines = [
        "# Networks of tastes on Swissmetro",
        "",
        f"`python benchmarks/neural_swissmetro.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"6,768 choices of 752 people. Log-likelihood per choice of people left out, {FOLDS} folds by {seeds} seeds "
        f"({len(wide)} fits); features: {names}. Network: one hidden layer of four units (tanh), two "
        "outputs, for time and for cost. *gain*: over the plain logit, or over the panel mixed logit for "
        "those with a random taste, mean over seeds with the standard deviation of the seeds' means; *folds won*: of "
        f"{len(wide)}. The strength of `L2` was chosen from {', '.join(f'{s:g}' for s in STRENGTHS)} on a split that is not "
        f"among those reported. Adaptive Gauss-Hermite with {RULE.nodes} nodes.",
        "",
        "| model | parameters | L2 | log L, all people | left out, per choice | gain | folds won | all converged |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, row in facts.iterrows():
        against = "panel mixed logit" if "mixed" in name else BASE
        difference = wide[name] - wide[against]
        by_seed = difference.groupby("seed").mean()
        gain = "" if name == against else f"{by_seed.mean():+.4f} ({by_seed.std():.4f})"
        won = "" if name == against else f"{int((difference > 0.0).sum())}"
        sound = bool(row["converged"]) and bool(table.loc[table["model"] == name, "converged"].all())
        strength = "" if np.isnan(row["strength"]) else f"{row['strength']:g}"
        lines.append(
            f"| {name} | {row['parameters']} | {strength} | {row['loglike']:.1f} | {wide[name].mean():.4f} | {gain} | "
            f"{won} | {'yes' if sound else 'no'} |"
        )
    at_end = [str(name) for name, row in facts.iterrows() if row["strength"] == max(STRENGTHS)]
    if at_end:
        lines += ["", f"The largest strength that was tried is the one chosen for: {'; '.join(at_end)}."]
    (RESULTS / "neural_swissmetro.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    data, facts, rows = survey(), [], []
    for name, one, ridge in candidates():
        fact, mine = one_model(name, one, data, ridge, options.seeds)
        facts.append(fact)
        rows += mine
        print(fact, np.mean([r["per choice"] for r in mine]), flush=True)
    RESULTS.mkdir(exist_ok=True)
    write(facts, rows, options.machine)


if __name__ == "__main__":
    main()
