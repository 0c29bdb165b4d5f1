"""Modules: networks, or any tree of arrays, whose entries are parameters of the model."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._portable import packed, unpacked
from iclv_jax._base._types import AnyArray, Array, PyTree
from iclv_jax._spec._dropout import Dropout, with_draws, without_draws
from iclv_jax._spec._names import nearest

Value = TypeVar("Value")
START = "start"
"""In place of a number: the values that a module comes with."""


@dataclass(frozen=True)
class Part:
    """One array of a module: its name, `taste.layers[0].weight`, its shape, and whether it is the number by which a
    dropout layer draws."""

    name: str
    shape: tuple[int, ...]
    draw: bool = False

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, initial=1))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its entries, row-major: the array's own for a scalar, with `[i,j]` for others."""
        places = np.ndindex(*self.shape)
        return tuple(self.name + (f"[{','.join(map(str, i))}]" if i else "") for i in places)


@dataclass(frozen=True)
class Module:
    """A module as data: the arrays that are parameters, and what is needed to put them back.

    Two modules are equal when their names and arrays have the same names and shapes. Values are no part of that, so
    that other start values compile nothing again. Nor is what a module computes: it stands in the recorded programs of
    the functions that call it.
    """

    name: str
    parts: tuple[Part, ...]
    start: np.ndarray = field(compare=False, repr=False)
    skeleton: tuple[PyTree, PyTree] = field(compare=False, repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all entries, in the order of the vector."""
        return tuple(name for part in self.parts for name in part.names)

    @cached_property
    def draws(self) -> tuple[str, ...]:
        """Names of the entries by which dropout layers draw, which are held at 0."""
        return tuple(part.name for part in self.parts if part.draw)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def __reduce__(self) -> "tuple[Callable[..., Module], tuple[object, ...]]":
        # The tree itself and not its definition, which holds marks that are known by identity. Its activations are
        # functions that jax.jit has wrapped, which plain pickle does not take.
        content = packed(self.build(np.zeros(self.size)), f"modules[{self.name!r}]")
        return _module_again, (self.name, self.parts, self.start, content)

    def restored(self, vector: Array) -> PyTree:
        """The module as it was given, but in inference mode and with its arrays as in `build`."""
        return without_draws(self.build(vector))

    def build(self, vector: AnyArray) -> PyTree:
        """The module with its arrays taken from a vector with one number per entry."""
        arrays, offset = [], 0
        for part in self.parts:
            arrays.append(vector[offset : offset + part.size].reshape(part.shape))
            offset += part.size
        held, fixed = self.skeleton
        return eqx.combine(jax.tree.unflatten(held, arrays), fixed)

    def entries(self, name: str) -> slice | None:
        """The entries that a name stands for: of the whole module, of a part such as `taste.layers[0]`, or of one array;
        None for another name."""
        if name == self.name:
            return slice(0, self.size)
        found, offset = [], 0
        for part in self.parts:
            if part.name == name or (part.name.startswith(name) and part.name[len(name)] in ".["):
                found += [offset, offset + part.size]
            offset += part.size
        return slice(found[0], found[-1]) if found else None

    def values(self, given: PyTree, entries: slice, what: str) -> np.ndarray:
        """Values of these entries but for draws: a number for all, `"start"`, or a tree with arrays of the same shapes."""
        own = np.array([name not in self.draws for name in self.names[entries]], bool)
        count = int(own.sum())
        if isinstance(given, str):
            if given != START:
                raise ValueError(f"{what} is a number for all entries, {START!r} or a module, not {given!r}.")
            return self.start[entries][own]
        if isinstance(given, (int, float, np.number)) and not isinstance(given, bool):
            return np.full(count, float(given))
        arrays = [np.asarray(a, float) for a in jax.tree.leaves(without_draws(given)) if _is_float_array(a)]
        shapes = [part.shape for part in self.parts if not part.draw]
        if not arrays or (entries == slice(0, self.size) and [a.shape for a in arrays] != shapes):
            raise ValueError(
                f"{what} is a number for all entries, {START!r}, or a module with arrays of the shapes "
                f"{', '.join(map(str, shapes))}, not {[a.shape for a in arrays] or given!r}."
            )
        flat = np.concatenate([a.reshape(-1) for a in arrays])
        if len(flat) != count:
            raise ValueError(f"{what} has {len(flat)} numbers for {count} entries.")
        return flat


def _module_again(name: str, parts: tuple[Part, ...], start: np.ndarray, content: bytes) -> Module:
    return Module(name, parts, start, _skeleton(unpacked(content))[1])


def as_modules(given: object) -> tuple[Module, ...]:
    """The modules of `modules=`, checked, in inference mode and with arrays of 64 bits."""
    if not isinstance(given, Mapping):
        raise ValueError(f"modules= is a mapping, {{'taste': eqx.nn.MLP(...)}}, not {given!r}.")
    return tuple(_as_module(name, module) for name, module in given.items())


def _as_module(name: object, module: PyTree) -> Module:
    if not isinstance(name, str) or not name:
        raise ValueError(f"modules=: the name of a module is a non-empty text, not {name!r}.")
    _check_stateless(name, module)
    module = eqx.nn.inference_mode(with_draws(module))
    drawing, _ = jax.tree_util.tree_flatten_with_path(module, is_leaf=lambda a: isinstance(a, Dropout))
    draws = {jax.tree_util.keystr(path) + ".draw" for path, a in drawing if isinstance(a, Dropout)}
    found, skeleton = _skeleton(module)
    if not found:
        raise ValueError(
            f"modules[{name!r}] holds no array of real numbers, so it has no parameters: {module!r}. Call it in the "
            "utility as a function."
        )
    paths = ((jax.tree_util.keystr(path), a.shape) for path, a in found)
    parts = tuple(Part(name + path, shape, path in draws) for path, shape in paths)
    start = np.concatenate([np.asarray(a, np.float64).reshape(-1) for _, a in found])
    if not np.isfinite(start).all():
        raise ValueError(f"modules[{name!r}] holds numbers that are not finite. Initialise it anew.")
    return Module(name, parts, start, skeleton)


def _skeleton(
    module: PyTree,
) -> tuple[list[tuple[tuple[Hashable, ...], AnyArray]], tuple[object, PyTree]]:
    """The arrays of real numbers of a module with their paths, and what is needed to put others in their places."""
    arrays, fixed = eqx.partition(module, _is_float_array)
    found, held = jax.tree_util.tree_flatten_with_path(arrays)
    return found, (held, fixed)


def _is_float_array(leaf: object) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray)) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _check_stateless(name: str, module: PyTree) -> None:
    """Refuse layers that look at a whole batch, or that remember."""

    def stateful(part: object) -> bool:
        return isinstance(part, (eqx.nn.BatchNorm, eqx.nn.StateIndex))

    for part in jax.tree.leaves(module, is_leaf=stateful):
        if isinstance(part, eqx.nn.BatchNorm):
            raise ValueError(
                f"modules[{name!r}] holds a BatchNorm. It would make one person's likelihood depend on the other people "
                "in the batch, so that the log-likelihood is no sum over people any more. Use eqx.nn.LayerNorm."
            )
        if stateful(part):
            raise ValueError(
                f"modules[{name!r}] holds a layer that remembers earlier calls; a likelihood is a function of parameters "
                "and data alone. Take a layer without state."
            )


def expand(
    modules: Sequence[Module], given: Iterable[tuple[str, Value]], argument: str
) -> dict[str, Value | float]:
    """Values by name of a parameter, where names of modules and of their parts stand for all of their entries.

    What says more exactly what it means comes before what says less: `{"taste": 0.0, "taste.bias[0]": 1.0}`.
    """
    exact: dict[str, Value | float] = {}
    wide: list[tuple[int, dict[str, Value | float]]] = []
    known = {name for module in modules for name in module.names}
    for name, value in given:
        module, entries = _home(modules, name)
        if module is None or entries is None or name in known:
            exact[name] = _own_start(modules, name) if name in known and _is_start(value) else value
            continue
        what = f"{argument}[{name!r}]"
        names = [n for n in module.names[entries] if n not in module.draws]
        pair = argument == "bounds"
        values = [value] * len(names) if pair else module.values(value, entries, what).tolist()
        wide.append((len(names), dict(zip(names, values, strict=True))))
    found: dict[str, Value | float] = {}
    for _, members in sorted(wide, key=lambda pair: -pair[0]):
        found |= members
    return found | exact


def _home(modules: Sequence[Module], name: object) -> tuple[Module | None, slice | None]:
    for module in modules:
        if isinstance(name, str) and (entries := module.entries(name)) is not None:
            return module, entries
    return None, None


def _is_start(value: object) -> bool:
    return isinstance(value, str) and value == START


def _own_start(modules: Sequence[Module], name: str) -> float:
    module = next(m for m in modules if name in m.names)
    return float(module.start[module.names.index(name)])


def check_used(modules: Sequence[Module], used: Iterable[str]) -> None:
    """Refuse a module that nothing in the model calls."""
    called = set(used)
    for module in modules:
        if module.name not in called:
            raise ValueError(
                f"modules= names {module.name!r}, which no function of the model calls. Write b.{module.name}(...) in the "
                f"utility, or leave it out. {nearest(module.name, called)}"
            )
