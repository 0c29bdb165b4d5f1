"""Programs that are compiled quickly.

The older of XLA's code generators for CPUs compiles programs of hundreds of small kernels in two thirds of the time of the
newer one, and what it makes is a few per cent slower, up to a half where all hangs on one kernel (jaxlib 0.10.2). Large
programs that run a few times per fit take it, those that run a hundred times do not. On other devices it changes nothing.
"""

from collections.abc import Callable
from functools import cache, cached_property, update_wrapper
from typing import Any

import jax
import jax.extend.core as jex

OPTIONS = {"xla_cpu_use_fusion_emitters": False}
_TOP = jex.get_opaque_trace_state()


@cache
def _options() -> dict[str, Any] | None:
    """The options, where this version of XLA knows them."""
    try:
        jax.jit(lambda: 0, compiler_options=OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return None
    return OPTIONS


class Quick:
    """`jax.jit(function, **static)` with these options. Inside other transformations it is `jax.jit` without them, as JAX
    takes options for whole programs only."""

    def __init__(self, function: Callable[..., Any], **static: Any) -> None:
        self._function, self._static = function, static
        self._part = jax.jit(function, **static)
        update_wrapper(self, function)

    @cached_property
    def _whole(self) -> Any:
        return jax.jit(self._function, compiler_options=_options(), **self._static)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        alone = jex.get_opaque_trace_state() == _TOP
        return (self._whole if alone else self._part)(*arguments, **keywords)

    def lower(self, *arguments: Any, **keywords: Any) -> Any:
        """As of `jax.jit`, with the options."""
        return self._whole.lower(*arguments, **keywords)


def quick(function: Callable[..., Any], **static: Any) -> Quick:
    """Compile a function quickly; `static` as for `jax.jit`."""
    return Quick(function, **static)
