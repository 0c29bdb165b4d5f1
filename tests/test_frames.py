"""Data frames of any library: the same numbers and the same sentences as pandas' own."""

import datetime
import functools

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import iclv_jax as iclv
from iclv_jax._panel._door import as_pandas

COUNT = 60


def survey():
    """Situations of 20 people in every kind of column that a survey has."""
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(20), 3)
    once = rng.integers(0, 3, 20)[who]
    word = np.array(["low", "mid", "high"])[once]
    gap = (who % 7) == 0
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in who],
            "mode": rng.choice(["car", "bus"], COUNT),
            "time_car": rng.integers(5, 40, COUNT),
            "time_bus": rng.normal(25.0, 8.0, COUNT),
            "has_car": rng.random(COUNT) < 2.0,
            "q1": pd.Categorical(word, ["low", "mid", "high"], ordered=True),
            "q2": pd.array(np.where(gap, None, rng.integers(1, 4, 20)[who]).tolist(), dtype="Int64"),
            "q3": np.where(gap, np.nan, rng.normal(size=20)[who]),
            "region": pd.Categorical(np.array(["south", "north"])[(who % 3 == 0).astype(int)]),
            "age": rng.integers(18, 80, 20)[who],
        }
    )


def to_polars(frame):
    """With an enumeration for what is ordered: other categories of polars have no order."""
    found = pl.from_pandas(frame.assign(q1=frame["q1"].astype(object)))
    return found.with_columns(pl.col("q1").cast(pl.Enum(["low", "mid", "high"])))


def to_arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def to_arrow_dtypes(frame):
    return to_arrow(frame).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)


LIBRARIES = {
    "polars": to_polars,
    "lazy polars": lambda frame: to_polars(frame).lazy(),
    "pyarrow": to_arrow,
    "pandas on arrow": to_arrow_dtypes,
}


