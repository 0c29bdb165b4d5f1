"""One of two processes, each with people of its own: run by tests, which start both.

    python on_hosts.py PORT PROCESS FOLDER CHECK...

Each check asserts; both processes run the same ones, but for what the checks themselves tell apart.
"""

import os
import re
import signal
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pandas as pd
import small
from test_stream import cut, trips

import iclv_jax as iclv

TIGHT = {"rtol": 1e-10, "atol": 1e-10}
RULE = iclv.GaussHermite(4)
PORT, PROCESS, FOLDER, *CHECKS = sys.argv[1:]
MINE, OTHER = int(PROCESS), 1 - int(PROCESS)


def same(one, two):
    np.testing.assert_allclose(np.asarray(two), np.asarray(one), **TIGHT)


def together():
    """What one process gives that has all people; it is worked out by the first, before there is another."""
    data = trips(45)
    problem = small.hybrid().bind(data, person="id", weights="w", integration=RULE)
    params = problem.start() + 0.1
    problem = problem.recentre(params)
    return {
        "params": params,
        "loglike": problem.loglike(params),
        "score": problem.score(params),
        "exact": problem.hessian(params),
        "bhhh": problem.hessian(params, "bhhh"),
        "each": problem.loglike_person(params),
    }


def fitted():
    data, start = trips(150), small.hybrid()
    start = start.bind(data, person="id", integration=RULE)
    keywords = {"person": "id", "cluster": "group", "integration": RULE, "progress": False}
    found = small.hybrid().fit(data, start=start.unpack(start.start()), **keywords)
    kinds = {kind: found.cov_params(kind) for kind in ("hessian", "bhhh", "robust", "cluster")}
    return {"start": start.start(), "estimates": found.estimates, "llf": found.llf, **kinds}


def known(name, found):
    """The numbers of one process with all people, in a file for both."""
    np.savez(Path(FOLDER) / f"{name}.npz", **{k: np.asarray(v) for k, v in found.items()})


def read(name):
    return np.load(Path(FOLDER) / f"{name}.npz")


def derivatives():
    """Uneven parts, an answer that one process alone has, and two devices in each."""
    one = read("together")
    data = trips(45)
    mine = data[(data["id"] < 20) == (MINE == 0)]
    problem = small.hybrid().bind(mine, person="id", weights="w", integration=RULE, devices=2)
    params = one["params"]
    problem = problem.recentre(params)
    assert problem.nobs == 45
    same(one["loglike"], problem.loglike(params))
    same(one["score"], problem.score(params))
    for method in ("exact", "bhhh"):
        same(one[method], problem.hessian(params, method))
    (each,) = problem.loglike_person(params)
    same(one["each"][20:] if MINE else one["each"][:20], each)


def sums():
    """Of a plain logit, held against numpy."""
    data = small.data(31)
    mine = data.iloc[:12] if MINE == 0 else data.iloc[12:]
    problem = small.logit().bind(mine, person=None)
    params = np.array([0.3, -0.8, 0.2])
    same(small.logit_loglike(data, params), problem.loglike(params))
    step = 1e-5 * np.eye(3)
    slopes = [small.logit_loglike(data, params + s) - small.logit_loglike(data, params - s) for s in step]
    np.testing.assert_allclose(problem.score(params), np.array(slopes) / 2e-5, rtol=1e-6, atol=1e-7)


def refused(sentence, function):
    try:
        function()
    except ValueError as error:
        assert re.search(sentence, str(error)), error
    else:
        raise AssertionError("nothing was refused")


def mistakes():
    data = trips(30)
    mine = data[(data["id"] < 12) == (MINE == 0)]

    def bound(frame, model=None, **keywords):
        return lambda: (model or small.hybrid()).bind(frame, person="id", integration=RULE, **keywords)

    refused("Process 1 of 2: .*no rows", bound(mine[:0] if MINE else mine))
    refused("Process 0 of 2: .*'price'", bound(mine if MINE else mine.assign(price="dear")))
    other = small.logit() if MINE else None
    refused("Process 1 of 2 has another model .* than process 0: model", bound(mine, other))
    refused("Process 1 of 2: column 'extra' does not stand", bound(mine.assign(extra=1) if MINE else mine))
    refused("Process 1 of 2: person \\d+ stands in an earlier process", bound(data))
    refused("people= is not for people in chunks or in several", bound(mine, people=mine))
    refused("weights= is the name of a column", bound(mine, weights=np.ones(3)))
    refused("fit_sequential needs all people in one process", lambda: small.hybrid().fit_sequential(mine))
    limited = iclv.TrustRegion(time_limit=5.0)
    trained = iclv.Stochastic(optax.adam(0.1))
    refused("Stochastic needs people in memory", lambda: small.hybrid().fit(mine, optimizer=trained))
    refused("another model or other settings .*starts", lambda: small.logit().fit(mine, starts=2 + MINE))
    refused("time_limit is by the clock of one", lambda: small.hybrid().fit(mine, optimizer=limited))
    # Answers that one process alone has are levels in both.
    low = mine.assign(q1=mine["q1"].clip(upper=2)) if MINE else mine
    assert bound(low)().first.panel.levels["q1"] == (1, 2, 3)


