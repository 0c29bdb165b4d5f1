"""Tables as plain text and as HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

STYLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.4em 0",
    "text-align:{};padding:0.1em 0.7em;border:none",
    "text-align:left;padding:0.5em 0.7em 0.1em;border:none;border-bottom:1px solid currentColor",
)


@dataclass(frozen=True)
class Section:
    """Rows under a heading; cells are text."""

    heading: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Report:
    """A title, lines of facts, a table in sections, and notes; prints as text, shows as HTML.

    `alarm` stands before everything else: what a reader must not miss. Columns listed in `words` are
    flush left, the others right.
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
            blocks.append(_grid(self.columns, self.sections, self.words))
        if self.notes:
            blocks.append("\n".join(f"* {note}" for note in self.notes))
        return "\n\n".join(block for block in blocks if block)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts = ["<div>"]
        if self.alarm:
            parts.append(f'<p style="color:#b00020;font-weight:bold">{html.escape(self.alarm)}</p>')
        parts.append(f"<h4 style='margin:0.3em 0'>{html.escape(self.title)}</h4>")
        if self.facts:
            parts.append(_html_rows(self.facts, "left"))
        if self.sections:
            parts.append(_html_grid(self.columns, self.sections, self.words))
        if self.notes:
            parts.append("<ul>" + "".join(f"<li>{html.escape(n)}</li>" for n in self.notes) + "</ul>")
        return "".join(parts) + "</div>"


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


def _html_rows(facts: Sequence[tuple[str, str]], align: str) -> str:
    cell = STYLE[1].format(align)
    rows = "".join(
        f'<tr><td style="{cell}">{html.escape(k)}</td><td style="{cell}">{html.escape(v)}</td></tr>' for k, v in facts
    )
    return f'<table style="{STYLE[0]}"><tbody>{rows}</tbody></table>'


def _html_grid(columns: Sequence[str], sections: Sequence[Section], words: Sequence[int]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f'<{tag} style="{STYLE[1].format("left" if i in words else "right")}">{html.escape(c)}</{tag}>'
            for i, c in enumerate(row)
        )

    body = []
    for section in sections:
        if section.heading:
            body.append(
                f'<tr><th colspan="{len(columns)}" style="{STYLE[2]}">{html.escape(section.heading)}</th></tr>'
            )
        body += [f"<tr>{cells(row, 'td')}</tr>" for row in section.rows]
    head = f"<thead><tr>{cells(columns, 'th')}</tr></thead>"
    return f'<table style="{STYLE[0]}">{head}<tbody>{"".join(body)}</tbody></table>'
