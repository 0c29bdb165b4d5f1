"""Thirty hard fits (`hard_bank.py`): who reaches the best known maximum, and who says the truth about it.

The default fit of the library beside two plain optimisers on the same likelihood, from the same default start: scipy's
L-BFGS-B, and 1,000 steps of optax's Adam at a rate of 0.05. These know nothing of scales, stages or nodes; nodes are placed
anew at what they find, and they go on, three times. The best known maximum is the highest of all of them and of random
starts (`iclv.multistart`) at which second derivatives say that it is one. All are compared with the nodes of the default
fit, placed at each result. Rows are kept in `results/hard_fits.csv`, those of other cases stay; the table is
`results/hard_fits.md`.

    python benchmarks/hard_fits.py [--only NAME ...] [--first 0] [--last 30] [--table]
"""

import math
import time
import warnings
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import on_device
import optax
import pandas as pd
from hard_bank import BANK, Case
from scipy.optimize import minimize

import iclv_jax as iclv
from iclv_jax._inference._multistart import SPREAD, random_starts
from iclv_jax._optimise import Likelihood

RESULTS = Path(__file__).parent / "results"
SAME = 0.05
"""Points of the log-likelihood within which a maximum is reached; the accuracy of the integral is 0.1 where there is one."""
ROUNDS = 3
ADAM, STEPS = 0.05, 1_000
RANDOM = 10
"""Random starts of the default fit."""


def plain(problem: Any, how: str) -> tuple[np.ndarray, bool]:
    """Estimates of a plain optimiser, and whether it says that it converged."""
    objective: Any = Likelihood(problem, np.ones(len(problem.names), bool))
    z, said = objective.z(problem.start()), False
    for _ in range(ROUNDS if objective.moves else 1):
        objective = objective.recentred(z) if objective.moves else objective
        z, said = (by_scipy if how == "scipy" else by_adam)(objective, z)
    return np.asarray(objective.params(jnp.asarray(z))), said


def by_scipy(objective: Any, z: Any) -> tuple[Any, bool]:
    def value(z: np.ndarray) -> tuple[float, np.ndarray]:
        found = objective.slope(jnp.asarray(z))
        bad = not np.isfinite(float(found.value))
        return (1e10, np.zeros_like(z)) if bad else (float(found.value), np.asarray(found.gradient))

    bounds = list(zip(*objective.bounds(), strict=True))
    end = minimize(
        value, np.asarray(z), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2_000}
    )
    return jnp.asarray(end.x), bool(end.success)


def by_adam(objective: Any, z: Any) -> tuple[Any, bool]:
    lower, upper = map(jnp.asarray, objective.bounds())
    rule = optax.adam(ADAM)
    state, best, least = rule.init(z), z, math.inf
    for _ in range(STEPS):
        found = objective.slope(z)
        if float(found.value) < least:
            best, least = z, float(found.value)
        if not np.isfinite(np.asarray(found.gradient)).all():
            break
        step, state = rule.update(found.gradient, state)
        z = jnp.clip(z + step, lower, upper)
    return best, False


def level(problem: Any, params: np.ndarray) -> float:
    found = float(problem.recentre(jnp.asarray(params)).loglike(jnp.asarray(params)))
    return found if np.isfinite(found) else -math.inf


def stands(problem: Any, params: np.ndarray) -> bool:
    """Whether this is a maximum: a Newton decrement below a tenth, and no direction that curves upwards."""
    placed = problem.recentre(jnp.asarray(params))
    score, hessian = np.asarray(placed.score(params)), -np.asarray(placed.hessian(params))
    if not (np.isfinite(score).all() and np.isfinite(hessian).all() and (np.diag(hessian) > 0.0).all()):
        return False
    unit = 1.0 / np.sqrt(np.diag(hessian))
    values, vectors = np.linalg.eigh(hessian * np.outer(unit, unit))
    return bool(values[0] > 0.0 and ((vectors.T @ (unit * score)) ** 2 / values).sum() < 0.1)


