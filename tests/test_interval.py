"""Interval probabilities against mpmath: values, and derivatives that mpmath takes numerically by itself."""

from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import iclv_jax  # noqa: F401  (it turns on JAX's 64-bit mode)
from iclv_jax._base import _interval
from iclv_jax._base._interval import log_logistic_interval, log_normal_interval

INF = np.inf
DIGITS = 45


def normal_tail(z):
    return mp.erfc(z / mp.sqrt(2)) / 2


def logistic_tail(z):
    return 1 / (1 + mp.exp(z))


def log_interval(tail, lower, upper):
    """The log probability from upper tails only, so that no digits are lost where it is near 1."""
    if lower + upper < 0:
        lower, upper = -upper, -lower
    if lower < 0:
        return mp.log1p(-tail(-lower) - tail(upper))
    return mp.log(tail(lower) - tail(upper))


LINKS = [
    pytest.param(log_normal_interval, normal_tail, id="normal"),
    pytest.param(log_logistic_interval, logistic_tail, id="logistic"),
]
FUNCTIONS = [pytest.param(p.values[0], id=p.id) for p in LINKS]


def around(centres, widths):
    return [(c - w / 2, c + w / 2) for c in centres for w in widths]


REGIONS = {
    "body": around([-6.0, -2.3, -0.4, 0.0, 0.7, 3.1], [0.3, 1.0, 4.0]),
    "straddling": [(-0.1, 0.05), (-1e-3, 4.0), (-30.0, 0.2), (-5.0, 5.0), (-1000.0, 1000.0), (0.0, 1.0)],
    "tail": around([-700.0, -38.0, -20.0, 12.0, 37.5, 300.0], [0.02, 1.0, 9.0]),
    "far tail": [(-1000.0, -999.0), (999.5, 1000.0), (-1000.0, -20.0), (30.0, 1000.0), (-1000.0, 3.0)],
    "narrow": around([-1000.0, -25.0, -1.5, 0.0, 0.3, 8.0, 999.0], [1e-8, 1e-5, 1e-3]),
    # On either side of the switch to the series, and of the point where the interval begins to straddle.
    "switches": [(z, z + f * 0.01 / (1 + abs(z))) for z in (0.0, 1.5, 6.0, 90.0) for f in (0.98, 1.02, 8.0)]
    + [(-3.0, 1e-12), (-3.0, -1e-12), (-1e-12, 3.0), (1e-12, 3.0)],
    "open below": [(-INF, z) for z in (-1000.0, -40.0, -20.0, -3.0, -1e-9, 0.0, 0.5, 7.0)],
    "open above": [(z, INF) for z in (1000.0, 40.0, 20.0, 3.0, 1e-9, 0.0, -0.5, -7.0)],
}
EVERY = [bounds for region in REGIONS.values() for bounds in region]


def columns(bounds):
    return jnp.asarray([b[0] for b in bounds]), jnp.asarray([b[1] for b in bounds])


@cache
def exact(tail, bounds, orders):
    """A partial derivative of the log probability by mpmath, zero in the direction of an open end."""
    with mp.workdps(DIGITS):
        fixed = [None if np.isfinite(b) else mp.mpf(b) for b in bounds]
        if any(f is not None and order for f, order in zip(fixed, orders, strict=True)):
            return 0.0

        def of_free(*free):
            rest = iter(free)
            return log_interval(tail, *(next(rest) if f is None else f for f in fixed))

        free = tuple(mp.mpf(b) for b, f in zip(bounds, fixed, strict=True) if f is None)
        order = tuple(o for o, f in zip(orders, fixed, strict=True) if f is None)
        return float(mp.diff(of_free, free, order) if any(order) else of_free(*free))


@cache
def compiled(function):
    """The value, the two first derivatives, then lower-lower, lower-upper, upper-lower, upper-upper."""

    def cell(lower, upper):
        hessian = jax.hessian(function, (0, 1))(lower, upper)
        entries = [entry for row in hessian for entry in row]
        return jnp.stack([function(lower, upper), *jax.grad(function, (0, 1))(lower, upper), *entries])

    return jax.jit(jax.vmap(cell))


