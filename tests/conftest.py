"""What all test files share: types and shapes that are checked, promotion that is refused, and a process of tests that
lives within its memory."""

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

# What is tested is compiled in this run: once for all its processes, in a folder that ends with it.
os.environ["ICLV_JAX_CACHE"] = "off"
if "ICLV_JAX_TESTS" not in os.environ:
    folder = os.environ["ICLV_JAX_TESTS"] = tempfile.mkdtemp(prefix="iclv-jax-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.02"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

import jax
import pytest
from jaxtyping import install_import_hook

# Annotations of the package are checked at every call, shapes too. Test files import it after this file. Whole numbers
# may stand for real ones, as for type checkers.
install_import_hook("iclv_jax", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
# Where a plugin has imported JAX before.
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.02)
# The package's own code says where types and ranks change.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Every function that XLA compiles keeps a handful of memory maps, of which Linux allows a process
# 65,530; beyond them the compiler dies of a segmentation fault, which no test could report.
MANY_MAPS = 30_000


# Tracing makes millions of objects that end by themselves; looking for circles among those that stay takes a twentieth
# of the time.
gc.set_threshold(20_000, 20, 20)


def pytest_configure(config):
    compile_as_users_do(False)


def pytest_collection_finish():
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Cases that a test's mark `gate` does not name are slow: there are so many kinds of model that the gate runs some of
    them for each question, and the long run all."""
    for item in items:
        mark = item.get_closest_marker("gate")
        if mark and item.callspec.id not in mark.args:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Few optimisations of what is compiled, but for the long tests and those marked as `optimised`: most programs run
    only a handful of times, and compiling them takes most of the time. Fixtures are set up after this."""
    compile_as_users_do(any(item.get_closest_marker(name) for name in ("slow", "optimised")))


def compile_as_users_do(wanted):
    """With every optimisation, or with few; what was compiled the other way is forgotten."""
    if jax.config.read("jax_disable_most_optimizations") == wanted:
        jax.config.update("jax_disable_most_optimizations", not wanted)
        jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def after_a_file():
    yield
    forget_compiled_functions()


@pytest.fixture(autouse=True)
def after_a_long_test(request):
    yield
    if request.node.get_closest_marker("slow"):
        forget_compiled_functions()


def forget_compiled_functions():
    """Drop the compiled functions of the process when there are many."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MANY_MAPS:
        jax.clear_caches()
        gc.collect()
