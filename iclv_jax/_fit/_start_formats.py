"""What other programs write: names and estimates of each format."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser

OPERATORS = ("=~", "~~", "~1", "~", "|")
"""Of lavaan's table, those that are parameters here."""


def recognised(suffix: str, text: str) -> str | None:
    """Whose a file is, by its name and how it begins."""
    if suffix in (".f12", ".yaml", ".yml", ".html", ".htm"):
        return "alogit" if suffix == ".f12" else "biogeme"
    head = [name.strip().lower() for name in next(csv.reader(io.StringIO(text)), [])]
    if {"lhs", "op", "rhs", "est"} <= set(head):
        return "lavaan"
    if "estimate" in head:
        return "apollo"
    return "biogeme" if re.search(r"^beta_names:", text, re.M) else None


def apollo(text: str) -> dict[str, float]:
    """The first column has the names; another one is called Estimate."""
    head, *rows = csv.reader(io.StringIO(text))
    at = [name.strip().lower() for name in head].index("estimate")
    return _finite((row[0].strip(), row[at]) for row in rows if len(row) > at)


def lavaan(text: str) -> dict[str, float]:
    """Rows of lhs, op, rhs and est; thresholds are `x | t1`."""
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        left, operator, right = (row[key].strip() for key in ("lhs", "op", "rhs"))
        if operator not in OPERATORS:
            continue
        right = {"~1": "1", "|": right.removeprefix("t")}.get(operator, right)
        group = row.get("group") or "1"
        name = f"{left} {'~' if operator == '~1' else operator} {right}"
        found.append((name if group in ("0", "1") else f"{name} [{group}]", row["est"]))
    return _finite(found)


def alogit(text: str) -> dict[str, float]:
    """Lines between END and -1: a zero, the name, whether it is held, and the value."""
    found, inside = [], False
    for line in text.splitlines():
        if line.strip() == "END":
            inside = True
        elif inside and line.split()[:1] == ["-1"]:
            break
        elif inside:
            # Names may hold blanks; F or T behind them says whether the coefficient was constrained.
            match = re.match(r"\s*0\s+(.*?)\s+[FT]\s+(\S+)", line)
            found += [(match[1], match[2])] if match else []
    return _finite(found)


def biogeme(text: str) -> dict[str, float]:
    """Lists of names and values in YAML, or the table of estimates in HTML."""
    if "<" in text[:2000] and re.search(r"<t[hd]", text, re.I):
        return _of_html(text)
    names, values = _items(text, "beta_names"), _items(text, "beta_values")
    return _finite(zip(names, values, strict=False)) if len(names) == len(values) else {}


def _items(text: str, key: str) -> list[str]:
    """A list of plain values under a key of a YAML file."""
    flow = re.search(rf"^{key}:\s*\[(.*?)\]", text, re.M | re.S)
    if flow:
        return [_unquoted(item) for item in flow[1].split(",")]
    block = re.search(rf"^{key}:\s*\n((?:[ ]*- .*\n?)+)", text, re.M)
    return [_unquoted(line.strip()[2:]) for line in block[1].splitlines()] if block else []


def _unquoted(item: str) -> str:
    return item.strip().strip("'\"")


class _Rows(HTMLParser):
    """The cells of all tables, row by row, with an empty row before each table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("table", "tr"):  # an empty row ends the table before
            self.rows.append([])
        self._inside = tag in ("td", "th") or (self._inside and tag != "tr")
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th", "tr")

    def handle_data(self, data: str) -> None:
        if self._inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def _of_html(text: str) -> dict[str, float]:
    reader = _Rows()
    reader.feed(text)
    for at, row in enumerate(reader.rows):
        head = [cell.strip().lower() for cell in row]
        if "name" in head and "value" in head:
            name, value = head.index("name"), head.index("value")
            below = reader.rows[at + 1 :]
            end = next((i for i, r in enumerate(below) if len(r) <= max(name, value)), len(below))
            return _finite((r[name].strip(), r[value]) for r in below[:end])
    return {}


def _finite(pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Those whose value is a number."""
    found = {}
    for name, value in pairs:
        try:
            number = float(value)
        except ValueError:
            continue
        if name and math.isfinite(number):
            found[name] = number
    return found


READERS: dict[str, Callable[[str], dict[str, float]]] = {
    "apollo": apollo, "biogeme": biogeme, "alogit": alogit, "lavaan": lavaan,
}  # fmt: skip
