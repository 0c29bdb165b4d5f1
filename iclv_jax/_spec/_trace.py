"""Python functions written by the user, recorded once as JAX programs.

A recorded function is compared by what it computes, never by which Python object it is: defining
the same utility again in a notebook gives an equal object, so nothing compiled for the first one
is compiled again.
"""

import inspect
import pickle
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from iclv_jax._base._facts import Fact, difference
from iclv_jax._base._portable import packed, unpacked
from iclv_jax._base._types import AnyArray, Array
from iclv_jax._spec._alike import Alike, find_alike
from iclv_jax._spec._computes import values_at_points
from iclv_jax._spec._degree import AFFINE, CONSTANT, degrees
from iclv_jax._spec._module import Module
from iclv_jax._spec._namespace import Namespace, guarded

Result = TypeVar("Result")
CHANGES = (
    "is no function of its arguments: called again with the same ones, it gave something else. It is recorded once and "
    "would stand still there. Put random numbers into a column of the data, or name the coefficients that vary in random=: "
    "a counter, a clock or a variable that changes has no place in it."
)


@dataclass(frozen=True, eq=False)
class Source:
    """What a recorded function is recorded from: the user's function, the names that it uses in each namespace, the keys of
    the mapping that it returns (None: it returns one number), what it is in messages, the modules that it calls, and what
    the number of a key is in messages."""

    function: Callable[..., Any]
    names: tuple[tuple[str, ...], ...]
    keys: tuple[Hashable, ...] | None
    what: str
    modules: tuple[Module, ...] = ()
    number: str = "The utility of {!r}"

    def __call__(self, *values: Array) -> list[Array]:
        """The user's function on scalars in the order of `names`, and the vectors of modules behind them."""
        count = sum(len(group) for group in self.names)
        offset = 0
        spaces = []
        for group in self.names:
            found: dict[str, Any] = dict(zip(group, values[offset : offset + len(group)], strict=True))
            if not spaces:
                found |= {m.name: m.build(v) for m, v in zip(self.modules, values[count:], strict=True)}
            spaces.append(Namespace(partial(self._value, found)))
            offset += len(group)
        result = guarded(self.function, spaces, self.what)
        if self.keys is None:
            return [scalar(result, self.what)]
        if not isinstance(result, dict) or tuple(result) != self.keys:
            raise ValueError(f"{self.what} {CHANGES}")
        return [scalar(result[key], self.number.format(key)) for key in self.keys]

    def _value(self, values: dict[str, Any], name: str) -> Any:
        if name not in values:
            raise ValueError(f"{self.what} {CHANGES}")
        return values[name]

    def traced(self) -> "Traced":
        """ValueError for a function that gives something else when it is called again."""
        found = Traced(self, [len(group) for group in self.names], [m.size for m in self.modules])
        if found.changes():
            raise ValueError(f"{self.what} {CHANGES}")
        return found


