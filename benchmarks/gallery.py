"""Published models, refitted: log-likelihoods beside those that their programs print.

`python benchmarks/gallery.py` runs the pages of `notebooks/gallery` and writes `results/gallery.md` and `gallery.csv`.
A page is a script that leaves a `fit`, whose published log-likelihood stands in its head; or one with `published: table` in
its head, that leaves `fits` and `published`, mappings with the same keys. With `--write` it stores in the pages what they
print. Names of pages run those alone and leave the other rows of the table as they are.
"""

import re
import sys
import time
import warnings
from pathlib import Path

import jax
import on_device
import pandas as pd

import iclv_jax

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
RESULTS = HERE / "results"
FACTS = re.compile(
    r"\A---\npublished: (?P<published>\S+)\nsource: (?P<source>[^\n]+)\n---\n\n# (?P<title>[^\n]+)\n"
)

sys.path.insert(0, str(NOTEBOOKS))
import pages  # noqa: E402


def rows_of(path, write):
    """Runs a page; its rows of the table, one for each model."""
    began = time.perf_counter()
    space = pages.run(path, write)
    seconds = time.perf_counter() - began
    facts = FACTS.match(path.read_text(encoding="utf-8"))
    if facts["published"] == "table":
        fits, published = space["fits"], space["published"]
        assert list(fits) == list(published), path
    else:
        fits, published = {"": space["fit"]}, {"": float(facts["published"])}
    return [
        {
            "page": path.stem,
            "model": facts["title"],
            "variant": ", ".join(part for part in key if part) if isinstance(key, tuple) else key,
            "published by": facts["source"],
            "free parameters": len(fit.names),
            "published": published[key],
            "here": fit.llf,
            "difference": fit.llf - published[key],
            "verdict": fit.optimizer_report.verdict.value,
            "seconds": seconds,
        }
        for key, fit in fits.items()
    ]


def write_table(rows):
    """The table as a page, and its numbers as they are."""
    frame = pd.DataFrame(rows).fillna({"variant": ""}).sort_values("page", kind="stable")
    frame.to_csv(RESULTS / "gallery.csv", index=False, lineterminator="\n")
    lines = [
        "# Published models, refitted",
        "",
        f"`python benchmarks/gallery.py`, JAX {jax.__version__}, iclv_jax {iclv_jax.__version__}. *Seconds* are those of "
        "the page, with whatever it compiles, on two shared cores. Of a page with several models the table has how many, "
        f"and the largest difference. {len(frame)} models on {frame['page'].nunique()} pages.",
        "",
        "| model | published by | parameters | published | here | difference | verdict | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    lines += [line_of(page) for _, page in frame.groupby("page", sort=False)]
    (RESULTS / "gallery.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def line_of(page):
    """A page in the table."""
    first, several = page.iloc[0], len(page) > 1
    model = f"{first['model']} ({len(page)} models)" if several else first["model"]
    low, high = page["free parameters"].min(), page["free parameters"].max()
    largest = page.loc[page["difference"].abs().idxmax(), "difference"]
    cells = [
        f"[{model}](../../notebooks/gallery/{first['page']}.md)",
        first["published by"],
        f"{low}" if low == high else f"{low} to {high}",
        "" if several else f"{first['published']:.4f}",
        "" if several else f"{first['here']:.4f}",
        f"{largest:+.4f}",
        ", ".join(page["verdict"].unique()),
        f"{first['seconds']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def stored():
    """Rows of earlier runs."""
    path = RESULTS / "gallery.csv"
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("names", nargs="*", help="pages, such as logit; all without any")
    parser.add_argument("--write", action="store_true", help="store what is printed in the pages")
    options = parser.parse_args()
    warnings.simplefilter("error")
    for path in sorted((NOTEBOOKS / "gallery").glob("*.md")):
        if FACTS.match(path.read_text(encoding="utf-8")) and path.stem in (options.names or [path.stem]):
            rows = rows_of(path, options.write)
            write_table([*(other for other in stored() if other["page"] != path.stem), *rows])
            largest = max((row["difference"] for row in rows), key=abs)
            print(path.stem, len(rows), f"{largest:+.6f}", f"{rows[0]['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
