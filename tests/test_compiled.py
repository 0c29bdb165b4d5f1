"""Compiled functions: the same numbers wherever they are called from."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import iclv_jax as iclv
from iclv_jax._base import _compiled
from iclv_jax._base._compiled import compiled

pytestmark = pytest.mark.optimised


def twice(x, power=2):
    return jnp.sum(jnp.sin(x) ** power) + jnp.logaddexp(x[0], 0.0)


X = jnp.linspace(0.1, 0.9, 5)
WHERE = {
    "jit": lambda f: jax.jit(f)(X),
    "jit of constants": lambda f: jax.jit(lambda: f(X))(),
    "grad": lambda f: jax.grad(f)(X),
    "jit of grad": lambda f: jax.jit(jax.grad(f))(X),
    "hessian": lambda f: jax.hessian(f)(X),
    "vmap": lambda f: jax.vmap(f)(jnp.stack([X, 2.0 * X])),
    "while": lambda f: jax.lax.fori_loop(0, 3, lambda _, x: x + f(X), 0.0),
    "eval_shape": lambda f: jnp.zeros(jax.eval_shape(f, X).shape),
}


@pytest.mark.parametrize("where", WHERE)
def test_a_compiled_function_may_be_transformed(where):
    np.testing.assert_allclose(WHERE[where](compiled(twice)), WHERE[where](twice), rtol=1e-14)


def test_static_arguments_and_the_name():
    fast = compiled(twice, static_argnames="power")
    assert fast.__name__ == "twice"
    np.testing.assert_allclose(fast(X, power=3), twice(X, 3), rtol=1e-14)


def test_a_thread_gets_the_same():
    found = []
    worker = threading.Thread(target=lambda: found.append(compiled(twice)(X)))
    worker.start()
    worker.join()
    np.testing.assert_allclose(found[0], twice(X), rtol=1e-14)


def test_it_is_compiled_with_the_options_where_it_stands_alone(monkeypatch):
    seen = []
    whole = jax.jit

    def jit(function, **keywords):
        seen.append(keywords.get("compiler_options"))
        return whole(function, **keywords)

    known = _compiled.known_options()
    assert known.items() <= _compiled.OPTIONS.items()
    monkeypatch.setattr(_compiled.jax, "jit", jit)
    fast = compiled(twice)
    jax.grad(fast)(X)
    assert seen == [None]
    fast(X)
    assert seen == [None, known]


def test_options_that_are_not_known_are_left_out(monkeypatch):
    both = {"xla_cpu_no_such_option": True, "xla_cpu_use_fusion_emitters": False}
    monkeypatch.setattr(_compiled, "OPTIONS", both)
    _compiled.known_options.cache_clear()
    try:
        assert _compiled.known_options() == {"xla_cpu_use_fusion_emitters": False}
        np.testing.assert_allclose(compiled(twice)(X), twice(X), rtol=1e-14)
    finally:
        _compiled.known_options.cache_clear()


@pytest.mark.slow
def test_both_generators_give_the_same_hessian():
    """The exact Hessian on its own and inside another compiled function."""
    survey = iclv.datasets.sugar_substitutes(people=40, items=(2, 2, 2, 1, 2))
    problem = survey.model.bind(survey.data, person="person", integration=iclv.Adaptive(8, final_draws=8))
    params = problem.vector(survey.truth)
    problem = problem.recentre(params)
    np.testing.assert_allclose(
        problem.hessian(params), jax.jit(problem.hessian)(params), rtol=1e-10, atol=1e-10
    )
