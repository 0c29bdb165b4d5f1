"""More people and more fits: memory and time of a pass by the number of people, and a bootstrap by workers.

People make five binary choices each, with a normal coefficient of price and five nodes of Gauss-Hermite at each posterior.
Every number of people is a process of its own, whose largest memory is noted after each step (imports included); times are
medians of three after compilation, or the second of two where the first took longer than 5 s, but for what happens once. In
memory, `data` makes the frame.

Streamed, people are in Parquet files of 50,000, which another process has written. `files read` goes once through the
frames that a stream makes of them, 100,000 rows at a time, and does nothing else; `bound` reads them twice and keeps
arrays in files of its own, which a pass then reads.

The bootstrap draws from 2,000 people of the same model, in this process and by one and two others, whose start and
compilation count. With `--dask` it goes to the two workers of a Dask cluster on this machine too, whose start is told apart;
a second call finds workers that have compiled.

Every case replaces its own rows in `results/scale.csv`, from which `results/scale.md` is written.

    python benchmarks/scale.py --people 10000 100000 1000000
    python benchmarks/scale.py --streamed 10000 100000 1000000 --fit 100000
    python benchmarks/scale.py --samples 200
    python benchmarks/scale.py --samples 20 --dask  # with the extra `cluster`
    python benchmarks/scale.py --people 100000 --devices 2   # of a CPU: a pass on one and on two
    python benchmarks/scale.py --people 1000000 --device gpu
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import on_device

RESULTS = Path(__file__).parent / "results"
CHOICES, NODES, RESAMPLED, IN_FILE, LONG = 5, 5, 2_000, 50_000, 5.0
FIELDS = ("part", "people", "case", "step", "seconds", "gib", "device", "load")
IN_MEMORY = ("data", "bound", "value and gradient", "exact Hessian", "nodes placed", "fit")
STREAMED = ("files read", "bound", "value and gradient", "exact Hessian", "nodes placed", "fit")
START = {"asc": 0.5, "price": -1.0, "time": -0.5, "price.sd": 0.7}


def utility(b, x, lv):
    return {"a": b.asc + b.price * x.price + b.time * x.time, "b": 0.0}


def model():
    import iclv_jax as iclv

    return iclv.Model(choice=iclv.Logit(utility, "choice"), random={"price": iclv.Normal()})


def survey(people, first=0):
    """Data of so many people, called from `first` on."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(first)
    owner = np.repeat(np.arange(people), CHOICES)
    price, time_ = generator.normal(size=(2, len(owner)))
    taste = (-1.0 + 0.7 * generator.normal(size=people))[owner]
    lead = 0.5 + taste * price - 0.5 * time_ + generator.logistic(size=len(owner))
    choice = np.where(lead > 0, "a", "b")
    return pd.DataFrame({"id": first + owner, "price": price, "time": time_, "choice": choice})


def rule():
    import iclv_jax as iclv

    return iclv.GaussHermite(NODES)


def passes(problem):
    """Functions to be timed."""
    params = problem.vector(START)
    problem = problem.recentre(params)
    yield "value and gradient", lambda: problem.value_and_score(params)
    yield "exact Hessian", lambda: problem.hessian(params)
    yield "nodes placed", lambda: problem.recentre(params)


def in_memory(people, devices, fit):
    frame = survey(people)
    yield "data", None
    problem = model().bind(frame, person="id", integration=rule(), devices=devices)
    yield "bound", None
    yield from passes(problem)
    if fit:
        model().fit(frame, person="id", integration=rule(), devices=devices, start=START, progress=False)
        yield "fit", None


def streamed(folder, fit):
    import iclv_jax as iclv

    stream = iclv.People.stream(f"{folder}/*.parquet", person="id")
    yield "files read", lambda: sum(len(chunk.frame) for chunk in stream.chunks())
    problem = model().bind(stream, integration=rule())
    yield "bound", None
    yield from passes(problem)
    if fit:
        model().fit(stream, integration=rule(), start=START, progress=False)
        yield "fit", None


