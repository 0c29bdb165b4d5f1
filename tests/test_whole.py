"""Whatever is written is written whole or not at all: each kind of file, on a full disk and at places that take none."""

import errno
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv
from iclv_jax._base._answers import Answers
from iclv_jax._stream._scratch import Scratch

WRITERS = {
    "save": lambda fit, path: fit.save(path),
    "report": lambda fit, path: fit.report(path),
    "to_latex": lambda fit, path: fit.exports.to_latex(path),
    "to_csv": lambda fit, path: fit.exports.to_csv(path),
    "to_excel": lambda fit, path: fit.exports.to_excel(path),
    "to_latex of a report": lambda fit, path: fit.summary().to_latex(path),
    "to_csv of a report": lambda fit, path: fit.summary().to_csv(path),
    "to_excel of a report": lambda fit, path: fit.summary().to_excel(path),
    "to_latex of a table": lambda fit, path: iclv.to_latex(fit.table(), path),
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Reports without their pictures."""
    monkeypatch.setattr("iclv_jax._report._page.SECTIONS", ())


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_leaves_what_was_there(kind, tmp_path, monkeypatch):
    if "excel" in kind:
        pytest.importorskip("openpyxl")
    path = tmp_path / "fit.out"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"could not be saved \(No space left on device\); what was there .*fit.out"
    ):
        WRITERS[kind](small.fitted("logit"), path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["fit.out"]
    monkeypatch.undo()
    WRITERS[kind](small.fitted("logit"), path)
    assert path.read_bytes() != b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["fit.out"]


PLACES = {
    "a folder": (lambda folder: folder, "is a folder"),
    "no folder": (lambda folder: folder / "none" / "fit.out", "does not exist"),
    "a file in the place of a folder": (lambda folder: folder / "file" / "fit.out", "does not exist"),
    "a name that is too long": (lambda folder: folder / ("x" * 300), "File name too long"),
    "a name with a null": (lambda folder: "a\0b", "null byte"),
    "a device": (lambda folder: "/dev/null", "device or a pipe"),
    "empty text": (lambda folder: "", "is a folder"),
    "a number": (lambda folder: 3, "path of a file, not 3"),
    "bytes": (lambda folder: b"fit", "path of a file, not b'fit'"),
    "a list": (lambda folder: ["fit"], r"path of a file, not \['fit'\]"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", WRITERS)
def test_places_that_take_no_file_are_said(kind, place, tmp_path):
    if "excel" in kind:
        pytest.importorskip("openpyxl")
    (tmp_path / "file").write_text("")
    make, words = PLACES[place]
    with pytest.raises(ValueError, match=words) as error:
        WRITERS[kind](small.fitted("logit"), make(tmp_path))
    assert kind.split()[0] in str(error.value)


def test_links_stay_and_files_that_may_not_be_written_to_are_left(tmp_path, monkeypatch):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    link.symlink_to(target)
    small.fitted("logit").exports.to_csv(link)
    assert link.is_symlink() and target.read_text().startswith("parameter")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="may not be written to"):
        small.fitted("logit").exports.to_csv(target)


def test_packed_tables_and_streams_of_bytes_are_taken(tmp_path):
    fit = small.fitted("logit")
    fit.exports.to_csv(tmp_path / "fit.csv.gz")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "fit.csv.gz", index_col=0), fit.table(), check_exact=False
    )
    text = io.StringIO()
    fit.exports.to_csv(text)
    assert text.getvalue() == fit.exports.to_csv()


# --- answers, one a line ---


def test_answers_go_on_over_a_full_disk(tmp_path, monkeypatch):
    """Half a line gets on the disk, which then takes no more, and then some."""
    path, facts = tmp_path / "answers.jsonl", {"a": 1}
    answers = Answers(path, facts)
    answers.add("first", {"x": np.arange(3.0)})
    open_ = Path.open

    class Filling:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, text):
            self.file.write(text[: len(text) // 2])
            self.file.flush()
            full()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *a, **k: Filling(open_(self, *a, **k)))
        with pytest.warns(UserWarning, match=r"answers.jsonl' could not be written \(No space left") as seen:
            answers.add("second", {"x": np.arange(2.0)})
            answers.add("third", {"x": np.arange(2.0)})
        assert len(seen) == 1
        assert list(answers.found) == ["first", "second", "third"]
    assert list(Answers(path, facts).found) == ["first"]
    answers.add("fourth", {"x": np.zeros(1)})
    assert list(Answers(path, facts).found) == ["first", "second", "third", "fourth"]
    assert all(map(json.loads, path.read_text().splitlines()))


@pytest.mark.slow
def test_a_bootstrap_writes_its_file_also_where_it_knows_the_samples(tmp_path):
    fit, path = small.fitted("logit"), tmp_path / "bootstrap.jsonl"
    first = fit.uncertainty.bootstrap(2, seed=5)
    again = fit.uncertainty.bootstrap(2, seed=5, resume=path)
    pd.testing.assert_frame_equal(first.samples, again.samples)
    assert len(path.read_text().splitlines()) > 1
    with pytest.raises(ValueError, match="resume= is the path of a file"):
        fit.uncertainty.bootstrap(2, seed=5, resume=3)


# --- people in chunks ---


def test_predictions_of_chunks_are_whole_or_none(tmp_path, monkeypatch):
    frame = small.data()
    people = iclv.People.stream([frame.iloc[:50], frame.iloc[50:]])
    fit = small.logit().fit(people, progress=False)
    path = tmp_path / "shares.csv"
    path.write_text("before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"The predictions could not be saved \(No space left.*shares.csv"):
            fit.predict(path)
    assert path.read_text() == "before"
    with pytest.raises(ValueError, match="other"):
        fit.predict(path, choice="other")
    assert [p.name for p in tmp_path.iterdir()] == ["shares.csv"]
    fit.predict(path)
    assert len(pd.read_csv(path)) == len(frame)
    with pytest.raises(ValueError, match="predict takes the path of a file, not None"):
        fit.predict(None)


def test_a_full_disk_of_people_in_chunks_says_where(monkeypatch):
    scratch = Scratch()
    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match=r"could not be written \(No space left on device\).* TMPDIR"):
        scratch.put("chunk", np.zeros(3))
