"""Accuracy of the integral on the reference workload: what twenty seeds of the draws give.

`python benchmarks/workload.py` fits the seeded survey (328 people, five latent variables, 38 ordered items, 205
parameters) with the default rule and twenty seeds, three times from the default start and otherwise from the first
fit, compares with a fit by 1,000 draws and with a log-likelihood by 20,000, and writes `results/workload.md` and `.csv`.
"""

from pathlib import Path

import jax
import numpy as np
import on_device
import pandas as pd

import iclv_jax as iclv
from iclv_jax._problem._accuracy import SEEDS, accuracy

RESULTS = Path(__file__).parent / "results"
FITS = 20
FROM_DEFAULT = 3
MANY, EXACT = 1_000, 20_000
LIMITS = {20: 1.0, 100: 0.3}
"""Draws, and the error of log L that they may have."""


def fit(survey, rule, start):
    return survey.model.fit(survey.data, person="person", integration=rule, start=start, progress=False)


def run_fits(survey):
    """Estimates, standard errors and endings: the fit by many draws, and one per seed."""
    first = fit(survey, iclv.Adaptive(20), "sequential")
    print(f"seed 0: log L {first.llf:.3f}, {first.optimizer_report.verdict.value}", flush=True)
    many = fit(survey, iclv.Adaptive(20, final_draws=MANY, seed=1_000), first)
    print(f"{MANY:,} draws: log L {many.llf:.3f}, {many.optimizer_report.verdict.value}", flush=True)
    rows = [row(first, many, 0, "default")]
    for seed in range(1, FITS):
        default = seed < FROM_DEFAULT
        one = fit(survey, iclv.Adaptive(20, seed=seed), "sequential" if default else first)
        rows.append(row(one, many, seed, "default" if default else "first fit"))
        print(rows[-1], flush=True)
    return many, pd.DataFrame(rows)


def row(one, many, seed, start):
    """A fit compared with the one by many draws."""
    shifts = ((one.params - many.params) / many.bse).abs()
    ratios = one.bse / many.bse - 1.0
    paths = [name for name in one.names if one.problem.table.row(name).parameter.block == "structural"]
    report = one.optimizer_report
    return {
        "seed": seed,
        "start": start,
        "verdict": report.verdict.value,
        "loglike": one.llf,
        "stated_error": one.accuracy.error,
        "movement": np.sqrt(report.movement),
        "path_shift": shifts[paths].max(),
        "largest_shift": shifts.max(),
        "path_se": ratios[paths].abs().max(),
        "largest_se": ratios.abs().max(),
        "median_se": ratios.abs().median(),
        "moves_most": shifts.idxmax(),
        "se_most": ratios.abs().idxmax(),
    }


def values(problem, params, draws, seeds):
    """log L by seed, with nodes placed at the parameters."""
    placed = (problem.integrate(iclv.Adaptive(draws, seed=seed)).recentre(params) for seed in seeds)
    return np.array([float(p.loglike(params)) for p in placed])


def loglike_errors(many):
    """Errors of log L by draws and seed, and for 128 draws the errors that groups of other seeds state."""
    problem, params = many.problem, np.asarray(many.estimates)
    exact = float(values(problem, params, EXACT, [5_000])[0])
    errors = {n: values(problem, params, n, range(FITS)) - exact for n in (*LIMITS, 128)}
    fine = problem.integrate(iclv.Adaptive(128)).recentre(params)
    stated = np.array([accuracy(fine, params, 100 + k * (SEEDS + 1)).error for k in range(FITS)])
    return exact, errors, stated


def verdict(holds):
    return "holds" if holds else "**FAILS**"


def findings(table, exact, errors, stated):
    converged = int((table["verdict"] == "converged").sum())
    lines = [
        f"* Converged by the rule: {converged} of {len(table)} ({verdict(converged == len(table))}); "
        f"{(table['start'] == 'default').sum()} from the default start, the others from the first fit. Largest "
        f"movement after the last placement of the nodes: {table['movement'].max():.3f} standard errors.",
    ]
    for draws, limit in LIMITS.items():
        worst = np.abs(errors[draws]).max()
        lines.append(
            f"* log L with {draws} draws against {exact:.3f} by {EXACT:,}, over {FITS} seeds: mean error "
            f"{errors[draws].mean():+.4f}, largest {worst:.4f}; within {limit}: {verdict(worst < limit)} "
            f"({(np.abs(errors[draws]) < limit).sum()} of {FITS})."
        )
    z = np.abs(errors[128]) / stated
    size = np.sqrt(np.mean(errors[128] ** 2))
    ratio = np.sqrt(np.mean(stated**2)) / size
    lines += [
        f"* 128 draws, {FITS} seeds: mean error of log L {errors[128].mean():+.4f}, root mean square "
        f"{size:.4f}; stated error, from {SEEDS} other seeds and twice the nodes each time, "
        f"{np.sqrt(np.mean(stated**2)):.4f} (root mean square): ratio {ratio:.2f}, within 0.7 to 1.4: "
        f"{verdict(0.7 < ratio < 1.4)}. Within 3 stated errors: {(z < 3).sum()} of {FITS} "
        f"({verdict(bool((z < 3).all()))}; largest {z.max():.1f}; a standard error from so few values is itself "
        "uncertain by two fifths).",
        f"* Structural parameters against those from {MANY:,} draws: largest difference in any seed "
        f"{table['path_shift'].max():.3f} standard errors; within 0.3: {verdict(table['path_shift'].max() < 0.3)}.",
        f"* Their standard errors: largest difference {table['path_se'].max():.1%}, median of the seeds' largest "
        f"{table['path_se'].median():.1%}; within 3 %: {verdict(table['path_se'].max() < 0.03)} "
        f"({(table['path_se'] < 0.03).sum()} of {len(table)} seeds).",
        f"* All parameters: largest difference {table['largest_shift'].max():.3f} standard errors "
        f"(`{bar(table.loc[table['largest_shift'].idxmax(), 'moves_most'])}`); standard errors differ by "
        f"{table['median_se'].median():.1%} (median), {table['largest_se'].max():.1%} at most "
        f"(`{bar(table.loc[table['largest_se'].idxmax(), 'se_most'])}`).",
    ]
    return lines


def bar(name):
    """A bar inside a name would end a cell."""
    return name.replace("|", "\\|")


def write(table, exact, errors, stated, machine):
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "workload.csv", index=False, float_format="%.6g")
    lines = [
        "# The reference workload, twenty seeds",
        "",
        f"`python benchmarks/workload.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"Rule: {iclv.Adaptive(20).describe(5)}, 128 in the last stage. One survey, {FITS} seeds of the draws.",
        "",
        *findings(table, exact, errors, stated),
        "",
        "| seed | start | verdict | log L | stated error | structural shift | s.e. of these | any shift | any s.e. |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in table.itertuples():
        cells = [
            r.seed,
            r.start,
            r.verdict,
            f"{r.loglike:.3f}",
            f"{r.stated_error:.3f}",
            f"{r.path_shift:.3f}",
        ]
        cells += [f"{r.path_se:.1%}", f"{r.largest_shift:.3f}", f"{r.largest_se:.1%}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    text = "\n".join(lines) + "\n"
    (RESULTS / "workload.md").write_text(text, encoding="utf-8")
    print(text)


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    many, table = run_fits(iclv.datasets.sugar_substitutes())
    write(table, *loglike_errors(many), options.machine)


if __name__ == "__main__":
    main()