def peak():
    """The most memory that this process has had, in GiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def measured(steps):
    """In a process of its own: seconds and the largest memory so far after each step."""
    import jax

    began = time.perf_counter()
    for name, function in steps:
        if function is None:
            seconds = time.perf_counter() - began
        else:
            first = timed(function)
            seconds = statistics.median(timed(function) for _ in range(1 if first > LONG else 3))
        found = {"step": name, "seconds": seconds, "gib": peak(), "load": os.getloadavg()[0]}
        print(json.dumps(found | {"device": str(jax.devices()[0].device_kind)}), flush=True)
        began = time.perf_counter()


def timed(function):
    import jax

    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def elsewhere(device, devices, *arguments):
    """What another process measures, step by step."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices and device != "gpu" else ""
    environment = os.environ | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()}
    command = [sys.executable, __file__, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")


def write_files(folder, people):
    for first in range(0, people, IN_FILE):
        frame = survey(min(IN_FILE, people - first), first)
        frame.to_parquet(f"{folder}/part{first:09d}.parquet", index=False)


def bootstraps(samples, dask):
    """Seconds of a bootstrap in this process, warm, and by processes; and how far samples are from each other."""
    frame = survey(RESAMPLED)
    fit = model().fit(frame, person="id", integration=rule(), progress=False)
    fit.bootstrap(8, seed=1)
    fit._bootstraps.clear()
    kept = fit.bootstrap(samples).samples

    def resampled(case, workers):
        fit._bootstraps.clear()
        began = time.perf_counter()
        found = fit.bootstrap(samples, workers=workers)
        seconds = time.perf_counter() - began
        apart = float(abs(found.samples - kept).max().max())
        return row(f"{samples} samples, {case}", f"largest difference {apart:.1g}", seconds)

    def row(case, step, seconds):
        found = {"part": "bootstrap", "people": RESAMPLED, "case": case, "step": step, "seconds": seconds}
        found |= {"gib": peak(), "load": os.getloadavg()[0]}
        print(found, flush=True)
        return found

    for workers in (None, 1, 2):
        yield resampled(f"workers={workers}", workers)
    if dask:
        from dask import distributed

        began = time.perf_counter()
        about = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
        with distributed.LocalCluster(**about) as cluster, distributed.Client(cluster) as client:
            yield row("2 workers of Dask", "start of the cluster", time.perf_counter() - began)
            for which in ("first", "second"):
                yield resampled(f"2 workers of Dask, {which} call", client.get_executor())


def stored(rows):
    """All rows with the new ones in place of those of the same part, people and case."""
    path, new = RESULTS / "scale.csv", {(r["part"], str(r["people"]), str(r["case"])) for r in rows}
    with path.open(encoding="utf-8", newline="") as file:
        old = [r for r in csv.DictReader(file) if (r["part"], r["people"], r["case"]) not in new]
    every = old + [{k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in r.items()} for r in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, restval="")
        writer.writeheader()
        writer.writerows(every)
    return every


def table(rows, part, steps):
    """One line for each number of people and devices."""
    lines = ["| people | devices | " + " | ".join(f"{step}, s | GiB" for step in steps) + " | load |"]
    lines.append("|---:|---:|" + "---:|---:|" * len(steps) + "---:|")
    cases = sorted({(int(r["people"]), r["case"]) for r in rows if r["part"] == part})
    for people, case in cases:
        mine = {
            r["step"]: r for r in rows if (r["part"], r["people"], r["case"]) == (part, str(people), case)
        }
        cells = [f"{mine[s]['seconds']} | {mine[s]['gib']}" if s in mine else " | " for s in steps]
        load = max(float(r["load"]) for r in mine.values())
        lines.append(f"| {people:,} | {case} | {' | '.join(cells)} | {load:.1f} |")
    return lines


def written(rows):
    about = [part.replace("\n", " ") for part in __doc__.split("\n\n")]
    devices = ", ".join(sorted({r["device"] for r in rows if r.get("device")}))
    lines = ["# Cost by people and by workers", "", about[1], ""]
    lines += [
        f"Devices: {devices}; {os.cpu_count()} cores, shared with others. `load` is the largest load average while a line "
        "was measured: with more load than cores, times say little beyond ratios within a line.",
        "",
        "## In memory",
        "",
        *table(rows, "in memory", IN_MEMORY),
        "",
        "## Streamed",
        "",
        about[2],
        "",
        *table(rows, "streamed", STREAMED),
        "",
        "## Workers",
        "",
        about[3],
        "",
        "| bootstrap | seconds | | load |",
        "|---|---:|---|---:|",
    ]
    for row in rows:
        if row["part"] == "bootstrap":
            lines.append(f"| {row['case']} | {row['seconds']} | {row['step']} | {float(row['load']):.1f} |")
    (RESULTS / "scale.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(given):
    for people in given.people:
        rows = []
        for devices in {0, given.devices}:
            about = "--one", people, "--devices", devices, "--fit", int(people <= given.fit)
            for found in elsewhere(given.device, devices, *about):
                rows.append({"part": "in memory", "people": people, "case": devices or 1, **found})
                written(stored(rows))
    for people in given.streamed:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--write", str(people), "--folder", folder]
            subprocess.run(command, check=True)
            rows, about = [], ("--one", people, "--folder", folder, "--fit", int(people <= given.fit))
            for found in elsewhere(given.device, 0, *about):
                rows.append({"part": "streamed", "people": people, "case": 1, **found})
                written(stored(rows))
    if given.samples:
        rows = []
        for found in bootstraps(given.samples, given.dask):
            rows.append(found)
            written(stored(rows))


def main():
    options = on_device.parser(__doc__)
    options.add_argument("--people", type=int, nargs="+", default=[])
    options.add_argument("--streamed", type=int, nargs="+", default=[])
    options.add_argument("--samples", type=int, default=0)
    options.add_argument("--dask", action="store_true", help="the bootstrap by a Dask cluster too")
    options.add_argument("--fit", type=int, default=0, help="fit up to so many people")
    options.add_argument("--devices", type=int, default=0)
    options.add_argument("--one", type=int)
    options.add_argument("--write", type=int)
    options.add_argument("--folder")
    given = options.parse_args()
    if given.write:
        write_files(given.folder, given.write)
    elif given.one and given.folder:
        measured(streamed(given.folder, given.fit))
    elif given.one:
        measured(in_memory(given.one, given.devices or None, given.fit))
    else:
        run(given)


if __name__ == "__main__":
    main()