def derivatives(function, bounds=EVERY):
    return np.asarray(compiled(function)(*columns(bounds)))


ORDERS = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (1, 1), (0, 2)]
START = {region: sum(map(len, list(REGIONS.values())[:i])) for i, region in enumerate(REGIONS)}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(("function", "tail"), LINKS)
def test_value_gradient_and_hessian(function, tail, region):
    bounds = REGIONS[region]
    expected = np.asarray([[exact(tail, b, orders) for orders in ORDERS] for b in bounds])
    found = derivatives(function)[START[region] : START[region] + len(bounds)]
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=5e-14, atol=5e-14)
    # Relative for every entry by itself; below 1e-30 mpmath's numerical derivatives have no digits left.
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=2e-12, atol=1e-30)


@pytest.mark.parametrize(("function", "tail"), LINKS)
def test_third_derivatives(function, tail):
    bounds = [(-0.7, 0.4), (-9.0, -8.0), (2.0, 2.5), (-INF, -4.0), (-INF, 1.0), (15.0, INF)]
    third = jax.jacfwd(jax.hessian(function, (0, 1)), (0, 1))
    found = jax.jit(jax.vmap(third))(*columns(bounds))
    for i, j, k in np.ndindex(2, 2, 2):
        orders = (3 - i - j - k, i + j + k)
        expected = [exact(tail, b, orders) for b in bounds]
        np.testing.assert_allclose(found[i][j][k], expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_open_ends_have_derivatives_of_exactly_zero(function):
    def up_to_third(*bounds):
        hessian = jax.hessian(function, (0, 1))
        return jax.grad(function, (0, 1))(*bounds), hessian(*bounds), jax.jacfwd(hessian, (0, 1))(*bounds)

    for bounds, closed in (((-INF, 0.3), 1), ((-0.3, INF), 0), ((-INF, INF), None)):
        first, second, third = jax.jit(up_to_third)(*bounds)
        for i, j, k in np.ndindex(2, 2, 2):
            entries = [(first[i], {i}), (second[i][j], {i, j}), (third[i][j][k], {i, j, k})]
            for entry, touched in entries:
                assert (entry != 0.0) == (touched == {closed}), (bounds, touched, entry)
                assert jnp.isfinite(entry)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_open_end_ignores_infinite_tangents(function):
    """Such as those of a threshold of inf divided by a free scale."""
    divided = jax.jacfwd(jax.jacfwd(lambda scale: function(-0.5 / scale, INF / scale)))
    opened = jax.jacfwd(jax.jacfwd(lambda scale: function(-0.5 / scale, INF)))
    assert jax.jit(divided)(1.7) == pytest.approx(float(jax.jit(opened)(1.7)), rel=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_whole_line_has_probability_one(function):
    assert function(-INF, INF) == 0.0


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (1.0, 0.0), (0.5, 0.5), (-20.0, -20.0 - 1e-9), (1000.0, -1000.0), (INF, -INF), (INF, INF),
        (-INF, -INF), (0.0, -INF), (INF, 3.0), (np.nan, 1.0), (-1.0, np.nan), (np.nan, np.nan),
    ],
)  # fmt: skip
def test_reversed_empty_and_nan_bounds_give_nan(function, lower, upper):
    assert jnp.isnan(function(lower, upper))
    assert jnp.isnan(jax.jit(function)(lower, upper))
    if np.isfinite([lower, upper]).all():
        assert np.isnan(jax.grad(function, (0, 1))(lower, upper)).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_reversed_cell_leaves_its_neighbours_alone(function):
    found = function(jnp.asarray([0.0, 1.0, 0.0]), jnp.asarray([1.0, 0.0, 1.0]))
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[0] == found[2] == function(0.0, 1.0)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_reflection(function):
    there, back = derivatives(function), derivatives(function, [(-upper, -lower) for lower, upper in EVERY])
    swapped = back[:, [0, 2, 1, 6, 5, 4, 3]] * [1, -1, -1, 1, 1, 1, 1]
    np.testing.assert_allclose(there, swapped, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_adjacent_intervals_sum_to_one(function):
    thresholds = np.concatenate([[-INF], np.linspace(-3.0, 3.0, 6), [2.0 + 1e3, INF]])
    for shift in (-50.0, -2.0, 0.0, 0.37, 8.0, 50.0):
        total = sum(np.exp(function(a - shift, b - shift)) for a, b in pairwise(thresholds))
        assert total == pytest.approx(1.0, abs=2e-15)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_is_floored(function):
    """Along a line into the tail the value keeps falling and the slope keeps its size."""
    z = -jnp.geomspace(1.0, 1000.0, 200)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(lambda u: function(u - 1.0, u))))(z)
    assert (np.diff(value) < 0.0).all()
    assert (np.diff(slope) >= 0.0).all()
    assert np.isfinite(value).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_everything_is_finite_at_the_extremes(function):
    ends = [-INF, -1000.0, -999.99999999, -100.0, -1e-8, 0.0, 1e-8, 100.0, 999.99999999, 1000.0, INF]
    bounds = [(a, b) for a in ends for b in ends if a < b]
    assert np.isfinite(derivatives(function, bounds)).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bounds_opened_after_they_were_computed(function):
    """The way a measurement model calls it: free thresholds, location and scale, end levels opened last."""
    level = jnp.arange(4)

    def total(params):
        thresholds, centre, scale = params[:3], params[3], params[4]
        upper = (thresholds[jnp.clip(level, 0, 2)] - centre) / scale
        lower = (thresholds[jnp.clip(level - 1, 0, 2)] - centre) / scale
        cells = function(jnp.where(level == 0, -jnp.inf, lower), jnp.where(level == 3, jnp.inf, upper))
        return jnp.sum(cells * jnp.asarray([1.0, 2.0, 3.0, 4.0]))

    direction = jnp.asarray([0.3, -1.0, 0.5, 0.8, 1.2])

    @jax.jit
    @jax.vmap
    def expansion(params):
        return total(params), *jax.jvp(jax.grad(total), (params,), (direction,))

    point, step = np.asarray([-1.0, 0.2, 1.5, 0.3, 1.7]), 1e-5
    beside = step * np.vstack([direction, -direction, np.zeros(5)])
    value, gradient, product = expansion(point + beside)
    np.testing.assert_allclose(gradient[2] @ direction, (value[0] - value[1]) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(product[2], (gradient[0] - gradient[1]) / (2 * step), rtol=1e-7, atol=1e-8)
    # A common shift of thresholds and centre changes nothing.
    np.testing.assert_allclose(gradient[:, :4].sum(1), 0.0, atol=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_transformations_agree(function):
    lower, upper = columns(EVERY)
    plain = function(lower, upper)
    for transformed in (jax.jit(function), jax.vmap(function), jax.jit(jax.checkpoint(function))):
        np.testing.assert_allclose(transformed(lower, upper), plain, rtol=1e-14, atol=1e-15)

    def weighted(lower, upper):
        return jnp.sum(jnp.sin(function(lower, upper)))

    @jax.jit
    def gradients(lower, upper, *tangents):
        reverse = jax.grad(weighted, (0, 1))(lower, upper)
        again = jax.grad(jax.checkpoint(weighted), (0, 1))(lower, upper)
        return reverse, again, jax.jvp(function, (lower, upper), tangents)[1]

    tangents = jnp.cos(jnp.arange(1.0 * len(EVERY))), jnp.sin(jnp.arange(1.0 * len(EVERY)))
    reverse, again, forward = gradients(lower, upper, *tangents)
    np.testing.assert_allclose(again, reverse, rtol=1e-13)
    expected = sum(r * t for r, t in zip(reverse, tangents, strict=True))
    np.testing.assert_allclose(jnp.cos(plain) * forward, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_modes_nest_in_every_order(function):
    orders = [(jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd), (jax.jacrev, jax.jacrev), (jax.jacfwd,) * 2]
    mixed = jax.jit(lambda *b: jnp.stack([outer(inner(function), 1)(*b) for outer, inner in orders]))(
        -0.8, 0.9
    )
    np.testing.assert_allclose(mixed, mixed[::-1], rtol=1e-14)
    assert mixed[0] > 0.0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bounds_broadcast(function):
    lower, upper = jnp.asarray([[-2.0], [-1.0], [-INF]]), jnp.asarray([0.5, 3.0])
    table = function(lower, upper)
    assert table.shape == (3, 2)
    assert table.dtype == jnp.float64
    full = jnp.broadcast_arrays(lower, upper)
    np.testing.assert_array_equal(table, function(*full))

    def total(lower, upper):
        return function(lower, upper).sum()

    @jax.jit
    def expansions():
        gradient = jax.grad(total, (0, 1))
        return gradient(lower, upper), gradient(*full), jax.hessian(total, 1)(lower, upper)

    gradient, cells, hessian = expansions()
    assert [g.shape for g in gradient] == [(3, 1), (2,)]
    np.testing.assert_allclose(gradient[0][:, 0], cells[0].sum(1), rtol=1e-14)
    np.testing.assert_allclose(gradient[1], cells[1].sum(0), rtol=1e-14)
    assert hessian[0, 1] == 0.0
    assert (np.diag(hessian) < 0.0).all()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_strict_promotion(function):
    with jax.numpy_dtype_promotion("strict"):
        lower, upper = columns(EVERY)
        hessian = jax.eval_shape(jax.vmap(jax.hessian(function, (0, 1))), lower, upper)
        assert all(entry.dtype == jnp.float64 for entry in jax.tree.leaves(hessian))
        assert function(jnp.arange(2), 3).dtype == jnp.float64


def exact_mills(x):
    return mp.sqrt(mp.pi / 2) * mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2)


def chebyshev_to_powers(coefficients):
    """The same polynomial in powers of t, by the recurrence T_{k+1} = 2 t T_k - T_{k-1}."""
    powers = [mp.mpf(0)] * len(coefficients)
    previous, current = [mp.mpf(0), mp.mpf(1)], [mp.mpf(1)]  # T_{-1} = T_1 = t, T_0
    for c in coefficients:
        powers = [p + c * (current[i] if i < len(current) else 0) for i, p in enumerate(powers)]
        doubled = [mp.mpf(0)] + [2 * v for v in current]
        following = [v - (previous[i] if i < len(previous) else 0) for i, v in enumerate(doubled)]
        previous, current = current, following
    return powers


def test_the_stored_coefficients_of_mills_ratio():
    """Derives them anew: Chebyshev interpolation of r at 60 nodes, cut off, then in powers of t."""
    nodes, k, degree = 60, mp.mpf(_interval._K), len(_interval._MILLS) - 1
    with mp.workdps(60):
        angles = [mp.pi * (2 * j + 1) / (2 * nodes) for j in range(nodes)]
        values = []
        for angle in angles:
            y = (1 - mp.cos(angle)) / (2 * k)
            values.append((exact_mills(1 / y - k) / y - 1 - k * y) / y**2)
        series = [
            (2 if d else 1) * sum(v * mp.cos(d * a) for v, a in zip(values, angles, strict=True)) / nodes
            for d in range(degree + 1)
        ]
        derived = [float(c) for c in chebyshev_to_powers(series)]
    np.testing.assert_allclose(_interval._MILLS, derived, rtol=1e-15)


def test_mills_ratio_and_its_slope():
    x = np.concatenate([np.linspace(0.0, 12.0, 100), np.geomspace(12.0, 1e6, 60)])
    with mp.workdps(60):
        ratio = [exact_mills(mp.mpf(v)) for v in x]
        slope = [1 - mp.mpf(v) * r for v, r in zip(x, ratio, strict=True)]
    found = _interval.mills(jnp.asarray(x))
    np.testing.assert_allclose(found[0], np.asarray(ratio, float), rtol=1e-15)
    np.testing.assert_allclose(found[1], np.asarray(slope, float), rtol=2e-14)
