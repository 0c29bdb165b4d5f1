"""The whole fit of the reference workload, from the data frame to the printed summary with exact standard errors.

The survey of `iclv.datasets.sugar_substitutes` (328 people, six choices each, 38 ordered items, five latent variables, 205
parameters) with all defaults: 126 nodes per person in the last stage. *cold* is the first fit of a process, compilation
included; *warm* the second; *cached* the first fit of a process that finds the compiled functions of an earlier one in
JAX's persistent cache. Then ten starts: the default one and nine far from it. Writes `results/whole_fit.md` and `.csv`.

    python benchmarks/whole_fit.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import on_device
import pandas as pd

import iclv_jax as iclv
from iclv_jax._optimise import Likelihood
from iclv_jax._optimise._scaling import find_scale

RESULTS = Path(__file__).parent / "results"
REPEATS = 3
STARTS = 10
SPREAD = 0.5
"""Random starts: normal, with this standard deviation in units of one over the root mean squared score."""


def fit(survey, start="sequential"):
    """The fit with its summary, and its wall and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    found = survey.model.fit(survey.data, person="person", start=start, progress=False)
    str(found.summary())
    return found, time.perf_counter() - wall, time.process_time() - processor


def one_process():
    survey = iclv.datasets.sugar_substitutes()
    print(json.dumps([fit(survey)[1:] for _ in range(2)]))


def in_a_new_process(cache=None):
    """(wall, processor) of the first and of the second fit."""
    known = (
        {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        if cache
        else {}
    )
    command = [sys.executable, __file__, "--one"]
    text = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **known}
    ).stdout
    return json.loads(text)


def times():
    cold, warm = zip(*(in_a_new_process() for _ in range(REPEATS)), strict=True)
    with tempfile.TemporaryDirectory() as cache:
        in_a_new_process(cache)
        cached = [in_a_new_process(cache)[0] for _ in range(REPEATS)]
    return {"cold": cold, "cached": cached, "warm": warm}


def from_many_starts(survey):
    problem = survey.model.bind(survey.data, person="person")
    objective = Likelihood(problem.recentre(problem.start()), np.ones(len(problem.names), bool))
    z = np.asarray(objective.z(problem.start()))
    scale = find_scale(objective, "scores", jnp.asarray(z)).values
    noise = np.random.default_rng(0).standard_normal((STARTS, len(z)))
    noise[0] = 0.0
    rows = []
    for number, e in enumerate(noise):
        values = problem.unpack(objective.params(jnp.asarray(z + SPREAD * scale * e)))
        start = {name: float(v) for name, v in values.items()}
        found, wall, _ = fit(survey, start)
        at = jnp.asarray(found.start)
        rows.append(
            {
                "start": number,
                "loglike_at_start": float(problem.recentre(at).loglike(at)),
                "verdict": found.optimizer_report.verdict.value,
                "loglike": found.llf,
                "steps": len(found.trace),
                "seconds": wall,
            }
        )
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def write(measured, starts, machine):
    lines = [
        "# The whole fit of the reference workload",
        "",
        f"`python benchmarks/whole_fit.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        f"From the data frame to the printed summary with exact standard errors; median of {REPEATS} processes.",
        "",
        "| fit | seconds | processor seconds |",
        "|---|---:|---:|",
    ]
    for name, pairs in measured.items():
        wall, processor = (statistics.median(p) for p in zip(*pairs, strict=True))
        lines.append(f"| {name} | {wall:.1f} | {processor:.1f} |")
    good = starts[starts["verdict"] == "converged"]
    spread = good["loglike"].max() - good["loglike"].min()
    lines += [
        "",
        f"{STARTS} starts, the default one and normal ones around it: {len(good)} converged, to log-likelihoods that "
        f"differ by {spread:.1e} at most.",
        "",
        "| start | log L there | verdict | log L | steps | seconds |",
        "|---:|---:|---|---:|---:|---:|",
    ]
    lines += [
        f"| {r.start} | {r.loglike_at_start:.1f} | {r.verdict} | {r.loglike:.6f} | {r.steps} | {r.seconds:.1f} |"
        for r in starts.itertuples()
    ]
    (RESULTS / "whole_fit.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    starts.to_csv(RESULTS / "whole_fit.csv", index=False, float_format="%.10g")


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--one", action="store_true", help="two fits, in this process")
    if parser.parse_args().one:
        return one_process()
    measured = times()
    print(measured, flush=True)
    write(measured, from_many_starts(iclv.datasets.sugar_substitutes()), "2 shared x86-64 cores")


if __name__ == "__main__":
    main()
