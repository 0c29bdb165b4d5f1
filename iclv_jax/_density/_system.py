"""The structural part: from standard normal shocks to latent variables and drivers of random coefficients.

`eta = B eta + Gamma x + alpha + zeta`, `zeta = chol(Psi) u`, with the latent variables in causal order, so that B is
strictly lower triangular. The drivers stand behind them: standard normal, and where they covary with each other or with
disturbances, Psi is that of all together. A system is the only reader of a draw.
"""

import abc
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from iclv_jax._base._linear import cholesky, effects
from iclv_jax._base._types import Array, Arrays, CellTree, Float, Scalar, Shocks
from iclv_jax._density._places import Places
from iclv_jax._density._world import Expanded, World
from iclv_jax._panel import Person
from iclv_jax._parameters import LATENT
from iclv_jax._spec._equation import CELLS

Bend = Callable[[Float[Array, "node moved"]], Float[Array, "place place"]]
"""Second derivatives of eta by the structural places, summed against weights of its entries at every node."""


class System(abc.ABC):
    """How a person's shocks make a world. A member is a frozen dataclass.

    `latents` and `drivers` count the entries of eta; `linked` says whether drivers covary with anything, so that the
    first `moved` entries of eta, those on which structural parameters act, are all of them.
    """

    latents: int
    drivers: int
    linked: bool

    @property
    def size(self) -> int:
        """Number of entries of eta."""
        return self.latents + self.drivers

    @property
    def moved(self) -> int:
        """How many entries of eta, the first ones, structural parameters act on."""
        return self.size if self.linked else self.latents

    @property
    def dimension(self) -> int:
        """Number of shocks."""
        return len(self.places)

    @property
    def places(self) -> tuple[int, ...]:
        """The entry of eta that each shock is of."""
        return tuple(range(self.size))

    @property
    def absorbed(self) -> tuple[int, ...]:
        """Places of the blocks that are integrated in closed form here, and so no terms of their own."""
        return ()

    @property
    @abc.abstractmethod
    def linear(self) -> bool:
        """Whether eta is normal before any answers."""

    @abc.abstractmethod
    def world(self, cells: CellTree, person: Person, shocks: Shocks) -> tuple[World, Scalar]:
        """The world of a draw, and the log marginal density of what was integrated in closed form. Entries of eta that no
        block sees may stand anywhere."""

    def mean(self, cells: CellTree, person: Person, shocks: Shocks) -> Float[Array, " latent"]:
        """The mean of all of eta given the shocks, about which `uncertain` is left."""
        return self.world(cells, person, shocks)[0].eta

    def uncertain(self, cells: CellTree, person: Person) -> Float[Array, "latent latent"]:
        """Covariance of eta that the shocks leave."""
        return jnp.zeros((self.size, self.size))

    @abc.abstractmethod
    def expand(
        self, places: Places, cells: Arrays, person: Person, shocks: Float[Array, "node dimension"]
    ) -> tuple[Expanded, Bend]:
        """The worlds of all draws with their derivatives by the places of the structural section."""


def reduced_form(
    cells: Arrays, covariates: Float[Array, " covariate"]
) -> tuple[Float[Array, " moved"], Float[Array, "moved moved"]]:
    """Mean and lower factor such that the first entries of eta are `mean + factor @ shocks`: the latent variables, and
    the drivers behind them where these are linked. The latent variables' own are the leading ones of both.

    NaN where Psi is not positive definite. ValueError where an equation is a function.
    """
    check_linear(cells, "What was asked for")
    size = cells["intercepts"].shape[0]
    root = disturbance_factor(cells)
    if size == 0:
        return jnp.zeros(root.shape[0]), root
    total = effects(cells["paths"])
    mean = total @ index(cells, covariates)
    if root.shape[0] == size:
        return mean, total @ root
    factor = jnp.concatenate([total @ root[:size], root[size:]])
    return jnp.concatenate([mean, jnp.zeros(root.shape[0] - size)]), factor


def index(cells: Arrays, covariates: Float[Array, " covariate"]) -> Float[Array, " latent"]:
    """What covariates and intercepts contribute to the latent variables."""
    return cells["intercepts"] + cells["slopes"] @ covariates


def disturbance_factor(cells: Arrays) -> Float[Array, "moved moved"]:
    """The Cholesky factor of Psi, which is given by its diagonal where nothing covaries.

    With `spreads` the last entries are drivers of random coefficients: their covariances are in units of the coefficients,
    so that dividing by the spreads makes correlations of them.
    """
    psi = cells["disturbance"]
    if psi.ndim == 1:
        # One that is fixed at zero stays there; the slope of the root there is infinite.
        return jnp.diag(jnp.where(psi == 0.0, 0.0, jnp.sqrt(jnp.where(psi == 0.0, 1.0, psi))))
    if "spreads" not in cells:
        return _with_still(psi)
    drivers = cells["spreads"].shape[0]
    latents = psi.shape[0] - drivers
    scale = jnp.concatenate([jnp.ones(latents), cells["spreads"]])
    unit = np.diag(np.append(np.zeros(latents), np.ones(drivers)))
    return _with_still(psi / jnp.outer(scale, scale) + unit)


def _with_still(psi: Float[Array, "moved moved"]) -> Float[Array, "moved moved"]:
    """The Cholesky factor, with nothing in the rows of disturbances that are zero and covary with nothing."""
    still = jnp.where(jnp.any(psi != 0.0, axis=0), 0.0, 1.0)
    return cholesky(psi + jnp.diag(still)) * (1.0 - still)[:, None]


def check_linear(cells: Arrays, what: str) -> None:
    """Refuse what takes linear equations where one is a function."""
    functions = [key.removeprefix(CELLS) for key in cells if key.startswith(CELLS)]
    if functions:
        raise ValueError(
            f"{what} takes linear structural equations, but that of {functions[0]!r} is a function."
        )


def with_drivers(eta: Float[Array, " moved"], shocks: Shocks) -> Float[Array, " latent"]:
    """Eta with the drivers that covary with nothing: the shocks themselves."""
    return jnp.concatenate([eta, shocks[eta.shape[0] :]])


def structural(cells: CellTree) -> Arrays:
    """The structural section of theta."""
    return cells[LATENT]
