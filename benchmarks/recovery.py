"""Recovery of known truth: bias, standard errors and coverage over simulated samples.

`python benchmarks/recovery.py` draws samples from a hybrid choice model with two latent variables, fits
each by maximum likelihood from the usual start values, and writes `results/recovery.md` and `.csv`.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import on_device
import pandas as pd
from scipy.stats import chi2, norm

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
NODES = 9
SITUATIONS = 5
TRUTH = {
    "green ~ age": -0.4,
    "green ~ female": 0.5,
    "comfort ~ green": -0.5,
    "comfort ~ income": 0.4,
    "green =~ green_1": 1.0,
    "green_1 | 1": -0.8,
    "green_1 | 2": 0.9,
    "green =~ green_2": -0.8,
    "green_2 | 1": -1.1,
    "green_2 | 2": 0.3,
    "green =~ green_3": 1.2,
    "green_3 | 1": -0.5,
    "green_3 | 2": 1.2,
    "comfort_1 ~ 1": 3.0,
    "comfort =~ comfort_1": 0.8,
    "comfort_1 ~~ comfort_1": 0.6,
    "comfort_2 ~ 1": 2.5,
    "comfort =~ comfort_2": -0.6,
    "comfort_2 ~~ comfort_2": 0.8,
    "comfort =~ comfort_3": 0.9,
    "comfort_3 | 1": -0.9,
    "comfort_3 | 2": 0.6,
    "asc_car": 0.8,
    "asc_bus": 0.3,
    "time": -1.5,
    "cost": -0.8,
    "comfort_car": 0.7,
    "green_car": -0.6,
    "green_bus": 0.4,
}
"""The true value of every free parameter of `build_model`."""


def utility(b, x, lv):
    attitude = b.comfort_car * lv.comfort + b.green_car * lv.green
    return {
        "car": b.asc_car + b.time * x.time_car + b.cost * x.cost_car + attitude,
        "bus": b.asc_bus + b.time * x.time_bus + b.cost * x.cost_bus + b.green_bus * lv.green,
        "bicycle": b.time * x.time_bicycle,
    }


def build_model():
    """Two latent variables with covariates and a path, ordered and continuous items, a panel logit."""
    levels = ("disagree", "neutral", "agree")
    return iclv.Model(
        latent=[
            iclv.Latent("green", on=["age", "female"]),
            iclv.Latent("comfort", on=["green", "income"]),
        ],
        indicators=[
            *(iclv.Ordered(f"green_{i}", of="green", levels=levels) for i in (1, 2, 3)),
            *(iclv.Continuous(f"comfort_{i}", of="comfort") for i in (1, 2)),
            iclv.Ordered("comfort_3", of="comfort", levels=levels),
        ],
        choice=iclv.Logit(utility, chosen="mode"),
    )


def draw_sample(model, seed, people):
    """Covariates, attributes, items and choices of one sample."""
    generator = np.random.default_rng(seed)
    rows = people * SITUATIONS
    each = {
        "age": generator.standard_normal(people),
        "female": (generator.random(people) < 0.5).astype(float),
        "income": generator.standard_normal(people),
    }
    frame = pd.DataFrame(
        {
            "person": np.repeat(np.arange(people), SITUATIONS),
            **{name: np.repeat(values, SITUATIONS) for name, values in each.items()},
            **{f"time_{mode}": generator.uniform(0.2, 1.5, rows) for mode in ("car", "bus", "bicycle")},
            **{f"cost_{mode}": generator.uniform(0.5, 4.0, rows) for mode in ("car", "bus")},
        }
    )
    return model.simulate(TRUTH, frame, seed=seed, person="person")


def fit_sample(model, data):
    return model.fit(data, person="person", integration=iclv.GaussHermite(NODES), progress=False)


def distance(fit):
    """`(estimate - truth)' (-H) (estimate - truth)`: chi-squared with as many degrees as parameters."""
    gap = fit.params - pd.Series(TRUTH)[list(fit.names)]
    return float(gap @ np.linalg.solve(fit.cov_params().to_numpy(), gap))


@dataclass(frozen=True)
class Study:
    """What the samples gave: estimates and standard errors, one row per converged fit."""

    estimates: pd.DataFrame
    errors: pd.DataFrame
    distances: np.ndarray
    seconds: np.ndarray
    first: float
    failures: tuple[str, ...]


def run(samples, people, seed):
    """Draw and fit; the first sample is fitted twice, so that compilation is timed apart."""
    model = build_model()
    began = time.perf_counter()
    fit_sample(model, draw_sample(model, seed, people)).bse  # noqa: B018
    first = time.perf_counter() - began
    estimates, errors, distances, seconds, failures = [], [], [], [], []
    for number in range(samples):
        data = draw_sample(model, seed + number, people)
        began = time.perf_counter()
        fit = fit_sample(model, data)
        error = fit.bse
        seconds.append(time.perf_counter() - began)
        if not fit.converged or error.isna().any():
            failures.append(f"seed {seed + number}: {fit.optimizer_report.verdict.value}")
            continue
        estimates.append(fit.params)
        errors.append(error)
        distances.append(distance(fit))
        print(f"{number + 1}/{samples}: log L {fit.llf:.3f}, {seconds[-1]:.1f} s", flush=True)
    frames = (pd.DataFrame(found).reset_index(drop=True) for found in (estimates, errors))
    return Study(*frames, np.array(distances), np.array(seconds), first, tuple(failures))


def table(study):
    """One row per parameter: bias with its Monte-Carlo error, spread, standard error and coverage."""
    estimates, errors = study.estimates, study.errors
    truth = pd.Series(TRUTH)[estimates.columns]
    spread = estimates.std()
    result = pd.DataFrame({"truth": truth, "mean": estimates.mean()})
    result["bias"] = result["mean"] - truth
    result["mc_error"] = spread / np.sqrt(len(estimates))
    result["bias_t"] = result["bias"] / result["mc_error"]
    result["spread"] = spread
    result["mean_se"] = errors.mean()
    result["se_ratio"] = result["mean_se"] / spread
    result["coverage"] = ((estimates - truth).abs() <= norm.ppf(0.975) * errors).mean()
    result["flag"] = result["bias_t"].abs().map(lambda t: "!!" if t > 3.0 else "!" if t > 2.0 else "")
    return result.rename_axis("parameter")


def write(study, samples, people, seed, machine):
    found = table(study)
    RESULTS.mkdir(exist_ok=True)
    found.to_csv(RESULTS / "recovery.csv", float_format="%.6g")
    parts = [heading(study, samples, people, seed, machine), findings(study, found), grid(found)]
    text = "\n\n".join("\n".join(lines) for lines in parts)
    (RESULTS / "recovery.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def heading(study, samples, people, seed, machine):
    seconds, converged = study.seconds, len(study.estimates)
    failed = f" (not: {'; '.join(study.failures)})" if study.failures else ""
    return [
        "# Recovery of known truth",
        "",
        f"`python benchmarks/recovery.py --samples {samples} --people {people} --seed {seed}`, on {machine}, "
        f"JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        "The model has two latent variables with covariates and a path between them, four ordered items with",
        "three levels and two continuous ones, and a logit of three alternatives in "
        f"{SITUATIONS} situations: {len(TRUTH)} free parameters.",
        f"Each sample has {people} people. Integration: {iclv.GaussHermite(NODES).describe(2)}.",
        "Start values: the usual ones. Standard errors: from the exact Hessian.",
        "",
        f"* Samples: {samples}, of which {converged} converged{failed}.",
        f"* Seconds a fit with standard errors, warm: median {np.median(seconds):.1f}, "
        f"from {seconds.min():.1f} to {seconds.max():.1f}.",
        f"  The first one, with simulation and compilation: {study.first:.1f}.",
    ]


def findings(study, found):
    """The figures that matter, with what chance alone would give."""
    size, count = len(found), len(study.estimates)
    return [
        *bias_findings(found),
        *coverage_findings(found["coverage"], np.sqrt(0.95 * 0.05 / count)),
        f"* Mean standard error over empirical standard deviation: {spread_of(found['se_ratio'], '.3f')}",
        f"  (Monte-Carlo error of one parameter's: {1.0 / np.sqrt(2.0 * (count - 1)):.3f}).",
        f"* Wald statistic of the whole truth: mean {study.distances.mean():.1f} (expected {size}), beyond",
        f"  its 95 % quantile in {(study.distances > chi2.ppf(0.95, size)).mean():.1%} of the samples.",
    ]


def bias_findings(found):
    t, size = found["bias_t"], len(found)
    two, three = (
        f"{int((t.abs() > limit).sum())} (by chance: {2.0 * norm.sf(limit) * size:.2f})" for limit in (2, 3)
    )
    worst = t.abs().idxmax()
    share = found["bias"][worst] / found["spread"][worst]
    return [
        f"* Of {size} parameters, bias beyond 2 Monte-Carlo standard errors: {two}; beyond 3: {three}.",
        f"  The largest, `{worst}`: {t[worst]:+.2f}, {share:+.2f} standard deviations of the estimate.",
    ]


def coverage_findings(coverage, error):
    outside = ", ".join(f"`{name}`" for name in coverage.index[~coverage.between(0.90, 0.98)])
    return [
        f"* Coverage of the 95 % interval: {spread_of(coverage, '.1%')}",
        f"  (Monte-Carlo error of one parameter's: {error:.1%}). Outside 90 to 98 %: {outside or 'none'}.",
    ]


def spread_of(values, style):
    return f"{values.mean():{style}} on average, from {values.min():{style}} to {values.max():{style}}"


COLUMNS = ("parameter", "truth", "bias", "MC error", "bias / MC error", "", "std. dev.", "mean std. error")
COLUMNS += ("ratio", "coverage")


def grid(found):
    lines = [_line(COLUMNS), _line(["---", *["---:"] * (len(COLUMNS) - 1)])]
    for name, row in found.iterrows():
        # A bar inside a name would end the cell.
        cells = [name.replace("|", "\\|"), f"{row.truth:.2f}", f"{row.bias:+.4f}", f"{row.mc_error:.4f}"]
        cells += [f"{row.bias_t:+.2f}", row.flag, f"{row.spread:.4f}", f"{row.mean_se:.4f}"]
        lines.append(_line([*cells, f"{row.se_ratio:.2f}", f"{row.coverage:.0%}"]))
    return lines


def _line(cells):
    return f"| {' | '.join(cells)} |"


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    study = run(options.samples, options.people, options.seed)
    write(study, options.samples, options.people, options.seed, options.machine)


if __name__ == "__main__":
    main()
