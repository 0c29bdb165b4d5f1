"""Many alternatives that are computed alike: one program over rows of arguments, the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

MANY = range(20)


def counted(b, x, lv):
    """A constant for each alternative but the first, and what all share."""
    return {
        j: (b[f"a{j}"] if j else 0.0) + b.price * x[f"price{j}"] + b.trust * lv.trust * (j > 9) for j in MANY
    }


def mixed(b, x, lv):
    """Kinds in turn, columns out of order, a level that is fixed, and a rule of its own in the middle."""
    values = {}
    for j in MANY:
        if j % 3 == 0:
            values[j] = b.slow * jnp.sqrt(jax.nn.softplus(x[f"time{(7 * j) % 20}"])) + jnp.exp(b.scale) * 2.0
        elif j % 3 == 1:
            values[j] = b.fast * x[f"time{j}"] ** 2 + lv.trust * b.trust
        else:
            values[j] = 1.0
    return values


def repeated(b, x, lv):
    """The same column twice is another kind than two columns."""
    return {j: b.one * x[f"x{j}"] * x[f"x{j}" if j % 2 else f"y{j}"] + b.two * lv.trust for j in MANY}


@pytest.mark.gate("mixed")
@pytest.mark.parametrize("function", [counted, mixed, repeated])
def test_values_and_derivatives_are_those_of_the_written_out_program(function):
    model = iclv.Model([iclv.Latent("trust")], [iclv.Continuous(f"i{k}", of="trust") for k in range(3)],
                       choice=iclv.Logit(function, "y"))  # fmt: skip
    utility = model.spec.choices[0].utility
    assert utility.program.alike is not None
    sizes = len(utility.coefficients), len(utility.columns), len(utility.latents)
    ends = np.cumsum(sizes)[:-1]
    at = jnp.asarray(np.random.default_rng(0).normal(size=sum(sizes)))

    def together(values):
        return utility(*jnp.split(values, ends))

    def written_out(values):
        return jnp.stack(utility.program(*jnp.unstack(values)))

    weights = jnp.asarray(np.random.default_rng(1).normal(size=len(MANY)))
    np.testing.assert_allclose(together(at), written_out(at), rtol=1e-13, atol=1e-13)
    for derivative in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(
            jax.jit(derivative(together))(at), jax.jit(derivative(written_out))(at), rtol=1e-12, atol=1e-13
        )
    found, wanted = (jax.jit(jax.hessian(lambda v, f=f: weights @ f(v)))(at) for f in (together, written_out))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_few_or_different_alternatives_are_written_out():
    def few(b, x, lv):
        return {j: b.a * x[f"x{j}"] for j in range(3)}

    def different(b, x, lv):
        return {j: b.a * x.x ** float(j + 2) for j in MANY}

    for function in (few, different):
        assert iclv.Model(choice=iclv.Logit(function, "y")).spec.choices[0].utility.program.alike is None


@pytest.mark.slow
def test_a_fit_of_labelled_alternatives():
    """A constant for each, against the shares that it must reproduce."""
    rng = np.random.default_rng(3)
    price = rng.normal(size=(400, 20))
    y = (np.linspace(0, 1, 20) - price + rng.gumbel(size=price.shape)).argmax(axis=1)
    frame = pd.DataFrame({f"price{j}": price[:, j] for j in MANY}).assign(y=y)

    def utility(b, x, lv):
        return {j: (b[f"a{j}"] if j else 0.0) + b.price * x[f"price{j}"] for j in MANY}

    fit = iclv.Model(choice=iclv.Logit(utility, "y")).fit(frame, progress=False)
    assert fit.converged and abs(fit.params["price"] + 1.0) < 4 * fit.bse["price"]
    shares = np.bincount(y, minlength=20) / 400
    np.testing.assert_allclose(fit.predict(frame).to_numpy().mean(axis=0), shares, atol=1e-6)
    exact, autodiff = (fit.problem.hessian(jnp.asarray(fit.params), method=m) for m in ("exact", "autodiff"))
    np.testing.assert_allclose(exact, autodiff, rtol=1e-9, atol=1e-8)
