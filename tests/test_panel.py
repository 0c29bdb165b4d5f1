"""Good input in all the forms in which surveys come: it gives the same arrays as the plain form."""

import jax
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

NAN = np.nan


def utility(b, x, lv):
    return {
        1: b.asc_car + b.time * x.time_1 + b.old * lv.green,
        2: b.time * x.time_2 + b.pass_ * x.pass_,
        3: b.asc_walk + b.time * x.time_3,
    }


ITEMS = [iclv.Ordered("q1", of="green"), iclv.Ordered("q2", of="green"), iclv.Continuous("k1", of="green")]


def model(**parts):
    usual = {
        "latent": [iclv.Latent("green", on=["age", "female"])],
        "indicators": ITEMS,
        "choice": iclv.Logit(utility, chosen="mode", available={3: "av_3"}),
    }
    return iclv.Model(**(usual | parts))


def frame():
    """Two situations of each of six people, plain numbers."""
    random = np.random.default_rng(5)
    person = np.repeat(np.arange(6), 2)
    return pd.DataFrame(
        {
            "id": person + 11,
            "age": np.array([30, 41, 25, 67, 38, 52])[person],
            "female": np.array([0, 1, 1, 0, 0, 1])[person],
            "q1": np.array([1, 2, 3, 2, 1, 3])[person],
            "q2": np.array([3.0, NAN, 1.0, 2.0, 3.0, 1.0])[person],
            "k1": random.normal(size=6)[person],
            "pass_": random.integers(0, 2, 12),
            **{f"time_{j}": random.uniform(1, 2, 12) for j in (1, 2, 3)},
            "av_3": [1, 0] * 6,
            "mode": [3, 2, 1, 1, 3, 1, 2, 2, 1, 2, 3, 1],
            "weight": np.arange(1.0, 7.0)[person],
            "region": np.array([7, 8, 7, 9, 9, 8])[person],
        }
    )


def panel(data, person="id", options=None, **parts):
    return model(**parts).bind(data, person=person, **(options or {})).panel


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one.person, other.person)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.tables[0].rows, other.tables[0].rows)
    assert dict(one.levels) == dict(other.levels)


def cast(**types):
    return lambda data: data.astype(types)


