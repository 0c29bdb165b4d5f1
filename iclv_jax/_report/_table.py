"""Tables as plain text and as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.4em 0"
CELL = "text-align:{};padding:0.1em 0.7em;border:none;white-space:{}"
HEADING = "text-align:left;padding:0.5em 0.7em 0.1em;border:none;border-bottom:1px solid currentColor"
ALARM = "color:#dc3545;font-weight:bold"
"""A red that reads on white and on black; everything else takes the colours of the page."""


@dataclass(frozen=True)
class Section:
    """Rows under a heading; cells are text."""

    heading: str
    rows: tuple[tuple[str, ...], ...]


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

    def _shown(self) -> tuple[tuple[str, ...], tuple[Section, ...], tuple[int, ...]]:
        """Columns, sections and `words` without the columns that have no entry."""
        rows = [row for s in self.sections for row in s.rows]
        kept = [i for i in range(len(self.columns)) if i == 0 or any(row[i] for row in rows)]

        def keep(row: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(row[i] for i in kept)

        sections = tuple(Section(s.heading, tuple(map(keep, s.rows))) for s in self.sections)
        return keep(self.columns), sections, tuple(n for n, i in enumerate(kept) if i in self.words)


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