def run(key: str) -> dict[str, Any]:
    case: Case = BANK[key]()
    began, worked = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = case.model.fit(case.data, person=case.person, progress=False, **case.options)
    row: dict[str, Any] = {
        "key": key,
        "case": case.name,
        "maximum": case.maximum,
        "parameters": len(fit.names),
    }
    row["seconds"] = time.perf_counter() - began
    row["cpu_seconds"] = time.process_time() - worked
    row["verdict"] = fit.optimizer_report.verdict.value
    row["remarks"] = "; ".join(fit.optimizer_report.remarks)
    row["accuracy"] = fit.accuracy.error
    ends = {"library": fit.estimates}
    bound: Any = case.model.bind(case.data, person=case.person)
    search = bound.integrate(bound.rule.stages()[0])
    for how in ("scipy", "adam"):
        began = time.perf_counter()
        params, row[f"{how}_says"] = plain(search, how)
        row[f"{how}_seconds"] = time.perf_counter() - began
        ends[how] = params
    if case.maximum:
        found = iclv.multistart(search, case.starts, rounds=2)
        best = np.array([found.best[n] for n in bound.names])
        ends["starts"] = best
        row["starts"] = case.starts
        row["starts_agree"] = int((found.table["loglike"] > found.table["loglike"].max() - SAME).sum())
    begun = random_fits(case, fit)
    if case.maximum:
        ends |= {f"random {k}": params for k, (params, _) in enumerate(begun)}
    levels = {k: level(fit.problem, v) for k, v in ends.items()}
    row["random_starts"] = len(begun)
    row |= {f"loglike_{k}": v for k, v in levels.items() if not k.startswith("random")}
    best = max((levels[k] for k, v in ends.items() if stands(fit.problem, v)), default=max(levels.values()))
    reached = [abs(levels.get(f"random {k}", -math.inf) - best) <= SAME for k in range(len(begun))]
    row["random_reached"] = sum(reached) if case.maximum else None
    row["random_true"] = sum(
        said == (here and case.maximum) for (_, said), here in zip(begun, reached, strict=True)
    )
    return row | told(case, row, levels, best)


