"""`jax.jit` with the options of XLA that suit the programs of this package on a CPU.

They have hundreds of small kernels. The older of XLA's code generators for CPUs compiles these in two thirds of the time of
the newer one, and sums over a few alternatives or thresholds run faster as loops than through the library (YNNPACK) that XLA
hands them to. On the reference workload (jaxlib 0.10.2, two cores) both together take a fifth off the exact Hessian and a
tenth off scores and values, and a fifth off the time to compile scores. Both concern CPUs alone.

Programs over parameters alone, and those that a fit runs once or twice, take far longer to compile than to run: they are
compiled `quick`, which took a third of the time for a factor model of nine items. So are programs over people where these
are so few that a run takes a millisecond or two: `quick` may be a function of the arguments.
"""

from collections.abc import Callable
from functools import cache, update_wrapper
from itertools import count
from typing import Any, ClassVar
from weakref import WeakSet

import jax

from iclv_jax._base import _maps

try:
    from jax.extend.core import get_opaque_trace_state
except ImportError:
    # Where it was in older versions of JAX.
    from jax.core import get_opaque_trace_state  # pyright: ignore[reportAttributeAccessIssue]

OPTIONS: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_experimental_ynn_fusion_type": ""}
QUICK: dict[str, Any] = {
    **OPTIONS,
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
}
"""For programs whose compilation takes far longer than all their runs. Split into parts for several threads, they take a
third more processor time to compile."""
_TOP = get_opaque_trace_state()


@cache
def known_options(quick: bool = False) -> dict[str, Any]:
    """The options that this version of XLA knows; usually all of them, which one question tells."""
    asked = QUICK if quick else OPTIONS
    if _are_known(tuple({**QUICK, **OPTIONS}.items())):
        return asked
    return {name: value for name, value in asked.items() if _are_known(((name, value),))}


@cache
def _are_known(options: tuple[tuple[str, Any], ...]) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options=dict(options)).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


class Compiled:
    """`jax.jit(function, **static)` with these options, with few optimisations where `quick` (a function says so of the
    arguments). Inside other transformations it is `jax.jit` without them, as JAX takes options for whole programs only.

    What was compiled is dropped, least recently used functions first, when the process has many memory maps (`_maps`).
    """

    _all: ClassVar["WeakSet[Compiled]"] = WeakSet()
    _calls: ClassVar = count()

    def __init__(
        self, function: Callable[..., Any], quick: bool | Callable[..., bool] = False, **static: Any
    ) -> None:
        self._function, self._quick, self._static = function, quick, static
        self._wholes: dict[bool, Any] = {}
        # The type that JAX declares has no `clear_cache`.
        self._part: Any = jax.jit(function, **static)
        self._used = 0
        update_wrapper(self, function)
        Compiled._all.add(self)

    def _whole(self, *arguments: Any, **keywords: Any) -> Any:
        """What is compiled for these arguments."""
        quick = self._quick(*arguments, **keywords) if callable(self._quick) else self._quick
        if quick not in self._wholes:
            options = known_options(quick)
            self._wholes[quick] = jax.jit(self._function, compiler_options=options, **self._static)
        return self._wholes[quick]

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if get_opaque_trace_state() != _TOP:
            return self._part(*arguments, **keywords)
        if _maps.WATCH.due:
            known: list[Compiled] = sorted(Compiled._all, key=lambda one: one._used)
            _maps.WATCH.relieve(known)
        self._used = next(Compiled._calls)
        return self._whole(*arguments, **keywords)(*arguments, **keywords)

    def lower(self, *arguments: Any, **keywords: Any) -> Any:
        """As of `jax.jit`, with the options."""
        return self._whole(*arguments, **keywords).lower(*arguments, **keywords)

    def forget(self) -> None:
        """Drop what was compiled; the next call compiles again."""
        self._part.clear_cache()
        for whole in self._wholes.values():
            whole.clear_cache()


def compiled(
    function: Callable[..., Any], quick: bool | Callable[..., bool] = False, **static: Any
) -> Compiled:
    """Compile a function, with few optimisations where `quick`; `static` as for `jax.jit`."""
    return Compiled(function, quick, **static)
