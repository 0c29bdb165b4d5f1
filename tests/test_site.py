"""The site: code of pages runs and prints what they show; what the reference lists; a build without warnings."""

import html
import http.server
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
from functools import cache, partial
from pathlib import Path

import pytest

import iclv_jax as iclv

FOLDER = Path(__file__).parents[1] / "notebooks"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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


COMPARED = {
    "formative_indicators": 7,
    "growth_curves": 9,
    "higher_order_factors": 7,
    "item_response_regression": 10,
    "latent_interactions": 5,
    "mimic_dif": 8,
}
"""Pages with tables of what another program says beside, and how many of their lines do."""
BESIDE = re.compile(r"^\S.*?((?:\s+-?\d+\.\d+){3,4})$", re.MULTILINE)


@pytest.mark.parametrize("page", COMPARED)
def test_a_page_and_another_program_say_the_same(page):
    tables = [b.printed[2] for b in pages.blocks((FOLDER / f"howto/{page}.md").read_text()) if b.printed]
    tables = [
        t for t in tables if re.search(r"^\s+(estimate|std\.all).*(lavaan|mirt|mixture)", t, re.MULTILINE)
    ]
    lines = [[float(v) for v in found.split()] for t in tables for found in BESIDE.findall(t)]
    assert len(lines) == COMPARED[page]
    for estimate, error, other, *errors in lines:
        assert [estimate, *([error] if errors else [])] == pytest.approx([other, *errors], abs=1.01e-3)


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


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    for needed in ("sphinx", "myst_nb", "math_core"):
        pytest.importorskip(needed)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-d", str(folder / "trees"), str(FOLDER)]
    built = subprocess.run([*command, str(folder / "site" / "html")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "site" / "html"


def test_the_site_builds_without_warnings(site):
    for path in site.rglob("*.html"):
        if site / "_static" in path.parents:  # templates of the theme
            continue
        assert _broken(path) == [], path.name
        assert _from_elsewhere(path) == [], path.name
    assert not [p for p in site.rglob("*.css") if re.search(r"(url\(|@import)\W*(https?:)?//", p.read_text())]
    assert '<math display="block">' in _text(site / "explanation/model.html")


LOOK = """<script>
addEventListener("load", () => setTimeout(() => {
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  const found = [...document.querySelectorAll("#search-results li a")].map((a) => a.textContent);
  document.title = JSON.stringify([wide, found]);
}, 3000));
</script>"""


@pytest.fixture
def served(site):
    """Where pages of the site are that say how they look, in their titles."""
    for page in (
        "index",
        "search",
        "howto/panel_mixed_logit",
        "explanation/model",
        "01_first_model",
        "reference/index",
    ):
        path = site / f"{page}.html"
        looked = _text(path).replace("</body>", f"{LOOK}</body>")
        path.with_name(f"{path.stem}_looked.html").write_text(looked, encoding="utf-8")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [420, 1300])
def test_a_browser_shows_the_site_and_finds_what_is_searched(served, width, tmp_path):
    pages = ("index", "howto/panel_mixed_logit", "explanation/model", "01_first_model", "reference/index")
    for page in (*pages, "search"):
        address = f"{served}/{page}_looked.html" + ("?q=willingness+to+pay" if page == "search" else "")
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'home'}", f"--window-size={width},900",
            "--virtual-time-budget=20000", "--dump-dom", address,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        wide, found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout)[1]))
        assert wide <= 0, page
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        # The theme says what it does.
        assert not [line for line in said if '"[PST]: ' not in line], page
        assert page != "search" or any("willingness" in title.lower() for title in found)


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


@cache
def _text(path):
    return path.read_text(encoding="utf-8")


@cache
def _ids(path):
    return set(re.findall(r'\sid="([^"]+)"', _text(path)))


def _from_elsewhere(path):
    """What a browser fetches from another host to show a page; links that are only followed are none of it."""
    tags = re.findall(r"<(?!a\b)\w[^>]*>", _text(path))
    return [tag for tag in tags if re.search(r'(src|href|data|srcset|poster)="(https?:)?//', tag)]


def _broken(path):
    """Links within the site that lead nowhere, or to a place that a page does not have."""
    found = []
    for link in re.findall(r'(?:href|src)="([^"]+)"', _text(path)):
        target, _, place = html.unescape(link).partition("#")
        if re.match(r"[a-z]+:|//", target):
            continue
        file = (path.parent / target.partition("?")[0]).resolve() if target else path
        if not file.exists() or (place and file.suffix == ".html" and place not in _ids(file)):
            found.append(link)
    return found
