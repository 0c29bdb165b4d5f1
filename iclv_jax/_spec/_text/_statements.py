"""From words to statements: what stands left and right of an operator, and what is said of every term."""

from dataclasses import dataclass, field, replace

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
    apart: dict[str, tuple] = field(default_factory=dict)
    """What is said by group, `c(1, NA)`: values in their order, None for nothing."""
    listed: Token | None = None
    """Where the first of it stands."""

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
        for name, values in other.apart.items():
            say_apart(self, name, values, other.listed or other.place)
        self.free |= other.free
        self.check()

    def check(self) -> None:
        if self.free and self.fixed is not None:
            raise self.place.error(f"{self.right!r} is fixed and free (NA) at once. Keep one of them.")
        for name in self.apart:
            if getattr(self, name) not in (None, False):
                raise self.place.error(
                    f"{self.right!r} has {name} for all groups and by group. Keep one of them."
                )

    def by_group(self, count: int) -> "list[Term]":
        """What is said of it in each of so many groups."""
        each = [{name: values[g] for name, values in self.apart.items()} for g in range(count)]
        return [replace(self, apart={}, **{k: v for k, v in one.items() if v is not None}) for one in each]


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
    formed: dict[str, Token] = field(default_factory=dict)
    """Latent variables that are what their causes make of them, by `<~`."""

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
    for name, place in found.formed.items():
        found.terms.setdefault((name, "~~", name), Term(name, "~~", name, place, fixed=0.0))
    return found


def _add_terms(found: Statements, left: list[Token], operator: Token, right: list[Token]) -> None:
    sides = [_one_name(part, operator) for part in _parts(left, operator)]
    if operator.text == "<~":
        found.formed |= dict.fromkeys(sides, operator)
        operator = replace(operator, text="~")
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
        if sign == "?" and depth == 0 and factors[-1]:
            # 0.5?x is start(0.5)*x.
            name = replace(token, kind="name", text="start")
            opened, closed = (replace(token, kind="sign", text=s) for s in "()")
            factors[-1] = [name, opened, *factors[-1], closed]
            factors.append([])
        elif sign == "*" and depth == 0:
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
        elif first.text:
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


def say_apart(term: Term, name: str, values: tuple, place: Token) -> None:
    """Something that is said by group; TextError where it was said otherwise, or of another number of groups."""
    known = term.apart.get(name)
    if known not in (None, values):
        raise place.error(f"{term.right!r} has two values for {name}: {known!r} and {values!r}.")
    if any(len(v) != len(values) for v in term.apart.values()):
        raise place.error(
            f"c(...) of {term.right!r} speaks of {len(values)} groups here, and of another number before."
        )
    term.apart[name] = values
    term.listed = term.listed or place


def _listed(inside: list[Token], place: Token) -> list[list[Token]]:
    """What stands between the commas of c(...)."""
    parts: list[list[Token]] = [[]]
    for token in inside:
        if token.kind == "sign" and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise place.error("Something is missing beside a comma of c(...).")
    if len(parts) < 2:
        raise place.error(
            "c(...) gives one value for each group: c(1, NA), c(a, b). For all alike leave c() out."
        )
    return parts


def _by_group(term: Term, place: Token, inside: list[Token], of: str | None = None) -> None:
    """`c(0.5, NA)`, `c(a, b)` or, `of` a modifier, `start(c(0.5, 1))`."""
    said: list[Term] = []
    for part in _listed(inside, place):
        if part[0].kind == "name" and len(part) > 1:
            raise part[0].error("In c(...) stand numbers, NA or labels.")
        one = Term(term.left, term.operator, term.right, term.place)
        if of is None:
            _modify(one, part)
        elif part[0].text != "NA" or len(part) > 1:
            _call(one, replace(place, text=of), part)
        said.append(one)
    for name in ("fixed", "label", "start", "lower", "upper", "equal"):
        values = tuple(getattr(one, name) for one in said)
        if any(v is not None for v in values):
            say_apart(term, name, values, place)
    if of is None and any(one.free for one in said):
        say_apart(term, "free", tuple(one.free for one in said), place)


def _call(term: Term, function: Token, inside: list[Token]) -> None:
    name = function.text
    if name == "c":
        _by_group(term, function, inside)
        return
    if (
        name in MODIFIERS
        and len(inside) > 2
        and [t.text for t in inside[:2]] == ["c", "("]
        and inside[-1].text == ")"
    ):
        _by_group(term, inside[0], inside[2:-1], name)
        return
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
