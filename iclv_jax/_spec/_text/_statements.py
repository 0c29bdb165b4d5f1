"""From words to statements: what stands left and right of an operator, and what is said of every term."""

from dataclasses import dataclass, field

from iclv_jax._spec._names import nearest
from iclv_jax._spec._text._formula import Formula, formula
from iclv_jax._spec._text._tokens import OPERATORS, TextError, Token, tokens

MODIFIERS = ("start", "equal", "label", "lower", "upper", "c")
ONE = "1"
"""The right-hand side of an intercept."""


@dataclass
class Term:
    """A parameter as the text has it: `left operator right`, where it stands, and what is said of it."""

    left: str
    operator: str
    right: str
    place: Token
    fixed: float | None = None
    free: bool = False
    label: str | None = None
    start: float | None = None
    lower: float | None = None
    upper: float | None = None
    equal: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.left, self.operator, self.right

    def merge(self, other: "Term") -> None:
        """Take over what another mention of the same parameter says."""
        for name in ("fixed", "label", "start", "lower", "upper", "equal"):
            given, here = getattr(other, name), getattr(self, name)
            if given is not None and here is not None and given != here:
                raise other.place.error(f"{other.right!r} has {name} {here!r} already, and here {given!r}.")
            if given is not None:
                setattr(self, name, given)
        self.free |= other.free
        self.check()

    def check(self) -> None:
        if self.free and self.fixed is not None:
            raise self.place.error(f"{self.right!r} is fixed and free (NA) at once. Keep one of them.")


@dataclass(frozen=True)
class Relation:
    """`left := right`, `left == right`, `left < right` or `left > right`."""

    left: Formula
    operator: str
    right: Formula
    place: Token


@dataclass
class Statements:
    """All that a text says, in its order; every parameter once."""

    terms: dict[tuple[str, str, str], Term] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def of(self, operator: str) -> list[Term]:
        return [t for t in self.terms.values() if t.operator == operator]


def statements(text: str) -> Statements:
    """Read a text; TextError, with line and column, for what it cannot be."""
    found = Statements()
    for line in tokens(text):
        places = [i for i, t in enumerate(line) if t.kind == "operator"]
        if not places:
            raise line[0].error(f"This has no operator. Operators are {', '.join(OPERATORS)}.")
        if len(places) > 1:
            token = line[places[1]]
            raise token.error(
                f"A second operator, {token.text!r}, in one statement. End the first with a new line or ';'."
            )
        at = places[0]
        left, operator, right = line[:at], line[at], line[at + 1 :]
        if not left or not right:
            raise operator.error(f"Nothing stands {'right' if left else 'left'} of {operator.text!r}.")
        if operator.text in (":=", "==", "<", ">"):
            sides = formula(left, operator), formula(right, operator)
            found.relations.append(Relation(sides[0], operator.text, sides[1], operator))
        else:
            _add_terms(found, left, operator, right)
    return found


def _add_terms(found: Statements, left: list[Token], operator: Token, right: list[Token]) -> None:
    sides = [_one_name(part, operator) for part in _parts(left, operator)]
    for part in _parts(right, operator):
        for side in sides:
            term = _term(side, operator, part)
            known = found.terms.get(term.key) or found.terms.get((term.right, "~~", term.left))
            if known is not None and term.operator == known.operator:
                known.merge(term)
            else:
                found.terms[term.key] = term


