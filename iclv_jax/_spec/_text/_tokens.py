"""Words and signs of a model written as text, with the places where they stand."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from iclv_jax._spec._names import nearest

Kind = Literal["name", "number", "text", "operator", "sign", "end"]
OPERATORS = ("=~", "<~", "~~", "~", "|", ":=", "==", "<", ">")
"""Those between the sides of a statement."""
REFUSED = {
    "~*~": "scaling factors of ordered items are not in the language here: give the item scale=True in Python",
    ":": "a product of columns is computed in the data, and its name written between backquotes; one of latent variables "
    "is a function, iclv.Latent(..., on=function), as the how-to on latent interactions has it",
    "<=": "write '<': bounds include their ends",
    ">=": "write '>': bounds include their ends",
    "%": "several levels are not in the language here",
}
BLOCKS = ("group", "level", "block", "class")
CONTINUES = {"+", "*", "-", "/", "^", ",", "(", "?"}
_PATTERN = re.compile(
    r"(?P<space>[ \t\r\f\v]+)|(?P<comment>[#!][^\n]*)|(?P<newline>\n)|(?P<semicolon>;)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![^\W\d_])"
    r"|(?P<name>[^\W\d][\w.]*|\.[^\W\d][\w.]*)|`(?P<quoted>[^`\n]+)`"
    r"|\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)'"
    r"|(?P<operator>~\*~|[=~<>:|%]+)|(?P<sign>[+\-*/^(),?])"
)


class TextError(ValueError):
    """What is wrong with a model that is written as text.

    Attributes
    ----------
    line, column
        Where, counted from 1; 0 for what concerns no single place.

    Examples
    --------
    >>> try:
    ...     iclv.Model.from_text("green =~ q1 + ")
    ... except iclv.TextError as error:
    ...     print(error)
    Line 1, column 7: A term is missing behind '+'.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"Line {line}, column {column}: {message}" if line else message)
        self.line, self.column = line, column


@dataclass(frozen=True)
class Token:
    """A word or sign, and its place counted from 1; `value` is the number, or the text without quotation marks."""

    kind: Kind
    text: str
    line: int
    column: int
    value: float = math.nan

    def error(self, message: str) -> TextError:
        return TextError(message, self.line, self.column)


def tokens(text: str) -> list[list[Token]]:
    """The statements of a text, each as its tokens; ends of lines within a statement are gone."""
    statements: list[list[Token]] = [[]]
    depth = 0
    for token in _split(text):
        current = statements[-1]
        if token.kind != "end":
            if current and current[-1].kind == "end":
                if _goes_on(current, token) or (depth and current[-1].text != ";"):
                    current.pop()
                else:
                    current.pop()
                    statements.append([])
                    depth = 0
            statements[-1].append(token)
            depth += (token.text == "(") - (token.text == ")") if token.kind == "sign" else 0
        elif current and (current[-1].kind != "end" or token.text == ";"):
            current[-1:] = [token] if current[-1].kind == "end" else [current[-1], token]
    last = statements[-1]
    if last and last[-1].kind == "end":
        last.pop()
    return [s for s in statements if s]


def _goes_on(before: list[Token], token: Token) -> bool:
    """Whether a line with this first word belongs to what stands before it."""
    if before[-1].text == ";":
        return False
    last = before[-2]
    unfinished = last.kind == "operator" or (last.kind == "sign" and last.text in CONTINUES)
    return (
        unfinished
        or token.kind == "operator"
        or (token.kind == "sign" and token.text != "(" and token.text != "-")
    )


def _split(text: str) -> list[Token]:
    found, at, line, start = [], 0, 1, 0
    while at < len(text):
        match, column = _PATTERN.match(text, at), at - start + 1
        if match is None:
            raise TextError(f"{text[at]!r} has no meaning here.", line, column)
        kind, word = str(match.lastgroup), match.group()
        at = match.end()
        if kind in ("newline", "semicolon"):
            found.append(Token("end", word, line, column))
        elif kind not in ("space", "comment"):
            _refuse_block(found, word, line, column)
            found.append(_token(kind, match.group(kind), line, column))
        if kind == "newline":
            line, start = line + 1, at
    return found


def _refuse_block(before: list[Token], word: str, line: int, column: int) -> None:
    """`group: 1` and its kin begin the model of a part of the people."""
    alone = len(before) == 1 or (len(before) > 1 and before[-2].kind == "end")
    if word == ":" and alone and before[-1].text in BLOCKS:
        raise TextError(
            f"'{before[-1].text}:' begins a block, and there are none here. Write one model; what differs by group stands "
            "in c(...), one value for each group, with group= in Python.",
            line,
            column,
        )


def _token(kind: str, word: str, line: int, column: int) -> Token:
    if kind == "number":
        number = float(word)
        if not math.isfinite(number):
            raise TextError(f"{word} is too large for a number.", line, column)
        return Token("number", word, line, column, number)
    if kind == "operator" and word not in OPERATORS:
        if word in REFUSED:
            raise TextError(f"{word!r}: {REFUSED[word]}.", line, column)
        raise TextError(f"{word!r} is no operator. {nearest(word, OPERATORS)}", line, column)
    kinds: dict[str, Kind] = {"quoted": "name", "double": "text", "single": "text"}
    return Token(kinds.get(kind, kind), word, line, column)  # pyright: ignore[reportArgumentType]
