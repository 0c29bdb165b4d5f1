"""Several devices: people cut along one axis of a mesh, everything else on each of them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from iclv_jax._base._types import Array, Given, PyTree

AXIS = "people"
Device: TypeAlias = Any
"""A device of JAX, whose type has no public name."""
Devices: TypeAlias = str | int | Sequence[Any] | Mesh | None


def mesh_of(devices: Given[Devices]) -> Mesh | None:
    """The devices that share people; None for the usual one. ValueError for what does not exist."""
    if devices is None:
        return None
    if isinstance(devices, Mesh):
        found = list(devices.devices.ravel())
    elif isinstance(devices, str):
        found = jax.local_devices() if devices == "all" else _unknown(devices)
    elif isinstance(devices, (int, np.integer)) and not isinstance(devices, bool):
        found = _first(int(devices))  # pyright: ignore[reportArgumentType]
    elif isinstance(devices, Sequence) and len(devices) and all(isinstance(d, jax.Device) for d in devices):
        found = list(devices)
    else:
        found = _unknown(devices)
    if len(set(found)) < len(found):
        raise ValueError(f"devices= names a device twice: {_named(found)}. Name each once.")
    if away := [d for d in found if d.process_index != jax.process_index()]:
        raise ValueError(
            f"devices= names {_named(away)} of another process. People are on the devices of one process: take some of "
            "jax.local_devices()."
        )
    return Mesh(np.array(found), (AXIS,))


def _first(count: int) -> list[Device]:
    there = jax.local_devices()
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


def _unknown(devices: object) -> list[Device]:
    raise ValueError(
        f"devices= is 'all', a number of devices, a list of them from jax.local_devices(), or a Mesh, not {devices!r}."
    )


def _named(devices: Sequence[Device]) -> str:
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
        traced = isinstance(array, Tracer)
        return jax.lax.with_sharding_constraint(array, cut) if traced else jax.device_put(array, cut)

    return jax.tree.map(one, arrays)


def over(mesh: Mesh, local: Callable[..., Any], arrays: PyTree, shared: PyTree, summed: bool) -> Any:
    """`local(arrays, shared)` on every device with its part of arrays over people and with all that is shared: the sum over
    devices, or the parts together."""

    def here(arrays: PyTree, shared: PyTree) -> Any:
        found = local(arrays, shared)
        return jax.lax.psum(found, AXIS) if summed else found

    cut, whole = PartitionSpec(AXIS), PartitionSpec()
    # Unchecked, a derivative taken inside by what is shared is that of a device's own people. Checked, it would be the sum
    # over devices already, and summed again: twice as large on two devices, with the right value.
    run = jax.shard_map(
        here, mesh=mesh, in_specs=(cut, whole), out_specs=whole if summed else cut, check_vma=False
    )
    return run(arrays, shared)
