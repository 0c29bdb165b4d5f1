"""From one row per alternative to one row per situation."""

import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

NAN = np.nan


def utility(b, x, lv):
    return {
        "car": b.asc_car + b.time * x.time_car + b.cost * x.cost_car,
        "bus": b.time * x.time_bus + b.cost * x.cost_bus,
        "walk": b.asc_walk + b.time * x.time_walk,
    }


MODES = ("car", "bus", "walk")
MODEL = iclv.Model(
    choice=iclv.Logit(utility, chosen="taken", available={mode: f"av_{mode}" for mode in MODES})
)


def wide_data():
    """One row per situation, five of each of 40 people, with choice sets of two or three alternatives."""
    random = np.random.default_rng(8)
    count = 200
    data = pd.DataFrame({"id": np.repeat(np.arange(40), 5), "trip": np.tile(np.arange(5), 40)})
    data["income"] = random.normal(size=40)[data["id"]]
    data["purpose"] = random.choice(["work", "leisure"], count)
    for name, spread in (("time", 1.0), ("cost", 2.0)):
        for mode in MODES:
            data[f"{name}_{mode}"] = random.uniform(0.1, spread, count)
    data["av_car"], data["av_bus"], data["av_walk"] = 1, 1, (random.uniform(size=count) < 0.6).astype(int)
    utilities = np.stack(
        [-2.0 * data[f"time_{m}"] - 1.0 * (data[f"cost_{m}"] if m != "walk" else 0) for m in MODES]
    )
    utilities += random.gumbel(size=utilities.shape)
    utilities[2, data["av_walk"] == 0] = -np.inf
    data["taken"] = np.array(MODES)[utilities.argmax(axis=0)]
    return data


def stack(wide, drop=True):
    """The same data with one row per alternative; alternatives that are not available are left out."""
    parts = []
    for mode in MODES:
        part = wide[["id", "trip", "income", "purpose"]].copy()
        part["mode"], part["present"] = mode, wide[f"av_{mode}"]
        part["time"], part["cost"] = wide[f"time_{mode}"], wide[f"cost_{mode}"]
        part["taken"] = (wide["taken"] == mode).astype(int)
        parts.append(part)
    long = pd.concat(parts).sort_values(["id", "trip"], kind="stable", ignore_index=True)
    return long[long["present"] == 1].drop(columns="present") if drop else long


ROLES = {
    "situation": "trip",
    "alternative": "mode",
    "chosen": "taken",
    "columns": ["time", "cost"],
    "person": "id",
}


def test_a_logit_is_the_same_on_either_form():
    wide = wide_data()
    fits = [
        MODEL.fit(data, person="id", progress=False)
        for data in (
            wide,
            iclv.from_long(stack(wide), **ROLES),
            iclv.from_long(stack(wide, drop=False), available="present", **ROLES),
        )
    ]
    for fit in fits:
        assert fit.converged
        assert fit.llf == pytest.approx(fits[0].llf, rel=1e-12)
        pd.testing.assert_series_equal(fit.params, fits[0].params, rtol=1e-7)
        pd.testing.assert_series_equal(fit.bse, fits[0].bse, rtol=1e-6)


def test_every_column_comes_back():
    wide = wide_data()
    found = iclv.from_long(stack(wide, drop=False), available="present", **ROLES)
    assert list(found.columns) == [
        *("id", "trip", "income", "purpose", "taken"),
        *(f"{name}_{mode}" for name in ("time", "cost") for mode in MODES),
        *(f"av_{mode}" for mode in MODES),
    ]
    pd.testing.assert_frame_equal(found, wide[found.columns], check_dtype=False)


