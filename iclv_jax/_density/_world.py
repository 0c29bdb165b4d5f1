"""What blocks see of a person's draw, and the derivatives that they hand to the kernel."""

from typing import Any, NamedTuple

from iclv_jax._base._types import Array, Float


class World(NamedTuple):
    """One draw of one person.

    `eta` holds the latent variables in causal order and behind them the drivers of random coefficients: one normal
    vector, of which the system is the only maker. `inner` is a draw of the coefficients that are drawn anew in every row,
    while a choice goes through them.
    """

    eta: Float[Array, " latent"]
    covariates: Float[Array, " covariate"]
    inner: Float[Array, " within"] | None = None


class First(NamedTuple):
    """A block's log density at every node, and its derivatives by the block's live cells and by eta.

    `memo` is the block's own: what its second derivatives need again.
    """

    value: Float[Array, " node"]
    scores: Float[Array, "node live"]
    pull: Float[Array, "node latent"]
    memo: Any


class Second(NamedTuple):
    """A block's second derivatives, averaged over nodes by their shares.

    `own` is in a form of the block's, of which `Block.merge` makes (live, live) for a whole batch of people. `bend` is
    that by the entries of eta that structural parameters move, times the share of each node; `cross` that by live cell and
    such an entry, against the basis in which eta is linear.
    """

    own: Any
    bend: Float[Array, "node moved moved"]
    cross: Float[Array, "basis live moved"]


class Expanded(NamedTuple):
    """A person's draws with their derivatives by the structural places.

    `d eta_rl / d place_s = sum_b basis_rb slopes_bls` for the first `moved` entries l of eta; the others do not depend on
    structural parameters.
    """

    eta: Float[Array, "node latent"]
    basis: Float[Array, "node basis"]
    slopes: Float[Array, "basis moved place"]
