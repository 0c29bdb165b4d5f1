"""The same numbers on two devices as on one: run by tests in a process whose CPU counts as two devices.

Each function asserts; the arguments name those to be run.
"""

import pickle
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import small

import iclv_jax as iclv

TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def uneven():
    """Panels of one to thirty choices, of an odd number of people, enough of them for classes of length."""
    generator = np.random.default_rng(1)
    rows = np.concatenate([np.full(301, 1), np.full(200, 30)])
    owner = np.repeat(np.arange(len(rows)), rows)
    price, time = generator.normal(size=(2, len(owner)))
    lead = (
        0.5
        - price * np.exp(0.3 * generator.normal(size=len(rows)))[owner]
        + generator.logistic(size=len(owner))
    )
    frame = {"id": owner, "price": price, "time": time, "choice": np.where(lead > 0, "a", "b")}
    return pd.DataFrame(frame)


def both(model, data, **keywords):
    """A problem on one device and on two, nodes placed at the same parameters."""
    one, two = (model.bind(data, devices=d, **keywords) for d in (None, "all"))
    assert two.core.people.mesh.size == 2
    params = one.start() + 0.1
    return one.recentre(params), two.recentre(params), params


def check_derivatives(one, two, params):
    same(one.loglike_person(params), two.loglike_person(params))
    value, score = one.value_and_score(params)
    same(value, two.loglike(params))
    same(score, two.score(params))
    same(one.hessian(params), two.hessian(params))


def check_more(one, two, params):
    same(one.score_person(params), two.score_person(params))
    same(one.hessian(params, "bhhh"), two.hessian(params, "bhhh"))
    same(one.hessian(params), two.hessian(params, "autodiff"))
    points = jnp.stack([params, params + 0.1])
    same([one.loglike(p) for p in points], jax.vmap(two.loglike)(points))


def same(one, two):
    np.testing.assert_allclose(np.asarray(two), np.asarray(one), **TIGHT)


def derivatives():
    """An odd number of people, so that the last one fills up, in batches."""
    one, two, params = both(small.hybrid(), small.data(91), integration=small.RULE, batch_people=7)
    check_derivatives(one, two, params)
    same(jax.jit(jax.grad(two.loglike))(params), one.score(params))
    # Parameters that themselves come from the mesh.
    same(two.loglike(params - 0.01 * two.score(params)), one.loglike(params - 0.01 * one.score(params)))
    some = np.array([0, 3, 3, 8])
    same(one.take(some).loglike_person(params), two.take(some).loglike_person(params))


def more():
    check_more(*both(small.hybrid(), small.data(91), integration=small.RULE, batch_people=7))


def classes():
    """Classes of panel length, each with its own number of people."""
    model = small.logit(random={"price": iclv.Normal()})
    one, two, params = both(model, uneven(), person="id", integration=iclv.GaussHermite(3))
    assert len(two.core.people.lengths) > 1
    check_derivatives(one, two, params)
    check_more(one, two, params)


def fitted(devices):
    keywords = {"integration": small.RULE, "progress": False, "cluster": "group", "start": "default"}
    return small.hybrid().fit(small.data(91), devices=devices, **keywords)


def fits():
    one, two = fitted(None), fitted(jax.devices())
    same(one.params, two.params)
    same(one.llf, two.llf)
    for kind in ("hessian", "bhhh", "robust", "cluster"):
        np.testing.assert_allclose(two.cov_params(kind), one.cov_params(kind), rtol=1e-9, atol=1e-10)
    same(one.predict(), two.predict())
    again = pickle.loads(pickle.dumps(two))
    assert again.problem.core.people.mesh is None
    same(again.problem.loglike(two.estimates), two.llf)


def after():
    one, two = fitted(None), fitted(2)
    np.testing.assert_allclose(
        two.cov_params("jackknife"), one.cov_params("jackknife"), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(two.bootstrap(8).samples, one.bootstrap(8).samples, rtol=1e-6, atol=1e-8)
    same(one.latent_scores(), two.latent_scores())
    same(one.predict_items(), two.predict_items())
    assert str(one.table()) == str(two.table())


def steps():
    data, keywords = small.data(91), {"integration": small.RULE, "progress": False}
    one, two = (small.hybrid().fit_sequential(data, devices=d, **keywords) for d in (None, 2))
    same(one.params, two.params)
    same(one.cov_params(), two.cov_params())


def starts():
    """Many starts side by side, with nodes of their own, and a fit that takes the best of them."""
    data, keywords = small.data(91), {"integration": small.RULE}
    one, two = (
        iclv.multistart(small.hybrid().bind(data, devices=d, **keywords), 3, rounds=2) for d in (None, 2)
    )
    assert one.table["converged"].all()
    columns = ["converged", "group"]
    pd.testing.assert_frame_equal(two.table[columns], one.table[columns])
    np.testing.assert_allclose(two.table["loglike"], one.table["loglike"], rtol=1e-8)
    np.testing.assert_allclose(
        two.params.to_numpy()[two.table["start"].argsort()],
        one.params.to_numpy()[one.table["start"].argsort()],
        rtol=1e-4,
        atol=1e-4,
    )
    one, two = (small.logit().fit(data, devices=d, starts=8, progress=False) for d in (None, 2))
    same(one.params, two.params)
    assert one.optimizer_report.remarks == two.optimizer_report.remarks
    assert "8 of 8 starts agree" in one.optimizer_report.remarks[-1]


def trains():
    """Epochs over batches of people, some of them held out; batches are drawn by the seed alone."""
    data = small.data(91)
    options = iclv.Stochastic(optax.adam(0.05), batch_people=32, epochs=3, validation=0.3, seed=3)
    keywords = {"integration": small.RULE, "progress": False, "optimizer": options, "weights": "w"}
    one, two = (small.hybrid().fit(data, devices=d, **keywords) for d in (None, 2))
    same(one.params, two.params)
    for column in ("train", "validation", "gradient"):
        same(one.trace[column], two.trace[column])
    assert one.optimizer_report.message == two.optimizer_report.message


def mistakes():
    bind, data = small.logit().bind, small.data()
    wrong = {
        3: "devices=3: JAX sees 2 .* XLA_FLAGS=--xla_force_host_platform_device_count=3",
        0: "take a number from 1 to 2",
        "gpus": "devices= is 'all', a number of devices, a list",
        True: "devices= is 'all'",
        (): "devices= is 'all'",
        (jax.devices()[0],) * 2: "names a device twice",
    }
    for devices, sentence in wrong.items():
        try:
            bind(data, devices=devices)
        except ValueError as error:
            assert re.search(sentence, str(error)), error
        else:
            raise AssertionError(f"{devices!r} was taken")
    params = bind(data).start()
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(2, 1), ("x", "y"))
    for devices in (1, "all", mesh):
        same(bind(data, devices=devices).loglike(params), bind(data).loglike(params))
    # More devices than people.
    same(bind(data.iloc[:1], devices=2).loglike(params), bind(data.iloc[:1]).loglike(params))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        globals()[name]()
        print(name)
