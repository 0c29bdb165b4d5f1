"""A network in place of an unknown taste: does it find the taste, and are the other parameters as they should be?

Artificial people answer five items about an attitude and choose five times between a train and a car. The disutility of an
hour is a smooth function of income and age that no model here is told. A hybrid model with a network of income and age is
fitted to every sample, and beside it the same model with a linear interaction in place of the network. Writes
`results/neural_recovery.md`, `.csv` and `.png`.

    python benchmarks/neural_recovery.py [--samples 30]
"""

import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import on_device
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
PEOPLE, CHOICES, ITEMS = 600, 5, 5
CUTS = (-1.0, -0.2, 0.6, 1.5)
LOADINGS = (1.0, 0.8, -0.7, 1.2, 0.6)
TRUTH = {
    "asc": 0.6,
    "cost": -1.0,
    "comfort": 0.8,
    "liking": 0.5,
    "liking ~ age": 0.4,
    "liking ~ female": -0.5,
}
RESAMPLES = 40
STRENGTH = 0.1
"""Of the ridge on the network's entries; a normal prior with a standard deviation of about three."""
RULE = iclv.GaussHermite(7)
GRID = np.linspace(-2.0, 2.0, 21)
POINTS = np.array([(income, age) for income in (-1.5, -0.5, 0.5, 1.5) for age in (-1.5, -0.5, 0.5, 1.5)])
KINDS = {"joint": "joint", "conditional on the network": "conditional", "robust": "robust"}


def taste(income, age):
    """Utility of an hour."""
    return -1.4 - 0.8 * np.tanh(1.5 * income) + 0.5 * np.cos(1.2 * age)


def sample(seed):
    generator = np.random.default_rng(seed)
    income, age = np.clip(generator.normal(size=(2, PEOPLE)), -2.5, 2.5)
    female = generator.integers(0, 2, PEOPLE)
    liking = TRUTH["liking ~ age"] * age + TRUTH["liking ~ female"] * female + generator.normal(size=PEOPLE)
    items = {
        f"q{k + 1}": np.digitize(loading * liking + generator.normal(size=PEOPLE), CUTS) + 1
        for k, loading in enumerate(LOADINGS)
    }
    owner = np.repeat(np.arange(PEOPLE), CHOICES)
    hours, cost = generator.uniform(0.5, 3.0, len(owner)), generator.uniform(0.5, 4.0, len(owner))
    comfort = generator.integers(0, 2, len(owner))
    v = TRUTH["asc"] + taste(income, age)[owner] * hours + TRUTH["cost"] * (cost - 3.0)
    v += TRUTH["comfort"] * comfort + TRUTH["liking"] * liking[owner]
    chosen = np.where(v + generator.logistic(size=len(owner)) > 0.0, "train", "car")
    columns = {"person": owner, "hours": hours, "cost": cost - 3.0, "comfort": comfort, "choice": chosen}
    people = {"income": income, "age": age, "female": female, **items}
    return pd.DataFrame(columns | {name: values[owner] for name, values in people.items()})


def model(utility, **kwargs):
    items = [iclv.Ordered(f"q{k + 1}", of="liking") for k in range(ITEMS)]
    choice = iclv.Logit(utility, chosen="choice")
    return iclv.Model([iclv.Latent("liking", on=["age", "female"])], items, choice, **kwargs)


def neural():
    def utility(b, x, lv):
        hour = b.taste(jnp.stack([x.income, x.age]))
        train = b.asc + hour * x.hours + b.cost * x.cost + b.comfort * x.comfort + b.liking * lv.liking
        return {"train": train, "car": 0.0}

    network = eqx.nn.MLP(2, "scalar", width_size=5, depth=1, activation=jnp.tanh, key=jax.random.key(0))
    return model(utility, modules={"taste": iclv.initialise(network, "glorot", seed=1)})


def linear():
    def utility(b, x, lv):
        hour = b.time + b.time_income * x.income + b.time_age * x.age
        train = b.asc + hour * x.hours + b.cost * x.cost + b.comfort * x.comfort + b.liking * lv.liking
        return {"train": train, "car": 0.0}

    return model(utility)


