"""Hessians side by side: time, memory, error, and what standard errors from each are worth.

Two studies. *One point*: at the estimates of the reference workload (205 parameters), the Optima hybrid and a plain
logit of Swissmetro, every way to a Hessian is timed and compared with `jax.hessian`; the inverse that scipy's BFGS
has built on its way is among them. *Many samples*: at 0.05 to 0.6 parameters per person, standard errors of every
kind against the spread of the estimates over simulated samples, and the coverage of their 95 % intervals.
Writes `results/hessians.md`, `hessians_points.csv`, `hessians_samples.csv` and `hessians.png`.

    python benchmarks/hessians.py [--only points | samples | picture] [--samples 100]
"""

import sys
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import norm
from threadpoolctl import threadpool_limits

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood
from iclv_jax._optimise._scaling import find_scale
from iclv_jax._problem import _evaluated, _portions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import on_device
import public
import recovery

RESULTS = Path(__file__).parent / "results"
KINDS = ("hessian", "bhhh", "robust")
COLOURS = {"hessian": "#0072B2", "bhhh": "#D55E00", "robust": "#009E73"}
SHARES = (0.05, 0.1, 0.2, 0.4, 0.6)
BARE = "erfc of the items' ends alone"
NO_HESSIAN = ("gradient", "log-likelihood", BARE, "scores")
SLOWEST_REPEATED = 5.0
"""Seconds above which a Hessian is timed once."""


# --- one point ---


def reference_workload():
    survey = iclv.datasets.sugar_substitutes()
    return survey.model.fit(survey.data, person="person", progress=False)


def reference_workload_in_search():
    survey = iclv.datasets.sugar_substitutes()
    return survey.model.fit(
        survey.data, person="person", integration=iclv.Adaptive(20, final_draws=20), progress=False
    )


def optima():
    return public.optima(probit=True).fit(iclv.datasets.optima(download=True), progress=False)


def swissmetro():
    return public.swissmetro().fit(iclv.datasets.swissmetro(download=True), progress=False)


POINTS = {
    "Reference workload, nodes of the result (126)": reference_workload,
    "Reference workload, nodes of the search (20)": reference_workload_in_search,
    "Optima hybrid": optima,
    "Swissmetro logit": swissmetro,
}


def methods(core):
    """Name and lowered computation of each; `core` stands for data and nodes."""
    params = jnp.zeros(len(core.structure.map.free))
    bhhh = jax.jit(lambda c, p: -outer(_portions.person_scores(c, p).scores, c.weights))
    return {
        "gradient": _evaluated.slope_at_once.lower(core, params),
        "log-likelihood": _portions.person_values.lower(core, params),
        BARE: jax.jit(bare).lower(core, params),
        "scores": _portions.person_scores.lower(core, params),
        "bhhh": bhhh.lower(core, params),
        "exact": _evaluated.expand_exact.lower(core, params),
        "autodiff": _evaluated.hessian_autodiff.lower(core, params),
        "numerical, forward": _evaluated.hessian_numerical.lower(core, params, difference="forward"),
        "numerical, central": _evaluated.hessian_numerical.lower(core, params, difference="central"),
    }


def items_of(core):
    return sum(core.person.data[block.at].outcome.shape[1] for block in core.structure.items)


def bare(core, params):
    """`erfc` of both ends of the interval of every person, node and item, and nothing else."""
    people, nodes = core.nodes.log_weights.shape
    ends = jnp.linspace(-3.0, 3.0, 2 * items_of(core)) + params[0]
    return jax.scipy.special.erfc(core.nodes.log_weights[:, :, None] * 1e-3 + ends).reshape(people, nodes, -1)


def outer(scores, weights):
    return scores.T @ (scores * weights[:, None])


def matrix(name, result):
    return np.asarray(getattr(result, "hessian", result)) if name not in NO_HESSIAN else None


def timed(compiled, *arguments):
    """Result, and wall and processor seconds of the quickest of up to five runs."""
    best = (np.inf, np.inf)
    for _ in range(5):
        wall, cpu = time.perf_counter(), time.process_time()
        result = jax.block_until_ready(compiled(*arguments))
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
        if best[0] > SLOWEST_REPEATED:
            break
    return result, *best


