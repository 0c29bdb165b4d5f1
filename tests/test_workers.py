"""Tasks by workers: the answers of one process, whatever the workers are, what is left after a crash, and who dies."""

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small
import workers as work

import iclv_jax as iclv
from iclv_jax._base._answers import Answers
from iclv_jax._base._processes import Processes
from iclv_jax._base._workers import do_all
from iclv_jax._stream._again import Refits, fit_sample

TASKS = {f"task {k}": k for k in range(5)}


@pytest.fixture(scope="module")
def pool():
    """Two processes that compile as the tests do, and stay for all of them."""
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    executor = Processes(2)
    yield executor
    executor.shutdown()
    del os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"]


class Here(ThreadPoolExecutor):
    """An executor whose tasks are done at once, in this thread."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


# --- tasks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["none", "processes", "executor"])
def test_answers_come_by_name_in_order(workers, pool):
    with ThreadPoolExecutor(2) as threads:
        kinds = {"none": None, "processes": pool, "executor": threads}
        found = do_all(work.square, 3.0, TASKS, kinds[workers])
    assert list(found) == list(TASKS)
    assert [float(a["square"]) for a in found.values()] == [3.0 * k**2 for k in range(5)]


@pytest.mark.parametrize("workers", ["none", "processes"])
def test_what_a_task_raises_is_raised(workers, pool):
    with pytest.raises(ValueError, match="no 2"):
        do_all(work.fail, None, TASKS, pool if workers == "processes" else None)


def test_one_that_dies_loses_its_task_which_is_begun_again(tmp_path):
    found = do_all(work.die_once, tmp_path, TASKS, 1)
    assert [int(a["task"]) for a in found.values()] == [0, 1, 2, 3, 4]
    assert len({int(a["process"]) for a in found.values()}) == 2


@pytest.mark.slow
def test_a_task_whose_workers_die_twice_is_named_and_the_others_are_kept(tmp_path):
    known = Answers(tmp_path / "answers", {"of": "a test"})
    with pytest.raises(
        RuntimeError, match=r"worker at task 1 died: its process ended with code 3.*answers holds"
    ):
        do_all(work.die, None, TASKS, 1, known)
    assert "task 0" in Answers(tmp_path / "answers", {"of": "a test"}).found


def test_an_executor_that_breaks_is_a_sentence():
    """The standard pool takes no more tasks once one of its processes has died."""
    from multiprocessing import get_context

    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(RuntimeError, match=r"died: BrokenProcessPool.*resume='file'"),
    ):
        do_all(work.die, None, {"task 1": 1}, pool)


INTERRUPTED = """
import sys
from pathlib import Path
import workers
from iclv_jax._base._workers import do_all
do_all(workers.sleep, Path(sys.argv[1]), {"one": 1, "two": 2}, 2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_all_processes(tmp_path):
    here = Path(__file__).parent
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
        stderr=subprocess.DEVNULL,
    )
    begin = time.monotonic()
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() - begin < 120:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=30) != 0
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name.split()[1]), 0)


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "two"])
def test_what_is_no_workers_is_refused(workers):
    with pytest.raises(ValueError, match="workers= is a number of processes, or an executor"):
        small.fitted("logit").bootstrap(2, workers=workers)


# --- the file of answers ----------------------------------------------------------------------------------------


def test_answers_come_back_to_the_last_digit(tmp_path):
    answer = {
        "x": np.array([[np.pi, np.nan], [-np.inf, 1e-300]]),
        "ok": np.array(True),
        "text": np.array("é"),
    }
    Answers(tmp_path / "a", {"of": 1}).add("one", answer | {"none": np.zeros((0, 2))})
    found = Answers(tmp_path / "a", {"of": 1}).found["one"]
    for key, value in answer.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype.kind == value.dtype.kind
    assert found["none"].shape == (0, 2)


