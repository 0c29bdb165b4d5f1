"""Whatever a user throws at it: a result equal to a reference, or a sentence that names the culprit.

Each property draws a few dozen examples here; `ICLV_JAX_EXAMPLES=2000 pytest tests/test_properties.py` draws as many as one
has patience for, another set of them each time.
"""

import os
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import iclv_jax as iclv

EXAMPLES = int(os.environ.get("ICLV_JAX_EXAMPLES", "0"))
FEW = settings(
    max_examples=EXAMPLES or 30,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
    database=None,
)
PEOPLE = 24
COLUMNS = ("id", "age", "q1", "q2", "k", "price", "open", "weight", "y")


def frame():
    rng = np.random.default_rng(5)
    age, price, noise = rng.normal(size=(3, PEOPLE))
    latent = 0.5 * age + noise
    items = {f"q{k}": np.digitize(latent + rng.normal(size=PEOPLE), [-0.5, 0.5]) + 1 for k in (1, 2)}
    y = np.where(latent - price + rng.logistic(size=PEOPLE) > 0, "go", "stay")
    return pd.DataFrame(
        {"id": np.arange(PEOPLE), "age": age, **items, "k": latent + rng.normal(size=PEOPLE), "price": price}
        | {"open": 1, "weight": 1.0, "y": y}
    )


def model(rename=lambda name: name):
    def utility(b, x, lv):
        return {"go": b.a + b.price * x[rename("price")] + b.l * lv.f, "stay": 0.0}

    return iclv.Model(
        [iclv.Latent("f", on=[rename("age")])],
        [
            iclv.Ordered(rename("q1"), of="f"),
            iclv.Ordered(rename("q2"), of="f"),
            iclv.Continuous(rename("k"), of="f"),
        ],
        choice=iclv.Logit(utility, rename("y"), available={"stay": rename("open")}),
    )


def named(column, error):
    """Whether a sentence names the column in quotes, or the argument that does."""
    return repr(column) in str(error) or (column == "weight" and "weights=" in str(error))


MODEL = model()
USUAL = {"person": "id", "weights": "weight", "integration": iclv.GaussHermite(3)}


def values_of(data, **options):
    """log L_n of everybody at the parameters of a reference, which do not depend on the data."""
    problem = MODEL.bind(data, levels={"q1": (1, 2, 3), "q2": (1, 2, 3)}, **USUAL | options)
    at = dict.fromkeys(problem.names, 0.3) | {"q1 | 1": -1.0, "q1 | 2": 1.0, "q2 | 1": -0.5, "q2 | 2": 0.7}
    return np.asarray(problem.loglike_person(problem.vector(at)))


REFERENCE = values_of(frame())

ODD = st.sampled_from(
    [
        np.nan,
        None,
        np.inf,
        -np.inf,
        1e308,
        -1e308,
        1e-320,
        "",
        " ",
        "x",
        "1",
        0,
        -1,
        7,
        1.5,
        True,
        b"a",
        1j,
        [1],
        {},
    ]
    + [datetime(2020, 1, 1), pd.NaT, pd.Timedelta("1D"), object()]
)
SAME = {
    "object": lambda c: c.astype(object),
    "category": lambda c: c.astype("category"),
    "nullable": lambda c: c.convert_dtypes(),
    "text": lambda c: c.astype(str),
    "float32": lambda c: (
        c.astype("float32").astype("float64") if c.name in ("q1", "q2", "open", "weight") else c
    ),
}


@FEW
@given(st.sampled_from(COLUMNS), st.sampled_from(sorted(SAME)))
def test_another_type_of_a_column_is_the_same_or_refused_by_name(column, kind):
    data = frame()
    data[column] = SAME[kind](data[column])
    try:
        found = values_of(data)
    except ValueError as error:
        assert named(column, error), str(error)
    else:
        np.testing.assert_allclose(found, REFERENCE, rtol=1e-12)


@FEW
@given(st.sampled_from(COLUMNS), st.integers(0, PEOPLE - 1), ODD)
def test_an_odd_value_counts_or_is_refused_by_name(column, row, value):
    """What nobody else's answer depends on: the others' log-likelihoods stay what they were."""
    data = frame()
    data[column] = pd.Series([value if i == row else v for i, v in enumerate(data[column])], dtype=object)
    try:
        found = values_of(data)
    except ValueError as error:
        # Someone with the name of another is one person with two ages.
        assert named(column, error) or column == "id", str(error)
        return
    if len(found) == PEOPLE:
        others = np.arange(PEOPLE) != row
        np.testing.assert_allclose(found[others], REFERENCE[others], rtol=1e-9)
        assert np.isfinite(found[row]) or abs(float(value)) > 1e6


@FEW
@given(st.sampled_from(COLUMNS), st.sampled_from(["dropped", "twice", "empty", "constant"]))
def test_columns_that_are_not_there_twice_or_empty_are_named(column, how):
    data = frame()
    if how == "dropped":
        data = data.drop(columns=column)
    elif how == "twice":
        data = pd.concat([data, data[[column]]], axis=1)
    else:
        data[column] = np.nan if how == "empty" else data[column].iloc[0]
    try:
        found = values_of(data)
    except ValueError as error:
        # One person for all rows has many ages.
        assert named(column, error) or (column, how) == ("id", "constant"), str(error)
    else:
        assert how in ("constant", "empty") and np.isfinite(found).all()


@FEW
@given(st.sampled_from(["age", "q1", "k", "price", "open", "y"]), st.text(max_size=12))
def test_any_name_of_a_column_works_or_is_refused_by_name(column, name):
    taken = [c for c in COLUMNS if c != column]
    data = frame().rename(columns={column: name})
    try:
        problem = model(lambda c: name if c == column else c).bind(data, **USUAL)
    except ValueError as error:
        assert name in taken or repr(name) in str(error), str(error)
    else:
        assert len(problem.names) == len(MODEL.bind(frame(), **USUAL).names)
        assert len(set(problem.names)) == len(problem.names)


@FEW
@given(
    st.sampled_from(["person", "weights", "cluster", "integration", "memory", "weights_are", "batch_people"]),
    ODD,
)
def test_an_odd_argument_works_or_is_refused_by_name(argument, value):
    try:
        found = values_of(frame(), **{argument: value})
    except ValueError as error:
        assert argument in str(error) or repr(value) in str(error), str(error)
    else:
        assert np.isfinite(found).all()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "fit.npz"
    small = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"go": b.a + b.p * x.price, "stay": 0.0}, "y"))
    fit = small.fit(frame(), progress=False)
    fit.save(path)
    return small, fit, path.read_bytes()


@FEW
@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_broken_file_is_read_right_or_refused(saved, tmp_path_factory, place, bit, cut):
    small, fit, content = saved
    broken = bytearray(content)
    at = int(place * len(content))
    broken[at] ^= 1 << bit
    path = tmp_path_factory.mktemp("broken") / "fit.npz"
    path.write_bytes(bytes(broken[:at] if cut else broken))
    try:
        again = iclv.load(path, small, frame())
    except ValueError as error:
        assert "fit.npz" in str(error), str(error)
    else:
        pd.testing.assert_series_equal(again.params, fit.params)
