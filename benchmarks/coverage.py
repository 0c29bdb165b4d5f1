"""Coverage of the 95 % intervals of every kind of covariance, resampling included.

A panel logit with 15 parameters and six choices a person, from known truth, with 300 people (P / N = 0.05) and with 25
(0.6). Clusters are pairs of people, who have nothing in common here; the bootstrap takes 200 samples of people. An
interval that is not available counts as not covering. `benchmarks/hessians.py` has a hybrid model and more sizes for the
kinds that come without resampling. Writes `results/coverage.md` and `coverage.csv`.

    python benchmarks/coverage.py [--samples 200]
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import hessians
import on_device

RESULTS = Path(__file__).parent / "results"
SIZES = (300, 25)
RESAMPLES = 200
ONE_BY_ONE = ("hessian", "bhhh", "robust", "cluster", "jackknife")


def intervals(fit, kind):
    """Lower and upper ends, or None with the reason why there are none."""
    try:
        return fit.conf_int(0.05, kind)
    except ValueError as error:
        return str(error)


def one_sample(model, people, seed):
    """Whether each kind's intervals cover, and their widths: mappings from kind to an array over parameters."""
    data = hessians.logit_sample(model, seed, people)
    data["pair"] = data["person"] // 2
    fit = model.fit(data, person="person", cluster="pair", start="default", progress=False)
    if not fit.converged:
        return None
    truth = pd.Series(hessians.LOGIT_TRUTH)[list(fit.names)]
    found = {kind: intervals(fit, kind) for kind in ONE_BY_ONE}
    alone = model.fit(data, person="person", start=fit, progress=False)
    resampled = alone.bootstrap(RESAMPLES, seed=seed)
    ends = resampled.intervals()
    found["bootstrap, percentile"] = ends
    found["bootstrap, normal"] = ends[["normal_lower", "normal_upper"]].set_axis(["lower", "upper"], axis=1)
    rows = []
    for kind, frame in found.items():
        known = isinstance(frame, pd.DataFrame)
        covered = ((frame["lower"] <= truth) & (truth <= frame["upper"])).to_numpy() if known else False
        width = (frame["upper"] - frame["lower"]).to_numpy() if known else np.nan
        each = pd.DataFrame({"kind": kind, "parameter": truth.index, "covered": covered, "width": width})
        rows.append(each)
    return pd.concat(rows).assign(people=people, seed=seed, failed=resampled.failed)


def summary(table):
    for people, part in table.groupby("people", sort=False):
        reference = part[part["kind"] == "hessian"].groupby("parameter")["width"].median()
        for kind, mine in part.groupby("kind", sort=False):
            each = mine.groupby("parameter")["covered"].mean()
            widths = mine.groupby("parameter")["width"].median() / reference
            yield {
                "people": people,
                "kind": kind,
                "samples": mine["seed"].nunique(),
                "available": mine["width"].notna().mean(),
                "coverage": each.mean(),
                "worst": each.min(),
                "width": widths.median(),
            }


def write(table, lost, machine):
    rows = pd.DataFrame(summary(table))
    rows.to_csv(RESULTS / "coverage.csv", index=False, float_format="%.5f")
    count = int(rows["samples"].max())
    error = np.sqrt(0.95 * 0.05 / count)
    resampling = table.drop_duplicates(["people", "seed"]).groupby("people")["failed"].mean()
    lines = [
        "# Coverage of 95 % intervals",
        "",
        f"`python benchmarks/coverage.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        "A panel logit with 15 parameters and six choices a person, known truth. *coverage*: over all parameters, and of "
        f"the worst one (Monte-Carlo error of one parameter {error:.1%}). *width*: of the intervals, over those from the "
        "Hessian (medians). An interval that is not available counts as not covering. Clusters are pairs of people "
        f"without anything in common. The bootstrap has {RESAMPLES} samples of people.",
        "",
        "| people | P / N | kind | samples | available | coverage | worst | width |",
        "|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    for r in rows.to_dict("records"):
        lines.append(
            f"| {r['people']} | {15 / r['people']:.2f} | {r['kind']} | {r['samples']} | {r['available']:.0%} | "
            f"{r['coverage']:.1%} | {r['worst']:.0%} | {r['width']:.2f} |"
        )
    lines.append("")
    for people in resampling.index:
        lines.append(
            f"* {people} people: {lost[people]} samples did not converge and are left out; of {RESAMPLES} bootstrap samples "
            f"{resampling[people]:.1f} failed on average."
        )
    (RESULTS / "coverage.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--machine", default="2 shared x86-64 cores", help="the machine in words")
    options = parser.parse_args()
    model, parts, lost = hessians.panel_logit(), [], {}
    for people in SIZES:
        began = time.perf_counter()
        found = [one_sample(model, people, seed) for seed in range(options.samples)]
        kept = [f for f in found if f is not None]
        lost[people] = len(found) - len(kept)
        parts += kept
        print(f"{people} people: {len(kept)} samples, {time.perf_counter() - began:.0f} s", flush=True)
    write(pd.concat(parts, ignore_index=True), lost, options.machine)


if __name__ == "__main__":
    main()
