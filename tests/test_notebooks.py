"""Every notebook runs from top to bottom, in this interpreter."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LONGEST_CELL = 900
SLOW = {name for name in NOTEBOOKS if not name.startswith("01")}


class Here(AsyncKernelManager):
    """A kernel of the interpreter that runs the tests, whatever kernels are registered."""

    @property
    def kernel_spec(self):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="tests", language="python")


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NOTEBOOKS]
)
def test_a_notebook_runs_from_top_to_bottom(name, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # A kernel draws into the page unless told otherwise.
    notebook = read(name)
    folder = {"metadata": {"path": str(FOLDER)}}
    # A manager given as km= would be left running by the client, with its sockets open.
    NotebookClient(notebook, kernel_manager_class=Here, timeout=LONGEST_CELL, resources=folder).execute()
    assert warned(notebook) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_as_run(name):
    notebook = read(name)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert warned(notebook) == []
    assert not any(str(FOLDER.parent) in str(output) for output in outputs(notebook))


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def warned(notebook):
    """Python's warnings among the outputs; other lines on stderr (JAX on its devices) are no matter."""
    texts = [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    return [text for text in texts if re.search(r"\w+Warning: ", text)]