def truth():
    found = dict(TRUTH)
    for k, loading in enumerate(LOADINGS):
        found[f"liking =~ q{k + 1}"] = loading
        found |= {f"q{k + 1} | {i + 1}": c for i, c in enumerate(CUTS)}
    return pd.Series(found)


def learnt(fit, points):
    return fit.delta(lambda p: jax.vmap(p.taste)(jnp.asarray(points)))


def one_sample(models, seed):
    """Rows over parameters and kinds, rows over points of the taste, and curves along income and age."""
    data, known = sample(seed), truth()
    began = time.perf_counter()
    options = {"person": "person", "integration": RULE, "progress": False}
    fit = models["network"].fit(data, penalties={"taste": iclv.L2(STRENGTH)}, **options)
    seconds = time.perf_counter() - began
    plain = models["linear"].fit(data, **options)
    named, entries = list(known.index), []
    for label, kind in KINDS.items():
        interval = fit.conf_int(0.05, kind).loc[named]
        errors = fit.standard_errors(kind)[named]
        entries.append(_rows(label, fit.params[named], errors, interval, known))
    resampled = fit.bootstrap(RESAMPLES, seed=seed)
    ends, errors = resampled.intervals().loc[named], resampled.standard_errors[named]
    normal = ends[["normal_lower", "normal_upper"]].set_axis(["lower", "upper"], axis=1)
    entries.append(_rows("bootstrap, normal", fit.params[named], errors, normal, known))
    entries.append(
        _rows(
            "linear model, Hessian", plain.params[named], plain.bse[named], plain.conf_int().loc[named], known
        )
    )
    at = learnt(fit, POINTS)
    real = taste(*POINTS.T)
    inside = (at["lower"].to_numpy() <= real) & (real <= at["upper"].to_numpy())
    tastes = pd.DataFrame({"seed": seed, "error": at["estimate"].to_numpy() - real, "covered": inside})
    curves = [jax.vmap(fit.module("taste"))(jnp.asarray(np.column_stack(line))) for line in lines()]
    facts = {
        "seed": seed,
        "seconds": seconds,
        "converged": fit.converged and plain.converged,
        "loglike": fit.llf,
        "linear": plain.llf,
        "failed": resampled.failed,
    }
    everyone = data.drop_duplicates("person")[["income", "age"]].to_numpy()
    real, found = taste(*everyone.T), np.asarray(jax.vmap(fit.module("taste"))(jnp.asarray(everyone)))
    facts |= {
        "rmse": float(np.sqrt(np.mean((found - real) ** 2))),
        "correlation": float(np.corrcoef(found, real)[0, 1]),
    }
    return facts, pd.concat(entries).assign(seed=seed), tastes, [np.asarray(c) for c in curves]


def lines():
    """Points along income at a mean age, and along age at a mean income."""
    return (GRID, 0.0 * GRID), (0.0 * GRID, GRID)


def _rows(label, params, errors, interval, known):
    covered = (interval["lower"] <= known) & (known <= interval["upper"])
    return pd.DataFrame(
        {"kind": label, "parameter": known.index, "error": params - known, "se": errors, "covered": covered}
    )


def draw(curves):
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), sharey=True)
    labels = "Income (standard deviations)", "Age (standard deviations)"
    for axis, label, line, mine in zip(axes, labels, lines(), zip(*curves, strict=True), strict=True):
        for i, curve in enumerate(mine):
            axis.plot(
                GRID,
                curve,
                color="#0072B2",
                lw=0.8,
                alpha=0.45,
                label=None if i else "networks, one per sample",
            )
        axis.plot(GRID, np.mean(mine, axis=0), color="#D55E00", lw=2, label="their mean")
        axis.plot(GRID, taste(*line), color="black", ls="--", lw=1.6, label="truth")
        axis.set_xlabel(label)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Utility of an hour")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(RESULTS / "neural_recovery.png", dpi=150)


def summary(table):
    for kind, part in table.groupby("kind", sort=False):
        for name, group in (("choice", list(TRUTH)[:4]), ("the others", None)):
            mine = part[part["parameter"].isin(group) if group else ~part["parameter"].isin(list(TRUTH)[:4])]
            each = mine.groupby("parameter")
            count = mine["seed"].nunique()
            z = each["error"].mean() / (each["error"].std() / np.sqrt(count))
            yield {
                "kind": kind,
                "parameters": name,
                "largest bias": float(each["error"].mean().abs().max()),
                "largest t": float(z.abs().max()),
                "se / sd": float((each["se"].mean() / each["error"].std()).median()),
                "coverage": float(mine["covered"].mean()),
            }


