"""What the stated error of the log-likelihood is worth: beside the actual one, by rule and number of nodes.

Five problems whose posteriors are more or less skewed, at the parameters that made their data: four independent lognormal
coefficients; two lognormal and two normal ones, all correlated; two correlated lognormals; two normal coefficients with
three binary choices per person; three latent variables with binary items. The truth is a grid of 100 by 100 nodes at each
posterior in two dimensions, else 16 seeds of 8,192 draws placed at posterior means with some from the prior; what it errs by
is taken off the actual error. The rules are those that a default fit takes: of its search, of its end, draws at posterior
means where these are not accurate enough, and what `accuracy=0.1` makes of it. Of each, bias and root mean square error of
log L over 40 seeds, the stated error (its root mean square over 20 seeds) over that, and the time of one log-likelihood with
its placement. The actual error of 40 seeds is itself known to a ninth. Rows are kept in `results/stated_errors.csv`; then
`stated_errors.md` and `.png`.

    python benchmarks/stated_errors.py [--only PROBLEM ...] [--table]
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import on_device
import pandas as pd

import iclv_jax as iclv
from iclv_jax._problem._accuracy import FIRST_SEED, SEEDS, accuracy
from iclv_jax._problem._target import suited

RESULTS = Path(__file__).parent / "results"
TRUTH, TRUTHS = 8_192, 16
REPEATS, STATED = 40, 20
EXACT = 100
"""Nodes of the grid in each of two dimensions."""
PEOPLE = 388
NAMES = {
    "lognormals": "four lognormals",
    "mixed": "two lognormals, two normals, correlated",
    "correlated": "two correlated lognormals",
    "few": "two normals, three choices",
    "items": "three latent variables, binary items",
}
RULES = {
    "spheres at modes": "#0072B2",
    "grid at modes": "#CC79A7",
    "draws at means": "#D55E00",
    "accuracy=0.1": "#009E73",
}


def trips(rows: int, seed: int = 5) -> pd.DataFrame:
    """Binary choices by time, cost, headway and number of changes."""
    g = np.random.default_rng(seed)
    found = pd.DataFrame({"id": np.repeat(np.arange(PEOPLE), rows)})
    for name, (low, high) in {"t": (20, 60), "c": (5, 25), "h": (15, 60)}.items():
        for j in (1, 2):
            found[f"{name}{j}"] = g.uniform(low, high, len(found))
    for j in (1, 2):
        found[f"n{j}"] = g.integers(0, 3, len(found)).astype(float)
    return found


def choosing(names: str, random: dict[str, Any], covariances: Any = ()) -> iclv.Model:
    def utility(b, x, lv):
        return {j: sum(b[k] * x[f"{k}{j}"] for k in names) for j in (1, 2)}

    return iclv.Model(choice=iclv.Logit(utility, "y"), random=random, covariances=covariances)


def lognormals() -> tuple[iclv.Model, pd.DataFrame, dict[str, float]]:
    means, spreads = (-2.0, -1.0, -2.9, 0.63), (0.45, 1.0, 0.83, 0.85)
    truth = dict(zip("tchn", means, strict=True)) | {
        f"{k}.sd": s for k, s in zip("tchn", spreads, strict=True)
    }
    return choosing("tchn", dict.fromkeys("tchn", iclv.LogNormal(sign=-1))), trips(9), truth


def mixed() -> tuple[iclv.Model, pd.DataFrame, dict[str, float]]:
    random = {
        "t": iclv.LogNormal(sign=-1),
        "c": iclv.LogNormal(sign=-1),
        "h": iclv.Normal(),
        "n": iclv.Normal(),
    }
    pairs = [(a, b) for i, a in enumerate("tchn") for b in "tchn"[:i]]
    truth = {"t": -2.0, "c": -1.0, "h": -0.07, "n": -1.9, "t.sd": 0.6, "c.sd": 1.0, "h.sd": 0.05, "n.sd": 1.5}
    spread = [truth[f"{k}.sd"] for k in "tchn"]
    model = choosing("tchn", random, pairs)
    for i, a in enumerate("tchn"):
        for j, b in enumerate("tchn"[:i]):
            truth[_name(model, a, b)] = 0.4 * spread[i] * spread[j]
    return model, trips(9), truth


def correlated() -> tuple[iclv.Model, pd.DataFrame, dict[str, float]]:
    model = choosing("tc", dict.fromkeys("tc", iclv.LogNormal(sign=-1)), [("c", "t")])
    truth = {"t": -2.0, "c": -1.0, "t.sd": 0.6, "c.sd": 1.0, _name(model, "c", "t"): 0.4}
    return model, trips(9), truth


def few() -> tuple[iclv.Model, pd.DataFrame, dict[str, float]]:
    model = choosing("tc", {"t": iclv.Normal(), "c": iclv.Normal()})
    return model, trips(3), {"t": -0.12, "c": -0.3, "t.sd": 0.1, "c.sd": 0.25}


def items() -> tuple[iclv.Model, pd.DataFrame, dict[str, float]]:
    names = ("one", "two", "three")
    latents = [iclv.Latent(n, on=["age"]) for n in names]
    asked = [iclv.Ordered(f"{n}{i}", of=n) for n in names for i in range(4)]

    def utility(b, x, lv):
        return {1: b.asc + b.cost * x.c1 + sum(b[f"att_{n}"] * lv[n] for n in names), 2: b.cost * x.c2}

    frame = trips(1).assign(age=np.random.default_rng(1).normal(size=PEOPLE))
    truth = {"asc": 0.2, "cost": -0.1} | {f"att_{n}": 0.7 for n in names} | {f"{n} ~ age": 0.4 for n in names}
    g = np.random.default_rng(2)
    for n in names:
        for i in range(4):
            frame[f"{n}{i}"] = g.integers(0, 2, PEOPLE)
            truth |= {f"{n} =~ {n}{i}": 1.0 + 0.2 * i, f"{n}{i} | 1": 0.3 * (i - 1.5)}
    return iclv.Model(latents, asked, iclv.Logit(utility, "y")), frame, truth


def _name(model: iclv.Model, one: str, other: str) -> str:
    """What the model calls a covariance."""
    names = [f"{one} ~~ {other}", f"{other} ~~ {one}"]
    data = trips(1)
    known = model.bind(data.assign(y=np.arange(len(data)) % 2 + 1), person="id").names
    return next(n for n in names if n in known)


PROBLEMS = {f.__name__: f for f in (lognormals, mixed, correlated, few, items)}


def drawn(count: int) -> Any:
    return iclv.Adaptive(count, "sobol", final_draws=count, proposal="mean")


def rules(problem: Any, params: Any) -> Iterator[tuple[str, Any]]:
    for rule in problem.rule.stages():
        yield ("grid at modes" if rule.reseeded(0) is None else "spheres at modes"), rule
    for count in (256, 1_024):
        yield "draws at means", drawn(count)
    yield "accuracy=0.1", suited(problem, problem.rule.stages()[-1], params, 0.1)[0]


def exact(problem: Any, params: Any) -> tuple[float, float]:
    """Log L, and the standard error of that."""
    if problem.core.structure.dimension == 2:
        return float(_at(problem, iclv.GaussHermite(EXACT), params).sum()), 0.0
    several = [np.asarray(_at(problem, drawn(TRUTH).reseeded(s), params)) for s in range(TRUTHS)]
    each = np.logaddexp.reduce(several, axis=0) - np.log(TRUTHS)
    return float(each.sum()), float(np.std([e.sum() for e in several], ddof=1) / np.sqrt(TRUTHS))


def run(key: str) -> Iterator[dict[str, Any]]:
    model, frame, truth = PROBLEMS[key]()
    data = model.simulate(truth, frame.assign(y=1), seed=3, person="id")
    problem: Any = model.bind(data, person="id")
    params = problem.vector(truth)
    value, error = exact(problem, params)
    print(f"{key}: log L {value:.4f} +- {error:.4f}", flush=True)
    for name, rule in rules(problem, params):
        row = {"problem": key, "rule": name, "truth": value, "truth_error": error} | measured(
            problem, rule, params, value, error
        )
        print(
            "  " + ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items()),
            flush=True,
        )
        yield row


def measured(problem: Any, rule: Any, params: Any, value: float, truth_error: float) -> dict[str, Any]:
    errors, stated, seconds = [], [], []
    for seed in range(REPEATS):
        own = rule.reseeded(100 + seed)
        if own is None and seed:
            break
        began = time.perf_counter()
        placed = problem.integrate(rule if own is None else own).recentre(params)
        errors.append(float(placed.loglike(params)) - value)
        seconds.append(time.perf_counter() - began)
        if seed < STATED:
            stated.append(accuracy(placed, params, FIRST_SEED + 4 * SEEDS * seed + 1).error)
    rms = float(np.sqrt(max(np.mean(np.square(errors)) - truth_error**2, 0.0)))
    said = float(np.sqrt(np.mean(np.square(stated))))
    found = {
        "nodes": placed.core.people.node_count,
        "bias": float(np.mean(errors)),
        "rms": rms,
        "stated": said,
    }
    return found | {"ratio": said / rms, "seconds": min(seconds[1:], default=seconds[0])}


def _at(problem: Any, rule: Any, params: Any) -> Any:
    return problem.integrate(rule).recentre(params).loglike_person(params)


def table(frame: pd.DataFrame) -> str:
    lines = [
        "# Stated and actual error of the log-likelihood",
        "",
        f"`python benchmarks/stated_errors.py`, iclv_jax {iclv.__version__}, two shared cores; {REPEATS} seeds of each "
        f"rule, the stated error of {STATED}.",
        "",
    ]
    for key, part in frame.groupby("problem", sort=False):
        first = part.iloc[0]
        lines += [f"## {NAMES[str(key)]}: {first['truth']:.4f} +- {first['truth_error']:.4f}", ""]
        lines += [
            "| rule | nodes | bias | rms error | stated | stated / actual | s |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {r['rule']} | {r['nodes']:,} | {r['bias']:+.3f} | {r['rms']:.3f} | {r['stated']:.3f} | {r['ratio']:.2f} | "
            f"{r['seconds']:.2f} |"
            for _, r in part.iterrows()
        ]
        unfinished = "accuracy=0.1" not in set(part["rule"])
        lines += ["", "Stopped here; the other rules were not run.", ""] if unfinished else [""]
    absent = [k for k in PROBLEMS if k not in set(frame["problem"])]
    return "\n".join(lines + ([f"Not run: {'; '.join(NAMES[k] for k in absent)}.", ""] if absent else []))


def draw(frame: pd.DataFrame) -> None:
    import matplotlib.pyplot as plt

    keys = list(dict.fromkeys(frame["problem"]))
    figure, axes = plt.subplots(
        1, len(keys), figsize=(3.1 * len(keys), 3.2), sharey=True, layout="constrained", squeeze=False
    )
    for axis, key in zip(axes[0], keys, strict=True):
        part = frame[frame["problem"] == key]
        for rule, colour in RULES.items():
            mine = part[part["rule"] == rule].sort_values("nodes")
            axis.loglog(mine["nodes"], mine["rms"], "o-", color=colour, ms=4, label=rule)
            axis.loglog(mine["nodes"], mine["stated"], ":", color=colour, marker="_", ms=8)
        axis.axhline(0.1, color="#cccccc", lw=0.8, zorder=0)
        axis.set_title(NAMES[key], fontsize=8)
        axis.set_xlabel("nodes per person")
    axes[0][0].set_ylabel("error of log L (dotted: stated)")
    axes[0][-1].legend(fontsize=7)
    figure.savefig(RESULTS / "stated_errors.png", dpi=130)


def main() -> None:
    parser = on_device.parser(__doc__)
    parser.add_argument("--only", nargs="*", default=list(PROBLEMS))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "stated_errors.csv"
    for key in [] if given.table else given.only:
        known = pd.read_csv(file) if file.exists() else pd.DataFrame({"problem": []})
        kept, rows = known[known["problem"] != key], []
        for row in run(key):
            # Kept as they come: a problem takes minutes.
            rows.append(row)
            frame = pd.concat([kept, pd.DataFrame(rows)]) if len(kept) else pd.DataFrame(rows)
            frame = frame.sort_values("problem", key=lambda s: s.map(list(PROBLEMS).index), kind="stable")
            frame.to_csv(file, index=False)
    frame = pd.read_csv(file)
    (RESULTS / "stated_errors.md").write_text(table(frame), encoding="utf-8")
    draw(frame)


if __name__ == "__main__":
    main()
