"""How many people are evaluated at a time, from the memory that they may take."""

import math
from typing import Any

import numpy as np

from iclv_jax._density._block import COLUMNS
from iclv_jax._likelihood import Core

MEMORY = "2GB"
PER_ITEM, PER_CHOICE = 40, 20
"""Numbers held per person, node and item (or alternative of a situation) in an exact Hessian; measured."""
UNITS = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def parse_memory(memory: Any) -> float:
    """Bytes, from a number or from a text such as "500MB"."""
    if isinstance(memory, str):
        text = memory.strip().upper()
        unit = next((u for u in sorted(UNITS, key=len, reverse=True) if text.endswith(u)), "")
        try:
            value = float(text.removesuffix(unit)) * UNITS[unit]
        except (ValueError, KeyError):
            value = float("nan")
    else:
        value = (
            float(memory)
            if isinstance(memory, (int, float)) and not isinstance(memory, bool)
            else float("nan")
        )
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f'memory= is a size such as "500MB" or "2GB", or a number of bytes, not {memory!r}.')
    return value


def bytes_per_person(core: Core, nodes: int) -> float:
    """What one person takes in an exact Hessian, in bytes."""
    shape, data = core.structure, core.people.held.person.data
    numbers, squares = 3 * shape.map.cells, 0.0
    for block in shape.items:
        numbers += PER_ITEM * data[block.at].occurs.shape[1]
    for block in shape.choices:
        coefficients = len(block.utility.coefficients)
        together = min(coefficients, COLUMNS)
        numbers += math.prod(data[block.at].offered.shape[1:]) * (PER_CHOICE + 3 * together)
        squares += 2.0 * coefficients**2
    return 8.0 * (nodes * numbers + squares)


def batch_size(core: Core, nodes: int, memory: float) -> int:
    """People per batch such that the exact Hessian, which takes the most, stays within `memory`."""
    return int(np.clip(memory / bytes_per_person(core, nodes), 1, core.people.size))
