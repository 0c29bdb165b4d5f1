"""Measurement families and choice kernels of your own.

A member is a frozen dataclass that fulfils the protocol `Indicator` or `Kernel`; nothing else in the package has to know
it. It says which parameters it has (`declare`), where they start, what it makes of the data, and one log density, written
with JAX for all items that share a `stack`, or for one choice situation. Integration, scores, Hessians, standard errors,
simulation and reports follow. `check_indicator` and `check_kernel` put a member to the test.

A count that is Poisson given the latent variables, complete:

```python
from dataclasses import dataclass
from typing import Any, ClassVar, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from iclv_jax import families


@dataclass(frozen=True)
class Count(families.Indicator):
    column: str
    of: Sequence[str]
    missing: Sequence[Any] = ()
    on: Sequence[Any] = ()  # direct effects of covariates: the package declares them and adds them to the index
    discrete: ClassVar[bool] = False  # no list of levels
    normal: ClassVar[bool] = False
    stack: ClassVar[str] = "count"  # all counts are evaluated as one array
    shared: ClassVar[None] = None

    def __post_init__(self):
        families.normalise_indicator(self)

    @property
    def location(self):
        return f"{self.column} ~ 1"

    def check(self, values, people):
        if any(v < 0 or v != int(v) for v in values):
            raise ValueError(f"Item {self.column!r} is no count.")

    def find_levels(self, values, categories):
        return ()

    def check_levels(self, levels, counts):
        pass

    def declare(self, levels, positions):
        level = families.Parameter(self.location, "measurement", "intercept", 0.0, f"log mean of {self.column}")
        cells = (
            families.Cells("intercept", (), (families.one(self.location),)),
            families.loading_cells(self, positions),
        )
        return families.Declared((level, *families.loadings(self)), cells)

    def starts(self, levels, values, communality, sign):
        return families.loading_starts(self, 0.5 * sign) | {self.location: float(np.log(np.mean(values) + 0.1))}

    def log_density(self, cells, values, index):
        log_mean = cells["intercept"] + index
        return values * log_mean - jnp.exp(log_mean) - jax.scipy.special.gammaln(values + 1.0)

    def expected(self, cells, index):
        mean = jnp.exp(cells["intercept"] + index)
        return families.Expected(mean, mean, jnp.zeros((mean.shape[0], 0)))

    def sample(self, cells, index, key):
        return jax.random.poisson(key, jnp.exp(cells["intercept"] + index)).astype(float)
```

A logit with a scale of its own, complete:

```python
@dataclass(frozen=True)
class ScaledLogit(families.Kernel):
    utility: Any
    chosen: str
    available: Any = None
    name: str = "choice"

    def __post_init__(self):
        families.normalise_kernel(self)

    def check(self, alternatives):
        pass

    def declare(self):
        scale = families.Parameter("scale", "choice", "scale", 1.0, "scale of the utilities")
        return families.Declared((scale,), (families.Cells("scale", (), (families.one("scale"),)),))

    def log_density(self, cells, utilities, outcome, offered):
        return jax.nn.log_softmax(jnp.where(offered, cells["scale"] * utilities, -jnp.inf))[outcome]

    def sample(self, cells, utilities, offered, key):
        return jax.random.categorical(key, jnp.where(offered, cells["scale"] * utilities, -jnp.inf))
```

A kernel that explains numbers (quantities, durations) in place of a chosen alternative says so by
`discrete: ClassVar[bool] = False`: `columns` hold them, `log_density` takes them as they are, `check_numbers` may refuse
them, and `expected` gives what is expected of each of `outcomes`. Where there is nothing to predict or to draw,
`unpredicted` and `undrawn` say why.
"""

from iclv_jax._families._choice_parts import normalise as normalise_kernel
from iclv_jax._families._item_parts import loading_cells, loading_starts, loadings
from iclv_jax._families._item_parts import normalise as normalise_indicator
from iclv_jax._spec import (
    Cells,
    Declared,
    Expected,
    Increasing,
    Indicator,
    Kernel,
    Limit,
    Parameter,
    Positive,
    PositiveDefinite,
    Tails,
    one,
)
from iclv_jax.families._check import check_indicator, check_kernel

__all__ = [
    "Cells",
    "Declared",
    "Expected",
    "Increasing",
    "Indicator",
    "Kernel",
    "Limit",
    "Parameter",
    "Positive",
    "PositiveDefinite",
    "Tails",
    "check_indicator",
    "check_kernel",
    "loading_cells",
    "loading_starts",
    "loadings",
    "normalise_indicator",
    "normalise_kernel",
    "one",
]
