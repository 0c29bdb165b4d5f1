"""Optimisers side by side: time, steps and success of every optimiser with every scaling.

Each runs from the same starts (the default one and random ones around it) on six problems: a panel logit, the same with
prices in thousands (gradients 10,000 times larger than the others), a mixed logit, hybrids with one latent variable and
shared thresholds and with five (the reference survey with nine of its items), and the Optima hybrid.
A run succeeds when it says that it has converged and its log-likelihood is within 1e-3 (0.05 by few draws) of the best that
any run found from any start. Times are processor seconds of whole runs after one that compiles, so that other work on the
machine does not count; a run that takes a minute or 1,000 steps is stopped. Writes `results/optimisers.md`,
`optimisers.csv` and `optimisers.png` (a performance profile after Dolan and More 2002: share of runs solved within a
multiple of the fastest run from the same start).

    python benchmarks/optimisers.py [--starts 20] [--only PROBLEM] [--picture]
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood, run
from iclv_jax._optimise._scaling import find_scale

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import bank
import hessians
import on_device
import public

RESULTS = Path(__file__).parent / "results"
TIME_LIMIT = 60.0
STEPS = 1000
TO_COMPILE = 20
"""Steps of a first run that is not counted."""
SAME = 1e-3
SAME_BY_DRAWS = 0.05
"""Few draws per person leave the maximum uncertain: it settles to a tenth of a standard error, or to what another seed
would give."""
BY_DRAWS = "hybrid, five latent variables"
FINER = 8
SPREAD = 0.5
"""Random starts: normal, with this standard deviation in units of one over the root mean squared score."""
METHODS = {
    "trust region, exact": iclv.TrustRegion(),
    "trust region, BHHH": iclv.TrustRegion("bhhh"),
    "trust region, SR1": iclv.TrustRegion("sr1"),
    "trust region, BFGS": iclv.TrustRegion("bfgs"),
    "BHHH": iclv.BHHH(),
    "L-BFGS-B": iclv.LBFGSB(),
    "L-BFGS-B, scipy": iclv.Scipy("L-BFGS-B"),
}
SCALINGS = ("scores", "start", "none")
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#D55E00", "#999999")


def from_bank(name, rule):
    def build():
        case = bank.get(name)
        return case.model.bind(case.data, **(case.bind | ({"integration": rule} if rule else {})))

    return build


def panel_logit(thousands):
    def build():
        model = hessians.panel_logit()
        data = hessians.logit_sample(model, 0, 200)
        if thousands:
            data["x0"] = 10_000.0 * data["x0"]
        return model.bind(data, person="person")

    return build


def survey():
    found = iclv.datasets.sugar_substitutes(items=(2, 2, 2, 1, 2))
    return found.model.bind(found.data, person="person", integration=iclv.Adaptive(20, final_draws=20))


def optima():
    return public.optima(probit=True).bind(iclv.datasets.optima(download=True))


PROBLEMS = {
    "panel logit": panel_logit(thousands=False),
    "panel logit, one column times 10,000": panel_logit(thousands=True),
    "mixed logit": from_bank("mixed_logit", iclv.GaussHermite(15)),
    "hybrid, shared thresholds": from_bank("likert5", iclv.GaussHermite(9)),
    "hybrid, five latent variables": survey,
    "Optima hybrid": optima,
}


def starts(problem, count):
    """The default start and random ones around it, in natural units."""
    objective = Likelihood(problem.recentre(problem.start()), np.ones(len(problem.names), bool))
    z = np.asarray(objective.z(problem.start()))
    scale = find_scale(objective, "scores", jnp.asarray(z)).values
    lower, upper = objective.bounds()
    noise = np.random.default_rng(0).standard_normal((count, len(z)))
    noise[0] = 0.0
    return [objective.params(jnp.clip(z + SPREAD * scale * e, lower, upper)) for e in noise]


def one_run(problem, options, start, steps=STEPS):
    began = time.process_time()
    free = np.ones(len(problem.names), bool)
    options = replace(options, time_limit=TIME_LIMIT, max_iterations=steps)
    outcome = run(options, problem, free, start, lambda row: None, None)
    report = outcome.report
    seconds = time.process_time() - began
    return {
        "verdict": report.verdict.value,
        "loglike": accurate(outcome.objective.problem, jnp.asarray(outcome.params)),
        "iterations": len(outcome.trace),
        "evaluations": outcome.trace[-1]["evaluations"] if outcome.trace else 0,
        "seconds": seconds,
    }


def accurate(problem, params):
    """The log-likelihood. Few draws stand where the path of a run has led them: more of them, placed at the parameters."""
    if problem.rule.reseeded(0) is not None and problem.core.structure.dimension:
        problem = problem.integrate(problem.rule.finer(FINER)).recentre(params)
    return float(problem.loglike(params))


def one_problem(name, count):
    problem = PROBLEMS[name]()
    points = starts(problem, count)
    rows = []
    for method, options in METHODS.items():
        for scaling in SCALINGS:
            chosen = replace(options, scaling=scaling)
            one_run(problem, chosen, points[0], TO_COMPILE)
            for number, point in enumerate(points):
                row = one_run(problem, chosen, point)
                rows.append({"problem": name, "method": method, "scaling": scaling, "start": number} | row)
            mine = pd.DataFrame(rows[-count:])
            said = (mine["verdict"] == "converged").mean()
            print(
                f"{name}, {method}, {scaling}: {said:.0%} converged, {mine['seconds'].median():.2f} s",
                flush=True,
            )
    table = pd.DataFrame(rows)
    table["parameters"] = len(problem.names)
    return table


def judged(table):
    """Adds whether a run found the best maximum, and its time over that of the fastest run from the same start."""
    best = table[table["verdict"] == "converged"].groupby("problem")["loglike"].max()
    gap = table["problem"].map(best) - table["loglike"]
    same = np.where(table["problem"] == BY_DRAWS, SAME_BY_DRAWS, SAME)
    table["solved"] = (table["verdict"] == "converged") & (gap < same)
    time_needed = table["seconds"].where(table["solved"], np.inf)
    fastest = time_needed.groupby([table["problem"], table["start"]]).transform("min")
    table["multiple"] = np.where(np.isfinite(time_needed), time_needed / fastest, np.inf)
    return table


def write(table, machine):
    lines = [
        "# Optimisers side by side",
        "",
        f"`python benchmarks/optimisers.py`, on {machine}, JAX {jax.__version__}, iclv_jax "
        f"{iclv.__version__}.",
        "",
        f"*solved*: converged, by the library's rule with exact second derivatives, to the best "
        f"maximum found (within {SAME}; for the one by 20 draws within {SAME_BY_DRAWS}, by {FINER} times as many). *steps* "
        "(trial points), *evaluations* (of the likelihood with whatever "
        "derivatives the method takes) and *seconds* (of processor time) are medians over solved runs.",
        "",
        "![Performance profile](optimisers.png)",
    ]
    for problem, part in table.groupby("problem", sort=False):
        count = part["start"].nunique()
        lines += ["", f"## {problem}: {part['parameters'].iloc[0]} parameters, {count} starts", ""]
        lines += ["| method | scaling | solved | other verdicts | steps | evaluations | seconds |"]
        lines += ["|---|---|---:|---|---:|---:|---:|"]
        for (method, scaling), mine in part.groupby(["method", "scaling"], sort=False):
            good, others = mine[mine["solved"]], mine.loc[~mine["solved"], "verdict"].value_counts()
            named = ", ".join(
                f"{'another maximum' if v == 'converged' else v} {n}" for v, n in others.items()
            )
            typical = good[["iterations", "evaluations", "seconds"]].median()
            numbers = (
                [f"{typical.iloc[0]:.0f}", f"{typical.iloc[1]:.0f}", f"{typical.iloc[2]:.2f}"]
                if len(good)
                else [""] * 3
            )
            cells = [method, scaling, f"{len(good)} / {len(mine)}", named, *numbers]
            lines.append(f"| {' | '.join(cells)} |")
    (RESULTS / "optimisers.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(table):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(SCALINGS), figsize=(14.5, 5.0), sharey=True)
    most = 200.0
    for ax, scaling in zip(axes, SCALINGS, strict=True):
        for method, colour in zip(METHODS, COLOURS, strict=True):
            mine = np.sort(table.loc[(table["method"] == method) & (table["scaling"] == scaling), "multiple"])
            x = np.concatenate([[1.0], mine[np.isfinite(mine)], [most]])
            y = np.concatenate(
                [[np.mean(mine <= 1.0)], np.arange(1, np.isfinite(mine).sum() + 1) / len(mine)]
            )
            ax.step(x, np.append(y, y[-1]), where="post", color=colour, lw=1.9, label=method)
        name = {
            "none": "no scaling",
            "start": "scaled by start values",
            "scores": "scaled by scores (default)",
        }[scaling]
        ax.set_title(name, loc="left", fontsize=11.5)
        ax.set(
            xscale="log",
            xlim=(1.0, most),
            ylim=(0.0, 1.02),
            xlabel="processor time, in multiples of the fastest run",
        )
        ax.grid(alpha=0.25, lw=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("share of runs solved")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="lower center", ncol=len(METHODS))
    starts = table.groupby("problem")["start"].nunique().sum()
    title = f"{table['problem'].nunique()} problems from {starts} starts in all"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold")
    figure.tight_layout(rect=(0, 0.06, 1, 0.98))
    figure.savefig(RESULTS / "optimisers.png", dpi=130)


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--only", choices=PROBLEMS, action="append", help="measure this problem")
    parser.add_argument("--picture", action="store_true", help="table and picture from the stored results")
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "optimisers.csv"
    for name in () if options.picture else options.only or PROBLEMS:
        table = one_problem(name, options.starts)
        if file.exists():
            old = pd.read_csv(file)
            table = pd.concat([old[old["problem"] != name], table], ignore_index=True)
        order = {name: i for i, name in enumerate(PROBLEMS)}
        table = judged(table.sort_values("problem", key=lambda c: c.map(order), kind="stable"))
        table.to_csv(file, index=False, float_format="%.6f")
    table = pd.read_csv(file)
    write(table, options.machine)
    draw(table)


if __name__ == "__main__":
    main()