def test_a_line_that_was_cut_off_is_none(tmp_path):
    path = tmp_path / "a"
    for name in ("one", "two"):
        Answers(path, {}).add(name, {"x": np.arange(3)})
    path.write_bytes(path.read_bytes()[:-7])
    assert list(Answers(path, {}).found) == ["one"]
    Answers(path, {}).add("three", {"x": np.arange(3)})
    assert list(Answers(path, {}).found) == ["one", "three"]
    path.write_bytes(path.read_bytes()[:40])
    assert not Answers(path, {}).found


def test_files_of_something_else_are_refused(tmp_path):
    path = tmp_path / "a"
    Answers(path, {"seed": 1})
    with pytest.raises(ValueError, match=r"something else: seed is 1 in the file and 2 here.*delete"):
        Answers(path, {"seed": 2})
    path.write_text("nothing\n")
    with pytest.raises(ValueError, match="is no file of answers"):
        Answers(path, {})
    with pytest.raises(ValueError, match="folder that does not exist"):
        Answers(tmp_path / "none" / "a", {})
    with pytest.raises(ValueError, match="resume= is the path of a file"):
        small.fitted("logit").bootstrap(2, resume=3)


# --- what takes workers -----------------------------------------------------------------------------------------


def fresh(name="hybrid"):
    """The same fit without what it remembers."""
    fit = small.fitted(name)
    fit._bootstraps.clear()
    return fit


@pytest.mark.gate("logit")
@pytest.mark.parametrize("name", ["logit", "hybrid"])
def test_bootstrap_samples_do_not_depend_on_who_fits_them(pool, tmp_path, name):
    alone = fresh(name).bootstrap(18, seed=3)
    shared = fresh(name).bootstrap(18, seed=3, workers=pool, resume=tmp_path / "samples")
    pd.testing.assert_frame_equal(alone.samples, shared.samples, rtol=1e-10, atol=1e-12)
    assert alone.notes == shared.notes
    lines = (tmp_path / "samples").read_text().splitlines(keepends=True)
    assert len(lines) == 3

    def refuse(*_):
        raise AssertionError("nothing is left to do")

    executor = Here()
    executor.submit = refuse
    again = fresh(name).bootstrap(18, seed=3, workers=executor, resume=tmp_path / "samples")
    pd.testing.assert_frame_equal(again.samples, shared.samples, check_exact=True)
    with pytest.raises(ValueError, match="seed is 3 in the file and 4 here"):
        fresh(name).bootstrap(18, seed=4, resume=tmp_path / "samples")


@pytest.mark.slow
def test_folds_do_not_depend_on_who_fits_them(pool, tmp_path):
    fit = fresh()
    alone = fit.cross_validate(3)
    shared = fit.cross_validate(3, workers=pool, resume=tmp_path / "folds")
    pd.testing.assert_frame_equal(alone.people, shared.people, rtol=1e-10)
    pd.testing.assert_frame_equal(alone.params, shared.params, rtol=1e-10, atol=1e-12)
    pd.testing.assert_frame_equal(fit.cross_validate(3, resume=tmp_path / "folds").params, shared.params)


def test_profiles_do_not_depend_on_who_walks(pool):
    fit = fresh("logit")
    points = [-0.5, 0.0, 0.3, 0.9]
    alone, shared = fit.profile("time", points), fit.profile("time", points, workers=pool)
    pd.testing.assert_frame_equal(alone.table, shared.table, rtol=1e-10, atol=1e-12)
    assert (alone.lower, alone.upper) == pytest.approx((shared.lower, shared.upper), rel=1e-10)


@pytest.mark.slow
def test_starts_end_where_they_do_alone(pool):
    problem = fresh("logit").problem
    alone, shared = iclv.multistart(problem, 6), iclv.multistart(problem, 6, workers=pool)
    columns = ["start", "converged", "group"]
    pd.testing.assert_frame_equal(alone.table[["loglike"]], shared.table[["loglike"]], rtol=1e-12)
    assert sorted(alone.table[columns].to_numpy().tolist()) == sorted(
        shared.table[columns].to_numpy().tolist()
    )


