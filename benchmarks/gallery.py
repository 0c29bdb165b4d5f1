"""Published models, refitted: log-likelihoods beside those that their programs print.

`python benchmarks/gallery.py` runs the pages of `notebooks/gallery`, each of which is a script that leaves a `fit`, and
writes `results/gallery.md` and `results/gallery.csv`. With `--write` it stores in the pages what they print. Names of pages
run those alone and leave the other rows of the table as they are.
"""

import argparse
import re
import sys
import time
import warnings
from pathlib import Path

import jax
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


def row_of(path, write):
    """Runs a page; its row of the table."""
    began = time.perf_counter()
    fit = pages.run(path, write)["fit"]
    seconds = time.perf_counter() - began
    facts = FACTS.match(path.read_text(encoding="utf-8"))
    published = float(facts["published"])
    return {
        "page": path.stem,
        "model": facts["title"],
        "published by": facts["source"],
        "free parameters": len(fit.names),
        "published": published,
        "here": fit.llf,
        "difference": fit.llf - published,
        "verdict": fit.optimizer_report.verdict.value,
        "seconds": seconds,
    }


def write_table(rows):
    """The table as a page, and its numbers as they are."""
    frame = pd.DataFrame(rows).sort_values("page")
    frame.to_csv(RESULTS / "gallery.csv", index=False, lineterminator="\n")
    lines = [
        "# Published models, refitted",
        "",
        f"`python benchmarks/gallery.py`, JAX {jax.__version__}, iclv_jax {iclv_jax.__version__}. *Seconds* are those of "
        "the page, with whatever it compiles, on two shared cores.",
        "",
        "| model | published by | parameters | published | here | difference | verdict | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    lines += [
        f"| {r.model} | {r[3]} | {r[4]} | {r.published:.4f} | {r.here:.4f} | {r.difference:+.4f} | {r.verdict} | "
        f"{r.seconds:.0f} |"
        for r in frame.itertuples()
    ]
    (RESULTS / "gallery.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def stored():
    """Rows of earlier runs."""
    path = RESULTS / "gallery.csv"
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="pages, such as logit; all without any")
    parser.add_argument("--write", action="store_true", help="store what is printed in the pages")
    options = parser.parse_args()
    warnings.simplefilter("error")
    for path in sorted((NOTEBOOKS / "gallery").glob("*.md")):
        if FACTS.match(path.read_text(encoding="utf-8")) and path.stem in (options.names or [path.stem]):
            row = row_of(path, options.write)
            write_table([*(other for other in stored() if other["page"] != path.stem), row])
            print(path.stem, f"{row['difference']:+.6f}", f"{row['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
