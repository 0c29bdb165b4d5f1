"""Linear restrictions in words: `"concern ~ age = 0, price = 2 * label"`.

Names of parameters hold spaces and `~`, `=~`, `~~`, `|`, `.`, so they are recognised as they stand, the longest first.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from iclv_jax._spec._names import as_tuple, nearest
from iclv_jax._spec._values import finite

NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SYMBOL = re.compile(r"==?(?!~)|[-+*/(),]")
GOES_ON = re.compile(r"[\w.]|\s*(=~|~|\|)")
"""What follows a word that is only the beginning of a name."""
UNKNOWN = re.compile(r"([^-,+*/()=]|=~)+")


@dataclass(frozen=True)
class Restriction:
    """`sum of weights times parameters = value`."""

    weights: Mapping[str, float]
    value: float

    def __str__(self) -> str:
        terms = ""
        for name, weight in self.weights.items():
            size = abs(weight)
            sign = ("-" if weight < 0 else "") if not terms else (" - " if weight < 0 else " + ")
            terms += sign + (name if size == 1.0 else f"{_digits(size)} * {name}")
        return f"{terms or '0'} = {_digits(self.value)}"


def _digits(value: float) -> str:
    """As many digits as tell the number from others, a whole one without a point."""
    return repr(value).removesuffix(".0")


class _Token(NamedTuple):
    kind: str
    text: str


class _Linear(NamedTuple):
    weights: dict[str, float]
    constant: float

    def plus(self, other: "_Linear", factor: float = 1.0) -> "_Linear":
        names = dict.fromkeys([*self.weights, *other.weights])
        weights = {n: self.weights.get(n, 0.0) + factor * other.weights.get(n, 0.0) for n in names}
        return _Linear(weights, self.constant + factor * other.constant)

    def times(self, factor: float) -> "_Linear":
        return _Linear({n: factor * w for n, w in self.weights.items()}, factor * self.constant)


def parse_restrictions(given: Any, names: Sequence[str]) -> tuple[Restriction, ...]:
    """Restrictions from a text, a list of texts, or a mapping of names to values.

    `a = b = c` is two restrictions, an expression without `=` is set to zero.

    Raises
    ------
    ValueError
        For names that are not in `names`, products of parameters, and what cannot be read.
    """
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ValueError(f"There is no parameter {name!r} in this model. {nearest(name, names)}")
        if not given:
            raise ValueError("There is no restriction to test.")
        return tuple(Restriction({str(n): 1.0}, finite(n, v, "restrictions")) for n, v in given.items())
    texts = list(as_tuple(given))
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(
            f"Restrictions are a text such as 'price = 2 * label', a list of these, or a mapping of names to "
            f"values, not {given!r}."
        )
    found = tuple(r for text in texts for r in _Parser(text, names).restrictions())
    if not found:
        raise ValueError("There is no restriction to test.")
    return found


def contrasts(restrictions: Sequence[Restriction], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Restrictions as a matrix over `names`, and the values."""
    matrix = np.array([[r.weights.get(n, 0.0) for n in names] for r in restrictions])
    return matrix, np.array([r.value for r in restrictions])


class _Parser:
    """One text, read from left to right."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text = text
        self.names = sorted(names, key=len, reverse=True)
        self.tokens = self._tokens()
        self.at = 0

    def restrictions(self) -> list[Restriction]:
        found = []
        while self.at < len(self.tokens):
            sides = [self._sum()]
            while self._take("="):
                sides.append(self._sum())
            sides = [*sides, _Linear({}, 0.0)] if len(sides) == 1 else sides
            found += [_restriction(a.plus(b, -1.0)) for a, b in pairwise(sides)]
            if self.at < len(self.tokens) and not self._take(","):
                raise self._unreadable()
        return found

    def _tokens(self) -> list[_Token]:
        found, at = [], 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            token = self._token(at)
            found.append(_Token(token.kind, "=" if token.text == "==" else token.text))
            at += len(token.text)
        return found

    def _token(self, at: int) -> _Token:
        number, symbol = NUMBER.match(self.text, at), SYMBOL.match(self.text, at)
        name = next((n for n in self.names if self.text.startswith(n, at) and self._ends(at, n)), "")
        if name and len(name) >= len(number[0] if number else ""):
            return _Token("name", name)
        if number:
            return _Token("number", number[0])
        if symbol:
            return _Token("symbol", symbol[0])
        unknown = UNKNOWN.match(self.text, at)
        word = unknown[0].strip() if unknown else self.text[at]
        raise ValueError(
            f"There is no parameter {word!r} in this model (in {self.text!r}). {nearest(word, self.names[::-1])}"
        )

    def _ends(self, at: int, name: str) -> bool:
        """Whether the name is the whole of what stands there."""
        follows = GOES_ON.match(self.text, at + len(name))
        return not (follows and re.search(r"\w$", name))

    def _take(self, *symbols: str) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at] in [_Token("symbol", s) for s in symbols]:
            self.at += 1
            return self.tokens[self.at - 1].text
        return ""

    def _sum(self) -> _Linear:
        total = self._product()
        while sign := self._take("+", "-"):
            total = total.plus(self._product(), 1.0 if sign == "+" else -1.0)
        return total

    def _product(self) -> _Linear:
        result = self._factor()
        while sign := self._take("*", "/"):
            other = self._factor()
            if (other.weights and result.weights) or (sign == "/" and other.weights):
                raise ValueError(
                    f"{self.text!r} is not linear in the parameters. For other functions take fit.delta."
                )
            if sign == "/" and other.constant == 0.0:
                raise ValueError(f"{self.text!r} divides by zero.")
            factor = other.constant if sign == "*" else 1.0 / other.constant
            result = other.times(result.constant) if other.weights else result.times(factor)
        return result

    def _factor(self) -> _Linear:
        if sign := self._take("-", "+"):
            return self._factor().times(-1.0 if sign == "-" else 1.0)
        if self._take("("):
            inside = self._sum()
            if not self._take(")"):
                raise self._unreadable()
            return inside
        if self.at == len(self.tokens) or self.tokens[self.at].kind == "symbol":
            raise self._unreadable()
        token = self.tokens[self.at]
        self.at += 1
        return _Linear({token.text: 1.0}, 0.0) if token.kind == "name" else _Linear({}, float(token.text))

    def _unreadable(self) -> ValueError:
        where = f"at {self.tokens[self.at].text!r}" if self.at < len(self.tokens) else "at its end"
        return ValueError(
            f"The restriction {self.text!r} cannot be read {where}. Write it as 'price = 2 * label', several with "
            "commas between them."
        )


def _restriction(difference: _Linear) -> Restriction:
    weights = {n: w for n, w in difference.weights.items() if w != 0.0}
    if not weights:
        raise ValueError("A restriction names no parameter, or the same one on both sides.")
    return Restriction(weights, 0.0 - difference.constant)