WHOLE = {"age": "Int64", "female": "Int64", "q1": "Int64", "q2": "Int64", "mode": "Int64", "av_3": "Int64"}
FORMS = {
    "nullable": lambda data: data.convert_dtypes(),
    "nullable numbers": cast(**WHOLE, k1="Float64", time_1="Float64"),
    "small numbers": cast(age="int8", q1="uint8", q2="float32", mode="int16"),
    "booleans": cast(female=bool, av_3=bool, pass_=bool),
    "nullable booleans": cast(female="boolean", av_3="boolean", pass_="boolean"),
    "objects": cast(**dict.fromkeys(["age", "female", "q1", "q2", "k1", "time_1", "mode", "av_3"], object)),
    "categories": cast(**dict.fromkeys(["id", "female", "q1", "q2", "mode", "av_3", "region"], "category")),
    "ordered categories": lambda data: data.assign(q1=pd.Categorical(data["q1"], [1, 2, 3], ordered=True)),
    "unused choice category": lambda data: data.assign(mode=pd.Categorical(data["mode"], [3, 2, 1, 0])),
    "floats": cast(**dict.fromkeys(["age", "q1", "mode", "av_3", "id"], float)),
    "text ids": lambda data: data.assign(id="p" + data["id"].astype(str)),
    "string ids": lambda data: data.assign(id=("p" + data["id"].astype(str)).astype("string")),
    "tuples as ids": lambda data: data.assign(id=[(n, "x") for n in data["id"]]),
    "repeated index": lambda data: data.set_axis([0] * 12),
    "text index": lambda data: data.set_axis(list("lkjihgfedcba")),
    "dates as index": lambda data: data.set_axis(pd.date_range("2021-01-01", periods=12)),
    "two-level index": lambda data: data.set_index([data["id"].rename("a"), data["mode"].rename("b")]),
    "missing as None": lambda data: data.assign(q2=data["q2"].astype(object).where(data["q2"].notna(), None)),
    "more columns": lambda data: data.assign(comment="nothing", when=pd.Timestamp("2021-01-01")),
    "columns in another order": lambda data: data[list(reversed(data.columns))],
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_columns_does_not_matter(form):
    assert_same(panel(FORMS[form](frame())), panel(frame()))


@pytest.mark.parametrize("form", ["nullable", "categories", "repeated index", "text ids"])
def test_weights_and_clusters_by_column(form):
    options = {"weights": "weight", "cluster": "region"}
    found = panel(FORMS[form](frame()), options=options)
    np.testing.assert_array_equal(found.weights, np.arange(1.0, 7.0))
    np.testing.assert_array_equal(found.clusters, [0, 1, 0, 2, 2, 1])


def test_people_keep_the_order_of_first_appearance_and_situations_that_of_the_rows():
    shuffled = frame().sample(frac=1.0, random_state=2)
    found, plain = panel(shuffled), panel(frame())
    order = list(dict.fromkeys(shuffled["id"]))
    assert list(found.people) == order
    at = [plain.people.index(p) for p in order]
    np.testing.assert_array_equal(found.person.covariates, plain.person.covariates[at])
    for n, person in enumerate(order):
        rows = shuffled[shuffled["id"] == person]
        np.testing.assert_array_equal(found.person.tables[0][n, :, 0], rows["time_1"])
        np.testing.assert_array_equal(found.person.data[-1].outcome[n] + 1, rows["mode"])


@pytest.mark.parametrize(
    ("index", "people"),
    [
        (range(12), range(12)),
        ([3] * 12, range(12)),
        (list("lkjihgfedcba"), "lkjihgfedcba"),
        (pd.MultiIndex.from_product([range(6), ["a", "b"]]), [(n, t) for n in range(6) for t in "ab"]),
    ],
)
def test_without_person_every_row_is_a_person(index, people):
    data = frame().set_axis(index)
    found = panel(data, person=None)
    assert found.people == tuple(people)
    assert found.tables[0].rows.shape == (12, 1)
    np.testing.assert_array_equal(found.person.covariates[:, 0], data["age"])


def test_missing_codes_are_missing():
    plain = panel(frame())
    coded = frame().assign(q2=frame()["q2"].fillna(-1))
    for missing in (-1, [-1], (6, -1), {-1, 9}, np.array([-1, 9])):
        items = [ITEMS[0], iclv.Ordered("q2", of="green", missing=missing), ITEMS[2]]
        for data in (coded, coded.astype({"q2": "Int64"}), coded.astype({"q2": "category"})):
            assert_same(panel(data, indicators=items), plain)


def test_missing_codes_beside_missing_values():
    data = frame().astype({"q2": "Int64"})
    data.loc[[0, 1], "q2"] = 9
    found = panel(data, indicators=[ITEMS[0], iclv.Ordered("q2", of="green", missing=[9]), ITEMS[2]])
    np.testing.assert_array_equal(found.person.data[0].occurs[:, 1], [False, False, True, True, True, True])


def test_labels_in_order():
    words = {1: "no", 2: "maybe", 3: "yes"}
    data = frame().assign(q1=frame()["q1"].map(words))
    declared = [iclv.Ordered("q1", of="green", levels=["no", "maybe", "yes"]), *ITEMS[1:]]
    ordered = data.assign(q1=pd.Categorical(data["q1"], ["no", "maybe", "yes"], ordered=True))
    plain = panel(frame())
    for found in (panel(data, indicators=declared), panel(ordered)):
        assert found.levels["q1"] == ("no", "maybe", "yes")
        jax.tree.map(np.testing.assert_array_equal, found.person, plain.person)


def test_declared_levels_give_the_order():
    items = [iclv.Ordered("q1", of="green", levels=[3, 2, 1]), *ITEMS[1:]]
    np.testing.assert_array_equal(
        panel(frame(), indicators=items).person.data[0].outcome[:, 0], [2, 1, 0, 1, 2, 0]
    )


def test_levels_of_intervals():
    cut = pd.cut(frame()["age"], [0, 35, 45, 99])
    found = panel(frame().assign(q1=cut))
    np.testing.assert_array_equal(found.person.data[0].outcome[:, 0], [0, 1, 0, 2, 1, 2])


def test_half_steps_are_levels():
    found = panel(frame().assign(q1=frame()["q1"] / 2))
    assert found.levels["q1"] == (0.5, 1.0, 1.5)


def test_levels_of_other_data_are_kept():
    whole = panel(frame())
    part = frame()[lambda d: d["q1"] < 3]
    found = panel(part, options={"levels": whole.levels})
    assert found.levels == whole.levels
    np.testing.assert_array_equal(found.person.data[0].outcome[:, 0], [0, 1, 1, 0])


def test_a_fit_starts_with_levels_that_nobody_has():
    whole = panel(frame())
    problem = model().bind(frame()[lambda d: d["q1"] < 3], person="id", levels=whole.levels)
    problem.table.check_domain(np.asarray(problem.start()))


def test_integer_alternatives_in_a_column_of_floats():
    data = frame()
    data["mode"] = data["mode"].astype(float)
    data.loc[[1, 6], "mode"] = NAN
    found = panel(data)
    assert found.situations == 10
    assert found.notes == ("2 of 12 rows have no chosen alternative and are not choice situations",)
    np.testing.assert_array_equal(found.tables[0].rows, [[0, -1], [2, 3], [4, 5], [7, -1], [8, 9], [10, 11]])
    assert_same(panel(data.astype({"mode": "Int64"})), found)


def test_a_person_without_choices_counts_by_items():
    data = frame()
    data["mode"] = data["mode"].where(data["id"] != 13)
    found = panel(data)
    assert len(found.people) == 6
    assert not found.person.data[-1].occurs[2].any()


def two_frames(data):
    columns = ["age", "female", "q1", "q2", "k1", "weight", "region"]
    return data.drop(columns=columns), data.drop_duplicates("id")[["id", *columns]]


@pytest.mark.parametrize("form", ["plain", "nullable", "categories", "text ids", "floats", "repeated index"])
def test_a_person_level_frame_gives_the_same(form):
    rows, people = two_frames(FORMS.get(form, lambda d: d)(frame()))
    options = {"weights": "weight", "cluster": "region"}
    plain = panel(frame(), options=options)
    for other in (people, people.iloc[::-1], people.set_index("id")):
        found = panel(rows, options={"people": other, **options})
        assert_same(found, plain)
        np.testing.assert_array_equal(found.clusters, plain.clusters)


def test_people_only_in_the_person_level_frame_count_by_items():
    rows, people = two_frames(frame())
    found = panel(rows[rows["id"] != 12], options={"people": people})
    assert found.people == (11, 13, 14, 15, 16, 12)
    assert found.situations == 10
    assert found.person.data[0].occurs[5, 0]
    assert not found.person.data[-1].occurs[5].any()


def test_people_without_a_row_in_the_person_level_frame_are_told():
    rows, people = two_frames(frame())
    people = people[people["id"] != 12]
    found = panel(rows, options={"people": people}, latent=[iclv.Latent("green")])
    assert found.notes == (
        "1 of 6 people have no row in the person-level frame; their items in it are missing",
    )
    assert not found.person.data[0].occurs[1].any()


def test_an_attribute_of_the_person_level_frame_enters_the_utility():
    def with_income(b, x, lv):
        return {1: b.time * x.time_1 + b.age * x.age + b.green * lv.green, 2: b.asc, 3: 0.0}

    rows, people = two_frames(frame())
    kernel = iclv.Logit(with_income, chosen="mode")
    assert_same(panel(rows, options={"people": people}, choice=kernel), panel(frame(), choice=kernel))


@pytest.mark.parametrize(
    "weights",
    [
        np.arange(1.0, 7.0),
        list(range(1, 7)),
        pd.Series(range(1, 7)),
        pd.Series({16: 6, 15: 5, 14: 4, 13: 3, 12: 2, 11: 1}),
        frame().groupby("id")["weight"].first(),
    ],
)
def test_weights_by_person(weights):
    np.testing.assert_array_equal(panel(frame(), options={"weights": weights}).weights, np.arange(1.0, 7.0))


def test_weights_may_be_zero_for_some():
    assert panel(frame(), options={"weights": [0, 1, 1, 1, 1, 1]}).weights[0] == 0.0


def test_a_missing_attribute_is_filled_with_a_value_of_its_column():
    data = frame()
    data.loc[data["av_3"] == 0, "time_3"] = NAN
    found = panel(data)
    assert set(found.person.tables[0][..., 3].ravel()) <= set(data["time_3"].dropna())


def test_a_missing_attribute_that_the_utility_avoids_is_fine():
    def avoiding(b, x, lv):
        time = jax.numpy.where(x.knows == 1, x.time_1, 0.0)
        return {1: b.time * time + b.green * lv.green, 2: b.asc, 3: 0.0}

    data = frame().assign(knows=[1, 0] * 6)
    data.loc[data["knows"] == 0, "time_1"] = NAN
    assert panel(data, choice=iclv.Logit(avoiding, chosen="mode")).situations == 12


def test_describe_takes_the_same_forms():
    plain = str(model().describe(frame(), person="id"))
    assert str(model().describe(FORMS["nullable"](frame()), person="id")) == plain
