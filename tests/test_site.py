"""The site: code of pages runs and prints what they show; what the reference lists; a build without warnings."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import iclv_jax as iclv

FOLDER = Path(__file__).parents[1] / "notebooks"


def _module(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


pages = _module("pages")
CODE = [str(path.relative_to(FOLDER)) for path in pages.pages()]


@pytest.mark.slow
@pytest.mark.parametrize("page", CODE)
def test_a_page_shows_what_its_code_prints(page):
    pages.run(FOLDER / page)


@pytest.mark.parametrize("page", CODE)
def test_code_of_a_page_can_be_read_and_its_prints_are_shown(page):
    blocks = pages.blocks((FOLDER / page).read_text(encoding="utf-8"))
    for block in blocks:
        compile(block.code, page, "exec")
    assert not any("print(" in b.code and b.printed is None for b in blocks)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("b  -1.234  0.5", "b    -1.235  0.5", True),
        ("b  -1.234  0.5", "b    -1.239  0.5", False),
        ("b  1.2", "c  1.2", False),
        ("a\n...\nd 4", "a\nb\nc\nd 4", True),
        ("a\n...\nd 4", "a\nb\nc", False),
        ("1e-07", "3e-07", True),
        ("10 people", "10 rows", False),
    ],
)
def test_what_is_printed_is_held_against_the_page(shown, printed, same):
    if same:
        pages.compare(shown, printed, "here")
    else:
        with pytest.raises(AssertionError, match="here: the page shows"):
            pages.compare(shown, printed, "here")


def test_the_reference_lists_every_public_name():
    listed = set(re.findall(r"^   ([\w.]+)$", (FOLDER / "reference/index.md").read_text(), re.MULTILINE))
    public = set(iclv.__all__) - {"__version__", "datasets", "families", "plot"}
    public |= {f"plot.{name}" for name in iclv.plot.__all__}
    assert public - listed == set()
    assert {n for n in listed if "." not in n} - public == set()


def test_the_site_builds_without_warnings(tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_nb")
    pytest.importorskip("math_core")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-d", str(tmp_path / "trees"), str(FOLDER)]
    built = subprocess.run([*command, str(tmp_path / "site" / "html")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    html = tmp_path / "site" / "html"
    for path in html.rglob("*.html"):
        if html / "_static" in path.parents:  # templates of the theme
            continue
        assert _broken(path) == [], path.name
        assert _from_elsewhere(path) == [], path.name
    assert not [p for p in html.rglob("*.css") if re.search(r"(url\(|@import)\W*(https?:)?//", p.read_text())]
    assert '<math display="block">' in (html / "explanation/model.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("latex", "why"), [(r"\strange{x}", "Unknown command"), (r"\frac{1}", "end of input")]
)
def test_a_formula_that_cannot_be_shown_ends_the_build(latex, why):
    pytest.importorskip("sphinx")
    pytest.importorskip("math_core")
    formulas = _module("formulas")
    assert "<mfrac>" in formulas.mathml(r"\frac{1}{2}", "index", display=False)
    with pytest.raises(
        formulas.FormulaError, match=rf"^explanation/model, line 3: .*{re.escape(repr(latex))}.*{why}"
    ):
        formulas.mathml(latex, "explanation/model, line 3", display=False)


def _from_elsewhere(path):
    """What a browser fetches from another host to show a page; links that are only followed are none of it."""
    tags = re.findall(r"<(?!a\b)\w[^>]*>", path.read_text(encoding="utf-8"))
    return [tag for tag in tags if re.search(r'(src|href|data|srcset|poster)="(https?:)?//', tag)]


def _broken(path):
    """Links within the site that lead nowhere."""
    targets = re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', path.read_text(encoding="utf-8"))
    inside = [t for t in targets if not re.match(r"[a-z]+:|//|data:", t)]
    return [t for t in inside if not (path.parent / t).resolve().exists()]
