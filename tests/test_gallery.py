"""The gallery's pages, their table, and what is published: from stored results, without a fit."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from benchmark_files import benchmark

ROOT = Path(__file__).parents[1]
ACCURATE = 0.02
"""Points by which a log-likelihood may be off: the default accuracy of integrals; all others are maxima to rounding."""
PAGES = sorted(p for p in (ROOT / "notebooks/gallery").glob("*.md") if p.stem != "index")


@pytest.fixture(scope="module")
def gallery():
    sys.path.insert(0, str(ROOT / "notebooks"))
    return benchmark("gallery")


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(ROOT / "benchmarks/results/gallery.csv")


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_page_stands_in_the_table_with_what_it_says(path, gallery, table):
    text = path.read_text(encoding="utf-8")
    facts = gallery.FACTS.match(text)
    rows = table[table["page"] == path.stem]
    assert facts is not None and len(rows)
    assert set(rows["model"]) == {facts["title"]} and set(rows["published by"]) == {facts["source"]}
    if facts["published"] != "table":
        assert rows["published"].tolist() == [float(facts["published"])]
    assert (rows["difference"].abs() < ACCURATE).all() and (rows["verdict"] == "converged").all()


def test_the_table_has_no_other_pages(table):
    assert set(table["page"]) == {p.stem for p in PAGES}


def test_every_page_is_linked(table):
    index = (ROOT / "notebooks/gallery/index.md").read_text(encoding="utf-8")
    listed = re.search(r"```\{toctree\}\n:hidden:\n\n(.*?)\n```", index, re.DOTALL)[1].split()
    assert sorted(listed) == [p.stem for p in PAGES]
