"""Recovery of known truth where choices are more than one logit: bias and coverage over simulated samples.

Four models, each with one latent variable that three continuous items measure: a nested logit, rankings, two latent classes
whose membership the latent variable moves, and revealed and stated preferences with a scale of their own. Samples are
written to `results/kinds_of_choice_samples.csv`, which is not kept, as they come, and those that stand there are not drawn
again: a run may be cut off, or told to end after some seconds, and goes on where it was. Writes `results/kinds_of_choice.md`
and `.csv`.

    python benchmarks/kinds_of_choice.py [--case nested] [--samples 50] [--seconds 550]
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
SAMPLES = RESULTS / "kinds_of_choice_samples.csv"
PEOPLE, SITUATIONS, NODES = 300, 5, 9
ITEMS = ("q1", "q2", "q3")
MEASURED = {"green ~ age": 0.5}
for _q, _loading in zip(ITEMS, (0.9, 0.7, -0.8), strict=True):
    MEASURED |= {f"green =~ {_q}": _loading, f"{_q} ~ 1": 0.2, f"{_q} ~~ {_q}": 0.5}
TASTES = {"asc_car": 0.5, "time": -1.2, "cost": -0.8}


def modes(b, x, lv):
    green = b.att * lv.green
    return {
        "car": b.asc_car + b.time * x.time_car + b.cost * x.cost_car,
        "bus": b.asc_bus + b.time * x.time_bus + b.cost * x.cost_bus + green,
        "train": b.time * x.time_train + b.cost * x.cost_train + green,
    }


def hurried(b, x, lv):
    return {k: b.time * x[f"time_{k}"] for k in ("bus", "train")} | {
        "car": b.asc_car + b.time * x.time_car + b.cost_small * x.cost_car
    }


def thrifty(b, x, lv):
    return {k: b.cost * x[f"cost_{k}"] for k in ("bus", "train")} | {"car": b.asc_car + b.cost * x.cost_car}


def cards(b, x, lv):
    return {k: b.scale * v for k, v in modes(b, x, lv).items() if k != "train"} | {
        "none": b.scale * b.asc_none
    }


def members(b, x, lv):
    return {"hurried": b.m + b.m_green * lv.green, "thrifty": 0.0}


CASES = {
    "nested": (
        iclv.NestedLogit(modes, "mode", {"public": ["bus", "train"]}),
        TASTES | {"asc_bus": 0.3, "att": 0.7, "public.lambda": 0.6},
    ),
    "ranking": (
        iclv.Ranking(modes, ranks=["first", "second", "third"], scales=True),
        TASTES | {"asc_bus": 0.3, "att": 0.7, "choice.scale2": 0.8},
    ),
    "classes": (
        iclv.LatentClasses(
            members, {"hurried": iclv.Logit(hurried, "mode"), "thrifty": iclv.Logit(thrifty, "mode")}
        ),
        {"m": 0.3, "m_green": 0.9, "asc_car": 0.5, "time": -2.0, "cost": -1.5, "cost_small": -0.3},
    ),
    "revealed and stated": (
        [
            iclv.Logit(modes, "mode", name="revealed", rows="revealed"),
            iclv.Logit(cards, "mode", name="stated", rows="stated"),
        ],
        TASTES | {"asc_bus": 0.3, "att": 0.7, "asc_none": -1.0, "scale": 0.6},
    ),
}


def model_of(case):
    items = [iclv.Continuous(q, of="green") for q in ITEMS]
    return iclv.Model([iclv.Latent("green", on=["age"])], items, CASES[case][0])


def truth_of(case):
    return MEASURED | CASES[case][1]


def design(seed):
    generator = np.random.default_rng(seed)
    rows = PEOPLE * SITUATIONS
    frame = pd.DataFrame({"person": np.repeat(np.arange(PEOPLE), SITUATIONS)})
    frame["age"] = np.repeat(generator.standard_normal(PEOPLE), SITUATIONS)
    for k in ("car", "bus", "train"):
        frame[f"time_{k}"] = generator.uniform(0.2, 2.5, rows)
        frame[f"cost_{k}"] = generator.uniform(0.5, 4.0, rows)
    frame["revealed"] = np.tile([1, 1, *[0] * (SITUATIONS - 2)], PEOPLE)
    return frame.assign(stated=1 - frame["revealed"])


def sample(model, case, seed):
    """Estimates of one sample, with standard errors, beside the truth."""
    truth, began = truth_of(case), time.perf_counter()
    data = model.simulate(truth, design(seed), seed=seed, person="person")
    rule = iclv.GaussHermite(NODES)
    fit = model.fit(data, person="person", integration=rule, start="default", progress=False)
    found = pd.DataFrame({"estimate": fit.params, "se": fit.bse, "truth": pd.Series(truth)[list(fit.names)]})
    found = found.assign(seconds=time.perf_counter() - began, converged=fit.converged, seed=seed, case=case)
    return found.rename_axis("parameter").reset_index()


def run(case, samples, until):
    """Samples that are not there yet, while there is time."""
    known = pd.read_csv(SAMPLES) if SAMPLES.exists() else pd.DataFrame({"case": [], "seed": []})
    done, model = set(known.loc[known["case"] == case, "seed"].astype(int)), model_of(case)
    for seed in range(samples):
        if seed in done:
            continue
        if time.monotonic() > until:
            return
        found = sample(model, case, seed)
        found.to_csv(SAMPLES, mode="a", header=not SAMPLES.exists(), index=False, float_format="%.8g")
        print(
            f"{case}, seed {seed}: {found['seconds'].iloc[0]:.1f} s, converged {found['converged'].iloc[0]}",
            flush=True,
        )


def summary(part):
    """One row per parameter: bias with its Monte-Carlo error, spread against standard errors, coverage."""
    part = part.assign(
        error=part["estimate"] - part["truth"],
        covered=(part["estimate"] - part["truth"]).abs() <= norm.ppf(0.975) * part["se"],
    )
    each = part.groupby("parameter", sort=False)
    found = pd.DataFrame({"truth": each["truth"].first(), "bias": each["error"].mean()})
    found["spread"], found["mean se"] = each["estimate"].std(), each["se"].mean()
    found["bias / MC error"] = found["bias"] / (found["spread"] / np.sqrt(each.size()))
    found["se / spread"], found["coverage"] = found["mean se"] / found["spread"], each["covered"].mean()
    return found


def lines_of(case, part):
    count, lost = part["seed"].nunique(), part.loc[~part["converged"], "seed"].nunique()
    part = part[part["converged"]]
    found, later = summary(part), part.groupby("seed")["seconds"].first().iloc[1:]
    t, coverage = found["bias / MC error"], found["coverage"]
    bound = "logsum" if case == "nested" else ""
    yield from (
        f"## {case.capitalize()}",
        "",
        f"{count} samples, {lost} did not converge and are left out; {len(found)} parameters; median "
        f"{later.median():.1f} s a sample, simulation and standard errors included, compiled before.",
        "",
        f"* Bias beyond 2 Monte-Carlo errors: {int((t.abs() > 2).sum())} of {len(found)} (by chance "
        f"{0.0455 * len(found):.1f}), beyond 3: {int((t.abs() > 3).sum())}; the largest, `{t.abs().idxmax()}`, "
        f"{t[t.abs().idxmax()]:+.2f}.",
        f"* Coverage of the 95 % interval: {coverage.mean():.1%} on average, from {coverage.min():.0%} to "
        f"{coverage.max():.0%} (Monte-Carlo error of one parameter {np.sqrt(0.0475 / (count - lost)):.1%}).",
        f"* Mean standard error over standard deviation of the estimates: {found['se / spread'].mean():.2f}, from "
        f"{found['se / spread'].min():.2f} to {found['se / spread'].max():.2f}.",
        *([f"* The {bound} coefficient has a bound at 1."] if bound else []),
        "",
        "| parameter | truth | bias | bias / MC error | std. dev. | mean std. error | coverage |",
        "|---|---:|---:|---:|---:|---:|---:|",
    )
    for name, r in found.iterrows():
        yield (
            f"| {name} | {r['truth']:.2f} | {r['bias']:+.4f} | {r['bias / MC error']:+.2f} | {r['spread']:.4f} | "
            f"{r['mean se']:.4f} | {r['coverage']:.0%} |"
        )
    yield ""


def write(machine):
    known = pd.read_csv(SAMPLES)
    lines = [
        "# Recovery where choices are more than one logit",
        "",
        f"`python benchmarks/kinds_of_choice.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"Every sample has {PEOPLE} people with {SITUATIONS} situations, one latent variable with a covariate and three "
        f"continuous items. Integration: {iclv.GaussHermite(NODES).describe(1)}. Start values: the usual ones. "
        "Standard errors: from the exact Hessian.",
        "",
    ]
    for case, part in known.groupby("case", sort=False):
        lines += lines_of(str(case), part)
    parts = {case: summary(part[part["converged"]]) for case, part in known.groupby("case", sort=False)}
    pd.concat(parts, names=["case"]).to_csv(RESULTS / "kinds_of_choice.csv", float_format="%.6g")
    (RESULTS / "kinds_of_choice.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--case", choices=list(CASES), help="one of the models; all without it")
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no sample after so many seconds"
    )
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    for case in [options.case] if options.case else CASES:
        run(case, options.samples, until)
    write(options.machine)


if __name__ == "__main__":
    main()
