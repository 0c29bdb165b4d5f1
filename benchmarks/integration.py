"""Error of the log-likelihood against nodes and time, for every rule of integration.

Three problems at fixed parameters: the reference workload (five dimensions, 38 ordered items), the Optima hybrid
(one dimension, nine ordered items) and the Swissmetro panel (a normal time coefficient, nine choices a person).
Writes `results/integration.csv`, `results/integration.md` and `results/integration.png`.

    python benchmarks/integration.py [--quick]
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd

import iclv_jax as iclv

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import public

RESULTS = Path(__file__).parent / "results"
SEEDS = 5
FAMILIES = {
    "prior, random": ("tab:gray", "x"),
    "prior, Halton": ("tab:orange", "o"),
    "prior, Sobol": ("tab:red", "s"),
    "prior, MLHS": ("tab:brown", "^"),
    "Gauss-Hermite": ("tab:purple", "v"),
    "Laplace": ("black", "*"),
    "adaptive Gauss-Hermite": ("tab:green", "D"),
    "adaptive draws": ("tab:blue", "o"),
}


def problems(quick):
    survey = iclv.datasets.sugar_substitutes()
    yield (
        "reference workload",
        survey.model,
        survey.data,
        "person",
        survey.truth,
        iclv.Adaptive(4096, seed=99),
    )
    optima = iclv.datasets.optima(download=True)
    model = public.optima(probit=True)
    params = dict(model.fit(optima, progress=False).params)
    yield "Optima hybrid", model, optima, None, params, iclv.GaussHermite(80)
    swissmetro = iclv.datasets.swissmetro(download=True)
    model = public.mixed_swissmetro()
    fitted = model.fit(swissmetro, person="ID", integration=iclv.GaussHermite(60), progress=False)
    rule = iclv.Trapezoid(1601 if quick else 6001)
    yield "Swissmetro panel", model, swissmetro, "ID", dict(fitted.params), rule


def rules(dimension, quick):
    most = 1000 if quick else 10_000
    counts = [n for n in (20, 100, 500, 1000, 2500, 10_000) if n <= most]
    for count in counts:
        for name, sequence in (
            ("random", "random"),
            ("Halton", "halton"),
            ("Sobol", "sobol"),
            ("MLHS", "mlhs"),
        ):
            yield f"prior, {name}", iclv.MonteCarlo(count, sequence)
    yield "Laplace", iclv.Laplace()
    for count in [n for n in (10, 20, 50, 100, 250, 1000) if n <= most]:
        yield "adaptive draws", iclv.Adaptive(count)
    grid = (3, 5, 7, 10, 15, 20, 40, 60) if dimension == 1 else (2, 3, 4)
    for count in grid:
        yield "adaptive Gauss-Hermite", iclv.GaussHermite(count)
        if dimension == 1:
            yield "Gauss-Hermite", iclv.GaussHermite(count, adaptive=False)


def measure(problem, params, exact):
    """Errors over seeds, and the time of one log-likelihood with nodes in place."""
    errors = []
    for seed in range(SEEDS):
        rule = problem.rule.reseeded(seed)
        placed = (problem if rule is None else problem.integrate(rule)).recentre(params)
        errors.append(float(placed.loglike(params)) - exact)
        if rule is None:
            break
    began = time.perf_counter()
    jax.block_until_ready(placed.loglike(params))
    return np.array(errors), time.perf_counter() - began


def run(quick):
    rows = []
    for name, model, data, person, values, best in problems(quick):
        first = model.bind(data, person=person, integration=best)
        params = first.vector(values)
        exact = float(first.recentre(params).loglike(params))
        print(f"{name}: log L {exact:.4f} by {best.describe(first.spec.dimension)}", flush=True)
        for family, rule in rules(first.spec.dimension, quick):
            problem = first.integrate(rule)
            errors, seconds = measure(problem, params, exact)
            row = {
                "problem": name,
                "rule": family,
                "nodes": problem.core.nodes.log_weights.shape[1],
                "bias": errors.mean(),
                "rms_error": float(np.sqrt(np.mean(errors**2))),
                "loglike_ms": 1000 * seconds,
            }
            print(
                "  {rule:24s} {nodes:6d} nodes: error {rms_error:12.4g}, {loglike_ms:9.1f} ms".format(**row)
            )
            sys.stdout.flush()
            rows.append(row)
    return pd.DataFrame(rows)


def write_table(frame, machine):
    lines = [
        "# Error of the log-likelihood by rule of integration",
        "",
        f"Root mean squared error over {SEEDS} seeds (one value for a rule without randomness), bias, and the time of",
        f"one log-likelihood with the nodes in place, compiled. {machine}, jax {jax.__version__}.",
        "Parameters are fixed: the truth for the reference workload, the estimates for the others.",
    ]
    for name, part in frame.groupby("problem", sort=False):
        header = [
            "",
            f"## {name}",
            "",
            "| rule | nodes | rms error | bias | ms |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += header
        lines += [
            f"| {r.rule} | {r.nodes:,} | {r.rms_error:.3g} | {r.bias:.3g} | {r.loglike_ms:.1f} |"
            for r in part.itertuples()
        ]
    (RESULTS / "integration.md").write_text("\n".join(lines) + "\n")


def draw(frame):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(frame.problem))
    figure, axes = plt.subplots(1, len(names), figsize=(5.0 * len(names), 4.6), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        part = frame[frame.problem == name]
        for family, (colour, marker) in FAMILIES.items():
            line = part[part.rule == family].sort_values("nodes")
            if len(line):
                shown = np.maximum(line.rms_error, 1e-9)
                ax.loglog(line.nodes, shown, marker=marker, color=colour, label=family, lw=1.3, ms=5)
        ax.axhline(1.0, color="0.6", lw=0.8, ls=":")
        ax.set_title(name)
        ax.set_xlabel("nodes per person")
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("error of the log-likelihood (points)")
    handles = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles[label] = handle
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=4, frameon=False)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(RESULTS / "integration.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rules")
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    table = run(options.quick)
    table.to_csv(RESULTS / "integration.csv", index=False)
    write_table(table, options.machine)
    draw(table)
