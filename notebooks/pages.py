"""Runs the python blocks of a page, in order and in one namespace, and holds what they print against the page.

A block fenced as `python` runs, and what it prints, with the value of its last expression as in a console, stands in a
block fenced as `text` right behind it. Numbers may differ by two in the last digit that is shown; a line of three dots
leaves lines out. Code that is only to be read is fenced as `py`.

    python notebooks/pages.py notebooks/howto/panel_mixed_logit.md            # run and compare
    python notebooks/pages.py --write notebooks/howto/panel_mixed_logit.md    # run and store what was printed
"""

import argparse
import ast
import contextlib
import io
import re
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).parent
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")
DOTS = "..."


@dataclass(frozen=True)
class Block:
    """A block of code, and the block of what it prints."""

    code: str
    line: int
    end: int
    printed: tuple[int, int, str] | None


def blocks(text: str) -> list[Block]:
    """The python blocks of a page."""
    fences, found = list(FENCE.finditer(text)), []
    for fence, following in zip(fences, [*fences[1:], None][: len(fences)], strict=True):
        if fence[1] != "python":
            continue
        behind = following is not None and following[1] == "text"
        if behind and not text[fence.end() : following.start()].strip():
            printed = (following.start(2), following.end(2), following[2])
        else:
            printed = None
        line = text.count("\n", 0, fence.start(2)) + 1
        found.append(Block(fence[2], line, fence.end(), printed))
    return found


def run(path: Path, write: bool = False) -> dict[str, Any]:
    """The namespace after all blocks of a page."""
    text = path.read_text(encoding="utf-8")
    pd.set_option("display.width", 110)
    space: dict[str, Any] = {"__name__": f"page_{path.stem}"}
    made, last = [], 0
    for block in blocks(text):
        printed = execute(block, path, space)
        if write and not (block.printed and DOTS in block.printed[2].split("\n")):
            until = block.printed[1] + 3 if block.printed else block.end
            made += [text[last : block.end], f"\n\n```text\n{printed}```" if printed else ""]
            last = until
        elif block.printed or printed:
            compare(block.printed[2] if block.printed else "", printed, f"{path}:{block.line}")
    if write:
        path.write_text("".join([*made, text[last:]]), encoding="utf-8")
    return space


def execute(block: Block, path: Path, space: dict[str, Any]) -> str:
    """What a block prints, its last expression included."""
    tree = ast.parse("\n" * (block.line - 1) + block.code, str(path))
    value = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        value = ast.Expression(tree.body.pop().value)  # pyright: ignore[reportAttributeAccessIssue]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):  # no progress bars
        exec(compile(tree, str(path), "exec"), space)
        if value is not None:
            result = eval(compile(value, str(path), "eval"), space)
            if result is not None:
                print(result)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def compare(expected: str, printed: str, where: str) -> None:
    """Raises where a page shows something else than was printed."""
    left = printed.split("\n")
    for chunk in chunks(expected.rstrip("\n").split("\n")):
        starts = range(len(left) - len(chunk) + 1)
        at = next((s for s in starts if same(chunk, left[s : s + len(chunk)])), None)
        if at is None:
            shown = "\n".join(chunk)
            raise AssertionError(f"{where}: the page shows\n{shown}\nbut what was printed is\n{printed}")
        left = left[at + len(chunk) :]


def chunks(lines: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for line in [*lines, DOTS]:
        if line.strip() != DOTS:
            chunk.append(line)
        elif chunk:
            yield chunk
            chunk = []


def same(expected: list[str], printed: list[str]) -> bool:
    return all(same_line(e, p) for e, p in zip(expected, printed, strict=True))


def same_line(expected: str, printed: str) -> bool:
    frames = [" ".join(NUMBER.sub("#", line).replace("-", " ").split()) for line in (expected, printed)]
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=False)
    return frames[0] == frames[1] and all(near(e, p) for e, p in pairs)


def near(expected: str, printed: str) -> bool:
    """Two in the last digit that is shown."""
    mantissa, _, power = expected.replace(",", "").partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(power or 0) - digits)
    return abs(float(expected.replace(",", "")) - float(printed.replace(",", ""))) <= 2.0001 * unit


def pages() -> list[Path]:
    """The pages that have code to run."""
    return [p for p in sorted(FOLDER.rglob("*.md")) if blocks(p.read_text(encoding="utf-8"))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path, help="pages to run; all without any")
    parser.add_argument("--write", action="store_true", help="store what is printed in the pages")
    options = parser.parse_args()
    warnings.simplefilter("error")
    for path in options.pages or pages():
        began = time.perf_counter()
        run(path, options.write)
        print(f"{path}: {time.perf_counter() - began:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