@functools.cache
def model():
    return iclv.Model(
        latent=[iclv.Latent("green", on=[iclv.Standardized("age"), iclv.Standardized("region", how="one-hot")])],
        indicators=[
            iclv.Ordered("q1", of="green"),
            iclv.Ordered("q2", of="green"),
            iclv.Continuous("q3", of="green"),
        ],
        choice=iclv.Logit(
            lambda b, x, lv: {"car": b.asc + b.time * x.time_car + b.green * lv.green, "bus": b.time * x.time_bus},
            chosen="mode",
            available={"car": "has_car"},
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def own():
    return model().bind(survey(), person="id", integration=iclv.GaussHermite(5, adaptive=False))


@pytest.mark.parametrize("library", LIBRARIES)
def test_same_likelihood(library, own):
    data = LIBRARIES[library](survey())
    problem = model().bind(data, person="id", integration=iclv.GaussHermite(5, adaptive=False))
    assert problem.names == own.names
    assert problem.panel.levels == own.panel.levels
    assert problem.panel.people == own.panel.people
    start = own.start()
    np.testing.assert_array_equal(problem.start(), start)
    np.testing.assert_array_equal(problem.loglike_person(start), own.loglike_person(start))


BROKEN = {
    "text in a utility": ("time_bus", "late"),
    "no alternative": ("mode", "horse"),
    "not constant": ("age", 17),
    "nobody": ("id", None),
    "no item": ("q3", None),
    "no number to be available": ("has_car", None),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("what", BROKEN)
def test_same_sentences(library, what):
    name, value = BROKEN[what]
    data = survey()
    column = data[name].astype(object).tolist()
    column = [value] * COUNT if what == "no item" else [*column[:7], value, *column[8:]]
    if isinstance(value, str):
        column = [str(v) for v in column]
    broken = data.assign(**{name: pd.Series(column)})
    if what == "no number to be available":
        broken["has_car"] = pd.array(column, dtype="boolean")
    sentences = []
    for frame in (broken, LIBRARIES[library](broken)):
        with pytest.raises(ValueError) as caught:
            model().bind(frame, person="id")
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_several_tables_and_people(library):
    data, convert = survey(), LIBRARIES[library]
    person = [c for c in data if c.startswith("q") or c in ("region", "age")]
    people = data.drop_duplicates("id")[["id", *person]].reset_index(drop=True)
    trips = data.drop(columns=person)
    plain = iclv.Model(
        choice=iclv.Logit(lambda b, x, lv: {"car": b.t * x.time_car, "bus": 0.0}, "mode", table="cards")
    )
    at = jnp.array([-0.02])
    values = []
    for turn, without in ((pd.DataFrame, pd.DataFrame), (convert, to_arrow)):
        rule = iclv.GaussHermite(3)
        both = model().bind(without(trips), person="id", people=turn(people), integration=rule)
        several = plain.bind({"first": turn(people), "cards": without(trips)}, person="id")
        values.append((float(several.loglike(at)), both.names, both.panel.people))
    assert values[0] == values[1]


@pytest.mark.parametrize("library", ["polars", "pandas on arrow"])
def test_the_other_doors(library, own):
    """Descriptions, simulations, fits, predictions, scenarios and long data."""
    convert = LIBRARIES[library]
    data, other = survey(), LIBRARIES[library](survey())
    assert str(model().describe(other, person="id")) == str(model().describe(data, person="id"))
    values = dict(zip(own.names, np.asarray(own.start()), strict=True))
    a, b = (model().simulate(values, frame, seed=3, person="id") for frame in (data, other))
    for name in ("mode", "q1", "q2", "q3"):
        assert a[name].tolist() == b[name].tolist()
    plain = iclv.Model(
        choice=iclv.Logit(lambda b, x, lv: {"car": b.asc + b.t * x.time_car, "bus": b.t * x.time_bus}, "mode")
    )
    fit = plain.fit(other, person="id", weights="age", progress=False)
    same = plain.fit(data, person="id", weights="age", progress=False)
    assert fit.llf == same.llf
    changed = convert(data.assign(time_bus=1.1 * data["time_bus"]))
    dearer = data.assign(time_bus=1.1 * data["time_bus"])
    pd.testing.assert_frame_equal(fit.predict(changed), same.predict(dearer))
    pd.testing.assert_frame_equal(fit.scenario(other, changed).shares, same.scenario(data, dearer).shares)
    pd.testing.assert_frame_equal(
        fit.elasticities("time_bus", data=changed).rows, same.elasticities("time_bus", data=dearer).rows
    )


@pytest.mark.parametrize("convert", [pl.from_pandas, to_arrow])
def test_long(convert):
    rows = {
        "trip": [1, 1, 2, 2],
        "mode": ["a", "b", "a", "b"],
        "taken": [1, 0, 0, 1],
        "t": [1.0, 2.0, None, 3.0],
    }
    long = pd.DataFrame(rows)
    roles = {"situation": "trip", "alternative": "mode", "chosen": "taken", "columns": "t"}
    pd.testing.assert_frame_equal(iclv.from_long(convert(long), **roles), iclv.from_long(long, **roles))


def test_saved_fits_know_their_data_in_any_library(tmp_path):
    data = survey()
    plain = iclv.Model(choice=iclv.Logit(lambda b, x, lv: {"car": b.t * x.time_car, "bus": 0.0}, "mode"))
    fit = plain.fit(data, person="id", progress=False)
    fit.save(tmp_path / "fit.npz")
    assert iclv.load(tmp_path / "fit.npz", plain, to_polars(data)).llf == fit.llf


def test_kinds_of_columns():
    frame = pl.DataFrame(
        {
            "whole": [1, None, 3],
            "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "truth": [True, None, False],
            "money": pl.Series(["1.25", None, "3"]).cast(pl.Decimal(8, 2)),
            "label": pl.Series(["z", None, "a"], dtype=pl.Categorical),
            "level": pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "c", "a"])),
            "day": [datetime.date(2024, 5, 1)] * 3,
            "nothing": [None] * 3,
            "list": [[1], [2], [3]],
        }
    )
    found = as_pandas(frame, "data")
    assert [str(found[c].dtype) for c in ("whole", "small", "truth", "money")] == [
        "Int64",
        "uint8",
        "boolean",
        "float64",
    ]
    assert found["money"].tolist()[::2] == [1.25, 3.0]
    assert found["money"].isna().tolist() == [False, True, False]
    assert list(found["label"].cat.categories) == ["a", "z"]
    assert not found["label"].cat.ordered
    assert list(found["level"].cat.categories) == ["b", "c", "a"]
    assert found["level"].cat.ordered
    assert found["day"].tolist()[0] == datetime.date(2024, 5, 1)
    assert found["nothing"].isna().all()
    assert found["list"].tolist() == [[1], [2], [3]]


def test_missing_categories_of_arrow_stay_missing():
    column = pd.Categorical(["x", "b", None], ["x", "b", "a"], ordered=True)
    table = pa.Table.from_pandas(pd.DataFrame({"c": column}))
    found = as_pandas(table, "data")["c"]
    pd.testing.assert_series_equal(found, pd.Series(column, name="c"))


def test_a_list_in_a_cell_is_named():
    data = to_polars(survey()).with_columns(q3=pl.Series([[1.0]] * COUNT))
    with pytest.raises(
        ValueError, match=r"column 'q3' holds \[1.0\] in row 0. Its values are single numbers"
    ):
        model().bind(data, person="id")


@pytest.mark.parametrize(
    "what", [[1, 2], np.zeros((2, 2)), pl.Series([1]), "file.csv", None, pd.Series([1.0])]
)
def test_what_is_no_frame(what):
    with pytest.raises(
        ValueError, match=r"data is a data frame of pandas, polars, pyarrow or another library"
    ):
        model().bind(what, person="id")


def test_an_empty_frame():
    with pytest.raises(ValueError, match="data is empty: it has no rows"):
        model().bind(pl.DataFrame(), person="id")
