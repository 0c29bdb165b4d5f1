"""Tables in LaTeX, with the rules of the package booktabs."""

import re
from collections.abc import Sequence

from iclv_jax._tables._section import Section

SHORT = 24
"""Longest value of a fact, in letters, that stands in a row under the table; longer ones become notes."""
ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
    "<": r"\textless{}", ">": r"\textgreater{}", **{c: f"\\{c}" for c in "&%$#_{}"},
}  # fmt: skip
Facts = Sequence[tuple[str, str]]
Grid = tuple[Sequence[str], Sequence[Section], Sequence[int]]


def escape(text: str) -> str:
    """Text as LaTeX prints it: minus signs before numbers, blanks in front, and no character with a meaning."""
    inner = "".join(ESCAPES.get(c, c) for c in text.lstrip(" "))
    indent = r"\quad " if text.startswith(" ") and inner else ""
    return indent + re.sub(r"(?<![\w.])-(?=[\d.])", "$-$", inner)


PAGE = 42
"""Lines of a table, in a document of 11 or 12 points, that fit on a page; longer ones break."""


def tables(
    title: str,
    facts: Facts,
    grid: Grid,
    notes: Sequence[str],
    alarm: str | None,
    label: str | None,
    long: bool | None,
) -> str:
    """A table for every section, under its heading; facts, notes and the alarm stand with the last one."""
    columns, sections, words = grid
    parts = []
    for i, section in enumerate(sections, start=1):
        last = i == len(sections)
        named = f"{title}: {section.heading}" if section.heading else title
        only = (columns, (Section("", section.rows),), words)
        own = f"{label}-{i}" if label else None
        parts.append(
            table(
                named, facts if last else (), only, notes if last else (), alarm if last else None, own, long
            )
        )
    return "\n".join(parts)


def table(
    title: str,
    facts: Facts,
    grid: Grid | None,
    notes: Sequence[str],
    alarm: str | None,
    label: str | None,
    long: bool | None,
) -> str:
    """A floating `table`, or a `longtable` that breaks over pages (None: where it has to); without a grid the facts are the
    table."""
    if long is None:
        long = _lines(facts, grid, notes) > PAGE
    named = rf"\label{{{label}}}" if label else ""
    caption = (rf"\caption{{{escape(title)}}}" if title else "") + named
    if grid is None:
        spec, head = r"lp{0.65\linewidth}", []
        body, said = [_line((escape(k), escape(v))) for k, v in facts], []
    else:
        columns, sections, words = grid
        spec = "".join("l" if i in words else "r" for i in range(len(columns)))
        head = [_line([escape(c) for c in columns]), r"\midrule"]
        kept, said = _divided(facts, len(columns))
        body = _body(sections, len(columns)) + ([r"\midrule", *kept] if kept else [])
    below = _below([*said, *notes], alarm)
    if long:
        above = [caption + r" \\"] if caption else []
        lines = [rf"\begin{{longtable}}{{{spec}}}", *above, r"\toprule", *head, r"\endhead"]
        lines += [*body, r"\bottomrule", r"\end{longtable}", *below]
    else:
        above = [caption] if caption else []
        lines = [r"\begin{table}", r"\centering", *above, rf"\begin{{tabular}}{{{spec}}}", r"\toprule"]
        lines += [*head, *body, r"\bottomrule", r"\end{tabular}", *below, r"\end{table}"]
    return "\n".join(lines) + "\n"


def _lines(facts: Facts, grid: Grid | None, notes: Sequence[str]) -> int:
    """Lines that a table takes, with its headings and what stands below it."""
    body = sum(len(section.rows) + 2 * bool(section.heading) for section in grid[1]) if grid else 0
    return body + len(facts) + len(notes) + 4


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _body(sections: Sequence[Section], width: int) -> list[str]:
    lines = []
    for i, section in enumerate(sections):
        if section.heading:
            lines += [r"\addlinespace"] if i else []
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape(section.heading)}}}}} \\")
        lines += [_line([escape(c) for c in row]) for row in section.rows]
    return lines


def _divided(facts: Facts, width: int) -> tuple[list[str], list[str]]:
    """Facts as rows of the table, and the long ones as sentences."""
    rows, said = [], []
    for key, value in facts:
        if key.strip() and len(value) <= SHORT and width > 1:
            spread = rf"\multicolumn{{{width - 1}}}{{r}}{{{escape(value)}}}"
            rows.append(_line((escape(key), spread)))
        else:
            said.append(f"{key.strip()}: {value}" if key.strip() else value)
    return rows, said


def _below(notes: Sequence[str], alarm: str | None) -> list[str]:
    lines = [rf"\textbf{{{escape(alarm)}}}"] if alarm else []
    lines += [escape(note) for note in notes]
    if not lines:
        return []
    return [r"\begin{flushleft}", r"\footnotesize", "\n\n".join(lines), r"\end{flushleft}"]
