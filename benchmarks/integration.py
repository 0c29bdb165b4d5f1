"""Error of the log-likelihood and of the estimates by rule of integration, against nodes and against time.

Three problems: the reference workload (five latent variables, 38 ordered items), the Optima hybrid (one latent
variable, nine ordered items) and the Swissmetro panel (a mixed logit: a normal time coefficient, nine choices a
person). Each has an accurate fit. The error of the log-likelihood is measured at the accurate estimates, over
several seeds; that of the estimates by refitting with the rule, from the accurate estimates, in standard errors.
Writes `results/integration.csv`, `integration.md` and `integration.png`.

    python benchmarks/integration.py [--quick | --picture] [--only PROBLEM] [--rule RULE]
"""

import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import iclv_jax as iclv

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import on_device
import public

RESULTS = Path(__file__).parent / "results"
SEQUENCES = {"Halton": "halton", "Sobol": "sobol", "MLHS": "mlhs", "random": "random"}
# Colours of Okabe and Ito, told apart by the colour-blind: warm for the prior, cool for the posterior.
FAMILIES = {
    "prior, random": ("#999999", "x"),
    "prior, MLHS": ("#CC79A7", "^"),
    "prior, Halton": ("#D55E00", "o"),
    "prior, Sobol": ("#E69F00", "s"),
    "prior, Gauss-Hermite": ("#7A5C00", "v"),
    "Laplace": ("#000000", "*"),
    "adaptive Gauss-Hermite": ("#009E73", "D"),
    "adaptive draws": ("#56B4E9", "o"),
    "rotated spheres": ("#0072B2", "P"),
}
TOLERANCE = 1e-3
"""Refits end within a thirtieth of a standard error of their maximum."""
SIZES = {
    "Reference workload": "five latent variables, 38 items, 6 choices",
    "Swissmetro mixed logit": "one random coefficient, 9 choices",
    "Optima hybrid": "one latent variable, 9 items, 1 choice",
}
MATTERS = {"loglike": 1.0, "estimates": 0.1}
"""Errors that matter: about half of what a likelihood-ratio test at 5 % asks for; a tenth of a standard error."""


@dataclass(frozen=True)
class Case:
    """A problem: its accurate fit, and the rule that gives the exact log-likelihood there."""

    name: str
    model: iclv.Model
    data: pd.DataFrame
    person: str | None
    fit: iclv.Fit
    best: Any

    @property
    def dimension(self) -> int:
        return self.fit.problem.core.structure.dimension


def reference_workload(quick: bool) -> Case:
    survey = iclv.datasets.sugar_substitutes()
    rule = iclv.Adaptive(20, final_draws=128 if quick else 512, seed=99)
    accurate = survey.model.fit(
        survey.data, person="person", integration=rule, start=survey.truth, progress=False
    )
    best = iclv.Adaptive(1024 if quick else 8192, seed=99)
    return Case("Reference workload", survey.model, survey.data, "person", accurate, best)


def optima(quick: bool) -> Case:
    data, model = iclv.datasets.optima(download=True), public.optima(probit=True)
    accurate = model.fit(data, integration=iclv.GaussHermite(40), progress=False)
    return Case("Optima hybrid", model, data, None, accurate, iclv.GaussHermite(80))


def swissmetro(quick: bool) -> Case:
    data, model = iclv.datasets.swissmetro(download=True), public.mixed_swissmetro()
    accurate = model.fit(data, person="ID", integration=iclv.GaussHermite(100), progress=False)
    best = iclv.Trapezoid(1601 if quick else 6001)
    return Case("Swissmetro mixed logit", model, data, "ID", accurate, best)


CASES = {"reference": reference_workload, "optima": optima, "swissmetro": swissmetro}


def rules(dimension: int, quick: bool) -> Iterator[tuple[str, Any, bool]]:
    """Family, rule, and whether to refit with it."""
    # Fits with 500 draws take minutes where nodes are many; one shows where the others go.
    fitted = {(20, s) for s in SEQUENCES.values()} | {(100, s) for s in SEQUENCES.values()}
    fitted |= set() if quick or dimension == 1 else {(500, "halton")}
    yield "Laplace", iclv.Laplace(), False
    if dimension == 1:
        for nodes in (3, 5, 10, 20, 40) if quick else (3, 5, 7, 10, 15, 20, 40, 80):
            yield "adaptive Gauss-Hermite", iclv.GaussHermite(nodes), nodes in (3, 5, 10, 20, 40)
            yield "prior, Gauss-Hermite", iclv.GaussHermite(nodes, adaptive=False), nodes in (5, 10, 20, 40)
    else:
        for nodes in (2, 3):
            yield "adaptive Gauss-Hermite", iclv.GaussHermite(nodes), nodes in (2, 3)
    for draws in (20, 100, 500) if quick else (10, 20, 50, 100, 500):
        yield "adaptive draws", iclv.Adaptive(draws, "sobol", final_draws=draws), draws in (20, 100)
    for draws in (20, 128, 500) if dimension > 1 else ():
        yield "rotated spheres", iclv.Adaptive(draws, final_draws=draws), draws in (20, 128)
    for draws in (20, 100, 500) if quick else (20, 100, 500, 2500, 10_000):
        for name, sequence in SEQUENCES.items():
            if draws <= 2500 or sequence in ("halton", "sobol"):
                yield f"prior, {name}", iclv.MonteCarlo(draws, sequence), (draws, sequence) in fitted


