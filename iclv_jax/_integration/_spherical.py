"""Randomly rotated designs on spheres: points for a standard normal in two or more dimensions.

A normal vector is a direction times a length. Lengths come from the Gauss rule of the squared length (generalised
Gauss-Laguerre), directions from a design that integrates every polynomial up to a degree exactly over the sphere, and
every sphere of every person has a random rotation of its own (Genz and Monahan 1998, SIAM Journal on Scientific
Computing 19). All weights are positive. Posteriors are nearly normal, so that what is left for the nodes to integrate is
nearly a polynomial of low degree, which is why a hundred such points do what thousands of random ones do not.
"""

from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._integration._rule import NEGLIGIBLE
from iclv_jax._integration._sequences import AT_ONCE, passed_by

FEWEST_SHELLS = {3: 2, 5: 3}
"""By degree of the design."""
FIFTH_FROM = 2.25
"""A design of degree 5 is taken when the draws fill this many spheres with it."""
LARGEST_FIFTH = 7
"""Dimensions above which the design of degree 5 has negative weights."""
ALL_RADII = 7
"""Up to this many spheres have radii of their own; more are rotated copies."""


class Design(NamedTuple):
    """How a number of draws is laid out: `rotations` copies of `radii` spheres."""

    degree: Given[int]
    radii: Given[int]
    rotations: Given[int]


def design(draws: int, dimension: int) -> Design:
    """The layout for about this many draws."""
    fifth = 1 < dimension <= LARGEST_FIFTH and draws >= FIFTH_FROM * len(sphere(dimension, 5)[0])
    degree = 5 if fifth else 3
    shells = max(FEWEST_SHELLS[degree], round(draws / len(sphere(dimension, degree)[0])))
    if shells <= ALL_RADII or dimension == 1:
        return Design(degree, shells, 1)
    radii = round(np.sqrt(2 * shells))
    return Design(degree, radii, shells // radii)


def spherical_points(
    people: int, draws: int, dimension: int, seed: int | tuple[int, ...], before: int = 0, total: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points (people, node, dimension) and log weights (node), about `draws` nodes; those of people behind so many `before`
    them, as if all, `total`, were made at once."""
    if dimension == 0:
        return np.zeros((people, 1, 0)), np.zeros(1)
    degree, radii, rotations = design(draws, dimension)
    directions, shares = sphere(dimension, degree)
    from scipy.special import roots_genlaguerre

    halves, lengths = roots_genlaguerre(radii, 0.5 * dimension - 1.0)
    heavy = lengths > NEGLIGIBLE * lengths.sum()
    radius = np.tile(np.sqrt(2.0 * halves[heavy]), rotations)
    weight = np.tile(lengths[heavy] / lengths[heavy].sum(), rotations) / rotations
    generator, places = np.random.default_rng(seed), (before, people, max(total - before - people, 0))
    turned = [r * directions @ _rotation(generator, places, dimension) for r in radius]
    return np.concatenate(turned, axis=1), np.log(np.outer(weight, shares).ravel())


def _rotation(generator: np.random.Generator, places: tuple[int, int, int], dimension: int) -> np.ndarray:
    """One uniform random orthogonal matrix for every person (Mezzadri 2007) in the middle; what those before and behind them
    would have is passed by."""
    before, people, behind = (count * dimension**2 for count in places)
    passed_by(generator.standard_normal, before, AT_ONCE)
    q, r = np.linalg.qr(generator.standard_normal(people).reshape(-1, dimension, dimension))
    passed_by(generator.standard_normal, behind, AT_ONCE)
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


@cache
def sphere(dimension: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on the unit sphere and weights that sum to one, exact to degree 3 or 5.

    Degree 3 is the cross-polytope. Degree 5 are the vertices of a simplex and the midpoints of its edges, both with
    either sign (Mysovskikh 1980; Genz and Monahan 1998, section 3); positive in at most seven dimensions, where in
    seven the vertices have no weight.
    """
    n = dimension
    if degree == 3:
        return np.concatenate([np.eye(n), -np.eye(n)]), np.full(2 * n, 0.5 / n)
    vertices = _simplex(n)
    pairs = np.array(list(combinations(range(n + 1), 2)))
    middles = np.sqrt(0.5 * n / (n - 1)) * vertices[pairs].sum(axis=1)
    at_vertex = (7 - n) * n / (2 * (n + 1) ** 2 * (n + 2))
    at_middle = 2 * (n - 1) ** 2 / (n * (n + 1) ** 2 * (n + 2))
    points = np.concatenate([vertices, -vertices, middles, -middles])
    weights = np.repeat([at_vertex, at_middle], [2 * (n + 1), 2 * len(pairs)])
    return points[weights > 0.0], weights[weights > 0.0]


def _simplex(n: int) -> np.ndarray:
    """The n + 1 vertices of a regular simplex on the unit sphere: an orthonormal basis of the vectors that sum to zero, seen
    from its coordinates."""
    basis = np.linalg.qr(np.eye(n + 1)[:, :n] - 1.0 / (n + 1))[0]
    return basis * np.sqrt((n + 1) / n)
