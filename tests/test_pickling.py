"""Models, problems and fits in pickles: the same in another process, or a sentence that says what to do."""

import importlib
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv

cloudpickle = pytest.importorskip("cloudpickle")

ROOT = Path(__file__).parents[1]
RULE = iclv.GaussHermite(5)


def everything():
    """A model with a user's function in every place that takes one, none of them with a name of its own."""
    net = eqx.nn.MLP(2, "scalar", 2, 1, activation=jax.nn.tanh, key=jax.random.key(0))
    return iclv.Model(
        [iclv.Latent("green", on=lambda b, x, lv: b.slope * jnp.tanh(x.age))],
        [iclv.Ordered(q, of="green") for q in ("q1", "q2", "q3")],
        iclv.Logit(
            lambda b, x, lv: {
                "a": b.asc + b.price * x.price + b.taste * lv.green + b.net(jnp.stack([x.time, x.age])),
                "b": 0.0,
            },
            "choice",
        ),
        define={"price": lambda p: -jnp.exp(p.log_price)},
        modules={"net": net},
    )


MODELS = {"logit": small.logit, "hybrid": small.hybrid, "everything": everything}
READ = """
import pickle, sys
import iclv_jax
with open(sys.argv[1], "rb") as file:
    model, problem, params, value = pickle.load(file)
assert float(problem.loglike(params)) == value, (float(problem.loglike(params)), value)
again = model.bind(problem.panel.frame.data, integration=problem.rule)
assert again.core.structure == problem.core.structure
assert hash(again.core.structure) == hash(problem.core.structure)
print("the same")
"""


def elsewhere(code, *arguments):
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_equal(name, pickler):
    model = MODELS[name]()
    again = pickle.loads(pickler.dumps(model))
    assert again.spec == model.spec
    assert hash(again.spec.choices) == hash(model.spec.choices)
    for one, other in zip(again.spec.modules, model.spec.modules, strict=True):
        np.testing.assert_array_equal(one.start, other.start)


@pytest.mark.gate("everything")
@pytest.mark.parametrize("name", MODELS)
def test_another_process_computes_the_same(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "model.pickle"
    problem = model.bind(small.data(), integration=RULE if name != "logit" else None)
    params = problem.start()
    problem = problem.recentre(params)
    # XLA is told here, as by default in the other process, to optimise what it compiles.
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        value = float(problem.loglike(params))
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
    path.write_bytes(cloudpickle.dumps((model, problem, np.asarray(params), value)))
    assert elsewhere(READ, path) == "the same"


SUMMARISE = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    fit = pickle.load(file)
fit.params.to_pickle(sys.argv[2])
print(repr(fit.llf))
print(fit.summary())
"""


def test_a_fit_has_the_same_estimates_and_summary_in_another_process(tmp_path):
    fit, path, params = small.fitted("hybrid"), tmp_path / "fit.pickle", tmp_path / "params.pickle"
    summary = str(fit.summary())
    path.write_bytes(cloudpickle.dumps(fit))
    llf, _, printed = elsewhere(SUMMARISE, path, params).partition("\n")
    assert float(llf) == pytest.approx(fit.llf, rel=1e-12)
    pd.testing.assert_series_equal(pd.read_pickle(params), fit.params, check_exact=True)
    assert printed.strip() == summary.strip()


def test_without_cloudpickle_a_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(
        pickle.PicklingError, match=r"The utility function cannot be pickled.*install cloudpickle"
    ):
        pickle.dumps(small.logit())


def test_what_only_this_process_has_is_a_sentence():
    lock = threading.Lock()

    def utility(b, x, lv):
        with lock:
            return {"a": b.asc + b.price * x.price, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, "choice"))
    for pickler in (pickle, cloudpickle):
        with pytest.raises(pickle.PicklingError, match="only this process has, such as an open file, a lock"):
            pickler.dumps(model)


def test_a_function_whose_variable_has_changed_is_a_sentence():
    factor = 1.0

    def utility(b, x, lv):
        return {"a": b.asc + factor * b.price * x.price, "b": 0.0}

    model = iclv.Model(choice=iclv.Logit(utility, "choice"))
    pickle.dumps(model)
    factor = 2.0
    with pytest.raises(pickle.PicklingError, match=r"given another value since. Make the model anew"):
        pickle.dumps(model)


def test_a_function_that_is_another_one_where_it_is_read_is_a_sentence(tmp_path, monkeypatch):
    text = "def utility(b, x, lv):\n    return {'a': b.asc + %s * x.price, 'b': 0.0}\n"
    file = tmp_path / "utilities_of_a_test.py"
    file.write_text(text % "b.price")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = importlib.import_module("utilities_of_a_test")
    try:
        content = pickle.dumps(iclv.Model(choice=iclv.Logit(module.utility, "choice")))
        pickle.loads(content)
        file.write_text(text % "2.0 * b.price")
        importlib.reload(module)
        with pytest.raises(ValueError, match="computes something else here"):
            pickle.loads(content)
    finally:
        del sys.modules["utilities_of_a_test"]
