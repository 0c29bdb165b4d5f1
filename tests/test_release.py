"""What a release says of itself in several places is the same."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import iclv_jax as iclv

ROOT = Path(__file__).parents[1]


def test_the_version_is_one():
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    changed = re.findall(
        r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert cited[1] == changed[0] == iclv.__version__


BEGUN = """
import contextlib, importlib, io, sys
for name in sys.argv[1:]:
    module, said = importlib.import_module(name), io.StringIO()
    if not hasattr(module, "main"):
        continue
    sys.argv = [name, "--help"]
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        module.main()
    assert "--device {cpu,gpu}" in said.getvalue(), name
"""


def test_benchmarks_can_be_begun():
    """What they take from the package is there, and all say which device: long runs are no tests, but their first second
    is."""
    folder = ROOT / "benchmarks"
    names = sorted(path.stem for path in folder.glob("*.py"))
    paths = os.pathsep.join(map(str, (ROOT, folder)))
    done = subprocess.run(
        [sys.executable, "-c", BEGUN, *names],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths, "MPLBACKEND": "Agg"},
    )
    assert len(names) > 15 and done.returncode == 0, done.stderr


def test_extras_that_are_spoken_of_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (
            ROOT / "README.md",
            *(ROOT / "notebooks").rglob("*.md"),
            *(ROOT / "iclv_jax").rglob("*.py"),
        )
    )
    spoken = set(re.findall(r"(?:iclv-jax|\.)\[(\w+)\]\"", text))
    assert spoken and spoken <= extras.keys()


@pytest.mark.slow
def test_the_example_of_the_readme_prints_what_it_shows(tmp_path, monkeypatch, capsys):
    """Its first two blocks, as a reader would paste them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks, known = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE), {}
    monkeypatch.chdir(tmp_path)
    for block in blocks[:2]:
        exec(block, known)
    printed = capsys.readouterr().out
    shown = re.search(r"From what it prints .*?```\n(.*?)```", text, re.DOTALL)[1]
    for line in shown.splitlines():
        assert " ".join(line.split()) in " ".join(printed.split())
    assert (tmp_path / "fit.html").stat().st_size > 100_000
