"""What a fit says of itself while it runs."""

import io
import sys
import time

import pytest

from iclv_jax._tables import Progress
from iclv_jax._tables import _progress as progress


class Terminal(io.StringIO):
    """A stream that can be written over."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(progress, "FIRST", 0.01)
    monkeypatch.setattr(progress, "AGAIN", 0.01)


STEP = {"iteration": 3, "loglike": -12.5, "decrement": 0.25}


def said(monkeypatch, stream, pause=0.2):
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(True) as bar:
        time.sleep(pause)
        bar("items", STEP)
        bar("items", STEP)
        bar("joint", STEP)
    return stream.getvalue()


def test_files_get_whole_lines(monkeypatch, quickly):
    text = said(monkeypatch, io.StringIO())
    lines = text.splitlines()
    assert text.isprintable() or set(text) - {c for c in text if c.isprintable()} == {"\n"}
    assert [line.rpartition(" [")[0] for line in lines] == [
        "compiling",
        "items: step 3, log L -12.500, decrement 2.5e-01",
        "joint: step 3, log L -12.500, decrement 2.5e-01",
    ]


def test_terminals_are_told_that_it_compiles(monkeypatch, quickly):
    text = said(monkeypatch, Terminal())
    assert "compiling [00:00]" in text and "joint: step 3" in text and "\r" in text


def test_a_quick_fit_leaves_files_alone(monkeypatch):
    monkeypatch.setattr(progress, "FIRST", 60.0)
    assert said(monkeypatch, io.StringIO(), 0.0) == ""


def test_without_a_stream_or_switched_off(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress(True) as bar:
        bar("joint", STEP)
    monkeypatch.undo()
    with Progress(False) as bar:
        bar.say("nothing")
    assert capsys.readouterr().err == ""
