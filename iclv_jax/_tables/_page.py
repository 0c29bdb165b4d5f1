"""One page of HTML that needs nothing beside itself: sortable tables, pictures, printable, readable on a phone."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

WIDE = 500
"""Points of a picture beyond which it is not made as narrow as a phone."""


@dataclass(frozen=True)
class Part:
    """A section of the page: its title, the name of its anchor, and its content as HTML."""

    title: str
    anchor: str
    content: str


def page(title: str, lead: str, parts: Sequence[Part]) -> str:
    """The whole page. `lead` is HTML that stands under the title."""
    style, script = _file("page.css"), _file("page.js")
    links = "".join(f'<li><a href="#{p.anchor}">{html.escape(p.title)}</a></li>' for p in parts)
    body = "".join(
        f'<section><h2 id="{p.anchor}">{html.escape(p.title)}</h2>{p.content}</section>' for p in parts
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{html.escape(title)}</title><style>{style}</style></head><body>'
        f"<header><h1>{html.escape(title)}</h1>{lead}</header><nav><ul>{links}</ul></nav><main>{body}</main>"
        f"<script>{script}</script></body></html>\n"
    )


@cache
def _file(name: str) -> str:
    return resources.files("iclv_jax._tables").joinpath(name).read_text(encoding="utf-8")


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values; an empty name goes on with the value before, one with blanks in front is set in."""
    items = []
    for name, value in pairs:
        inner = ' class="inner"' if name.startswith(" ") else ""
        items.append(f"<dt{inner}>{html.escape(name.strip())}</dt><dd>{html.escape(value)}</dd>")
    return f"<dl>{''.join(items)}</dl>"


def notes(lines: Sequence[str]) -> str:
    """Sentences as a list."""
    return (
        f'<ul class="notes">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>'
        if lines
        else ""
    )


@dataclass(frozen=True)
class Cell:
    """What stands in a cell; `value` is what it is sorted by, `shade` from -1 to 1 its colour."""

    text: str
    value: float | None = None
    shade: float = 0.0


def table(
    columns: Sequence[str],
    groups: Sequence[tuple[str, Sequence[Sequence[str | Cell]]]],
    words: Sequence[int] = (0,),
    texts: Sequence[int] = (),
) -> str:
    """A table whose columns can be sorted within each of its groups; columns in `words` are flush left, those in `texts`
    may break."""
    kinds = ["text" if i in texts else "word" if i in words else "" for i in range(len(columns))]
    heads = "".join(map(_head, columns, kinds))
    bodies = []
    for heading, rows in groups:
        lines = [_heading(heading, len(columns))] if heading else []
        lines += ["<tr>" + "".join(map(_cell, row, kinds)) + "</tr>" for row in rows]
        bodies.append(f"<tbody>{''.join(lines)}</tbody>")
    return f'<div class="wide"><table class="sortable"><thead><tr>{heads}</tr></thead>{"".join(bodies)}</table></div>'


def _head(name: str, kind: str) -> str:
    words = html.escape(name) or "&nbsp;"
    return f'<th scope="col" class="{"word" if kind else ""}"><button type="button">{words}</button></th>'


def _heading(text: str, width: int) -> str:
    return f'<tr class="heading"><th class="word" colspan="{width}">{html.escape(text)}</th></tr>'


def _cell(given: str | Cell, kind: str) -> str:
    cell = given if isinstance(given, Cell) else Cell(given)
    about = f' class="{kind}"' if kind else ""
    if cell.value is not None:
        about += f' data-value="{cell.value!r}"'
    if abs(cell.shade) > 0.05:
        colour = "213,94,0" if cell.shade > 0.0 else "0,114,178"
        about += f' style="background:rgba({colour},{min(abs(cell.shade), 1.0) * 0.6:.2f})"'
    return f"<td{about}>{html.escape(cell.text)}</td>"


def figure(svg: str, title: str, caption: str, number: int) -> str:
    """A picture that scales with the page; its names are made different from those of other pictures."""
    inner = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.S)
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.S)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', inner))
    inner = re.sub(r' id="([^"]*)"', lambda m: f' id="p{number}-{m[1]}"' if m[1] in used else "", inner)
    inner = re.sub(r'(href="#|url\(#)', rf"\1p{number}-", inner)
    found = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) [\d.]+"', inner)
    # On a phone wide pictures are moved sideways, as wide tables are.
    size = float(found[1]) if found else 0.0
    width = f"max-width:{size * 1.5:.0f}px" + (f";min-width:{WIDE}px" if size > WIDE else "")
    head = f'<svg role="img" aria-label="{html.escape(title, quote=True)}" style="{width}"'
    inner = re.sub(r'<svg([^>]*?) (?:width="[^"]*"|height="[^"]*")', r"<svg\1", inner, count=1)
    inner = re.sub(r'<svg([^>]*?) (?:width="[^"]*"|height="[^"]*")', r"<svg\1", inner, count=1)
    inner = inner.replace("<svg", head, 1)
    return f"<h3>{html.escape(title)}</h3><figure>{inner}<figcaption>{html.escape(caption)}</figcaption></figure>"