def one_point(name, fit):
    core, params = fit.problem.core, jnp.asarray(fit.estimates)
    rows, found = [], {}
    # What the fit has compiled would be at hand.
    jax.clear_caches()
    for method, lowered in methods(core).items():
        if method == BARE and not items_of(core):
            continue
        began = time.process_time()
        compiled = lowered.compile()
        compile_seconds = time.process_time() - began
        result, wall, cpu = timed(compiled, core, params)
        memory = compiled.memory_analysis()
        found[method] = matrix(method, result)
        rows.append((method, compile_seconds, wall, cpu, memory.temp_size_in_bytes / 2**20))
        print(f"{name}, {method}: {wall:.3f} s", flush=True)
    began, cpu = time.perf_counter(), time.process_time()
    found["BFGS inverse (scipy)"] = -np.linalg.inv(quasi_newton(fit))
    rows.append(
        ("BFGS inverse (scipy)", np.nan, time.perf_counter() - began, time.process_time() - cpu, np.nan)
    )
    table = pd.DataFrame(rows, columns=["method", "compile", "wall", "cpu", "megabytes"])
    table.insert(0, "problem", name)
    table["gradients"] = table["cpu"] / table["cpu"].iloc[0]
    quality = pd.DataFrame([compared(found[m], found["autodiff"]) for m in table["method"]])
    return pd.concat([table, quality], axis=1)


def compared(hessian, autodiff):
    """Error in units of the information (1 = as large as it), smallest eigenvalue of the information scaled to a unit
    diagonal, and standard errors against those from `autodiff`."""
    if hessian is None:
        return {}
    unit = np.sqrt(-np.diag(autodiff))
    scaled = -hessian / np.outer(unit, unit)
    smallest = np.linalg.eigvalsh(scaled)[0]
    row = {"error": np.abs(hessian - autodiff).max() / np.abs(autodiff).max(), "eigenvalue": smallest}
    if smallest > 1e-12:
        ratio = np.sqrt(np.diag(np.linalg.inv(-hessian)) / np.diag(np.linalg.inv(-autodiff)))
        row |= {"se_low": ratio.min(), "se_median": np.median(ratio), "se_high": ratio.max()}
    return row


def quasi_newton(fit):
    """The inverse Hessian, in natural units, that scipy's BFGS has at its end, from where the joint stage of the fit
    began, with the nodes of the fit, on scaled parameters."""
    objective = Likelihood(fit.problem, np.ones(len(fit.names), bool))
    start = objective.z(jnp.asarray(fit.start))
    scale = find_scale(objective, "scores", start).values

    def slope(x):
        value, gradient = objective.slope(jnp.asarray(scale * x))[:2]
        return float(value), scale * np.asarray(gradient)

    ended = minimize(
        slope, np.asarray(start) / scale, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 3000}
    )
    print(
        f"  scipy BFGS: {ended.nit} iterations, log L {-ended.fun * objective.size:.4f} ({fit.llf:.4f})",
        flush=True,
    )
    slopes = np.asarray(jax.jacfwd(objective.params)(jnp.asarray(scale * ended.x)))
    to_natural = slopes * scale
    return to_natural @ ended.hess_inv @ to_natural.T / objective.size


# --- many samples ---

ATTRIBUTES = 15


