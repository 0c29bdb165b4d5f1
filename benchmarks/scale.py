"""More people and more fits: memory and time of a pass by the number of people, and a bootstrap by workers.

People make five binary choices each, with a normal coefficient of price and five nodes of Gauss-Hermite at each posterior.
Every number of people is a process of its own, whose largest memory is noted after each step (`data` counts from its start,
imports included); times are medians of three after compilation.

The bootstrap draws from 2,000 people of the same model, in this process and by one and two others, whose start and
compilation count. Writes `results/scale.md` and `scale.csv`; without the bootstrap with `--samples 0`.

    python benchmarks/scale.py
    python benchmarks/scale.py --people 10000 100000 1000000 --device gpu
    python benchmarks/scale.py --devices 2   # of a CPU: a pass on one and on two
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
CHOICES, NODES, RESAMPLED = 5, 5, 2_000
NAMES = ("data", "bound", "value and gradient", "exact Hessian", "nodes placed")


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}


def survey(people):
    """The model and its data."""
    import numpy as np
    import pandas as pd

    import iclv_jax as iclv

    generator = np.random.default_rng(0)
    owner = np.repeat(np.arange(people), CHOICES)
    price, time_ = generator.normal(size=(2, len(owner)))
    taste = (-1.0 + 0.7 * generator.normal(size=people))[owner]
    lead = 0.5 + taste * price - 0.5 * time_ + generator.logistic(size=len(owner))
    frame = pd.DataFrame({"id": owner, "price": price, "time": time_, "choice": np.where(lead > 0, "a", "b")})
    model = iclv.Model(choice=iclv.Logit(utility, "choice"), random={"price": iclv.Normal()})
    return model, frame, {"person": "id", "integration": iclv.GaussHermite(NODES)}


def steps(people, devices):
    """What is done one after the other; functions are to be timed."""
    model, frame, keywords = survey(people)
    yield "data", None
    problem = model.bind(frame, devices=devices, **keywords)
    del frame
    yield "bound", None
    params = problem.vector({"asc": 0.5, "price": -1.0, "time": -0.5, "price.sd": 0.7})
    problem = problem.recentre(params)
    yield "value and gradient", lambda: problem.value_and_score(params)
    yield "exact Hessian", lambda: problem.hessian(params)
    yield "nodes placed", lambda: problem.recentre(params).core.nodes


def one(people, devices):
    """In a process of its own: seconds and the largest memory so far, in GiB, after each step."""
    import jax

    found, began = {}, time.perf_counter()
    for name, function in steps(people, devices):
        if function is None:
            seconds = time.perf_counter() - began
        else:
            jax.block_until_ready(function())
            seconds = statistics.median(timed(function) for _ in range(3))
        found[name] = (seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        began = time.perf_counter()
    print(json.dumps(found | {"device": str(jax.devices()[0].device_kind)}))


def timed(function):
    import jax

    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def elsewhere(people, devices, platform):
    flags = f"--xla_force_host_platform_device_count={devices}" if devices and platform == "cpu" else ""
    environment = {**os.environ, "JAX_PLATFORMS": {"gpu": "cuda"}.get(platform, platform)}
    environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(people), "--devices", str(devices or 0)],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def bootstraps(samples):
    """Seconds of a bootstrap in this process, warm, and by processes; and whether all samples are the same."""
    model, frame, keywords = survey(RESAMPLED)
    fit = model.fit(frame, progress=False, **keywords)
    rows, kept = [], None
    fit.bootstrap(8, seed=1)
    for workers in (None, 1, 2):
        fit._bootstraps.clear()
        began = time.perf_counter()
        found = fit.bootstrap(samples, workers=workers)
        seconds = time.perf_counter() - began
        kept = found.samples if kept is None else kept
        apart = float(abs(found.samples - kept).max().max())
        rows.append({"workers": workers or "none", "seconds": seconds, "largest difference": apart})
        print(rows[-1], flush=True)
    return rows


def written(passes, fits, samples, platform, device):
    about = [part.replace("\n", " ") for part in __doc__.split("\n\n")]
    lines = ["# Cost by people and by workers", "", about[1], ""]
    lines += [
        f"{device} ({platform}), {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end: with more "
        "load than cores, times say little beyond ratios within a column.",
        "",
        "| people | devices | " + " | ".join(f"{step}, s | GiB" for step in NAMES) + " |",
        "|---:|---:|" + "---:|---:|" * len(NAMES),
    ]
    for people, devices, found in passes:
        cells = " | ".join(f"{found[s][0]:.3f} | {found[s][1]:.2f}" for s in NAMES)
        lines.append(f"| {people:,} | {devices or 1} | {cells} |")
    if fits:
        lines += ["", about[2], "", f"A bootstrap of {samples} samples of {RESAMPLED:,} people:", ""]
        lines += ["| workers | seconds | largest difference of an estimate |", "|---|---:|---:|"]
        lines += [f"| {f['workers']} | {f['seconds']:.1f} | {f['largest difference']:.1g} |" for f in fits]
    (RESULTS / "scale.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    head = ["people,devices,step,seconds,gib"]
    head += [f"{p},{d or 1},{s},{f[s][0]:.4f},{f[s][1]:.3f}" for p, d, f in passes for s in NAMES]
    (RESULTS / "scale.csv").write_text("\n".join(head) + "\n", encoding="utf-8")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--device", default="cpu", choices=["cpu", "gpu"])
    options.add_argument("--devices", type=int, default=0)
    options.add_argument("--samples", type=int, default=200)
    options.add_argument("--one", type=int)
    given = options.parse_args()
    if given.one:
        one(given.one, given.devices or None)
        return
    passes = []
    for people in given.people:
        for devices in {None, given.devices or None}:
            passes.append((people, devices, elsewhere(people, devices, given.device)))
            print(passes[-1], flush=True)
    fits = bootstraps(given.samples) if given.samples else []
    written(passes, fits, given.samples, given.device, passes[0][2]["device"])


if __name__ == "__main__":
    main()
