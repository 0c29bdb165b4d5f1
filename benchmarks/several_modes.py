"""Posteriors with several modes: errors of the log-likelihood by rule, and what second derivatives cost.

200 people with six choices each belong to one of two classes, on which one latent variable has opposite effects, and
answer no, three or eight binary items. At the parameters that made the data the truth is a trapezoid rule of 1,601 points.
Draws are placed at one mode of every posterior, or in parts at the modes of the classes; of each the error of log L over 20
seeds, and the error that is stated (its root mean square over 10 of them). The last rule is the one that a fit takes for
`accuracy=0.1`. Of the model with items, the time of the exact Hessian in gradients, the least of five runs each. Writes
`results/several_modes.md` and `several_modes.csv`.

    python benchmarks/several_modes.py
"""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import on_device
import pandas as pd

import iclv_jax as iclv
from iclv_jax._problem import _evaluated
from iclv_jax._problem._accuracy import accuracy
from iclv_jax._problem._target import suited

RESULTS = Path(__file__).parent / "results"
PEOPLE, ROWS, SEEDS, STATED = 200, 6, 20, 10
TRUTH = iclv.Trapezoid(1601)


def problem(items: int) -> tuple[Any, Any]:
    """The model on simulated data, and the parameters that made them."""

    def member(sign: float) -> iclv.Logit:
        return iclv.Logit(lambda b, x, lv: {1: sign * b.att * lv.mood * x.x + b.cost * x.c, 0: 0.0}, "y")

    classes = {"for": member(1.0), "against": member(-1.0)}
    choice = iclv.LatentClasses(lambda b, x, lv: {"for": b.m, "against": 0.0}, classes)
    names = [f"q{i + 1}" for i in range(items)]
    model = iclv.Model(iclv.Latent("mood"), [iclv.Binary(q, "mood") for q in names], choice)
    g = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), ROWS), "x": g.normal(size=PEOPLE * ROWS)})
    frame["c"], frame["y"] = g.normal(size=len(frame)), np.arange(len(frame)) % 2
    for q in names:
        frame[q] = np.repeat(np.arange(PEOPLE) % 2, ROWS)
    truth = {"m": 0.2, "att": 2.5, "cost": -0.5}
    truth |= {f"mood =~ {q}": 1.5 for q in names} | {f"{q} ~ 1": 0.0 for q in names}
    found = model.bind(model.simulate(truth, frame, seed=1, person="id"), person="id")
    return found, found.vector({n: truth[n] for n in found.names})


def draws(count: int, proposal: str) -> iclv.Adaptive:
    return iclv.Adaptive(count, "sobol", final_draws=count, proposal=proposal)


def errors(bound: Any, params: Any, rule: Any, truth: float) -> tuple[np.ndarray, float]:
    """Of log L by seed (one where there is no seed), and the stated one."""
    several = [r for s in range(SEEDS) if (r := rule.reseeded(s)) is not None] or [rule]
    placed = [bound.integrate(r).recentre(params) for r in several]
    off = np.array([float(p.loglike(params)) for p in placed]) - truth
    stated = [accuracy(p, params).error for p in placed[:STATED]]
    return off, float(np.sqrt(np.mean(np.square(stated))))


def by_rule(items: int) -> list[dict[str, Any]]:
    bound, params = problem(items)
    truth = float(bound.integrate(TRUTH).loglike(params))
    rules = {f"{count} at {where}": draws(count, p) for count in (20, 128) for where, p in PLACES.items()}
    rules["grid of 15"] = iclv.GaussHermite(15)
    rules["accuracy=0.1"] = suited(bound, bound.rule.stages()[-1], params, 0.1)[0]
    rows = []
    for name, rule in rules.items():
        off, stated = errors(bound, params, rule, truth)
        rows.append(
            {"items": items, "rule": name, "nodes": rule.size(1), "mean": off.mean(), "sd": off.std()}
        )
        rows[-1] |= {"rms": np.sqrt((off**2).mean()), "stated": stated}
        print(rows[-1], flush=True)
    return rows


PLACES = {"one mode": "mode", "the classes' modes": "classes"}


def seconds(function: Any) -> float:
    """Of the quickest of five runs behind the first."""
    jax.block_until_ready(function())
    found = []
    for _ in range(5):
        began = time.perf_counter()
        jax.block_until_ready(function())
        found.append(time.perf_counter() - began)
    return min(found)


def cost(items: int) -> dict[str, float]:
    bound, params = problem(items)
    placed = bound.integrate(draws(128, "classes")).recentre(params)
    gradient = seconds(lambda: _evaluated.slope_at_once(placed.core, params))
    exact = seconds(lambda: _evaluated.expand_exact(placed.core, params))
    return {"items": items, "parameters": len(params), "gradients": exact / gradient}


def line(row: dict[str, Any]) -> str:
    spread = "" if row["sd"] == 0.0 else f" ± {row['sd']:.2f}"
    error = f"{row['mean']:+.2f}{spread} | {row['rms']:.3f} | {row['stated']:.3f}"
    return f"| {row['items']} | {row['rule']} | {row['nodes']} | {error} |"


def main() -> None:
    on_device.parser(__doc__).parse_args()
    rows = [row for items in (0, 3, 8) for row in by_rule(items)]
    pd.DataFrame(rows).to_csv(RESULTS / "several_modes.csv", index=False, lineterminator="\n")
    costs = [cost(items) for items in (3, 8)]
    text = [
        "# Posteriors with several modes",
        "",
        f"`python benchmarks/several_modes.py`, JAX {jax.__version__}, iclv_jax {iclv.__version__}, one shared core.",
        "",
        f"{PEOPLE} people with {ROWS} choices each in two classes, on which a latent variable has opposite effects, and "
        f"binary items. *error*: of log L against a trapezoid rule, mean and standard deviation over {SEEDS} seeds; *rms*: "
        "its root mean square; *stated*: the root mean square of the error that is stated. `accuracy=0.1` is the rule "
        "that a default fit takes.",
        "",
        "| items | nodes | of them | error | rms | stated |",
        "|---:|---|---:|---:|---:|---:|",
        *map(line, rows),
        "",
        "## The exact Hessian",
        "",
        *(
            f"* With {c['items']} items ({c['parameters']} parameters) it takes {c['gradients']:.1f} gradients."
            for c in costs
        ),
        "",
    ]
    (RESULTS / "several_modes.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
