"""Labels of a text, equal parameters, and relations between them."""

from iclv_jax._spec._names import nearest
from iclv_jax._spec._text._formula import Formula, words
from iclv_jax._spec._text._parts import Named, Reading
from iclv_jax._spec._text._statements import Relation
from iclv_jax._spec._text._tokens import Token, tokens

Bounds = tuple[float | None, float | None]


class Ties:
    """What labels, `equal()` and relations say of the parameters of a text."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.parts = reading, reading.parts
        self.labels: dict[str, list[Named]] = {}
        self.order = {n.name: i for i, n in enumerate(reading.everywhere)}
        self.bounded = {n.name: n.term.place for n in reading.everywhere if n.name in reading.parts.bounds}
        """Where bounds are given last."""
        self.defined: dict[str, Token] = {}
        """Where definitions stand, in their order."""
        for named in reading.everywhere:
            if named.term.label is not None:
                self._label(named.term.label, named, named.term.place)
        self.groups = [list(dict.fromkeys(n.name for n in members)) for members in self.labels.values()]

    def _label(self, label: str, named: Named, place: Token) -> None:
        members = self.labels.setdefault(label, [])
        if members and members[0].kind != named.kind:
            other = members[0]
            raise place.error(
                f"The label {label!r} stands for a {named.kind} ({named.name}) here, and for a {other.kind} ({other.name}) "
                f"in line {other.term.place.line}. What is equal must be of one kind."
            )
        members.append(named)

    def apply(self) -> None:
        for named in self.reading.everywhere:
            if named.term.equal is not None:
                other = self._meant(named)
                if other.kind != named.kind:
                    raise named.term.place.error(
                        f"equal() ties a {named.kind} ({named.name}) to a {other.kind} ({other.name}). What is equal must "
                        "be of one kind."
                    )
                self._join(other.name, named.name)
        for relation in self.reading.said.relations:
            self._relate(relation)
        self.groups = sorted((sorted(g, key=self.order.__getitem__) for g in self.groups), key=self._place)
        self._check_definitions()
        self._settle()
        self._settle_bounds()

    def _place(self, group: list[str]) -> int:
        return self.order[group[0]]

    def _meant(self, named: Named) -> Named:
        """The parameter in `equal("f=~x1")`."""
        text, place = named.term.equal or "", named.term.place
        line = [t for s in tokens(text) for t in s]
        sides = [t.text for t in line]
        found = [n for n in self.reading.named if list(n.term.key) == sides]
        found += [n for n in self.reading.named if n.kind == "covariance" and list(n.term.key)[::-1] == sides]
        if not found:
            known = ["".join(n.term.key) for n in self.reading.named]
            raise place.error(f"equal({text!r}) names no parameter of the text. {nearest(text, known)}")
        return found[0]

    def _join(self, first: str, second: str) -> None:
        one = next((g for g in self.groups if first in g), [first])
        other = next((g for g in self.groups if second in g), [second])
        if one is not other:
            self.groups = [g for g in self.groups if g is not one and g is not other] + [[*one, *other]]

    def _same(self, name: str) -> list[str]:
        """What is equal to a parameter, itself included."""
        return next((g for g in self.groups if name in g), [name])

    def _check_definitions(self) -> None:
        """TextError at the first definition that closes a circle, and at one of what has a value already."""
        uses: dict[str, list[str]] = {}
        for name, place in self.defined.items():
            same, formula = self._same(name), self.parts.define[name]
            if same[0] in uses or any(n in self.parts.fixed for n in same):
                raise place.error(f"{name} has a value already. Keep one of its constraints.")
            for word, source in formula.names:
                if self._reaches(source, same[0], uses):
                    raise place.error(
                        f"The definitions are cyclic: {word!r} is {name} or depends on it already. Write one of them as a "
                        "function of others."
                    )
            uses[same[0]] = [source for _, source in formula.names]

    def _reaches(self, source: str, goal: str, uses: dict[str, list[str]]) -> bool:
        """Whether a parameter is another one or depends on it."""
        seen, ahead = set(), [source]
        while ahead:
            first = self._same(ahead.pop())[0]
            if first not in seen:
                seen.add(first)
                ahead += uses.get(first, ())
        return goal in seen

    def _settle(self) -> None:
        """A group with a fixed member is fixed as a whole; the start belongs to its first, or to what is defined."""
        parts = self.parts
        for group in self.groups:
            values = {parts.fixed[n] for n in group if n in parts.fixed}
            if len(values) > 1:
                last = self.reading.everywhere[self.order[group[-1]]].term.place
                raise last.error(
                    f"{', '.join(group)} are equal, but fixed at different values, {sorted(values)}."
                )
            if values:
                parts.fixed.update(dict.fromkeys(group, values.pop()))
            elif len(group) > 1:
                parts.equal.append(group)
                starts = [parts.start.pop(n) for n in group if n in parts.start]
                parts.start |= dict.fromkeys(group[:1], starts[0]) if starts else {}
        for name in [n for n in parts.start if n in parts.fixed or self._defines(n)]:
            del parts.start[name]

    def _defines(self, name: str) -> bool:
        return any(n in self.parts.define for n in self._same(name))

    def _settle_bounds(self) -> None:
        """What is equal has the bounds of all, at its first; TextError where they leave nothing, or nothing can obey."""
        given, self.parts.bounds = self.parts.bounds, {}
        for name, (lower, upper) in given.items():
            first, place = self._same(name)[0], self.bounded[name]
            lower, upper = _within(self.parts.bounds.get(first, (None, None)), lower, upper)
            value = self.parts.fixed.get(name)
            if self._defines(name):
                raise place.error(
                    f"{name} is a function of others here and has no bounds of its own. Bound those."
                )
            if value is not None:
                if (lower is not None and value < lower) or (upper is not None and value > upper):
                    raise place.error(f"{name} is fixed at {value:g}, outside its bounds.")
                continue
            if lower is not None and upper is not None and lower >= upper:
                raise place.error(f"The bounds of {name} leave nothing: above {lower:g} and below {upper:g}.")
            self.parts.bounds[first] = lower, upper

    # --- relations -------------------------------------------------------------------------------------------------

    def _relate(self, relation: Relation) -> None:
        left, right, place = relation.left, relation.right, relation.place
        if relation.operator == ":=":
            self._derive(left, right, place)
            return
        sides = [
            (left, right, relation.operator),
            (right, left, {"<": ">", ">": "<"}.get(relation.operator, "==")),
        ]
        for one, other, operator in sides:
            if one.node[0] != "name":
                continue
            number = None if words(other.node) else float(other({}))
            if operator == "==" or number is not None:
                self._hold(one, other, operator, number, place)
                return
        raise place.error(
            "Constraints are of a label: 'a == b', 'a == 2*b + 1', 'a > 0' or 'a < 1' with numbers. Others are not in the "
            "language here."
        )

    def _derive(self, left: Formula, right: Formula, place: Token) -> None:
        if left.node[0] != "name":
            raise place.error("Left of ':=' stands the name of what is defined.")
        name = left.node[1]
        if name in self.labels or name in self.parts.derived:
            raise place.error(f"{name!r} left of ':=' is a label or is defined already. Take another name.")
        known = self._known(right, place, {d: d for d in self.parts.derived})
        self.parts.derived[name] = right.named(known)

    def _known(self, formula: Formula, place: Token, extra: dict[str, str]) -> dict[str, str]:
        known = {label: members[0].name for label, members in self.labels.items()} | extra
        relations = [
            r for r in self.reading.said.relations if r.operator == ":=" and r.left.node[0] == "name"
        ]
        defined = {r.left.node[1]: r.place.line for r in relations}
        for word in words(formula.node):
            if word not in known and word in defined:
                raise place.error(
                    f"{word!r} is defined by ':=' in line {defined[word]}: only a ':=' further down can use it."
                )
            if word not in known:
                raise place.error(f"{word!r} is no label of the text. {nearest(word, known)}")
        return known

    def _hold(self, one: Formula, other: Formula, operator: str, number: float | None, place: Token) -> None:
        name = self._known(one, place, {})[one.node[1]]
        if number is not None and not abs(number) < float("inf"):
            raise place.error("The number of a constraint is not finite.")
        if operator == "==" and number is not None:
            if self.parts.fixed.setdefault(name, number) != number:
                raise place.error(f"{name} is fixed at {self.parts.fixed[name]:g} already.")
        elif operator == "==":
            self._tie(one, other, name, place)
        else:
            ends = (number, None) if operator == ">" else (None, number)
            self.parts.bounds[name] = _within(self.parts.bounds.get(name, (None, None)), *ends)
            self.bounded[name] = place

    def _tie(self, one: Formula, other: Formula, name: str, place: Token) -> None:
        known = self._known(other, place, {})
        if other.node[0] == "name":
            members = [self.labels[f.node[1]][0] for f in (one, other)]
            if members[0].kind != members[1].kind:
                raise place.error(
                    f"{one.text!r} is a {members[0].kind} and {other.text!r} a {members[1].kind}. What is equal must be "
                    "of one kind."
                )
            self._join(name, known[other.node[1]])
            return
        if name in [known[w] for w in words(other.node)]:
            raise place.error(f"{one.text!r} stands on both sides. Write it as a function of others.")
        if name in self.parts.define or name in self.parts.fixed:
            raise place.error(f"{name} has a value already. Keep one of its constraints.")
        self.parts.define[name] = other.named(known)
        self.defined[name] = place


def _within(bounds: Bounds, lower: float | None, upper: float | None) -> Bounds:
    """Bounds that obey others too."""
    lowers = [v for v in (bounds[0], lower) if v is not None]
    uppers = [v for v in (bounds[1], upper) if v is not None]
    return max(lowers, default=None), min(uppers, default=None)
