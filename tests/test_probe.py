"""A maximum is probed before it is reported: other maxima are found and said, and what cannot have any costs nothing."""

import jax.numpy as jnp
import pytest

import iclv_jax as iclv


@pytest.mark.parametrize(
    ("function", "linear"),
    [
        (lambda b, x: b.a + b.t * x.t - 2.0 * (b.c * x.c) / x.t, True),
        (lambda b, x: jnp.where(x.t > 0.0, b.a, b.c) * x.c, True),
        (lambda b, x: x.t**2, True),
        (lambda b, x: b.a * (b.t * x.t), False),
        (lambda b, x: jnp.exp(b.a) * x.t, False),
        (lambda b, x: x.t / b.a, False),
        (lambda b, x: jnp.where(b.a > 0.0, x.t, x.c), False),
        (lambda b, x: jnp.where(x.t > 0.0, b.a**2, 0.0), False),
    ],
)
def test_utilities_that_are_linear(function, linear):
    choice = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {1: function(b, x), 0: 0.0}, "y")).spec.choices[0]
    assert choice.utility.linear is linear
