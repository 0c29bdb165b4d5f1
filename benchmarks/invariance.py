"""Bias, coverage and the size of the test of invariance in a hybrid model with two groups.

Two groups of 180 and 120 people, an attitude with another mean, spread and effect of age in the second, four ordered items
with equal loadings and thresholds, and four choices a person whose coefficients differ by group. In every sample the
ladder's steps "loadings" (thresholds free) and "thresholds" (equal, which is true) are fitted; the likelihood ratio test
between them should reject one sample in twenty. Writes `results/invariance.md` and `invariance.csv`.

    python benchmarks/invariance.py [--samples 50]
"""

import time
from pathlib import Path

import jax
import numpy as np
import on_device
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
PEOPLE = {"first": 180, "second": 120}
ITEMS, SITUATIONS = ("q1", "q2", "q3", "q4"), 4
RULE = iclv.GaussHermite(9)
STEPS = ("loadings", "thresholds")


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.att * lv.green, "b": 0.0}


def model(**parts):
    items = [iclv.Ordered(q, of="green", levels=[1, 2, 3]) for q in ITEMS]
    choice = iclv.Logit(utility, chosen="choice")
    return iclv.Model([iclv.Latent("green", on=["age"])], items, choice, group="group", **parts)


def truth():
    found = {
        "green ~ 1 [second]": 0.4,
        "green ~~ green [second]": 1.5,
        "green ~ age [first]": 0.5,
        "green ~ age [second]": 0.3,
    }
    for k, q in enumerate(ITEMS):
        found |= {f"green =~ {q}": 0.7 + 0.15 * k, f"{q} | 1": -0.8 + 0.1 * k, f"{q} | 2": 0.6 + 0.1 * k}
    for label, price, att in (("first", -1.0, 0.7), ("second", -1.4, 0.5)):
        found |= {f"asc [{label}]": 0.3, f"price [{label}]": price, f"att [{label}]": att}
    return found


def design():
    """People, covariates and prices, the same in every sample."""
    rng = np.random.default_rng(0)
    count = sum(PEOPLE.values())
    people = pd.DataFrame(
        {
            "id": np.arange(count),
            "group": np.repeat(list(PEOPLE), list(PEOPLE.values())),
            "age": rng.normal(size=count),
        }
    )
    rows = people.loc[people.index.repeat(SITUATIONS)].reset_index(drop=True)
    return rows.assign(price=rng.normal(size=len(rows)))


def one_sample(frame, seed):
    """Estimates and errors of the true step by parameter, and the p of the test."""
    data = model(equal_across=STEPS).simulate(truth(), frame, seed=seed, person="id")
    found = iclv.invariance(
        model(), data, steps=STEPS, person="id", integration=RULE, start="default", progress=False
    )
    fit = found.fits["thresholds"]
    if not all(f.converged for f in found.fits.values()):
        return None
    known = pd.Series(truth())[list(fit.names)]
    table = pd.DataFrame({"truth": known, "estimate": fit.params, "se": fit.bse}).rename_axis("parameter")
    return table.reset_index().assign(
        seed=seed, p=found.tests.p["thresholds"], df=found.tests.df["thresholds"]
    )


def summary(table):
    inside = (table["estimate"] - table["truth"]).abs() <= 1.959964 * table["se"]
    each = table.assign(covered=inside, error=table["estimate"] - table["truth"]).groupby(
        "parameter", sort=False
    )
    return pd.DataFrame(
        {
            "truth": each["truth"].first(),
            "bias": each["error"].mean(),
            "bias.mcse": each["error"].std() / np.sqrt(each["error"].count()),
            "sd": each["estimate"].std(),
            "se": each["se"].mean(),
            "coverage": each["covered"].mean(),
        }
    )


def write(table, asked, seconds, machine):
    rows = summary(table)
    rows.to_csv(RESULTS / "invariance.csv", float_format="%.5f")
    samples = table.drop_duplicates("seed")
    count, (small, large) = len(samples), [float((samples["p"] < at).mean()) for at in (0.05, 0.1)]
    error = np.sqrt(0.05 * 0.95 / count)
    lines = [
        "# Two groups with equal thresholds",
        "",
        f"`python benchmarks/invariance.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"{count} of {asked} samples converged in both steps ({seconds:.0f} s in all). The likelihood ratio test of equal "
        f"thresholds ({samples['df'].iloc[0]:.0f} degrees of freedom), which are equal, rejects at 5 % in {small:.0%} of "
        f"them (Monte-Carlo error {error:.1%}), at 10 % in {large:.0%}; its p has the mean {samples['p'].mean():.2f}. "
        f"Coverage of the 95 % intervals over all parameters: {rows['coverage'].mean():.1%} (of one parameter the "
        f"Monte-Carlo error is {error:.1%}).",
        "",
        "| parameter | truth | bias | its error | sd of estimates | mean se | coverage |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, r in rows.iterrows():
        lines.append(
            f"| `{str(name).replace('|', chr(92) + '|')}` | {r['truth']:.2f} | {r['bias']:+.3f} | {r['bias.mcse']:.3f} | "
            f"{r['sd']:.3f} | {r['se']:.3f} | {r['coverage']:.0%} |"
        )
    (RESULTS / "invariance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    frame, kept, began = design(), [], time.perf_counter()
    for seed in range(options.samples):
        found = one_sample(frame, seed)
        if found is not None:
            kept.append(found)
        print(f"{seed + 1} samples, {len(kept)} kept, {time.perf_counter() - began:.0f} s", flush=True)
        if len(kept) > 1:
            write(pd.concat(kept, ignore_index=True), seed + 1, time.perf_counter() - began, options.machine)


if __name__ == "__main__":
    main()
