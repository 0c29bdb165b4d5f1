"""Compiled programs are dropped before the process runs out of memory maps, and results stay right."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from iclv_jax._base import _maps
from iclv_jax._base._compiled import Compiled, compiled

pytestmark = pytest.mark.skipif(not _maps.MAPS.exists(), reason="the system does not tell its memory maps")


@pytest.fixture
def watch(monkeypatch):
    """A watch that counts after every compilation, told of them as the usual one is."""
    found = _maps.Watch(_maps.in_use() + 60, every=1)
    monkeypatch.setattr(_maps, "WATCH", found)
    jax.monitoring.register_event_duration_secs_listener(found.note)
    yield found
    jax.monitoring.unregister_event_duration_listener(found.note)


def curve(x):
    return jnp.sum(jnp.sort(jnp.sin(x)) * jnp.arange(float(len(x))))


def test_many_shapes_stay_below_the_limit(watch, monkeypatch):
    monkeypatch.setattr(_maps.jax, "clear_caches", lambda: None)  # Those of the test suite may stay.
    fast, sizes = compiled(curve), []
    monkeypatch.setattr(Compiled, "_all", [fast])
    watch.limit = 1_000_000
    fast(np.zeros(1))
    watch.limit = _maps.in_use() + 40
    for size in range(2, 20):
        x = np.linspace(0.1, 1.0, size)
        for _ in range(2):
            np.testing.assert_allclose(fast(x), np.sin(x) @ np.arange(size), rtol=1e-12)
        sizes.append(fast._wholes[False]._cache_size())
    assert sizes[:2] == [2, 3]
    # Dropped on the way: without that there would be a program for each shape.
    assert any(after < before for before, after in itertools.pairwise(sizes))
    assert _maps.in_use() < watch.limit + 100


def test_functions_that_were_used_last_stay(watch, monkeypatch):
    old, new, used = compiled(lambda x: jnp.sin(x)), compiled(lambda x: jnp.cos(x)), iter([1_000, 10, 10])
    watch.limit, watch.every, watch.due, x = 100, 1_000_000, False, np.ones(3)
    monkeypatch.setattr(_maps, "in_use", lambda: next(used))
    monkeypatch.setattr(Compiled, "_all", [new, old])
    old(x)
    new(x)
    watch.due = True
    new(x)
    assert (old._wholes[False]._cache_size(), new._wholes[False]._cache_size()) == (0, 1)


@pytest.mark.slow
def test_others_programs_go_where_ours_are_not_enough(watch, monkeypatch):
    cleared = []
    monkeypatch.setattr(_maps, "in_use", lambda: 1_000)
    monkeypatch.setattr(_maps.jax, "clear_caches", lambda: cleared.append(True))
    watch.limit = 100
    assert watch.relieve([compiled(curve) for _ in range(5)]) == 5
    assert cleared == [True]
    # Maps that stay are of something else: nothing is dropped again until there are many more.
    assert watch.relieve([compiled(curve)]) == 0
    monkeypatch.setattr(_maps, "in_use", lambda: 1_026)
    assert watch.relieve([compiled(curve)]) == 1


def test_nothing_is_counted_between_compilations(watch, monkeypatch):
    fast, x = compiled(curve), np.ones(3)
    fast(x)
    fast(x)
    counted = []
    monkeypatch.setattr(_maps, "in_use", lambda: counted.append(True) or 0)
    for _ in range(5):
        fast(x)
    assert not counted


def test_nothing_is_dropped_where_there_is_no_limit(monkeypatch):
    monkeypatch.setattr(_maps, "ALLOWED", _maps.Path("/none"))
    none = _maps.Watch(_maps.limit(), every=1)
    none.note(_maps.COMPILED, 0.1)
    assert not none.due


@pytest.mark.slow
def test_a_fit_is_the_same_after_its_programs_were_dropped(watch, monkeypatch):
    monkeypatch.setattr(_maps.jax, "clear_caches", lambda: None)  # Those of the test suite may stay.
    watch.limit, frame = 1_000_000, small.data(seed=5)
    whole = small.logit().fit(frame, progress=False)
    watch.limit, watch.every, watch.due = 1, 1_000_000, True
    again = small.logit().fit(frame, progress=False)
    assert not watch.due
    np.testing.assert_array_equal(again.params, whole.params)
