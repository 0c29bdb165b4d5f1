"""Coverage of 95 % intervals of default fits of two models that are hard on an interval, over simulated samples.

*hybrid*: two latent variables with a path between them, each on the scale of its first item (loading 1, variance free), two
ordered items and two continuous ones, and a panel logit that both attitudes enter. *lognormals*: four lognormal
coefficients, three alternatives. Standard errors are those of the Hessian, and the sandwich's beside them. A sample whose
fit does not converge is counted and left out. Of each parameter: coverage, bias in standard deviations of the estimates,
and the mean standard error over that standard deviation. Rows are kept by sample in `results/coverage_models.csv`, and what
is there is not run again; the table is `results/coverage_models.md`.

    OMP_NUM_THREADS=1 python benchmarks/coverage_models.py [--only hybrid | lognormals] [--samples 100] [--table]
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import on_device
import pandas as pd
from scipy.stats import norm
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
FILE = RESULTS / "coverage_models.csv"
KINDS = ("hessian", "robust")
NOMINAL = 0.95
WIDE = float(norm.ppf(0.5 + NOMINAL / 2.0))
OUT = 3.0
"""Monte-Carlo errors from what is due beyond which a parameter is named."""


@dataclass(frozen=True)
class Study:
    title: str
    people: int
    rows: int
    truth: dict[str, float]
    model: Callable[[], iclv.Model]
    frame: Callable[[np.random.Generator, int, int], pd.DataFrame]


# --- a hybrid on the scale of its markers ---


def attitudes() -> iclv.Model:
    def utility(b, x, lv):
        return {
            "car": b.asc_car + b.time * x.time_car + b.cost * x.cost_car + b.comfort_car * lv.comfort,
            "bus": b.asc_bus + b.time * x.time_bus + b.cost * x.cost_bus + b.green_bus * lv.green,
            "bicycle": b.time * x.time_bicycle,
        }

    levels = (1, 2, 3)
    return iclv.Model(
        latent=[
            iclv.Latent("green", on=["age"], scale="loading"),
            iclv.Latent("comfort", on=["green", "income"], scale="loading"),
        ],
        indicators=[
            *(iclv.Ordered(f"g{i}", of="green", levels=levels) for i in (1, 2, 3)),
            *(iclv.Continuous(f"c{i}", of="comfort") for i in (1, 2)),
            iclv.Ordered("c3", of="comfort", levels=levels),
        ],
        choice=iclv.Logit(utility, chosen="mode"),
    )


ATTITUDES = {
    "green ~ age": -0.4,
    "green ~~ green": 0.8,
    "comfort ~ green": -0.5,
    "comfort ~ income": 0.4,
    "comfort ~~ comfort": 0.6,
    "g1 | 1": -0.8,
    "g1 | 2": 0.9,
    "green =~ g2": -0.9,
    "g2 | 1": -1.1,
    "g2 | 2": 0.3,
    "green =~ g3": 1.3,
    "g3 | 1": -0.5,
    "g3 | 2": 1.2,
    "c1 ~ 1": 3.0,
    "c1 ~~ c1": 0.6,
    "c2 ~ 1": 2.5,
    "comfort =~ c2": -0.8,
    "c2 ~~ c2": 0.8,
    "comfort =~ c3": 1.1,
    "c3 | 1": -0.9,
    "c3 | 2": 0.6,
    "asc_car": 0.8,
    "asc_bus": 0.3,
    "time": -1.5,
    "cost": -0.8,
    "comfort_car": 0.8,
    "green_bus": 0.6,
}


def travellers(g: np.random.Generator, people: int, rows: int) -> pd.DataFrame:
    modes = {"time": ("car", "bus", "bicycle"), "cost": ("car", "bus")}
    ends = {"time": (0.2, 1.5), "cost": (0.5, 4.0)}
    each = {name: np.repeat(g.standard_normal(people), rows) for name in ("age", "income")}
    columns = {f"{a}_{m}": g.uniform(*ends[a], people * rows) for a, names in modes.items() for m in names}
    return pd.DataFrame({"person": np.repeat(np.arange(people), rows), **each, **columns})


# --- four lognormal coefficients ---

NAMES = "tchn"


def lognormals() -> iclv.Model:
    def utility(b, x, lv):
        return {j: sum(b[k] * x[f"{k}{j}"] for k in NAMES) for j in range(3)}

    return iclv.Model(
        choice=iclv.Logit(utility, "mode"), random=dict.fromkeys(NAMES, iclv.LogNormal(sign=-1))
    )


MEANS, SPREADS = (-0.5, 0.0, -0.8, -0.2), (0.6, 0.8, 0.7, 0.5)
LOGNORMALS = dict(zip(NAMES, MEANS, strict=True)) | {
    f"{k}.sd": s for k, s in zip(NAMES, SPREADS, strict=True)
}


def trips(g: np.random.Generator, people: int, rows: int) -> pd.DataFrame:
    columns = {f"{k}{j}": g.uniform(0.0, 3.0, people * rows) for k in NAMES for j in range(3)}
    return pd.DataFrame({"person": np.repeat(np.arange(people), rows), **columns})


STUDIES = {
    "hybrid": Study(
        "a hybrid with two latent variables, marker scale", 250, 4, ATTITUDES, attitudes, travellers
    ),
    "lognormals": Study("four lognormal coefficients", 200, 10, LOGNORMALS, lognormals, trips),
}


def one_sample(study: Study, model: iclv.Model, seed: int) -> pd.DataFrame:
    """Estimates and standard errors of a default fit to one sample, a row for each parameter."""
    frame = study.frame(np.random.default_rng(seed), study.people, study.rows)
    data = model.simulate(study.truth, frame, seed=seed, person="person")
    began = time.perf_counter()
    fit = model.fit(data, person="person", progress=False)
    seconds = time.perf_counter() - began
    errors = {kind: np.sqrt(np.diag(fit.cov_params(kind))) for kind in KINDS} if fit.converged else {}
    return pd.DataFrame(
        {
            "seed": seed,
            "verdict": fit.optimizer_report.verdict.value,
            "seconds": round(seconds, 2),
            "parameter": list(fit.names),
            "truth": [study.truth[n] for n in fit.names],
            "estimate": fit.estimates,
            **{kind: errors.get(kind, np.nan) for kind in KINDS},
        }
    )


def by_parameter(part: pd.DataFrame) -> pd.DataFrame:
    """Coverage, bias and size of standard errors over the samples that converged."""
    rows = []
    for name, mine in part[part["verdict"] == "converged"].groupby("parameter", sort=False):
        gap, spread = mine["estimate"] - mine["truth"], mine["estimate"].std()
        row = {"parameter": name, "truth": mine["truth"].iloc[0], "samples": len(mine)}
        row |= {"bias": gap.mean() / spread, "median": gap.median() / spread}
        for kind in KINDS:
            row[f"{kind} covers"] = (gap.abs() <= WIDE * mine[kind]).mean()
            row[f"{kind} over sd"] = mine[kind].mean() / spread
        rows.append(row)
    return pd.DataFrame(rows)


def section(key: str, part: pd.DataFrame) -> list[str]:
    study, table = STUDIES[key], by_parameter(part)
    count = int(table["samples"].max())
    error = np.sqrt(NOMINAL * (1.0 - NOMINAL) / count)
    verdicts = part.drop_duplicates("seed")["verdict"].value_counts()
    seconds = part.drop_duplicates("seed")["seconds"].median()
    said = ", ".join(f"{n} {v}" for v, n in verdicts.items())
    lines = [
        f"## {study.title[0].upper()}{study.title[1:]}",
        "",
        f"{study.people} people with {study.rows} choices each, {len(table)} parameters; {verdicts.sum()} samples: {said}. "
        f"Median time of a fit {seconds:.1f} s. Monte-Carlo error of one parameter's coverage {error:.1%}, of a bias "
        f"{1.0 / np.sqrt(count):.2f}.",
        "",
        "| parameter | truth | bias | median | hessian: coverage | se / sd | robust: coverage | se / sd |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in table.to_dict("records"):
        name = r["parameter"].replace("|", "\\|")
        lines.append(
            f"| `{name}` | {r['truth']:.2f} | {r['bias']:+.2f} | {r['median']:+.2f} | {r['hessian covers']:.0%} | "
            f"{r['hessian over sd']:.2f} | {r['robust covers']:.0%} | {r['robust over sd']:.2f} |"
        )
    means = table[[f"{k} {what}" for k in KINDS for what in ("covers", "over sd")]].mean()
    lines.append(
        f"| mean | | | | {means['hessian covers']:.1%} | {means['hessian over sd']:.2f} | {means['robust covers']:.1%} | "
        f"{means['robust over sd']:.2f} |"
    )
    return [*lines, "", *out_of_line(table, count, error), ""]


def out_of_line(table: pd.DataFrame, count: int, error: float) -> list[str]:
    """What is furthest from what is due, and how often chance takes one of as many parameters as far."""
    gaps = {
        "coverage by the Hessian": (table["hessian covers"] - NOMINAL) / error,
        "bias": table["bias"] * np.sqrt(count),
    }
    found = []
    for what, gap in gaps.items():
        far = int(gap.abs().argmax())
        chance = 1.0 - (1.0 - 2.0 * norm.sf(abs(gap[far]))) ** len(gap)
        beyond = [f"`{n}`" for n, g in zip(table["parameter"], gap, strict=True) if abs(g) > OUT]
        found.append(
            f"* {what[0].upper()}{what[1:]} more than {OUT:.0f} Monte-Carlo errors from what is due: "
            f"{', '.join(beyond) or 'none'}. Furthest is `{table['parameter'][far]}` with {gap[far]:+.1f}; of {len(gap)} "
            f"independent ones one is as far in {chance:.0%} of studies."
        )
    return found


def write(rows: pd.DataFrame, wanted: int) -> None:
    lines = [
        "# Coverage of 95 % intervals by model",
        "",
        f"`python benchmarks/coverage_models.py`, iclv_jax {iclv.__version__}, one core of a shared CPU.",
        "",
        "Default fits of simulated samples. *bias*, *median*: mean and median of the estimates less the truth, in standard "
        "deviations of the estimates; *coverage*: share of 95 % intervals that hold the truth; *se / sd*: mean standard "
        "error over the standard deviation of the estimates. What does not converge is counted and left out.",
        "",
    ]
    for key in STUDIES:
        part = rows[rows["study"] == key]
        if len(part):
            lines += section(key, part)
            if part["seed"].nunique() < wanted:
                lines += [f"{part['seed'].nunique()} of {wanted} samples were run.", ""]
    (RESULTS / "coverage_models.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main() -> None:
    parser = on_device.parser(__doc__)
    parser.add_argument("--only", nargs="*", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument(
        "--table", action="store_true", help="the table of what is there, without running any"
    )
    options = parser.parse_args()
    rows = pd.read_csv(FILE) if FILE.exists() else pd.DataFrame(columns=["study", "seed"])
    # In turn, so that a run that is cut short has as many of each.
    for seed in range(0 if options.table else options.samples):
        for key in options.only:
            if ((rows["study"] == key) & (rows["seed"] == seed)).any():
                continue
            study = STUDIES[key]
            found = one_sample(study, study.model(), seed).assign(study=key)
            rows = pd.concat([rows, found], ignore_index=True) if len(rows) else found
            rows.to_csv(FILE, index=False, float_format="%.6g")
            first = found.iloc[0]
            print(key, seed, first["verdict"], first["seconds"], flush=True)
    write(rows, options.samples)


if __name__ == "__main__":
    main()
