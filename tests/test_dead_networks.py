"""Networks in their own units, and networks that have died."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

import iclv_jax as iclv


def frame(unit=1.0, people=400):
    rng = np.random.default_rng(0)
    age, time = rng.normal(size=people), rng.uniform(0.5, 2.0, (people, 2))
    v = -np.abs(age)[:, None] * 2.0 * time + rng.gumbel(size=time.shape)
    return pd.DataFrame({"age": age, "t0": time[:, 0] * unit, "t1": time[:, 1] * unit, "y": v.argmax(1)})


def trained(network, data, **options):
    def utility(b, x, lv):
        taste = b.time + b.taste(jnp.stack([x.age]))[0]
        return {j: taste * x[f"t{j}"] for j in range(2)}

    optimizer = iclv.Stochastic(optax.adam(1e-2), batch_people=100, epochs=options.pop("epochs", 40))
    model = iclv.Model(choice=iclv.Logit(utility, "y"), modules={"taste": network})
    return model.fit(data, progress=False, optimizer=optimizer)


def network(bias=None, key=0):
    found = eqx.nn.MLP(1, 1, width_size=6, depth=1, key=jax.random.key(key))
    return found if bias is None else eqx.tree_at(lambda n: n.layers[0].bias, found, jnp.asarray(bias))


@pytest.mark.parametrize("key", [0, 1])
def test_a_rectified_network_learns_by_default(key):
    fit = trained(network(key=key), frame())
    assert fit.llf > -232.0 and not fit.optimizer_report.remarks


def test_dead_units_are_reported():
    gone = trained(network(np.full(6, -1e3)), frame(), epochs=2)
    assert "is dead" in " ".join(gone.optimizer_report.remarks) and "is dead" in str(gone.summary())
    most = trained(network(np.array([-1e3] * 4 + [0.5] * 2)), frame(), epochs=2)
    assert "4 of 6 hidden units" in " ".join(most.optimizer_report.remarks)
