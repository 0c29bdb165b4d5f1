"""Time against people, nodes and items, and the memory that 100,000 people take.

The survey of `iclv.datasets.sugar_substitutes` (five latent variables, six choices each) with ever more of one thing at a
time: people, nodes per person, ordered items. Times are medians after compilation. Memory is the largest of a
process of its own that draws 100,000 people with 38 items, binds them with `memory="2GB"` and evaluates value, gradient,
scores and exact Hessian. Writes `results/scaling.md` and `scaling.csv`.

    python benchmarks/scaling.py
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import on_device
import pandas as pd
from threadpoolctl import threadpool_limits

import iclv_jax as iclv

RESULTS = Path(__file__).parent / "results"
MANY = 100_000
FULL = (6, 6, 3, 3, 20)
PEOPLE = (328, 656, 1312, 2624, 5248)
NODES = (20, 40, 80, 160, 320)
ITEMS = ((2, 2, 2, 2, 2), (4, 4, 4, 4, 4), FULL, (12, 12, 6, 6, 40))


def bound(people=328, nodes=20, items=FULL, memory="2GB"):
    survey = iclv.datasets.sugar_substitutes(people=people, items=items)
    rule = iclv.Adaptive(nodes, sequence="sobol", final_draws=nodes)
    problem = survey.model.bind(survey.data, person="person", integration=rule, memory=memory)
    return problem.recentre(problem.start()), problem.start()


def median(function, repeats=7):
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def timed(**sizes):
    problem, params = bound(**sizes)
    gradient = median(lambda: problem.value_and_score(params))
    hessian = median(lambda: problem.hessian(params), repeats=3)
    return {"parameters": len(problem.names), "gradient": gradient, "hessian": hessian}


def slopes():
    rows = []
    for what, sizes in (("people", PEOPLE), ("nodes", NODES), ("items", ITEMS)):
        for size in sizes:
            count = sum(size) if isinstance(size, tuple) else size
            rows.append({"what": what, "count": count, **timed(**{what: size})})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def many():
    """In a process of its own: seconds and the largest memory so far, in GiB, after each step."""
    found = {}

    def step(name, function):
        began = time.perf_counter()
        result = jax.block_until_ready(function())
        found[name] = (time.perf_counter() - began, peak())
        return result

    survey = step("data", lambda: iclv.datasets.sugar_substitutes(people=MANY))
    problem = step("bind", lambda: survey.model.bind(survey.data, person="person", memory="2GB"))
    params = problem.start()
    problem = step("place the nodes", lambda: problem.recentre(params))
    step("value", lambda: problem.loglike(params))
    step("gradient", lambda: problem.score(params))
    scores = step("scores", lambda: problem.score_person(params))
    assert scores.shape == (MANY, len(problem.names))
    hessian = step("exact Hessian", lambda: problem.hessian(params))
    assert bool(jnp.isfinite(hessian).all())
    print(json.dumps({"nodes": int(problem.core.nodes.log_weights.shape[1]), "steps": found}))


def write(table, memory, machine):
    lines = [
        "# Cost by size, and memory",
        "",
        f"`python benchmarks/scaling.py`, on {machine}, JAX {jax.__version__}, iclv_jax {iclv.__version__}.",
        "",
        "One thing grows at a time from 328 people, 20 nodes and 38 items. The slope is that of log time on log size "
        "from one row to the next: 1 is linear, less means that a fixed cost is still seen.",
        "",
        "| what grows | count | parameters | gradient, ms | slope | exact Hessian, ms | slope |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for what, part in table.groupby("what", sort=False):
        steps = np.diff(np.log(part["count"]))
        slope = {
            k: ["", *(f"{s:.2f}" for s in np.diff(np.log(part[k])) / steps)] for k in ("gradient", "hessian")
        }
        for i, row in enumerate(part.to_dict("records")):
            lines.append(
                f"| {what} | {row['count']:,} | {row['parameters']} | {1e3 * row['gradient']:.1f} | "
                f"{slope['gradient'][i]} | {1e3 * row['hessian']:.0f} | {slope['hessian'][i]} |"
            )
    lines += [
        "",
        f'{MANY:,} people with 38 items and 6 choices each, {memory["nodes"]} nodes per person, `memory="2GB"`; seconds '
        "include compilation, memory is the largest of the process so far:",
        "",
        "| step | seconds | GiB |",
        "|---|---:|---:|",
    ]
    lines += [f"| {name} | {seconds:.1f} | {size:.2f} |" for name, (seconds, size) in memory["steps"].items()]
    (RESULTS / "scaling.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


@threadpool_limits.wrap(limits=1, user_api="blas")
def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("--many", action="store_true", help="the memory of many people, in this process")
    if parser.parse_args().many:
        return many()
    command = [sys.executable, __file__, "--many"]
    memory = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(memory, flush=True)
    table = slopes()
    table.to_csv(RESULTS / "scaling.csv", index=False, float_format="%.6g")
    write(table, memory, "2 shared x86-64 cores")


if __name__ == "__main__":
    main()