def test_absent_alternatives_are_missing_and_not_available():
    wide = wide_data()
    found = iclv.from_long(stack(wide), **ROLES)
    absent = wide["av_walk"] == 0
    assert absent.any()
    assert found.loc[absent, ["time_walk", "cost_walk"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.loc[~absent], wide.loc[~absent, found.columns], check_dtype=False)
    np.testing.assert_array_equal(found["av_walk"], wide["av_walk"])


def test_rows_in_any_order():
    wide = wide_data()
    long = stack(wide)
    long["mode"] = pd.Categorical(long["mode"], MODES)
    shuffled = long.sample(frac=1.0, random_state=1)
    found = iclv.from_long(shuffled, **ROLES)
    first = shuffled.drop_duplicates(["id", "trip"])[["id", "trip"]]
    np.testing.assert_array_equal(found[["id", "trip"]], first)
    found = found.sort_values(["id", "trip"], ignore_index=True)
    pd.testing.assert_frame_equal(found, iclv.from_long(long, **ROLES))


def small(**changed):
    """Two people whose situations are both numbered from 1; the first person has two."""
    columns = {
        "who": ["a", "a", "a", "a", "b", "b", "b"],
        "trip": [1, 1, 2, 2, 1, 1, 1],
        "mode": ["car", "bus", "car", "bus", "car", "bus", "walk"],
        "taken": [1, 0, 0, 1, 0, 0, 1],
        "time": [10, 25, 12, 30, 7, 9, 40],
        "income": [5, 5, 5, 5, 8, 8, 8],
        "rain": [0, 0, 1, 1, 0, 0, 0],
    }
    return pd.DataFrame({k: v for k, v in (columns | changed).items() if v is not None})


def widen(data=None, **roles):
    usual = {
        "situation": "trip",
        "alternative": "mode",
        "chosen": "taken",
        "columns": "time",
        "person": "who",
    }
    return iclv.from_long(small() if data is None else data, **(usual | roles))


def test_situations_may_be_numbered_within_people():
    found = widen()
    assert found[["who", "trip", "rain"]].to_numpy().tolist() == [["a", 1, 0], ["a", 2, 1], ["b", 1, 0]]
    assert found["taken"].tolist() == ["car", "bus", "walk"]
    assert found["time_car"].tolist() == [10, 12, 7]
    assert found["av_walk"].tolist() == [0, 0, 1]
    with pytest.raises(
        ValueError, match=r"'car' has more than one row in situation 1.*name their column in person="
    ):
        widen(person=None, keep=[])


@pytest.mark.parametrize("kind", [int, float, "Int64", "category"])
def test_integer_alternatives(kind):
    data = small(mode=pd.Series([1, 2, 1, 2, 1, 2, 3]).astype(kind))
    found = widen(data)
    assert [c for c in found if c.startswith(("time", "av"))] == [
        *("time_1", "time_2", "time_3"),
        *("av_1", "av_2", "av_3"),
    ]
    assert found["taken"].tolist() == [1, 2, 3]
    model = iclv.Model(
        choice=iclv.Logit(
            lambda b, x, lv: {1: b.time * x.time_1, 2: b.asc + b.time * x.time_2, 3: b.time * x.time_3},
            chosen="taken",
            available={j: f"av_{j}" for j in (1, 2, 3)},
        )
    )
    assert model.bind(found, person="who").panel.situations == 3


def test_a_situation_without_an_observed_choice():
    for alternatives in (small()["mode"], [1, 2, 1, 2, 1, 2, 3]):
        found = widen(small(taken=[1, 0, NAN, NAN, 0, 0, 1], mode=alternatives))
        assert found["taken"].isna().tolist() == [False, True, False]


def test_only_the_columns_to_keep():
    assert list(widen(keep="rain").columns[:4]) == ["who", "trip", "rain", "taken"]
    assert "income" not in widen(keep=[])


@pytest.mark.parametrize("kind", [bool, "boolean", "Int64", "Float64", object])
def test_kinds_of_columns(kind):
    data = small(taken=small()["taken"].astype(kind), rain=small()["rain"].astype(kind))
    data["seat"] = pd.Series([1, 0, 1, 1, 0, 1, 1]).astype(kind)
    found = widen(data, columns=["time", "seat"])
    assert found["taken"].tolist() == ["car", "bus", "walk"]
    assert found["rain"].tolist() == [0, 1, 0]
    assert found["seat_bus"].tolist() == [0, 1, 1]
    assert found["seat_walk"].isna().tolist() == [True, True, False]


def test_a_repeated_index_and_kept_values_that_are_missing():
    data = small(income=[NAN] * 4 + [8.0] * 3).set_axis([0] * 7)
    assert widen(data)["income"].isna().tolist() == [True, True, False]


BAD = {
    "no frame": (lambda: widen({"who": [1]}), r"data is a data frame of pandas, .* not dict"),
    "empty": (lambda: widen(small().iloc[:0]), r"data is empty"),
    "misspelt column": (
        lambda: widen(columns="tme"),
        r"columns= names the column 'tme'.*Did you mean 'time'",
    ),
    "misspelt situation": (
        lambda: widen(situation="tripp"),
        r"situation= names the column 'tripp'.*mean 'trip'",
    ),
    "misspelt person": (lambda: widen(person="whoo"), r"person= names the column 'whoo'.*mean 'who'"),
    "misspelt alternative": (
        lambda: widen(alternative="mod"),
        r"alternative= names the column 'mod'.*mean 'mode'",
    ),
    "misspelt chosen": (lambda: widen(chosen="take"), r"chosen= names the column 'take'.*mean 'taken'"),
    "misspelt available": (
        lambda: widen(available="rian"),
        r"available= names the column 'rian'.*mean 'rain'",
    ),
    "misspelt keep": (lambda: widen(keep=["incom"]), r"keep= names the column 'incom'.*mean 'income'"),
    "no situation": (lambda: widen(situation=None), r"situation= names the column None"),
    "list of situations": (
        lambda: widen(situation=["who", "trip"]),
        r"situation= names the column \['who', 'trip'\]",
    ),
    "two roles": (
        lambda: widen(columns=["time", "mode"]),
        r"'mode' is named in alternative= and in columns=.*one role",
    ),
    "column twice": (lambda: widen(columns=["time", "time"]), r"'time' is named in columns= and in columns="),
    "missing situation": (
        lambda: widen(small(trip=[1, 1, 2, NAN, 1, 1, 1])),
        r"'trip' is missing \(NaN\) in 1 row, first in row 3.*Give every row",
    ),
    "missing person": (
        lambda: widen(small(who=["a"] * 4 + ["b", None, "b"])),
        r"'who' is missing \(NaN\) in 1 row, first in row 5",
    ),
    "missing alternative": (
        lambda: widen(small(mode=["car", None, "car", "bus", "car", "bus", "walk"])),
        r"'mode' is missing \(NaN\) in 1 row, first in row 1",
    ),
    "alternative twice": (
        lambda: widen(small(mode=["car", "bus", "car", "car", "car", "bus", "walk"])),
        r"'car' has more than one row in situation 2 of person 'a'.*Keep one",
    ),
    "one alternative": (
        lambda: widen(small(mode="car", trip=range(7))),
        r"column 'mode' holds only 'car'.*two",
    ),
    "none chosen": (
        lambda: widen(small(taken=[1, 0, 0, 0, 0, 0, 0])),
        r"'taken' marks no alternative as chosen in situation 2 of person 'a' \(and 1 more\).*1 for one.*NaN",
    ),
    "two chosen": (
        lambda: widen(small(taken=[1, 0, 0, 1, 1, 0, 1])),
        r"'taken' marks more than one alternative as chosen in situation 1 of person 'b'",
    ),
    "chosen partly missing": (
        lambda: widen(small(taken=[1, NAN, 0, 1, 0, 0, 1])),
        r"'taken' is missing \(NaN\) in some rows of situation 1 of person 'a'",
    ),
    "chosen is no indicator": (
        lambda: widen(small(taken=[2, 0, 0, 1, 0, 0, 1])),
        r"'taken' holds 2 in row 0; it may hold only 0 and 1",
    ),
    "chosen is text": (
        lambda: widen(small(taken=["yes", "no"] * 3 + ["no"])),
        r"'taken' holds 'yes' in row 0.*text",
    ),
    "chosen but not available": (
        lambda: widen(small(open=[1, 1, 1, 0, 1, 1, 1]), available="open"),
        r"'bus' is chosen but not available in situation 2 of person 'a'.*Correct",
    ),
    "availability is no indicator": (
        lambda: widen(small(open=[1, 1, 1, 3, 1, 1, 1]), available="open"),
        r"'open' holds 3 in row 3; it may hold only 0 and 1",
    ),
    "availability is missing": (
        lambda: widen(small(open=[1, 1, 1, 1, NAN, 1, 1]), available="open"),
        r"'open' is missing \(NaN\) for 1 row, first in row 4",
    ),
    "kept column varies": (
        lambda: widen(small(rain=[0, 0, 1, 1, 0, 1, 0])),
        (
            r"'rain' is not constant within situation 1 of person 'b': it has the values \[0, "
            r"1\].*columns=.*keep="
        ),
    ),
    "new name stands in the data": (
        lambda: widen(small(time_bus=[1, 1, 2, 2, 3, 3, 3])),
        r"column 'time_bus' and column 'time' of alternative 'bus' would both be called 'time_bus'.*Rename",
    ),
    "availability stands in the data": (
        lambda: widen(small(av_car=1)),
        r"column 'av_car' and the availability of 'car' would both be called 'av_car'.*Rename",
    ),
    "new names clash": (
        lambda: widen(
            small(mode=["x", "y_x", "x", "y_x", "x", "y_x", "z"], time_y=1), columns=["time", "time_y"]
        ),
        (
            "column 'time' of alternative 'y_x' and column 'time_y' of alternative 'x' would both be called "
            "'time_y_x'"
        ),
    ),
    "alternatives of one name": (
        lambda: widen(small(mode=[1, "1", 1, "1", 1, "1", 2])),
        r"of alternative 1 and .* of alternative '1' would both be called 'time_1'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    build, pattern = BAD[case]
    with pytest.raises(ValueError, match=pattern):
        build()