class Traced:
    """A function of scalars (`counts` of them by namespace), and of vectors of the sizes `vectors` behind them, recorded as
    a JAX program: `traced(*arrays) -> tuple of arrays`.

    Two of them are equal when their programs, and the programs of their first and second
    derivatives, are equal. (The derivatives matter for functions with a custom rule.)

    It is pickled as the user's function, and recorded anew where it is read: programs belong to one version of JAX.
    """

    def __init__(
        self, function: Callable[..., Sequence[Array]], counts: Sequence[int], vectors: Sequence[int] = ()
    ) -> None:
        example = [jnp.zeros(())] * sum(counts) + [jnp.zeros(size) for size in vectors]
        self._function, self._counts, self._vectors = function, tuple(counts), tuple(vectors)
        self._program = self._recorded()
        self._call = jex.jaxpr_as_fun(self._program)
        self._key = tuple(_canonical(p) for p in _with_derivatives(self._call, example))
        self._hash = hash(self._key)

    def _recorded(self) -> jex.ClosedJaxpr:
        function = self._function
        example = [jnp.zeros(())] * sum(self._counts) + [jnp.zeros(size) for size in self._vectors]
        # A function of its own: JAX would remember the program of one that it has seen, and what that refers to may have
        # changed.
        return jax.make_jaxpr(lambda *values: function(*values))(*example)

    def changes(self) -> bool:
        """Whether the function computes something else when it is recorded again."""
        if _canonical(self._recorded()) == self._key[0]:
            return False
        # Programs may differ by what cannot be compared; values then tell.
        again = Traced(self._function, self._counts, self._vectors)
        return again != self and bool(difference(self.computes, again.computes))

    def __call__(self, *arguments: Array) -> tuple[Array, ...]:
        # Outputs that are constant come as literals.
        return tuple(jnp.asarray(v) for v in self._call(*arguments))

    @cached_property
    def alike(self) -> Alike | None:
        """Its outputs, where many are computed alike."""
        return find_alike(self._program, sum(self._counts), _canonical)

    @cached_property
    def computes(self) -> list[Fact]:
        """Its values at points that never change: what it is known by in files."""
        return values_at_points(self._call, self._counts, self._vectors)

    def __reduce__(self) -> tuple[Callable[..., "Traced"], tuple[object, ...]]:
        function, what = self._function, getattr(self._function, "what", "A recorded function")
        again = Traced(function, self._counts, self._vectors)
        if again != self and difference(self.computes, again.computes):
            raise pickle.PicklingError(
                f"{what} computes something else now than when the model was made: it uses a variable that has been given "
                "another value since. Make the model anew, then pickle it."
            )
        return _recorded_again, (packed(function, what), self._counts, self._vectors, self.computes)

    def reaches(self) -> tuple[frozenset[int], ...]:
        """For every output the positions of the arguments that it may depend on."""
        program = self._program.jaxpr
        known = {v: frozenset([i]) for i, v in enumerate(program.invars)}

        def of(variables: Sequence[jex.Var | jex.Literal]) -> frozenset[int]:
            found = (known.get(v, frozenset()) for v in variables if not isinstance(v, jex.Literal))
            return frozenset().union(*found)

        for equation in program.eqns:
            known |= dict.fromkeys(equation.outvars, of(equation.invars))
        return tuple(of([v]) for v in program.outvars)

    def affine_in(self, count: int) -> bool:
        """Whether every output is affine in the first `count` arguments, the others held."""
        program = self._program.jaxpr
        given = [AFFINE] * count + [CONSTANT] * (len(program.invars) - count)
        return max(degrees(program, given), default=CONSTANT) <= AFFINE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Traced) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Traced({self._program})"


def record(
    function: Callable[..., Result],
    spaces: Sequence[Callable[[str], None]],
    what: str,
    modules: Sequence[Module] = (),
) -> tuple[list[list[str]], Result]:
    """Run `function` once on namespaces that note which names it uses.

    `spaces` holds one callable per namespace; it may refuse a name by raising ValueError. Names of modules
    in the first namespace give the modules.
    Returns the names per namespace in the order of first use, and the function's raw result
    (whose leaves are abstract).
    """
    used: list[list[str]] = [[] for _ in spaces]
    result: list[Result] = []
    function = plain(function)

    def look_up(space: int, value: Array) -> Callable[[str], object]:
        built = {m.name: m.build(jnp.broadcast_to(value, (m.size,))) for m in modules if space == 0}

        def get(name: str) -> object:
            spaces[space](name)
            if name not in used[space]:
                used[space].append(name)
            return built.get(name, value)

        return get

    def run(value: Array) -> Array:
        result.append(guarded(function, [Namespace(look_up(i, value)) for i in range(len(spaces))], what))
        return value

    jax.eval_shape(run, jnp.zeros(()))
    return used, result[0]


def check_arguments(function: object, names: Sequence[str], what: str) -> None:
    """Refuse what is no function of this many arguments."""
    form = f"a function of {', '.join(names)}"
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"{what} is {form}, not {function!r}.")
    try:
        inspect.signature(function).bind(*names)
    except TypeError as error:
        raise ValueError(f"{what} is {form}, but it cannot be called so: {error}.") from None
    except ValueError:
        pass  # Some built-in functions do not tell their arguments.


def trace(
    function: Callable[..., Result],
    names: Sequence[Sequence[str]],
    what: str,
    keys: tuple[Hashable, ...] | None = None,
    modules: Sequence[Module] = (),
    number: str = "The utility of {!r}",
) -> Traced:
    """Record `function` with the names of each namespace bound, in order, to scalar arguments, and with the modules of
    the first namespace built from the vectors that follow these. With `keys` it returns a mapping."""
    groups = tuple(tuple(group) for group in names)
    return Source(plain(function), groups, keys, what, tuple(modules), number).traced()


def plain(function: Callable[..., Result]) -> Callable[..., Result]:
    """The user's function without `jax.jit` around it, which would sort alternatives and take no namespaces."""
    inner = getattr(function, "__wrapped__", None)
    return plain(inner) if inner is not None and hasattr(function, "lower") else function