def panel_logit():
    """Two alternatives, fifteen attributes, six choices a person."""

    def utility(b, x, lv):
        return {"a": sum(b[f"b{k}"] * x[f"x{k}"] for k in range(ATTRIBUTES)), "b": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice"))


LOGIT_TRUTH = {f"b{k}": (-1) ** k * 0.1 * (1 + k % 5) for k in range(ATTRIBUTES)}


def logit_sample(model, seed, people):
    generator = np.random.default_rng(seed)
    columns = {f"x{k}": generator.standard_normal(6 * people) for k in range(ATTRIBUTES)}
    frame = pd.DataFrame({"person": np.repeat(np.arange(people), 6), **columns})
    return model.simulate(LOGIT_TRUTH, frame, seed=seed, person="person")


def logit_fit(model, data):
    return model.fit(data, person="person", progress=False, start="default")


STUDIES = {
    "panel logit": (panel_logit, LOGIT_TRUTH, logit_sample, logit_fit),
    "hybrid, two latent variables": (
        recovery.build_model,
        recovery.TRUTH,
        recovery.draw_sample,
        recovery.fit_sample,
    ),
}


def one_size(name, share, samples):
    build, truth, draw, fit = STUDIES[name]
    model, people = build(), round(len(truth) / share)
    errors, gaps, lost = {kind: [] for kind in KINDS}, [], 0
    for seed in range(samples):
        try:
            found = fit(model, draw(model, 10_000 + seed, people))
        except ValueError:  # A small sample may lack a level of an item.
            lost += 1
            continue
        each = {kind: found.standard_errors(kind).to_numpy() for kind in KINDS}
        if not found.converged or np.isnan(each["hessian"]).any():
            lost += 1
            continue
        gaps.append(found.params.to_numpy() - np.array([truth[n] for n in found.names]))
        for kind in KINDS:
            errors[kind].append(each[kind])
    rows = [
        size_row(name, share, people, len(truth), kind, np.array(gaps), np.array(errors[kind]))
        for kind in KINDS
    ]
    print(
        f"{name}, P/N {share}: {len(gaps)} samples, {lost} lost",
        *[f"{r['kind']} {r['coverage']:.3f}" for r in rows],
    )
    sys.stdout.flush()
    return [row | {"samples": len(gaps), "lost": lost} for row in rows]


def size_row(name, share, people, parameters, kind, gaps, errors):
    """Over parameters: typical standard error over the spread of estimates, and coverage of 95 % intervals. A kind
    that is not available for a sample counts as not covering."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        ratio = np.nanmedian(errors, axis=0) / gaps.std(axis=0, ddof=1)
        covered = np.abs(gaps) <= norm.ppf(0.975) * errors
    return {
        "model": name,
        "share": share,
        "people": people,
        "parameters": parameters,
        "kind": kind,
        "available": float(np.mean(~np.isnan(errors).any(axis=1))),
        "ratio_low": float(np.nanmin(ratio)),
        "ratio": float(np.nanmedian(ratio)),
        "ratio_high": float(np.nanmax(ratio)),
        "coverage": float(covered.mean()),
        "coverage_low": float(covered.mean(axis=0).min()),
    }


# --- results ---


def write(machine):
    lines = [
        "# Hessians side by side",
        "",
        f"`python benchmarks/hessians.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
    ]
    points, samples = (RESULTS / f"hessians_{part}.csv" for part in ("points", "samples"))
    if points.exists():
        lines += point_lines(pd.read_csv(points))
    if samples.exists():
        lines += sample_lines(pd.read_csv(samples))
    (RESULTS / "hessians.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def point_lines(table):
    lines = [
        "",
        "## At one point",
        "",
        "* *compile*: processor seconds; *ms*: the quickest of five runs; *gradients*: processor time in gradients of the "
        "same run; *MB*: working memory of the compiled computation.",
        "* *error*: largest difference from `jax.hessian`, relative to its largest entry; *eigenvalue*: the smallest, of "
        "the information with its exact diagonal scaled to one.",
        "* *s.e.*: standard errors over those from `jax.hessian`: smallest, median, largest.",
        "* The BFGS inverse is what scipy's optimiser has built when it stops, from the same start; its time is that of the "
        "whole optimisation.",
    ]
    for name, part in table.groupby("problem", sort=False):
        lines += [
            "",
            f"### {name}",
            "",
            "| method | compile | ms | gradients | MB | error | eigenvalue | s.e. |",
        ]
        lines += ["|---|---:|---:|---:|---:|---:|---:|---|"]
        for _, r in part.iterrows():
            numbers = [
                (r["compile"], ".1f"),
                (1e3 * r["wall"], ",.1f"),
                (r["gradients"], ",.1f"),
                (r["megabytes"], ",.0f"),
            ]
            numbers += [(r["error"], ".1e"), (r["eigenvalue"], ".1e")]
            cells = [r["method"], *("" if np.isnan(v) else f"{v:{f}}" for v, f in numbers)]
            ratio = f"{r['se_low']:.3f} / {r['se_median']:.3f} / {r['se_high']:.3f}"
            absent = "" if r["method"] in NO_HESSIAN else "not positive definite"
            lines.append(f"| {' | '.join([*cells, absent if np.isnan(r['se_low']) else ratio])} |")
    return lines


def sample_lines(table):
    lines = [
        "",
        "## Over simulated samples",
        "",
        "* *s.e. / spread*: median standard error over the standard deviation of the estimates, by parameter: smallest, "
        "median, largest. *coverage*: of 95 % intervals, over all parameters, and of the worst one. A sample for which a "
        "kind is not available counts as not covered.",
        "* *lost*: samples that lack a level of an item, did not converge, or whose Hessian is not negative definite.",
        "",
        "![Standard errors over spread, and coverage, by parameters per person](hessians.png)",
        "",
        "| model | P / N | people | samples | lost | kind | available | s.e. / spread | coverage | worst |",
        "|---|---:|---:|---:|---:|---|---:|---|---:|---:|",
    ]
    for _, r in table.iterrows():
        ratio = f"{r['ratio_low']:.2f} / {r['ratio']:.2f} / {r['ratio_high']:.2f}"
        cells = [
            r["model"],
            r["share"],
            r["people"],
            r["samples"],
            r["lost"],
            r["kind"],
            f"{r['available']:.0%}",
        ]
        cells += [ratio, f"{r['coverage']:.1%}", f"{r['coverage_low']:.0%}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def draw():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    table = pd.read_csv(RESULTS / "hessians_samples.csv")
    names = list(dict.fromkeys(table["model"]))
    figure, axes = plt.subplots(2, len(names), figsize=(5.2 * len(names), 7.4), sharex=True, sharey="row")
    for column, name in enumerate(names):
        for kind in KINDS:
            part = table[(table["model"] == name) & (table["kind"] == kind)]
            top, bottom = axes[0, column], axes[1, column]
            low, high = part["ratio"] - part["ratio_low"], part["ratio_high"] - part["ratio"]
            shift = part["share"] * 1.04 ** (KINDS.index(kind) - 1)
            style = {"color": COLOURS[kind], "marker": "o", "lw": 1.7, "label": kind}
            top.errorbar(shift, part["ratio"].clip(upper=2.2), (low, high), capsize=2, **style)
            bottom.plot(shift, part["coverage"], **style)
        axes[0, column].set_title(name, loc="left", fontsize=11.5)
        axes[0, column].axhline(1.0, color="0.4", lw=0.8)
        axes[1, column].axhline(0.95, color="0.4", lw=0.8)
        axes[1, column].set(xlabel="parameters per person", xscale="log", ylim=(0.85, 1.01))
        axes[1, column].set_xticks(SHARES, [str(s) for s in SHARES], minor=False)
        axes[1, column].xaxis.set_minor_formatter("")
        axes[0, column].set_ylim(0.25, 2.2)
    axes[0, 0].set_ylabel("standard error / spread of estimates")
    axes[1, 0].set_ylabel("coverage of 95 % intervals")
    axes[0, 0].legend(frameon=False, loc="upper left")
    for ax in axes.ravel():
        ax.grid(alpha=0.25, lw=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    title = "Standard errors by kind: over parameters, median and range"
    figure.suptitle(title, x=0.02, ha="left", fontsize=13.5, fontweight="bold")
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.savefig(RESULTS / "hessians.png", dpi=130)


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--only", choices=("points", "samples", "picture"))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if options.only in (None, "points"):
        table = pd.concat([one_point(name, build()) for name, build in POINTS.items()])
        table.to_csv(RESULTS / "hessians_points.csv", index=False, float_format="%.6g")
    if options.only in (None, "samples"):
        rows = [r for name in STUDIES for share in SHARES for r in one_size(name, share, options.samples)]
        pd.DataFrame(rows).to_csv(RESULTS / "hessians_samples.csv", index=False, float_format="%.6g")
    write(options.machine)
    if (RESULTS / "hessians_samples.csv").exists():
        draw()


if __name__ == "__main__":
    main()
