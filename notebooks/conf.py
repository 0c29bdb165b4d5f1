"""The site: `python -m sphinx -W -q notebooks site/html` (extra `docs`) builds it from notebooks as they are stored."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import iclv_jax  # noqa: E402

project = "iclv_jax"
author = copyright = "The iclv_jax developers"
release = version = iclv_jax.__version__
language = "en-GB"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "formulas",
    "sphinx_design",
]
exclude_patterns = ["**.ipynb_checkpoints", "_templates"]
templates_path = ["_templates"]

# Notebooks are shown as they were run; `pytest -m slow` runs them, and the blocks of the pages.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
html_math_renderer = "mathml"

autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"
autodoc_member_order = "alphabetical"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
add_module_names = False
default_role = "literal"

html_theme = "pydata_sphinx_theme"
html_title = "iclv_jax"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["llms.txt"]
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_favicon = "_static/favicon.svg"
html_theme_options = {
    "logo": {"text": "iclv_jax"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}

FENCE = re.compile(r"^(\s*)```(\w*)\s*$")


def fences_to_blocks(lines: list[str]) -> list[str]:
    """Fenced code of a docstring, as a block that Sphinx knows."""
    made, inside = [], None
    for line in lines:
        fence = FENCE.match(line)
        if fence and inside is None:
            inside = fence[1]
            made += [f"{inside}.. code-block:: {fence[2] or 'text'}", ""]
        elif fence:
            inside = None
            made.append("")
        else:
            made.append(line if inside is None or not line.strip() else f"    {line}")
    return made


def lists_stand_apart(lines: list[str]) -> list[str]:
    """A list that follows a sentence at once begins a paragraph of its own."""
    made: list[str] = []
    for line in lines:
        if line.lstrip().startswith("* ") and made and made[-1].strip():
            previous = made[-1]
            if not previous.lstrip().startswith("* ") and indent(previous) == indent(line):
                made.append("")
        made.append(line)
    return made


def remarks_end_lists(lines: list[str]) -> list[str]:
    """A paragraph behind a list of parameters or attributes is a note, and none of them."""
    made: list[str] = []
    inside = False
    for line, following in zip(lines, [*lines[1:], ""][: len(lines)], strict=True):
        if following and set(following.strip()) == {"-"}:
            inside = line.strip() in ("Parameters", "Attributes")
        elif inside and begins_paragraph(line, made) and not indent(following):
            made += ["Notes", "-----"]
            inside = False
        made.append(line)
    return made


def begins_paragraph(line: str, before: list[str]) -> bool:
    return bool(line.strip()) and not indent(line) and not (before and before[-1].strip())


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def bars_are_bars(line: str) -> str:
    """`|g|` in a sentence is no substitution."""
    spans = line.split("`")
    return "`".join(s.replace("|", r"\|") if n % 2 == 0 else s for n, s in enumerate(spans))


def process_docstring(app, what, name, obj, options, lines) -> None:
    steps = (fences_to_blocks, remarks_end_lists, lists_stand_apart)
    lines[:] = [bars_are_bars(line) for line in lines]
    for step in steps:
        lines[:] = step(lines)


def link_measurements(app, name, source) -> None:
    """Notebooks link to tables of `benchmarks/results`, which the site has as pages of its own."""
    source[0] = source[0].replace("](../benchmarks/results/", "](measurements/")


def setup(app):
    # Before napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
    app.connect("source-read", link_measurements)
