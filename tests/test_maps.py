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
    found = _maps.Watch(_maps.in_use() + 150, every=1)
    monkeypatch.setattr(_maps, "WATCH", found)
    jax.monitoring.register_event_duration_secs_listener(found.note)
    yield found
    jax.monitoring.unregister_event_duration_listener(found.note)


def curve(x):
    return jnp.linalg.inv(jnp.outer(x, x) + jnp.eye(len(x))).sum() + jnp.sin(x).sum()


def test_many_shapes_stay_below_the_limit(watch):
    fast, sizes = compiled(curve), []
    for size in range(2, 20):
        x = np.linspace(0.1, 1.0, size)
        expected = np.linalg.inv(np.outer(x, x) + np.eye(size)).sum() + np.sin(x).sum()
        for _ in range(2):
            np.testing.assert_allclose(fast(x), expected, rtol=1e-10)
        sizes.append(fast._whole._cache_size())
    assert sizes[:2] == [1, 2]
    # Dropped on the way: without that there would be a program for each shape.
    assert any(after < before for before, after in itertools.pairwise(sizes))
    assert _maps.in_use() < watch.limit + 200


def test_functions_that_were_used_last_stay(watch, monkeypatch):
    old, new, used = compiled(curve), compiled(lambda x: jnp.cos(x) * 2.0), iter([1_000, 10, 10])
    watch.limit = 100
    monkeypatch.setattr(_maps, "in_use", lambda: next(used))
    monkeypatch.setattr(Compiled, "_all", [new, old])
    watch.due = False
    old(jnp.ones(3))
    watch.due = False
    new(jnp.ones(3))
    watch.due = True
    new(jnp.ones(3))
    assert (old._whole._cache_size(), new._whole._cache_size()) == (0, 1)


def test_others_programs_go_where_ours_are_not_enough(watch, monkeypatch):
    cleared = []
    monkeypatch.setattr(_maps, "in_use", lambda: 1_000)
    monkeypatch.setattr(_maps.jax, "clear_caches", lambda: cleared.append(True))
    watch.limit = 100
    assert watch.relieve([compiled(curve) for _ in range(5)]) == 5
    assert cleared == [True]


def test_nothing_is_counted_between_compilations(watch, monkeypatch):
    fast = compiled(curve)
    fast(jnp.ones(3))
    fast(jnp.ones(3))
    counted = []
    monkeypatch.setattr(_maps, "in_use", lambda: counted.append(True) or 0)
    for _ in range(5):
        fast(jnp.ones(3))
    assert not counted


def test_nothing_is_dropped_where_there_is_no_limit(monkeypatch):
    monkeypatch.setattr(_maps, "ALLOWED", _maps.Path("/none"))
    none = _maps.Watch(_maps.limit(), every=1)
    none.note(_maps.COMPILED, 0.1)
    assert not none.due


def test_a_fit_that_drops_its_programs_on_the_way_is_the_same(watch, monkeypatch):
    frame = small.data(seed=5)
    whole = small.logit().fit(frame, progress=False)
    watch.limit, watch.every, dropped, relieve = 1, 10, [], _maps.Watch.relieve
    monkeypatch.setattr(_maps.Watch, "relieve", lambda self, all_of: dropped.append(relieve(self, all_of)))
    monkeypatch.setattr(_maps.jax, "clear_caches", lambda: None)  # Those of the test suite may stay.
    assert small.logit().fit(small.data(60, seed=5), progress=False).converged
    once_more = small.logit().fit(frame, progress=False)
    assert sum(dropped) > 0
    np.testing.assert_array_equal(once_more.params, whole.params)