def _parts(line: list[Token], operator: Token) -> list[list[Token]]:
    """Between plus signs that stand in no parenthesis."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in line:
        sign = token.text if token.kind == "sign" else ""
        depth += (sign == "(") - (sign == ")")
        if sign == "+" and depth == 0 and parts[-1] and parts[-1][-1].text not in ("*", "+", "-", "/"):
            parts.append([])
        else:
            parts[-1].append(token)
    if not parts[-1]:
        raise operator.error("A term is missing behind '+'.")
    return parts


def _one_name(part: list[Token], operator: Token) -> str:
    if len(part) != 1 or part[0].kind != "name":
        wrong = part[0] if part[0].kind != "name" or len(part) == 1 else part[1]
        raise wrong.error(f"Left of {operator.text!r} stand names, joined by '+', not {wrong.text!r}.")
    return part[0].text


def _term(side: str, operator: Token, part: list[Token]) -> Term:
    """`modifier * modifier * name`."""
    *modifiers, last = _factors(part, operator)
    if len(last) != 1:
        raise last[-1 if last[0].kind == "name" else 0].error(
            "A term is a name, or a modifier, '*' and a name."
        )
    target, right = last[0], last[0].text
    if operator.text == "~" and target.kind == "number":
        if target.value not in (0.0, 1.0):
            raise target.error(
                f"Behind '~' the number {target.text} is no term: an intercept is written '~ 1'."
            )
        right = ONE
    elif target.kind != "name":
        raise target.error(f"{target.text!r} is no name.")
    if right == side and operator.text != "~~":
        raise target.error(f"{right!r} stands on both sides of {operator.text!r}.")
    term = Term(side, operator.text, right, target)
    if operator.text == "~" and target.kind == "number" and target.value == 0.0:
        term.fixed = 0.0
    for modifier in modifiers:
        _modify(term, modifier)
    term.check()
    return term


def _factors(part: list[Token], operator: Token) -> list[list[Token]]:
    factors: list[list[Token]] = [[]]
    depth = 0
    for token in part:
        sign = token.text if token.kind == "sign" else ""
        depth += (sign == "(") - (sign == ")")
        if sign == "*" and depth == 0:
            factors.append([])
        else:
            factors[-1].append(token)
    if not all(factors):
        raise part[0].error(f"Something is missing beside '*' in a term of {operator.text!r}.")
    return factors


def _modify(term: Term, modifier: list[Token]) -> None:
    first = modifier[0]
    if (number := _number(modifier)) is not None:
        _say(term, "fixed", number, first)
    elif len(modifier) == 1 and first.kind in ("name", "text"):
        if first.text == "NA" and first.kind == "name":
            term.free = True
        else:
            _say(term, "label", first.text, first)
    elif len(modifier) > 2 and first.kind == "name" and modifier[1].text == "(" and modifier[-1].text == ")":
        _call(term, first, modifier[2:-1])
    else:
        wrong = modifier[1] if len(modifier) > 1 else first
        raise wrong.error(
            f"{wrong.text!r} cannot stand in front of '*': a number, NA, a label, start(0.5) or equal(\"f=~x\") can."
        )


def _say(term: Term, name: str, value: float | str, place: Token) -> None:
    if getattr(term, name) not in (None, value):
        raise place.error(f"{term.right!r} has two values for {name}: {getattr(term, name)!r} and {value!r}.")
    setattr(term, name, value)


def _number(part: list[Token]) -> float | None:
    """A number with or without a sign."""
    if len(part) == 1 and part[0].kind == "number":
        return part[0].value
    if len(part) == 2 and part[0].text in ("-", "+") and part[0].kind == "sign" and part[1].kind == "number":
        return -part[1].value if part[0].text == "-" else part[1].value
    return None


def _call(term: Term, function: Token, inside: list[Token]) -> None:
    name = function.text
    if name == "c":
        raise function.error(
            "c(...) gives values by group, and this text is for one group. Say group= in Python."
        )
    if name not in MODIFIERS:
        raise function.error(f"{name!r} is no modifier. {nearest(name, [m for m in MODIFIERS if m != 'c'])}")
    if name in ("label", "equal"):
        if len(inside) != 1 or inside[0].kind != "text":
            raise function.error(f'{name}() takes one text in quotation marks, such as {name}("f=~x").')
        _say(term, name, inside[0].text, function)
        return
    number = _number(inside)
    if number is None:
        raise function.error(f"{name}() takes one number.")
    _say(term, name, number, function)


__all__ = ["ONE", "Relation", "Statements", "Term", "TextError", "statements"]
