"""Two steps against one: coverage of uncorrected, corrected and full-information intervals over simulated samples.

`python benchmarks/two_step.py` draws samples from a hybrid choice model, fits each in two steps and jointly, and
writes `results/two_step.md`.
"""

import time
from pathlib import Path

import jax
import numpy as np
import on_device
import pandas as pd
from scipy.stats import norm

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
NODES, SITUATIONS = 9, 6
TRUTH = {
    "warmth ~ age": 0.5,
    "warmth ~~ warmth": 0.8,
    "y1 ~ 1": 0.5,
    "y1 ~~ y1": 1.2,
    "y2 ~ 1": -0.3,
    "warmth =~ y2": 0.9,
    "y2 ~~ y2": 1.0,
    "warmth =~ q": 0.8,
    "q | 1": -0.5,
    "q | 2": 0.6,
    "asc": 0.4,
    "cost": -0.8,
    "taste": 1.2,
}
CHOICE = ["asc", "cost", "taste"]
KINDS = ["uncorrected", "murphy-topel", "robust"]


def utility(b, x, lv):
    return {"a": b.asc + b.cost * x.cost_a + b.taste * lv.warmth, "b": b.cost * x.cost_b}


def build_model():
    """One attitude with a unit of its own, two continuous items and an ordered one, a panel logit."""
    return iclv.Model(
        latent=[iclv.Latent("warmth", on=["age"], scale="loading")],
        indicators=[
            iclv.Continuous("y1", of="warmth"),
            iclv.Continuous("y2", of="warmth"),
            iclv.Ordered("q", of="warmth", levels=("no", "perhaps", "yes")),
        ],
        choice=iclv.Logit(utility, chosen="choice"),
    )


def draw_sample(model, seed, people):
    generator = np.random.default_rng(seed)
    rows = people * SITUATIONS
    frame = pd.DataFrame(
        {
            "person": np.repeat(np.arange(people), SITUATIONS),
            "age": np.repeat(generator.standard_normal(people), SITUATIONS),
            **{f"cost_{one}": generator.uniform(0.0, 3.0, rows) for one in ("a", "b")},
        }
    )
    return model.simulate(TRUTH, frame, seed=seed, person="person")


def one_sample(model, seed, people):
    """Estimates and standard errors of the choice parameters, one row per kind; None without convergence."""
    data = draw_sample(model, seed, people)
    options = {"person": "person", "integration": iclv.GaussHermite(NODES), "progress": False}
    steps = model.fit_sequential(data, **options)
    joint = model.fit(data, **options, start=steps)
    if not (steps.converged and joint.converged):
        return None
    rows = {kind: (steps.params, steps.standard_errors(kind)) for kind in KINDS}
    rows["joint"] = (joint.params, joint.bse)
    return pd.DataFrame(
        [
            {"seed": seed, "kind": kind, "parameter": n, "estimate": estimates[n], "se": errors[n]}
            for kind, (estimates, errors) in rows.items()
            for n in CHOICE
        ]
    )


def run(samples, people, seed):
    model, found, failed = build_model(), [], []
    for number in range(samples):
        began = time.perf_counter()
        one = one_sample(model, seed + number, people)
        (found if one is not None else failed).append(one if one is not None else seed + number)
        print(f"{number + 1}/{samples}: {time.perf_counter() - began:.1f} s", flush=True)
    return pd.concat(found), failed


def table(found):
    """Bias, spread, mean standard error over the spread, and coverage by parameter and kind."""
    found = found.assign(truth=found["parameter"].map(TRUTH))
    found["inside"] = (found["estimate"] - found["truth"]).abs() <= norm.ppf(0.975) * found["se"]
    groups = found.groupby(["parameter", "kind"], sort=False)
    result = pd.DataFrame({"truth": groups["truth"].first(), "mean": groups["estimate"].mean()})
    result["spread"] = groups["estimate"].std()
    result["ratio"] = groups["se"].mean() / result["spread"]
    result["coverage"] = groups["inside"].mean()
    return result.loc[[(n, k) for n in CHOICE for k in (*KINDS, "joint")]]


LABELS = {
    "uncorrected": "two steps, uncorrected",
    "murphy-topel": "two steps, Murphy-Topel",
    "robust": "two steps, robust",
    "joint": "joint, Hessian",
}


def write(found, failed, samples, people, seed, machine):
    count = samples - len(failed)
    lines = [
        "# Two steps against one",
        "",
        f"`python benchmarks/two_step.py --samples {samples} --people {people} --seed {seed}`, on {machine}, "
        f"JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        "One attitude with a unit of its own, two continuous items and an ordered one with three levels, and a logit of",
        f"two alternatives in {SITUATIONS} situations. {people} people a sample; {count} of {samples} samples converged in",
        "both ways. Intervals of 95 %; the Monte-Carlo error of a coverage is "
        f"{np.sqrt(0.95 * 0.05 / count):.1%}, that of a ratio {1.0 / np.sqrt(2.0 * (count - 1)):.0%}.",
        "`ratio` is the mean standard error over the spread (standard deviation) of the estimates.",
        "",
        "| parameter | truth | standard errors | mean | spread | ratio | coverage |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for (name, kind), row in table(found).iterrows():
        cells = [name, f"{row.truth:.2f}", LABELS[kind], f"{row['mean']:.3f}", f"{row.spread:.4f}"]
        lines.append("| " + " | ".join([*cells, f"{row.ratio:.2f}", f"{row.coverage:.1%}"]) + " |")
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (RESULTS / "two_step.md").write_text(text, encoding="utf-8")
    print(text)


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    found, failed = run(options.samples, options.people, options.seed)
    write(found, failed, options.samples, options.people, options.seed, options.machine)


if __name__ == "__main__":
    main()
