"""The page of a fit: whole, without anything from elsewhere, sortable in a browser, and honest of what it lacks."""

import html.parser
import re
import shutil
import subprocess

import matplotlib
import pytest
import small

import iclv_jax as iclv
from iclv_jax._tables import _page as page

matplotlib.use("Agg")
VOID = {"meta", "link", "br", "path", "use", "rect"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Reader(html.parser.HTMLParser):
    """Tags that are open, ids, links and whatever a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.fetched = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        for name in ("href", "xlink:href", "src"):
            value = given.get(name, "")
            if value.startswith("#"):
                self.links.append(value[1:])
            elif value and value != "data:,":
                self.fetched.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text):
    """Well-formed, with links that lead somewhere, and nothing that comes from elsewhere."""
    found = Reader(text)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert set(found.links) <= set(found.ids)
    assert found.fetched == []
    assert not re.search(r"url\((?!#)|@import|<script src", text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("page") / "fit.html"
    assert small.fitted("hybrid").report(place, title="A & B <test>") is None
    return place


def test_a_whole_page(whole):
    fit, text = small.fitted("hybrid"), whole.read_text(encoding="utf-8")
    check(text)
    assert "<title>A &amp; B &lt;test&gt;</title>" in text
    for section in (
        "Summary",
        "Estimates",
        "Model",
        "Data and people",
        "Correlations and eigenvalues",
        "Integral",
        "Optimiser",
    ):
        assert f">{section}</h2>" in text
    assert "s.e. (hessian)" in text and "s.e. (robust)" in text
    assert text.count("<svg") >= 5 and "Path diagram" in text
    for name in fit.names:
        assert f">{name.replace('>', '&gt;')}</td>" in text
    assert (
        "green ~ age" in text
        and "green =~ q1 (Ordered) + q2 (Ordered)" in text
        and "a: f(asc, price, taste" in text
    )
    assert f'data-value="{float(fit.params["price"])!r}"' in text
    assert "Not shown" not in text


def test_pages_of_saved_fits_and_of_two_steps_say_what_they_lack(tmp_path):
    fit = small.fitted("hybrid")
    fit.save(tmp_path / "fit.npz")
    text = iclv.load(tmp_path / "fit.npz").report()
    check(text)
    assert "read from a file without its model and data" in text
    assert "s.e. (robust)" in text and "Correlations of estimates" in text and ">Model</h2>" not in text
    with pytest.raises(ValueError, match=r"report: '.*fit.html' lies in a folder that does not exist"):
        fit.report(tmp_path / "nowhere" / "fit.html")


def test_a_fit_that_did_not_converge_says_so_first():
    short = iclv.TrustRegion(max_iterations=1)
    fit = small.logit().fit(small.data(), optimizer=short, start={"asc": 3.0}, progress=False)
    text = fit.report()
    assert text.index('<p class="alarm">DID NOT CONVERGE') < text.index("<nav>")


def test_pictures_scale_and_keep_their_names_apart():
    svg = (
        '<?xml version="1.0"?><!DOCTYPE svg><svg width="400pt" height="10pt" viewBox="0 0 600 10"><metadata>x</metadata>'
        '<g id="label"/><clipPath id="c"/><g clip-path="url(#c)"><use xlink:href="#m"/></g><path id="m"/></svg>'
    )
    found = page.figure(svg, "T", "C", 3)
    assert 'id="p3-c"' in found and "url(#p3-c)" in found and 'href="#p3-m"' in found and 'id="p3-m"' in found
    assert "label" not in found.partition("<figure>")[2].replace("aria-label", "")
    assert (
        "pt" not in re.search(r"<svg[^>]*>", found)[0]
        and "min-width:500px" in found
        and "metadata" not in found
    )


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_sorts_tables_and_complains_of_nothing(whole, tmp_path):
    look = """<script>
    const table = document.querySelector("#estimates ~ .wide table"), head = table.tHead.rows[0].cells[1];
    const seen = () => [...table.tBodies].map((b) => [...b.rows].slice(1).map((r) => parseFloat(r.cells[1].dataset.value)));
    head.querySelector("button").click(); const up = seen(); head.querySelector("button").click(); const down = seen();
    const rising = (v) => v.every((x, i) => i === 0 || v[i - 1] <= x);
    document.title = JSON.stringify([up.every(rising), down.every((v) => rising([...v].reverse())), down.flat().length,
      document.documentElement.scrollWidth <= window.innerWidth]);
    </script>"""
    copy = tmp_path / "look.html"
    copy.write_text(whole.read_text(encoding="utf-8").replace("</body>", look + "</body>"), encoding="utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'home'}",
        "--window-size=420,900", "--dump-dom", copy.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    count = len(small.fitted("hybrid").table())
    assert f"<title>[true,true,{count},true]</title>" in done.stdout
    assert "CONSOLE" not in done.stderr
