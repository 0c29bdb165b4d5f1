"""From a model to the text that describes it, every parameter said in full."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from iclv_jax._base._types import Level
from iclv_jax._spec import _names as names
from iclv_jax._spec._constraints import Definition
from iclv_jax._spec._family import Indicator
from iclv_jax._spec._groups import Groups, settled
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._model import Spec
from iclv_jax._spec._text._formula import Formula, Node
from iclv_jax._spec._text._parts import Reading


@dataclass(frozen=True)
class Stated:
    """What is said of the parameters of a model; `spec` is its structure. With groups `by_group` has the names that a
    parameter with a plain name has in each, and every value and tie is said, those of convention too."""

    spec: Spec
    fixed: Mapping[str, float]
    equal: Sequence[Sequence[str]]
    bounds: Mapping[str, tuple[float, float]]
    start: Mapping[str, float]
    define: Sequence[Definition]
    derived: Sequence[Definition]
    by_group: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Groups | None = None
    levels: Mapping[str, Sequence[Level]] = field(default_factory=dict)
    """Of items, as far as they are known."""

    @classmethod
    def of(cls, spec: Spec, levels: Mapping[str, Sequence[Level]]) -> "Stated":
        """A model without groups."""
        given = dict(spec.fixed), spec.equal, dict(spec.bounds), dict(spec.start)
        return cls(spec, *given, spec.define, spec.derived, levels=levels)

    def places(self, parameter: str) -> tuple[str, ...]:
        """What it is called in every group; its name alone where all have the same."""
        return self.by_group.get(parameter, (parameter,))


def write(stated: Stated) -> str:
    """The text of a model; ValueError, naming it, for what has no place in the language."""
    writer = _Writer(stated)
    lines = writer.lines()
    reading = Reading("\n".join(lines), (), True)
    held = {frozenset(pair) for pair in stated.spec.covariances}
    absent = [p for p in reading.automatic_pairs() if frozenset(p) not in held]
    return (
        "\n".join([*lines, *(f"{_name(a)} ~~ 0*{_name(b)}" for a, b in absent), *writer.relations()]) + "\n"
    )


class _Writer:
    def __init__(self, stated: Stated) -> None:
        self.stated, self.spec = stated, stated.spec
        spec = self.spec
        _check(spec)
        self.formulas = {
            d.name: _formula(d.name, d.program, stated.groups) for d in (*stated.define, *stated.derived)
        }
        self.labels = self._labels()
        self.items = [i for i in spec.indicators if not i.exact]
        self.exact = {i.column for i in spec.indicators if i.exact}
        self.measured = {v.name for v in spec.latents if any(v.name in i.of for i in spec.indicators)}
        self.formed = {v.name for v in spec.latents if self._is_formed(v)}

    def _values(self, parameter: str) -> list[float | None]:
        """Where it is fixed, in every group."""
        return [self.stated.fixed.get(n) for n in self.stated.places(parameter)]

    def _is_formed(self, latent: Latent) -> bool:
        """Whether a latent variable is what its causes make of it, one of them its unit."""
        units = [v for p in latent.predictors for v in self._values(names.slope(latent.name, str(p)))]
        bare = set(self._values(names.variance(latent.name))) == {0.0} and latent.scale == "variance"
        return latent.name not in self.measured and bare and any(units)

    def _labels(self) -> dict[str, str]:
        """A label for every parameter that is tied or stands in a formula, and for those by group beside it."""
        found: dict[str, str] = {}
        derived = {d.name for d in self.stated.derived}
        words = [(p, w) for f in self.formulas.values() for w, p in f.names if p not in derived]
        defined = [(d.name, "") for d in self.stated.define]
        groups = [*self.stated.equal, *((p,) for p, _ in [*words, *defined])]
        taken = {w for _, w in words} | derived
        for group in groups:
            if any(name in found for name in group):
                label = next(found[name] for name in group if name in found)
            else:
                own = [w for p, w in words if p in group and w not in found.values()]
                label = own[0] if own else _new(taken)
            found.update(dict.fromkeys(group, label))
        for each in self.stated.by_group.values():
            if any(name in found for name in each):
                found.update({name: _new(taken) for name in each if name not in found})
        return found

    def lines(self) -> list[str]:
        spec = self.spec
        implied = {*self.exact, *self.formed}
        lines = [self._measures(latent) for latent in spec.latents if latent.name not in implied]
        for latent in spec.latents:
            said = {*self.measured, *self.formed}
            others = [str(p) for p in latent.predictors if p not in spec.order or p in said]
            sign = "<~" if latent.name in self.formed else "~"
            lines += self._line(latent.name, sign, [(names.slope(latent.name, p), p) for p in others])
        for item in self.items:
            on = [str(p) for p in getattr(item, "on", ())]
            lines += self._line(item.column, "~", [(names.slope(item.column, p), p) for p in on])
        for a, b in (*spec.covariances, *spec.residuals):
            lines += self._line(a, "~~", [(names.covariance(a, b), b)])
        lines += self._variances()
        lines += self._locations()
        return lines

    def _measures(self, latent: Latent) -> str:
        name, spec = latent.name, self.spec
        if name in self.measured:
            found = [(names.loading(name, i.column), i.column) for i in spec.indicators if name in i.of]
        else:
            found = [(names.slope(v.name, name), v.name) for v in spec.latents if name in v.predictors]
        given = [n for n, _ in found if any(self._values(n))]
        marker = next((n for n, _ in found if set(self._values(n)) != {0.0}), "")
        conventional = latent.scale == "loading" and not given and name in self.measured
        terms = []
        for i, (parameter, target) in enumerate(found):
            unit = conventional and parameter == marker
            free = i == 0 and not unit and set(self._values(parameter)) == {None}
            terms += [f"NA*{_name(target)}"] if free else []
            said = self._said(parameter, 1.0 if unit else None)
            terms += self._mentions(said, target) if said or not free else []
        return f"{_name(name)} =~ {' + '.join(terms)}"

    def _variances(self) -> Iterable[str]:
        for latent in self.spec.latents:
            name = names.variance(latent.name)
            unit = latent.scale == "variance" and self.stated.groups is None
            said = self._said(name, 1.0 if unit else None)
            if said and latent.name not in self.formed:
                yield self._statement(latent.name, "~~", said, latent.name)
        for item in self.items:
            said = self._said(names.variance(item.column))
            if said or (item.discrete and getattr(item, "scale", False)):
                yield self._statement(item.column, "~~", said, item.column)

    def _locations(self) -> Iterable[str]:
        for latent in self.spec.latents:
            if latent.intercept:
                yield self._statement(latent.name, "~", self._said(names.intercept(latent.name)), None)
            elif latent.name in self.exact:
                yield f"{_name(latent.name)} ~ 0*1"
        for item in self.items:
            said = self._said(names.intercept(item.column))
            if item.discrete:
                if getattr(item, "intercept", False):
                    yield self._statement(item.column, "~", said, None)
                yield from self._thresholds(item)
            elif item.location is None:
                yield f"{_name(item.column)} ~ 0*1"
            elif said:
                yield self._statement(item.column, "~", said, None)

    def _thresholds(self, item: Indicator) -> Iterable[str]:
        plain = {n: parameter for parameter, each in self.stated.by_group.items() for n in each}
        stated = (*self.stated.fixed, *self.labels, *self.stated.bounds, *self.stated.start)
        known = {*(plain.get(n, n) for n in stated), names.threshold(item.column, 1)}
        prefix = names.threshold(item.column, 0)[:-1]
        said = {int(n[len(prefix) :]) for n in known if n.startswith(prefix)}
        levels = self.stated.levels.get(item.column) or getattr(item, "levels", None) or ()
        for k in sorted(said | {*range(1, len(levels))}):
            yield self._statement(item.column, "|", self._said(names.threshold(item.column, k)), f"t{k}")

    def _line(self, left: str, operator: str, terms: list[tuple[str, str]]) -> list[str]:
        mentions = [m for n, target in terms for m in self._mentions(self._said(n), target)]
        return [f"{_name(left)} {operator} {' + '.join(mentions)}"] if mentions else []

    def _statement(self, left: str, operator: str, said: list[str], target: str | None) -> str:
        return f"{_name(left)} {operator} {' + '.join(self._mentions(said, target))}"

    def _mentions(self, said: list[str], target: str | None) -> list[str]:
        """A term, once for each modifier: lavaan takes one at a time. No target: an intercept."""
        word = "1" if target is None else _name(target)
        return [f"{modifier}*{word}" for modifier in said] or [word]

    def _said(self, parameter: str, fixed: float | None = None) -> list[str]:
        """Modifiers of a term."""
        stated, each = self.stated, self.stated.places(parameter)
        labels = [self.labels.get(n) for n in each]
        found = [
            _by_group([fixed if v is None else v for v in self._values(parameter)]),
            labels[0] if None in labels or len(labels) == 1 else f"c({', '.join(map(str, labels))})",
            _call("start", [stated.start.get(n) for n in each]),
        ]
        for word, at in (("lower", 0), ("upper", 1)):
            ends = [stated.bounds[n][at] if n in stated.bounds else None for n in each]
            found.append(_call(word, [v if v is not None and abs(v) < float("inf") else None for v in ends]))
        return [f for f in found if f]

    def relations(self) -> list[str]:
        found = []
        for d in self.stated.define:
            found.append(f"{self.labels[d.name]} == {self._expression(self.formulas[d.name])}")
        for d in self.stated.derived:
            found.append(f"{_name(d.name)} := {self._expression(self.formulas[d.name])}")
        return found

    def _expression(self, formula: Formula) -> str:
        words = {w: _name(self.labels.get(p, p)) for w, p in formula.names}
        return _rendered(formula.node, words)


def _rendered(node: Node, words: dict[str, str]) -> str:
    kind = node[0]
    if kind == "number":
        return _number(node[1])
    if kind == "name":
        return words[node[1]]
    if kind == "call":
        return f"{node[1]}({_rendered(node[2], words)})"
    if kind == "minus":
        return f"(-{_rendered(node[1], words)})"
    return f"({_rendered(node[1], words)} {kind} {_rendered(node[2], words)})"


def _by_group(values: Sequence[float | None]) -> str | None:
    """One value where all have the same, else c(...)."""
    if set(values) == {None}:
        return None
    said = ["NA" if v is None else _number(v) for v in values]
    return said[0] if len(set(values)) == 1 else f"c({', '.join(said)})"


def _call(word: str, values: Sequence[float | None]) -> str | None:
    inside = _by_group(values)
    return None if inside is None else f"{word}({inside})"


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _name(name: str) -> str:
    plain = name.replace("_", "a").replace(".", "a").isalnum() and not name[0].isdigit() and name != "NA"
    return name if plain else f"`{name}`"


def _new(taken: set[str]) -> str:
    label = next(f"e{k}" for k in range(1, 10**6) if f"e{k}" not in taken)
    taken.add(label)
    return label


def _formula(name: str, program: object, groups: Groups | None) -> Formula:
    function = getattr(getattr(program, "_function", None), "function", None)
    if not isinstance(function, Formula):
        raise ValueError(f"to_text: {name!r} is defined by a Python function, which has no text.")
    if groups is None:
        return function
    return Formula(function.text, function.node, tuple((w, settled(p, groups)) for w, p in function.names))


def _check(spec: Spec) -> None:
    """Refuse what the language has no words for."""
    for latent in spec.latents:
        if latent.equation is not None:
            raise ValueError(
                f"to_text: the equation of {latent.name!r} is a Python function, which has no text."
            )
        for predictor in latent.predictors:
            if not isinstance(predictor, str):
                raise ValueError(
                    f"to_text: {latent.name!r} has the predictor {predictor!r}, which has no text."
                )
    for item in spec.indicators:
        if type(item).__name__ not in ("Continuous", "Ordered", "Observed") or item.shared:
            raise ValueError(
                f"to_text: the item {item.column!r} ({type(item).__name__}) is of a kind that the language has no words "
                "for, or shares its thresholds."
            )
