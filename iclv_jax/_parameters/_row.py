"""One row of the parameter table."""

import math
from dataclasses import dataclass

from iclv_jax._spec import Parameter


@dataclass(frozen=True)
class Row:
    """A parameter with its standing: `status` is free, fixed, equal or defined; `value` is the
    fixed value, `tied` the parameter whose value it takes."""

    parameter: Parameter
    status: str
    lower: float = -math.inf
    upper: float = math.inf
    value: float = math.nan
    tied: str | None = None

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def standing(self) -> str:
        """The status in words."""
        return f"tied to {self.tied!r}" if self.tied else self.status