def _recorded_again(content: bytes, counts: Sequence[int], vectors: Sequence[int], computes: Fact) -> Traced:
    """A function read from a pickle, recorded anew; ValueError where its name now stands for another one."""
    found = Traced(unpacked(content), counts, vectors)
    if difference(computes, found.computes):
        what = getattr(found._function, "what", "A recorded function")
        raise ValueError(
            f"{what} computes something else here than where the model was pickled: its module has changed since. Make the "
            "model anew."
        )
    return found


def arguments(
    coefficients: Array, count: int, modules: Sequence[Module], others: Sequence[AnyArray | Sequence[Array]]
) -> list[Array]:
    """What a recorded function takes: `count` scalars of the coefficients, those of other vectors, and the vectors of
    modules, which are the rest of the coefficients."""
    scalars = list(jnp.unstack(coefficients[:count]))
    scalars += [vector[i] for vector in others for i in range(len(vector))]
    vectors, offset = [], count
    for module in modules:
        vectors.append(coefficients[offset : offset + module.size])
        offset += module.size
    return scalars + vectors


def scalar(value: object, what: str) -> Array:
    """The value as a float64 scalar, or an error that says what stands there instead."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be a number, not {value!r}.") from error
    if array.shape == (1,):
        array = array[0]  # what a network with out_size=1 returns
    if array.shape != ():
        raise ValueError(
            f"{what} must be one number, but it is an array of shape {array.shape}. Write it for one person "
            "and one situation; iclv_jax takes it over all of them."
        )
    if jnp.iscomplexobj(array):
        raise ValueError(f"{what} must be a real number, but it is complex.")
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        raise ValueError(f"{what} must be a finite number, but it is {value}, whatever the parameters.")
    return array.astype(jnp.float64)


def _with_derivatives(call: Callable[..., Sequence[Array]], example: list[Array]) -> list[jex.ClosedJaxpr]:
    programs = []
    arguments = tuple(example)
    for _ in range(3):
        programs.append(jax.make_jaxpr(call)(*arguments))
        call = _tangent(call, len(arguments))
        arguments = arguments + arguments
    return programs


def _tangent(call: Callable[..., Sequence[Array]], count: int) -> Callable[..., Sequence[Array]]:
    return lambda *both: jax.jvp(call, both[:count], both[count:])


def _canonical(value: object) -> Hashable:
    """A hashable form of a program in which variables are numbered and functions are left out."""
    if isinstance(value, jex.ClosedJaxpr):
        return ("closed", _canonical(value.jaxpr), tuple(_canonical(c) for c in value.consts))
    if isinstance(value, jex.Jaxpr):
        return _canonical_program(value)
    if isinstance(value, (list, tuple)):
        return tuple(_canonical(v) for v in value)
    if isinstance(value, dict):
        return tuple(sorted((str(k), _canonical(v)) for k, v in value.items()))
    if isinstance(value, (int, float, np.ndarray, np.generic, jax.Array)) or hasattr(value, "dtype"):
        array = np.asarray(value)
        return (str(array.dtype), array.shape, array.tobytes())
    try:
        hash(value)
    except TypeError:
        return _Unique()
    return value


class _Unique:
    """Equal to nothing but itself: what cannot be compared is never taken for equal."""


def _canonical_program(program: jex.Jaxpr) -> tuple[Hashable, ...]:
    numbers: dict[jex.Var, int] = {}

    def number(variable: jex.Var | jex.Literal) -> Hashable:
        if isinstance(variable, jex.Literal):
            return ("literal", _canonical(variable.val), str(variable.aval))
        return numbers.setdefault(variable, len(numbers))

    inputs = tuple((number(v), str(v.aval)) for v in (*program.constvars, *program.invars))
    equations = tuple(
        (
            equation.primitive.name,
            # The rule of a custom derivative is a new Python object at each trace; what it computes
            # stands in the programs of the derivatives, which are compared as well.
            tuple(
                (key, _canonical(value))
                for key, value in sorted(equation.params.items())
                if key not in ("jvp_jaxpr_fun", "ctx_mesh")
            ),
            tuple(number(v) for v in equation.invars),
            tuple((number(v), str(v.aval)) for v in equation.outvars),
        )
        for equation in program.eqns
    )
    return (inputs, equations, tuple(number(v) for v in program.outvars))


def program_key(program: jex.ClosedJaxpr) -> Hashable:
    """A hashable form of a closed program, equal for programs that compute the same from the same constants."""
    return _canonical(program)
