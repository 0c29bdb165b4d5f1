"""Several devices: people cut along one axis of a mesh, everything else on each of them.

What is done with a device's people is recorded outside of the mesh and run inside. So derivatives that it takes are those of
its own people, and no rule of derivatives across devices comes in their way: a gradient by a parameter that is the same on
all devices, taken inside, would be their sum already, and summed again.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from iclv_jax._base._types import Array, Given, PyTree

AXIS = "people"
Devices: TypeAlias = str | int | Sequence[Any] | Mesh | None


def mesh_of(devices: Given[Devices]) -> Mesh | None:
    """The devices that share people; None for the usual one. ValueError for what does not exist."""
    if devices is None:
        return None
    if isinstance(devices, Mesh):
        found = list(devices.devices.ravel())
    elif isinstance(devices, str):
        found = jax.devices() if devices == "all" else _unknown(devices)
    elif hasattr(devices, "__index__") and not isinstance(devices, bool):
        found = _first(int(devices))  # pyright: ignore[reportArgumentType]
    elif isinstance(devices, Sequence) and len(devices) and all(isinstance(d, jax.Device) for d in devices):
        found = list(devices)
    else:
        found = _unknown(devices)
    if len(set(found)) < len(found):
        raise ValueError(f"devices= names a device twice: {_named(found)}. Name each once.")
    return Mesh(np.array(found), (AXIS,))


def _first(count: int) -> list[jax.Device]:
    there = jax.devices()
    if not 1 <= count <= len(there):
        more = ""
        if count > len(there) and there[0].platform == "cpu":
            more = (
                " A CPU counts as several when XLA_FLAGS=--xla_force_host_platform_device_count="
                f"{count} stands in the environment before JAX is imported."
            )
        raise ValueError(
            f"devices={count}: JAX sees {len(there)} ({_named(there)}), so take a number from 1 to {len(there)}.{more}"
        )
    return there[:count]


def _unknown(devices: object) -> list[jax.Device]:
    raise ValueError(
        f"devices= is 'all', a number of devices, a list of them from jax.devices(), or a Mesh, not {devices!r}."
    )


def _named(devices: Sequence[jax.Device]) -> str:
    return ", ".join(str(d) for d in devices[:8]) + (", ..." if len(devices) > 8 else "")


def even(size: int, mesh: Mesh | None) -> int:
    """So many people, or a few more, that all devices have equally many."""
    return size if mesh is None else -(-size // mesh.size) * mesh.size


def spread(arrays: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays over people with a part on each device, filled up with the last person. Inside compiled functions it is a
    wish."""
    if mesh is None:
        return arrays
    cut = NamedSharding(mesh, PartitionSpec(AXIS))

    def one(array: Any) -> Array:
        short = even(array.shape[0], mesh) - array.shape[0]
        if short:
            fill = np if isinstance(array, np.ndarray) else jnp
            array = fill.concatenate([array, fill.repeat(array[-1:], short, axis=0)])
        traced = isinstance(array, jax.core.Tracer)
        return jax.lax.with_sharding_constraint(array, cut) if traced else jax.device_put(array, cut)

    return jax.tree.map(one, arrays)


def over(mesh: Mesh, local: Callable[..., Any], arrays: PyTree, summed: bool) -> Any:
    """`local(arrays)` on every device with its part of arrays over people: the sum over devices, or the parts together."""
    shapes = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((a.shape[0] // mesh.size, *a.shape[1:]), a.dtype), arrays
    )
    recorded, shape = jax.make_jaxpr(local, return_shape=True)(shapes)

    def here(constants: list[Array], arrays: PyTree) -> Any:
        # What the function closes over comes as arguments, the same on every device.
        run = jaxpr_as_fun(ClosedJaxpr(recorded.jaxpr, constants))
        found = jax.tree.unflatten(jax.tree.structure(shape), run(*jax.tree.leaves(arrays)))
        return jax.lax.psum(found, AXIS) if summed else found

    cut, all_of_it = PartitionSpec(AXIS), PartitionSpec()
    return jax.shard_map(
        here, mesh=mesh, in_specs=(all_of_it, cut), out_specs=all_of_it if summed else cut, check_vma=False
    )(list(recorded.consts), arrays)