def seeds(draws: int) -> int:
    return 5 if draws <= 1000 else 2


def loglike_errors(problem: iclv.Problem, params: Any, exact: float) -> dict[str, float]:
    """Errors over seeds, and the time of one log-likelihood with the nodes in place, compiled."""
    errors, seconds = [], []
    for seed in range(seeds(problem.core.nodes.log_weights.shape[1])):
        rule = problem.rule.reseeded(seed)
        placed = (problem if rule is None else problem.integrate(rule)).recentre(params)
        began = time.perf_counter()
        errors.append(float(placed.loglike(params)) - exact)
        seconds.append(time.perf_counter() - began)
    return {
        "bias": float(np.mean(errors)),
        "rms_error": float(np.sqrt(np.mean(np.square(errors)))),
        "loglike_seconds": min(seconds[1:]),
    }


def estimate_errors(case: Case, rule: Any) -> dict[str, Any]:
    """Shifts of the estimates when the model is fitted with this rule, in standard errors, and the time
    of a Newton step (log-likelihood, gradient and exact Hessian, compiled)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "For half of the people", UserWarning)
        fit = case.model.fit(
            case.data,
            person=case.person,
            integration=rule,
            start=case.fit,
            optimizer=iclv.TrustRegion(tolerance=TOLERANCE, max_iterations=60, recentrings=2),
            progress=False,
        )
    shifts = np.abs((fit.params - case.fit.params) / case.fit.bse).dropna()
    return {
        "fit_loglike": fit.llf,
        "converged": fit.converged,
        "largest_shift": float(shifts.max()),
        "moves_most": str(shifts.idxmax()),
        "median_shift": float(shifts.median()),
        "step_seconds": step_seconds(fit.problem, fit.estimates),
    }


def step_seconds(problem: iclv.Problem, params: Any) -> float:
    """The quicker of two turns, after one that compiles."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        jax.block_until_ready((problem.loglike(params), problem.score(params), problem.hessian(params)))
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def run(case: Case, quick: bool, chosen: list[str]) -> pd.DataFrame:
    rows = []
    params = np.asarray(case.fit.estimates)
    exact = float(case.fit.problem.integrate(case.best).recentre(params).loglike(params))
    print(f"{case.name}: log L {exact:.4f} by {case.best.describe(case.dimension)}", flush=True)
    for family, rule, refit in rules(case.dimension, quick):
        if family not in chosen:
            continue
        problem = case.fit.problem.integrate(rule)
        nodes = problem.core.nodes.log_weights.shape[1]
        row = {"problem": case.name, "rule": family, "nodes": nodes}
        row |= loglike_errors(problem, params, exact)
        row |= estimate_errors(case, rule) if refit else {}
        print("  " + ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items()))
        sys.stdout.flush()
        rows.append(row)
    return pd.DataFrame(rows)


