"""People in chunks whose choices stand in tables of their own."""

import numpy as np
import pandas as pd
import pytest
from test_several import ITEMS, RULE, Logit, card, people, tables, trip

import iclv_jax as iclv


@pytest.fixture(scope="module")
def model():
    choices = [
        Logit(trip, "choice", name="trip", table="trips"),
        Logit(card, "choice", name="cards", table="cards"),
    ]
    return iclv.Model([iclv.Latent("green", on=["age"])], ITEMS, choices)


@pytest.fixture(scope="module")
def frames():
    """Sorted by person in all tables."""
    return {name: frame.sort_values("id", kind="stable") for name, frame in tables(people()).items()}


@pytest.fixture(scope="module")
def whole(model, frames):
    return model.bind(frames, person="id", integration=RULE)


def cut(frames, chunks):
    """Mappings of frames, people whole."""
    parts = np.array_split(frames["people"]["id"].unique(), chunks)
    return [{name: frame[frame["id"].isin(some)] for name, frame in frames.items()} for some in parts]


def check_same(whole, found):
    params = whole.start() + 0.1
    assert found.names == whole.names and found.nobs == whole.panel.size
    np.testing.assert_allclose(found.loglike(params), whole.loglike(params), rtol=1e-12)
    np.testing.assert_allclose(found.score(params), whole.score(params), rtol=1e-10, atol=1e-10)


def test_mappings_of_frames_have_the_numbers_of_all_together(model, frames, whole):
    stream = iclv.People.stream(cut(frames, 3), person="id")
    check_same(whole, model.bind(stream, integration=RULE))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_by_table_are_read_side_by_side(model, frames, whole, kind, tmp_path):
    """Of the second table in two files, which end in the middle of a chunk of the first."""
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    files = {"people": tmp_path / f"people.{kind}", "cards": [tmp_path / f"cards.{kind}"]}
    files["trips"] = f"{tmp_path}/trips*.{kind}"
    half = frames["trips"]["id"].iloc[len(frames["trips"]) // 3]
    parts = {f"trips{k}": frames["trips"][(frames["trips"]["id"] > half) == bool(k)] for k in (0, 1)}
    for name, frame in (parts | {k: frames[k] for k in ("people", "cards")}).items():
        path = tmp_path / f"{name}.{kind}"
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False)
    stream = iclv.People.stream(files, person="id", rows=len(frames["people"]) // 3)
    chunks = list(stream.chunks())
    assert len(chunks) > 2 and list(chunks[0].frame) == ["people", "cards", "trips"]
    assert sum(len(chunk.frame["trips"]) for chunk in chunks) == len(frames["trips"])
    check_same(whole, model.bind(stream, integration=RULE))
    # The same people in another order, and somebody whom the first table does not have.
    cards = frames["cards"]
    more = pd.concat([cards, cards.iloc[-1:].assign(id=99)])
    for odd, sentence in (
        (
            cards.iloc[::-1],
            r"rows 0 to 9: none of its people comes next in table 'cards', odd\.csv, .* person 29 comes",
        ),
        (
            more,
            r"table 'cards', odd\.csv, .*: person 99 does not come there in the order of the table 'people'",
        ),
    ):
        odd.to_csv(tmp_path / "odd.csv", index=False)
        files["cards"] = tmp_path / "odd.csv"
        with pytest.raises(ValueError, match=sentence):
            list(iclv.People.stream(files, person="id", rows=10).chunks())


def test_ordered_choices_of_a_table_have_the_levels_of_all_chunks(frames):
    rated = frames["cards"].assign(
        rating=np.where(frames["cards"]["id"] < 5, 1, 1 + frames["cards"].index % 3)
    )
    choice = iclv.OrderedChoice(lambda b, x, lv: b.t * x.time_a, "rating", name="rating", table="cards")
    model = iclv.Model(choice=choice)
    data = {name: frame for name, frame in frames.items() if name != "trips"} | {"cards": rated}
    whole = model.bind(data, person="id")
    check_same(whole, model.bind(iclv.People.stream(cut(data, 4), person="id")))


def test_what_is_wrong_with_tables_is_said(model, frames, tmp_path):
    stream, pieces = iclv.People.stream, cut(frames, 2)
    with pytest.raises(ValueError, match="Several tables need person="):
        stream({"people": "people.csv"})
    with pytest.raises(ValueError, match=r"needs no stream: give it to model\.fit itself"):
        stream(frames, person="id")
    with pytest.raises(ValueError, match=r"Table 'people' of the stream is a file, .* not list"):
        stream({"people": [frames["people"]]}, person="id")
    with pytest.raises(ValueError, match="does not exist"):
        stream({"people": tmp_path / "none.csv"}, person="id")

    def bound(*chunks):
        return model.bind(stream(list(chunks), person="id"), integration=RULE)

    with pytest.raises(
        ValueError, match="frame 2: the table 'cards' does not stand both here and in frame 1"
    ):
        bound(pieces[0], {k: pieces[1][k] for k in ("people", "trips")})
    with pytest.raises(ValueError, match="frame 2: column 'age' of the table 'people' does not stand both"):
        bound(pieces[0], pieces[1] | {"people": pieces[1]["people"].drop(columns="age")})
    with pytest.raises(ValueError, match="frame 2: the frame 'cards' is empty"):
        bound(pieces[0], pieces[1] | {"cards": pieces[1]["cards"][:0]})
    with pytest.raises(ValueError, match="stands in the table 'trips', but the data are a single frame"):
        bound(pieces[0]["people"], pieces[1]["people"])
    with pytest.raises(ValueError, match=r"frame 2: person .* stands in an earlier chunk too"):
        bound(pieces[0], pieces[1] | {"cards": frames["cards"]})