def fits():
    one, data = read("fitted"), trips(150)
    mine = data[(data["id"] < 60) == (MINE == 0)]
    start = dict(
        zip(small.hybrid().bind(mine, person="id", integration=RULE).names, one["start"], strict=True)
    )
    keywords = {"person": "id", "cluster": "group", "integration": RULE, "progress": True}
    path = Path(FOLDER) / "state.npz"
    found = small.hybrid().fit(mine, start=start, checkpoint=path, **keywords)
    assert found.converged
    assert found.nobs == 150
    same(one["llf"], found.llf)
    np.testing.assert_allclose(found.estimates, one["estimates"], rtol=1e-9, atol=1e-9)
    for kind in ("hessian", "bhhh", "robust", "cluster"):
        np.testing.assert_allclose(found.cov_params(kind), one[kind], rtol=1e-8, atol=1e-10)
    if MINE == 0:
        # What follows from sums asks nobody.
        assert "150 in 2 chunks" in str(found.summary())
    found.predict(Path(FOLDER) / "shares.csv")
    shares = pd.read_csv(Path(FOLDER) / f"shares-{MINE}.csv")
    assert len(shares) == len(mine)
    found.predict(Path(FOLDER) / "together.csv", gather=True)
    if MINE == 0:
        whole = pd.read_csv(Path(FOLDER) / "together.csv")
        assert whole["process"].value_counts().to_dict() == {0: len(mine), 1: len(data) - len(mine)}
        pd.testing.assert_frame_equal(whole[whole["process"] == 0].drop(columns="process"), shares)
    again = small.hybrid().fit(mine, start=start, checkpoint=path, **keywords)
    assert len(again.trace) == len(found.trace)
    same(found.estimates, again.estimates)


def begins():
    """From the first chunk of process 0, of files in each; as one process does that has all chunks."""
    chunks = cut(trips(120), 3)
    mine = chunks[:2] if MINE == 0 else chunks[2:]
    people = iclv.People.stream(mine, person="id")
    found = small.hybrid().fit(people, integration=iclv.Adaptive(10, final_draws=10), progress=False)
    same(read("begun")["estimates"], found.estimates)
    np.testing.assert_allclose(found.accuracy.error, read("begun")["error"], rtol=1e-6)
    np.testing.assert_allclose(found.accuracy.sizes, read("begun")["sizes"], rtol=1e-6)
    assert found.problem.called([0, 119]) == ("person 1 of frame 1", "person 40 of frame 1")


def begun():
    people = iclv.People.stream(cut(trips(120), 3), person="id")
    found = small.hybrid().fit(people, integration=iclv.Adaptive(10, final_draws=10), progress=False)
    return {"estimates": found.estimates, "error": found.accuracy.error, "sizes": found.accuracy.sizes}


def starts():
    """Everybody climbs from each of several starts, the same ones in both processes."""
    chunks = cut(trips(120), 2)
    found = small.hybrid().fit(chunks[MINE], person="id", integration=RULE, starts=3, progress=False)
    one = read("started")
    same(one["llf"], found.llf)
    np.testing.assert_allclose(found.estimates, one["estimates"], rtol=1e-9, atol=1e-9)
    assert found.optimizer_report.remarks[-1] == str(one["said"])
    assert {"everybody", "start 2 of 3", "start 3 of 3"} <= set(found.trace["stage"])


def started():
    people = iclv.People.stream(cut(trips(120), 2), person="id")
    found = small.hybrid().fit(people, integration=RULE, starts=3, progress=False)
    said = found.optimizer_report.remarks[-1]
    assert "of 3 starts agree on log L" in said
    return {"estimates": found.estimates, "llf": found.llf, "said": said}


def left_alone():
    """Process 1 is killed at the third evaluation; process 0 says so."""
    data = trips(40)
    mine = data[(data["id"] < 20) == (MINE == 0)]
    problem = small.hybrid().bind(mine, person="id", integration=RULE)
    params = problem.start()
    for number in range(1000):
        if MINE and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            problem.loglike(params)
        except RuntimeError as error:
            assert "Another process has ended, or cannot be reached" in str(error)
            print("left alone", flush=True)
            os._exit(3)


def main():
    if CHECKS[0] in BEFORE:
        for name in CHECKS:
            known(name, BEFORE[name]())
            print(name)
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{PORT}", 2, MINE, heartbeat_timeout_seconds=10)
    for name in CHECKS:
        globals()[name]()
        print(name, flush=True)


BEFORE = {"together": together, "fitted": fitted, "begun": begun, "started": started}

if __name__ == "__main__":
    main()