def build(settings):
    return {"model": small.logit(fixed={"time": settings["time"]})}


@pytest.mark.slow
def test_trials_do_not_depend_on_who_fits_their_folds(pool, tmp_path):
    space, keywords = {"time": [0.0, 0.4, 5.0]}, {"method": "grid", "folds": 3, "progress": False}
    alone = iclv.search(build, space, small.data(), **keywords)
    shared = iclv.search(build, space, small.data(), **keywords, workers=pool, resume=tmp_path / "trials")
    steady = [c for c in alone.trials.columns if c != "seconds"]
    pd.testing.assert_frame_equal(alone.trials[steady], shared.trials[steady], rtol=1e-10)
    again = iclv.search(build, space, small.data(), **keywords, resume=tmp_path / "trials")
    pd.testing.assert_frame_equal(again.folds, shared.folds, check_exact=True)


@pytest.mark.slow
def test_a_dask_cluster_fits_samples():
    distributed = pytest.importorskip("distributed")
    alone = fresh("logit").bootstrap(40, seed=1)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        shared = fresh("logit").bootstrap(40, seed=1, workers=client.get_executor())
    pd.testing.assert_frame_equal(alone.samples, shared.samples, rtol=1e-9, atol=1e-11)


def test_samples_of_chunks_do_not_depend_on_who_fits_them(pool, tmp_path):
    data = small.data(60).rename_axis("id").reset_index()
    people = iclv.People.stream([data[:20], data[20:45], data[45:]], person="id", cluster="group")
    start = {"asc": 0.5, "price": -1.0, "time": 0.4}
    fit = small.logit().fit(people, progress=False, start=start)
    alone = fit.uncertainty.bootstrap(3, seed=3)
    shared = fit.uncertainty.bootstrap(2, seed=3, workers=pool, resume=tmp_path / "samples")
    pd.testing.assert_frame_equal(shared.samples, alone.samples[:2], rtol=1e-10, atol=1e-12)
    again = fit.uncertainty.bootstrap(3, seed=3, resume=tmp_path / "samples")
    pd.testing.assert_frame_equal(again.samples, alone.samples, rtol=1e-10, atol=1e-12)
    assert len((tmp_path / "samples").read_text().splitlines()) == 4
    np.testing.assert_array_equal(fit.cov_params("bootstrap"), again.covariance.matrix)
    with pytest.raises(ValueError, match="seed is 3 in the file and 4 here"):
        fit.uncertainty.bootstrap(3, seed=4, resume=tmp_path / "samples")
    with pytest.raises(ValueError, match="workers= is a number of processes"):
        fit.uncertainty.bootstrap(3, workers=0)


def test_a_worker_that_does_not_see_the_people_says_so():
    data = small.data(40)
    problem = small.logit().bind(iclv.People.stream([data[:20], data[20:]])).portable()
    other = pickle.loads(pickle.dumps(problem))
    assert problem.loglike(np.zeros(3)) == other.loglike(np.zeros(3))
    other.passed.scratch._folder = Path("/nowhere/at all")
    with pytest.raises(ValueError, match="files in '/nowhere/at all', which this worker does not see"):
        fit_sample(Refits(other, None, np.zeros(3), None), {})


@pytest.mark.slow
def test_steps_of_invariance_do_not_depend_on_who_fits_them():
    people = small.data(120).assign(land=np.where(np.arange(120) % 2, "a", "b"))
    model = iclv.Model([iclv.Latent("green")], [iclv.Continuous(q, of="green") for q in ("q1", "q2", "q3")])
    keywords = {"group": "land", "steps": ["configural", "loadings"], "progress": False}
    with Here(1) as who:
        alone, found = (iclv.invariance(model, people, workers=w, **keywords) for w in (None, who))
    pd.testing.assert_frame_equal(found.measures, alone.measures)
    pd.testing.assert_frame_equal(found.tests, alone.tests)
    assert str(found) == str(alone)