def write_table(frame: pd.DataFrame, machine: str) -> None:
    lines = [
        "# Error by rule of integration",
        "",
        f"`python benchmarks/integration.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        "* *rms error* and *bias*: of the log-likelihood at the accurate estimates, in points, over five seeds (two "
        "from 2,500 draws).",
        "* *ms*: of one log-likelihood with the nodes in place, compiled.",
        "* *largest* and *median shift*: of the estimates when the model is fitted with the rule from the accurate "
        "estimates, in standard errors; one seed; what is below a thirtieth means nothing. A star marks fits that did "
        "not converge by the library's rule.",
        "* *step*: milliseconds of a Newton step (log-likelihood, gradient and exact Hessian), compiled.",
        "* *prior* rules ignore what a person answered; the others are placed at each person's posterior. *Adaptive "
        "draws* are Sobol draws with one from the prior to every twenty; *rotated spheres* are the default rule.",
    ]
    for name, part in frame.groupby("problem", sort=False):
        lines += ["", f"## {name}", ""]
        lines += ["| rule | nodes | rms error | bias | ms | largest shift | of | median shift | step |"]
        lines += ["|---|---:|---:|---:|---:|---:|---|---:|---:|"]
        lines += [_line(row) for _, row in part.iterrows()]
    (RESULTS / "integration.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(row: pd.Series) -> str:
    cells = [row["rule"], f"{row['nodes']:,}", f"{row['rms_error']:.2g}", f"{row['bias']:+.2g}"]
    cells.append(f"{1000 * row['loglike_seconds']:.1f}")
    if np.isnan(row["largest_shift"]):
        cells += ["", "", "", ""]
    else:
        star = "" if row["converged"] else "\\*"
        # A bar inside a name would end the cell.
        name = row["moves_most"].replace("|", "\\|")
        cells += [f"{row['largest_shift']:.2g}{star}", f"`{name}`", f"{row['median_shift']:.2g}"]
        cells.append(f"{1000 * row['step_seconds']:.0f}")
    return f"| {' | '.join(cells)} |"


def draw(frame: pd.DataFrame) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(frame["problem"]))
    figure, axes = plt.subplots(2, len(names), figsize=(4.7 * len(names), 9.4), sharey="row", squeeze=False)
    for column, name in enumerate(names):
        part = frame[frame["problem"] == name]
        fitted = part.dropna(subset=["largest_shift"])
        panel(axes[0, column], part, "nodes", "rms_error", (1e-3, 1e3), MATTERS["loglike"])
        panel(axes[1, column], fitted, "step_seconds", "largest_shift", (1e-2, 1e1), MATTERS["estimates"])
        axes[0, column].set_title(f"{name}\n{SIZES[name]}", fontsize=11.5, loc="left")
        axes[0, column].set_xlabel("nodes per person")
        axes[1, column].set_xlabel("seconds per Newton step")
    axes[0, 0].set_ylabel("error of the log-likelihood (points)")
    axes[1, 0].set_ylabel("largest error of an estimate (standard errors)")
    explain(
        axes[0, 0],
        f"shaded: below {MATTERS['loglike']:g} point, half of what a\nlikelihood-ratio test at 5 % asks for",
    )
    explain(axes[1, 0], f"shaded: below {MATTERS['estimates']:g} standard errors")
    handles = [
        plt.Line2D([], [], color=c, marker=m, lw=1.8, label=n, ls=style(n)) for n, (c, m) in FAMILIES.items()
    ]
    title = "Error of the integral: nodes from the prior (dashed), nodes at each person's posterior (solid)"
    figure.suptitle(title, x=0.012, ha="left", fontsize=14.5, fontweight="bold")
    place = {"loc": "upper left", "bbox_to_anchor": (0, 0.968), "ncol": 4}
    figure.legend(handles=handles, frameon=False, fontsize=10.5, **place)
    figure.text(0.99, 0.93, "Beyond an axis: drawn at its end.", ha="right", fontsize=9.5, color="0.35")
    figure.tight_layout(rect=(0, 0, 1, 0.925), h_pad=2.0)
    figure.savefig(RESULTS / "integration.png", dpi=130)


def style(family: str) -> str:
    return "--" if family.startswith("prior") else "-"


def panel(ax: Any, part: pd.DataFrame, x: str, y: str, limits: tuple[float, float], matters: float) -> None:
    """Errors beyond the limits are drawn at them."""
    low, high = limits
    for family, (colour, marker) in FAMILIES.items():
        line = part[part["rule"] == family].sort_values("nodes")
        shown = line[y].clip(low, high)
        options = {"lw": 1.7, "ms": 11 if marker == "*" else 6, "zorder": 3}
        ax.plot(line[x], shown, color=colour, marker=marker, ls=style(family), **options)
    ax.set(xscale="log", yscale="log", ylim=(0.7 * low, 1.5 * high))
    ax.xaxis.set_minor_formatter("")
    ax.axhspan(0.7 * low, matters, color="#009E73", alpha=0.08, lw=0)
    ax.grid(alpha=0.25, lw=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def explain(ax: Any, text: str) -> None:
    """What the shaded region means, in its lower corner."""
    ax.text(0.02, 0.02, text, transform=ax.transAxes, fontsize=9.5, color="#00664B")


def store(table: pd.DataFrame, machine: str) -> None:
    """Write table and picture; rules that were not measured now keep their stored rows."""
    file = RESULTS / "integration.csv"
    if file.exists():
        old = pd.read_csv(file)
        new = set(zip(table["problem"], table["rule"], strict=True))
        kept = [pair not in new for pair in zip(old["problem"], old["rule"], strict=True)]
        table = pd.concat([old[kept], table], ignore_index=True)
    place = {name: i for i, name in enumerate([*SIZES, *FAMILIES])}
    table = table.sort_values(
        ["problem", "rule", "nodes"], key=lambda c: c if pd.api.types.is_numeric_dtype(c) else c.map(place)
    )
    table.to_csv(file, index=False, float_format="%.6g")
    write_table(pd.read_csv(file), machine)
    draw(pd.read_csv(file))


def main() -> None:
    parser = on_device.parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rules")
    parser.add_argument("--picture", action="store_true", help="draw the stored results anew")
    parser.add_argument("--only", choices=CASES, action="append", help="measure this problem")
    parser.add_argument("--rule", choices=FAMILIES, action="append", help="measure this family of rules")
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if options.picture:
        draw(pd.read_csv(RESULTS / "integration.csv"))
        return
    for name in options.only or CASES:
        store(run(CASES[name](options.quick), options.quick, options.rule or list(FAMILIES)), options.machine)


if __name__ == "__main__":
    main()