def random_fits(case: Case, fit: iclv.Fit) -> list[tuple[np.ndarray, bool]]:
    """Where fits with everything as usual, but from random starts, end; and whether they say that it is a maximum."""
    objective = Likelihood(fit.problem.recentre(fit.problem.start()), np.ones(len(fit.names), bool))
    points, _ = random_starts(objective, RANDOM + 1, 0, SPREAD, iclv.TrustRegion())
    found = []
    for z in points[1:]:
        start = dict(zip(fit.names, np.asarray(objective.params(z)).tolist(), strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                one = case.model.fit(
                    case.data, person=case.person, progress=False, start=start, **case.options
                )
            except ValueError:  # not finite at the start, which says so
                found.append((np.full(len(fit.names), np.nan), False))
                continue
        found.append((one.estimates, one.optimizer_report.verdict.value == "converged"))
    return found


def told(case: Case, row: dict[str, Any], levels: dict[str, float], best: float) -> dict[str, Any]:
    """Who reached the best maximum, and whose verdict is true: success there, and none elsewhere."""
    found: dict[str, Any] = {"best": best}
    says = {"library": row["verdict"] == "converged", "scipy": row["scipy_says"], "adam": None}
    for how, said in says.items():
        reached = abs(levels[how] - best) <= SAME
        found[f"{how}_reached"] = reached if case.maximum else None
        found[f"{how}_true"] = None if said is None else (said == reached if case.maximum else not said)
    return found


def table(frame: pd.DataFrame) -> str:
    lines = [
        "# Hard fits",
        "",
        f"`python benchmarks/hard_fits.py`, iclv_jax {iclv.__version__}, two shared cores of a CPU.",
        "",
        "* *reached*: within 0.05 points of the best known maximum, by the default fit, scipy's L-BFGS-B and Adam from the "
        "same start.",
        "* *true*: the verdict says success at the best known maximum, and not elsewhere or where there is none. Adam says "
        "nothing.",
        f"* *random*: of {RANDOM} default fits from random starts, how many reach it, and how many verdicts are true.",
        "* *below*: points below the best known maximum.",
        "* *s*: with compilation, on a machine that others used too; *CPU s* counts this process alone. What is compiled "
        "for one case serves the next of the same shapes, so that some take less than a second.",
        "",
        "| case | parameters | library: below | verdict | s | CPU s | random: reached | true | L-BFGS-B: below | says | s | "
        "Adam: below | s |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for _, r in frame.iterrows():
        below = {k: _below(r, k) for k in ("library", "scipy", "adam")}
        mark = "" if r["library_true"] is not False and str(r["library_true"]) != "False" else " (untrue)"
        says = "success" if r["scipy_says"] else "failure"
        lines.append(
            f"| {r['case']} | {r['parameters']} | {below['library']} | {r['verdict']}{mark} | {r['seconds']:.1f} | "
            f"{r['cpu_seconds']:.1f} | {counted(r, 'reached')} | {counted(r, 'true')} | {below['scipy']} | {says} | "
            f"{r['scipy_seconds']:.1f} | {below['adam']} | {r['adam_seconds']:.1f} |"
        )
    lines += ["", "| | reached | true verdict |", "|---|---:|---:|"]
    for how, label in (("library", "default fit"), ("scipy", "L-BFGS-B"), ("adam", "Adam")):
        lines.append(f"| {label} | {share(frame[f'{how}_reached'])} | {share(frame[f'{how}_true'])} |")
    if "random_true" in frame and frame["random_true"].notna().any():
        some = frame[frame["random_true"].notna()]
        each, ends = int(some["random_starts"].sum()), some[some["random_reached"].notna()]
        share_reached = f"{int(ends['random_reached'].sum())} of {int(ends['random_starts'].sum())}"
        lines.append(
            f"| default fits from random starts | {share_reached} | {int(some['random_true'].sum())} of {each} |"
        )
    absent = [key for key in BANK if key not in set(frame["key"])]
    if absent:
        lines += ["", f"Not run: {', '.join(absent)}."]
    return "\n".join(lines) + "\n"


def counted(row: pd.Series, what: str) -> str:
    value = row.get(f"random_{what}")
    return "" if value is None or pd.isna(value) else str(int(value))


def _below(row: pd.Series, how: str) -> str:
    if str(row["maximum"]) == "False":
        return "no maximum"
    gap = row["best"] - row[f"loglike_{how}"]
    return f"{max(gap, 0.0):.2f}" if np.isfinite(gap) else "not finite"


def share(marks: pd.Series) -> str:
    known = [str(m) == "True" for m in marks if str(m) in ("True", "False")]
    return f"{sum(known)} of {len(known)}" if known else "says nothing"


def main() -> None:
    parser = on_device.parser(__doc__)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=len(BANK))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "hard_fits.csv"
    chosen = [] if given.table else (given.only or list(BANK)[given.first : given.last])
    for key in chosen:
        row = run(key)
        print(
            ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()),
            flush=True,
        )
        known = pd.read_csv(file) if file.exists() else pd.DataFrame()
        kept = known[known["key"] != key] if len(known) else known
        frame = pd.concat([kept, pd.DataFrame([row])]) if len(kept) else pd.DataFrame([row])
        order = {k: i for i, k in enumerate(BANK)}
        frame = frame.sort_values("key", key=lambda s: s.map(order))
        frame.to_csv(file, index=False)
    if file.exists():
        (RESULTS / "hard_fits.md").write_text(table(pd.read_csv(file)), encoding="utf-8")


if __name__ == "__main__":
    main()
