"""Tables as plain text, as HTML, in LaTeX and as data."""

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pandas as pd

from iclv_jax._base._arguments import check_switch, check_text
from iclv_jax._base._types import File, Given
from iclv_jax._base._whole import write_whole
from iclv_jax._tables._latex import table, tables
from iclv_jax._tables._section import Section
from iclv_jax._tables._tidy import as_grid, csv, tidy, workbook

TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.4em 0"
CELL = "text-align:{};padding:0.1em 0.7em;border:none;white-space:{}"
HEADING = "text-align:left;padding:0.5em 0.7em 0.1em;border:none;border-bottom:1px solid currentColor"
ALARM = "color:#dc3545;font-weight:bold"
"""A red that reads on white and on black; everything else takes the colours of the page."""


@final
@dataclass(frozen=True)
class Report:
    """A title, lines of facts, a table in sections, and notes; prints as text, shows as HTML.

    `alarm` stands before everything else: what a reader must not miss. Columns listed in `words` are
    flush left, the others right. A column after the first without any entry is not shown.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    alarm: str | None = None
    words: tuple[int, ...] = (0,)

    def __str__(self) -> str:
        blocks = []
        if self.alarm:
            blocks.append(f"*** {self.alarm} ***")
        blocks += [self.title + "\n" + "=" * len(self.title), _pairs(self.facts)]
        if self.sections:
            blocks.append(_grid(*self._shown()))
        if self.notes:
            blocks.append("\n".join(f"* {note}" for note in self.notes))
        return "\n\n".join(block for block in blocks if block)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts = ["<div>"]
        if self.alarm:
            parts.append(f'<p style="{ALARM}">{html.escape(self.alarm)}</p>')
        parts.append(f'<h4 style="margin:0.3em 0">{html.escape(self.title)}</h4>')
        if self.facts:
            parts.append(_html_rows(self.facts))
        if self.sections:
            parts.append(_html_grid(*self._shown()))
        if self.notes:
            parts.append("<ul>" + "".join(f"<li>{html.escape(n)}</li>" for n in self.notes) + "</ul>")
        return "".join(parts) + "</div>"

    def to_latex(
        self,
        path: Given[File | None] = None,
        *,
        caption: Given[str | None] = None,
        label: Given[str | None] = None,
        long: Given[bool | None] = None,
        blocks: Given[bool] = False,
    ) -> str | None:
        r"""The table in LaTeX, for a document that uses the package `booktabs`.

        Headings of sections span the columns; short facts (log-likelihood, AIC) stand under the table, long ones and the
        notes beneath it.

        Parameters
        ----------
        path
            A file to write; None: the text is returned.
        caption, label
            Of the table, plain text; the caption is the title when None.
        long
            A `longtable` (package of that name), which breaks over pages; None: where the table has more lines than a page.
        blocks
            A table of its own for every section, with captions and labels (`label-1`, ...) to match; facts and notes stand
            in the last one.
        """
        check_text(caption, "caption=")
        check_text(label, "label=")
        if long is not None:
            check_switch(long, "long")
        check_switch(blocks, "blocks")
        title, shown = caption or self.title, self._shown() if self.sections else None
        if shown is None or not blocks or len(shown[1]) < 2:
            text = table(title, self.facts, shown, self.notes, self.alarm, label, long)
        else:
            text = tables(title, self.facts, shown, self.notes, self.alarm, label, long)
        if path is None:
            return text
        write_whole(path, text, "to_latex")
        return None

    def to_frame(self) -> pd.DataFrame:
        """The sections as one DataFrame: a row for every row, after the heading in `section`. Cells are the text that
        is printed; numbers to all digits are in the attributes and methods behind the table, `fit.table()` say. A
        report without a table gives its facts."""
        return tidy(self.facts, self.columns, self.sections)

    def to_csv(self, path: Given[File | None] = None) -> str | None:
        """`to_frame()` as CSV: written to `path`, or returned as text when None."""
        return csv(self.to_frame(), path, index=False)

    def to_dict(self) -> dict[str, object]:
        """Title, facts, rows and notes as plain data, for JSON or YAML: `facts` are pairs, `rows` are mappings of columns to
        the text that is printed."""
        rows = self.to_frame().to_dict("records") if self.sections else []
        facts = [list(pair) for pair in self.facts]
        return {
            "title": self.title,
            "alarm": self.alarm,
            "facts": facts,
            "rows": rows,
            "notes": list(self.notes),
        }

    def to_excel(self, path: Given[File]) -> None:
        """A workbook with the rows on one sheet and facts and notes on another. It needs the package `openpyxl`."""
        facts = [*self.facts, *(("note", note) for note in self.notes)]
        about = pd.DataFrame([("", self.title), *facts], columns=["name", "value"], dtype=str)
        workbook(path, {"table": self.to_frame(), "about": about})

    def _shown(self) -> tuple[tuple[str, ...], tuple[Section, ...], tuple[int, ...]]:
        """Columns, sections and `words` without the columns that have no entry."""
        shown = [s for s in self.sections if s.shown]
        rows = [row for s in shown for row in s.rows]
        kept = [i for i in range(len(self.columns)) if i == 0 or any(row[i] for row in rows)]

        def keep(row: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(row[i] for i in kept)

        sections = tuple(Section(s.heading, tuple(map(keep, s.rows))) for s in shown)
        return keep(self.columns), sections, tuple(n for n, i in enumerate(kept) if i in self.words)


class Tabular(ABC):
    """A result that can be shown and exported as a table."""

    @abstractmethod
    def as_report(self) -> Report:
        """The result as a table with facts and notes."""

    def to_latex(
        self,
        path: Given[File | None] = None,
        *,
        caption: Given[str | None] = None,
        label: Given[str | None] = None,
        long: Given[bool | None] = None,
        blocks: Given[bool] = False,
    ) -> str | None:
        """The table in LaTeX: written to `path`, or returned as text when None. The document needs the package
        `booktabs`, and `longtable` for a table that breaks over pages (`long`; None: where it must). With `blocks` every
        section is a table of its own. `caption` is the title when None."""
        return self.as_report().to_latex(path, caption=caption, label=label, long=long, blocks=blocks)

    def to_frame(self) -> pd.DataFrame:
        """The rows of the table as a DataFrame of text, as they are printed."""
        return self.as_report().to_frame()

    def to_csv(self, path: Given[File | None] = None) -> str | None:
        """`to_frame()` as CSV: written to `path`, or returned as text when None."""
        return self.as_report().to_csv(path)

    def to_dict(self) -> dict[str, object]:
        """Title, facts, rows and notes as plain data."""
        return self.as_report().to_dict()

    def to_excel(self, path: Given[File]) -> None:
        """A workbook with the rows on one sheet and facts and notes on another. It needs the package `openpyxl`."""
        self.as_report().to_excel(path)

    def _repr_html_(self) -> str:
        return self.as_report()._repr_html_()


def of_frame(
    frame: pd.DataFrame | pd.Series,
    title: str,
    notes: Sequence[str] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> Report:
    """A DataFrame or Series as a report."""
    columns, rows, words = as_grid(frame)
    return Report(title, tuple(facts), columns, (Section("", rows),), tuple(notes), words=words)


def to_latex(
    table: Given[pd.DataFrame | pd.Series | Report | Tabular],
    path: Given[File | None] = None,
    *,
    caption: Given[str | None] = None,
    label: Given[str | None] = None,
    long: Given[bool | None] = None,
    blocks: Given[bool] = False,
) -> str | None:
    """A table in LaTeX: a DataFrame or Series (what most methods of a fit return), or any result with a table of its own.

    Unlike pandas' `to_latex` it needs no further package, and numbers are shortened as in the summaries: four digits or so,
    columns called `p` as probabilities, nothing for NaN.

    Parameters
    ----------
    table
        What to show.
    path, caption, label, long, blocks
        As of `fit.summary().to_latex`.

    Raises
    ------
    ValueError
        For what is no table.

    Examples
    --------
    >>> "Attributes" in iclv.to_latex(df[["time", "cost"]].mean().to_frame("mean"), caption="Attributes")
    True
    """
    if isinstance(table, (Report, Tabular)):
        return table.to_latex(path, caption=caption, label=label, long=long, blocks=blocks)
    if not isinstance(table, (pd.DataFrame, pd.Series)):
        raise ValueError(
            f"to_latex takes a DataFrame, a Series or a result with a table, not {type(table).__name__}."
        )
    check_text(caption, "caption=")
    return of_frame(table, caption or "").to_latex(path, label=label, long=long, blocks=blocks)


def _pairs(facts: Sequence[tuple[str, str]]) -> str:
    width = max((len(k) for k, _ in facts), default=0)
    return "\n".join(f"{k:<{width}}  {v}" for k, v in facts)


def _grid(columns: Sequence[str], sections: Sequence[Section], words: Sequence[int]) -> str:
    rows = [columns, *(row for s in sections for row in s.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        both = enumerate(zip(row, widths, strict=True))
        return "  ".join(f"{c:<{w}}" if i in words else f"{c:>{w}}" for i, (c, w) in both).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(columns), rule]
    for i, section in enumerate(sections):
        if section.heading:
            lines += ([""] if i else []) + [section.heading]
        lines += [line(row) for row in section.rows]
    return "\n".join([*lines, rule])


def _cell(tag: str, text: str, align: str, space: str = "pre") -> str:
    return f'<{tag} style="{CELL.format(align, space)}">{html.escape(text)}</{tag}>'


def _html_rows(facts: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<tr>{_cell('td', k, 'left')}{_cell('td', v, 'left', 'normal')}</tr>" for k, v in facts)
    return f'<table style="{TABLE}"><tbody>{rows}</tbody></table>'


def _html_grid(columns: Sequence[str], sections: Sequence[Section], words: Sequence[int]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(_cell(tag, c, "left" if i in words else "right") for i, c in enumerate(row))

    body = []
    for section in sections:
        if section.heading:
            heading = html.escape(section.heading)
            body.append(f'<tr><th colspan="{len(columns)}" style="{HEADING}">{heading}</th></tr>')
        body += [f"<tr>{cells(row, 'td')}</tr>" for row in section.rows]
    head = f"<thead><tr>{cells(columns, 'th')}</tr></thead>"
    return f'<table style="{TABLE}">{head}<tbody>{"".join(body)}</tbody></table>'
