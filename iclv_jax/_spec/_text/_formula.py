"""Arithmetic of parameters, as it stands behind `:=` and `==`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from iclv_jax._spec._names import nearest
from iclv_jax._spec._text._tokens import Token

FUNCTIONS = {"exp": jnp.exp, "log": jnp.log, "sqrt": jnp.sqrt, "abs": jnp.abs}
DEEPEST = 40
"""Parentheses within parentheses."""
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a**b,
}
Node = tuple[Any, ...]
"""("number", value), ("name", name), ("call", function, argument), ("minus", argument) or (sign, left, right)."""


@dataclass(frozen=True)
class Formula:
    """A function of named parameters, `formula(p)`, as it was written: `text`, and the parameters behind its words."""

    text: str
    node: Node
    names: tuple[tuple[str, str], ...] = ()

    def __call__(self, p: Any) -> Any:
        return _value(self.node, dict(self.names), p)

    def named(self, known: Mapping[str, str]) -> "Formula":
        """With the parameters that its words stand for."""
        return Formula(self.text, self.node, tuple((w, known[w]) for w in words(self.node)))


def words(node: Node) -> list[str]:
    """Names in a formula, each once."""
    if node[0] == "name":
        return [node[1]]
    return list(dict.fromkeys(w for part in node[1:] if isinstance(part, tuple) for w in words(part)))


def formula(tokens: list[Token], where: Token) -> Formula:
    """Read an expression that takes all of these tokens; TextError for what is none."""
    reader = _Reader(tokens, where)
    node = reader.sum()
    if reader.at < len(tokens):
        raise tokens[reader.at].error(f"{tokens[reader.at].text!r} cannot follow here.")
    return Formula(" ".join(_shown(t) for t in tokens), node)


def _shown(token: Token) -> str:
    plain = token.kind != "name" or all(c.isalnum() or c in "_." for c in token.text)
    return token.text if plain else f"`{token.text}`"


def _value(node: Node, names: Mapping[str, str], p: Any) -> Any:
    kind = node[0]
    if kind == "number":
        return jnp.asarray(node[1], float)
    if kind == "name":
        return p[names[node[1]]]
    if kind == "call":
        return FUNCTIONS[node[1]](_value(node[2], names, p))
    if kind == "minus":
        return -_value(node[1], names, p)
    return SIGNS[kind](_value(node[1], names, p), _value(node[2], names, p))


class _Reader:
    """Recursive descent: sums of products of powers."""

    def __init__(self, tokens: list[Token], where: Token) -> None:
        self.tokens, self.where, self.at, self.depth = tokens, where, 0, 0

    def _sign(self, *wanted: str) -> str | None:
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "sign" and token.text in wanted:
                self.at += 1
                return token.text
        return None

    def sum(self) -> Node:
        node = self.product()
        while sign := self._sign("+", "-"):
            node = (sign, node, self.product())
        return node

    def product(self) -> Node:
        node = self.signed()
        while sign := self._sign("*", "/"):
            node = (sign, node, self.signed())
        return node

    def signed(self) -> Node:
        minus = False
        while sign := self._sign("-", "+"):
            minus ^= sign == "-"
        node = self.atom()
        if self._sign("^"):
            self._deeper()
            node = ("^", node, self.signed())
            self.depth -= 1
        return ("minus", node) if minus else node

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.where.error(f"An expression is deeper than {DEEPEST} parentheses or powers.")

    def atom(self) -> Node:
        if self.at >= len(self.tokens):
            raise self.where.error("The expression ends before it is complete.")
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "number":
            return ("number", token.value)
        if token.kind == "name":
            if not self._sign("("):
                return ("name", token.text)
            if token.text not in FUNCTIONS:
                raise token.error(f"The function {token.text!r} is unknown. {nearest(token.text, FUNCTIONS)}")
            return ("call", token.text, self._closed())
        if token.kind == "sign" and token.text == "(":
            return self._closed()
        raise token.error(f"{token.text!r} cannot stand here: a number, a label or a parenthesis can.")

    def _closed(self) -> Node:
        self._deeper()
        node = self.sum()
        self.depth -= 1
        if not self._sign(")"):
            raise self.where.error("A parenthesis is not closed.")
        return node