def by_parameter(table, kinds):
    part = table[table["parameter"].isin(list(TRUTH)[:4])]
    for kind in kinds:
        for name, mine in part[part["kind"] == kind].groupby("parameter", sort=False):
            spread = mine["error"].std()
            t = mine["error"].mean() / (spread / np.sqrt(len(mine)))
            yield (
                kind,
                name,
                TRUTH[name],
                mine["error"].mean(),
                t,
                spread,
                mine["se"].mean(),
                mine["covered"].mean(),
            )


def write(facts, table, tastes, machine):
    rows = pd.DataFrame(summary(table))
    rows.to_csv(RESULTS / "neural_recovery.csv", index=False, float_format="%.5f")
    count, sound = len(facts), int(facts["converged"].sum())
    gain, everyone = facts["loglike"] - facts["linear"], np.random.default_rng(0).normal(size=(2, 100_000))
    spread = np.std(taste(*np.clip(everyone, -2.5, 2.5)))
    lines = [
        "# A network finds a taste",
        "",
        f"`python benchmarks/neural_recovery.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"{count} samples of {PEOPLE:,} people with {ITEMS} ordered items and {CHOICES} choices. The utility of an hour is "
        "-1.4 - 0.8 tanh(1.5 income) + 0.5 cos(1.2 age); the model has a network of income and age with one hidden layer of "
        f"five units in its place, under `L2({STRENGTH:g})`, and {len(truth())} named parameters. {sound} of {count} "
        f"pairs of fits converged; a fit took {facts['seconds'].median():.1f} s (median, starting values included).",
        "",
        f"* The taste: root mean squared error over people {facts['rmse'].mean():.3f} (its standard deviation over people "
        f"is {spread:.2f}), correlation with the truth {facts['correlation'].mean():.3f}; intervals by the delta method at "
        f"{len(POINTS)} points cover {tastes['covered'].mean():.1%}, mean error {tastes['error'].mean():+.3f}. Picture: "
        "neural_recovery.png.",
        f"* Log-likelihood above that of the model with linear interactions: {gain.mean():.1f} "
        f"on average, {gain.min():.1f} at least.",
        f"* Bootstrap: {RESAMPLES} samples of people; {facts['failed'].mean():.1f} failed on average.",
        "",
        "Named parameters by kind of standard error. *largest bias*: of the mean over samples; *largest t*: the same in its "
        "Monte-Carlo standard errors; *se / sd*: mean standard error over the standard deviation of the estimates, median "
        f"over parameters. One parameter's coverage has a Monte-Carlo error of {np.sqrt(0.95 * 0.05 / count):.0%}.",
        "",
        "| kind | parameters | largest bias | largest t | se / sd | coverage |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {r['kind']} | {r['parameters']} | {r['largest bias']:.3f} | {r['largest t']:.1f} | {r['se / sd']:.2f} | "
        f"{r['coverage']:.1%} |"
        for r in rows.to_dict("records")
    ]
    lines += [
        "",
        "The parameters of the choice, one by one:",
        "",
        "| kind | parameter | truth | bias | t | sd | mean se | coverage |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, name, value, bias, t, spread, se, covered in by_parameter(
        table, ("joint", "linear model, Hessian")
    ):
        lines.append(
            f"| {kind} | {name} | {value:g} | {bias:+.3f} | {t:+.1f} | {spread:.3f} | {se:.3f} | {covered:.0%} |"
        )
    (RESULTS / "neural_recovery.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    models = {"network": neural(), "linear": linear()}
    found = []
    for seed in range(options.samples):
        found.append(one_sample(models, seed))
        print(found[-1][0], flush=True)
    facts, tables, tastes, curves = zip(*found, strict=True)
    RESULTS.mkdir(exist_ok=True)
    write(pd.DataFrame(facts), pd.concat(tables), pd.concat(tastes), options.machine)
    draw(curves)


if __name__ == "__main__":
    main()
