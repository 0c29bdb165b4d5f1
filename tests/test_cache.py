"""The compilation cache: where it is, what switches it off, and what is imported with the package."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from iclv_jax._base import _cache

PROGRAM = """
import json, sys
import jax
{before}
import iclv_jax as iclv
heavy = [m for m in (
    "scipy.stats", "scipy.special", "scipy.optimize", "jax.scipy.stats", "optax", "tqdm", "matplotlib", "IPython",
) if m in sys.modules]
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
import numpy as np, pandas as pd
frame = pd.DataFrame({{"x": np.linspace(-1.0, 1.0, 50), "y": np.where(np.sin(np.arange(50)) > 0, "a", "b")}})
model = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {{"a": b.asc + b.slope * x.x, "b": 0.0}}, chosen="y"))
llf = float(model.bind(frame).loglike(np.array([0.1, 0.2])))
hit = sum(name.endswith("cache_hits") for name in hits)
print(json.dumps([jax.config.jax_compilation_cache_dir, heavy, hit, llf]))
"""


def run(variable, before=""):
    """Where the cache is, heavy modules that the import brought, programs that were found in it, and a log-likelihood."""
    given = {k: v for k, v in os.environ.items() if k != "ICLV_JAX_CACHE" and not k.startswith("JAX_")}
    given |= {} if variable is None else {"ICLV_JAX_CACHE": str(variable)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    where, heavy, _, first = run(tmp_path)
    assert where.startswith(str(tmp_path / "programs")) and heavy == []
    stored = [p for p in (tmp_path / "programs").rglob("*") if p.is_file()]
    # Whatever else lies there: JAX stores what took long enough to compile.
    for path in stored[:1]:
        path.write_bytes(b"rubbish" * 3)
    (tmp_path / "programs" / "notes.txt").write_text("mine")
    again = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.format(before="")],
        env={k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
        | {"ICLV_JAX_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(again.stdout)[3] == first
    assert len(stored) < 2 or json.loads(again.stdout)[2] > 0


@pytest.mark.slow
def test_it_can_be_switched_off_and_gives_way(tmp_path):
    assert run("off")[0] is None
    mine = f"jax.config.update('jax_compilation_cache_dir', {str(tmp_path)!r})"
    assert run(tmp_path / "other", mine)[0] == str(tmp_path)
    assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_made_costs_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file")[0] is None


def test_a_disk_that_is_nearly_full_takes_no_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("ICLV_JAX_CACHE", str(tmp_path))
    monkeypatch.setattr(_cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    before = {"jax_compilation_cache_dir": None, "jax_enable_compilation_cache": True}
    monkeypatch.setattr(_cache, "jax", SimpleNamespace(config=SimpleNamespace(**before), __version__="0"))
    assert _cache.use_cache() is None
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_its_size_is_bounded_by_leaving_the_oldest(tmp_path):
    for k in range(5):
        path = tmp_path / str(k)
        path.write_bytes(b"x" * 100)
        os.utime(path, (k, k))
    _cache._shrink(tmp_path, 250)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["3", "4"]


def test_it_is_kept_by_version_and_processor(monkeypatch):
    kind = _cache._kind()
    monkeypatch.setattr(_cache, "_features", lambda: "flags: none")
    assert _cache._kind() != kind
    assert kind.startswith(_cache.__version__)


@pytest.mark.parametrize("system, wanted", [("darwin", "Library"), ("win32", "mine"), ("linux", "mine")])
def test_it_is_where_caches_are(system, wanted, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", system)
    for name in ("LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "mine"))
    assert wanted in str(_cache._users_caches())
