"""From a model to the text that describes it, every parameter said in full."""

from collections.abc import Iterable

from iclv_jax._spec import _names as names
from iclv_jax._spec._family import Indicator
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._model import Spec
from iclv_jax._spec._text._formula import Formula, Node
from iclv_jax._spec._text._parts import Reading


def write(spec: Spec) -> str:
    """The text of a model; ValueError, naming it, for what has no place in the language."""
    writer = _Writer(spec)
    lines = writer.lines()
    reading = Reading("\n".join(lines), (), True)
    held = {frozenset(pair) for pair in spec.covariances}
    absent = [p for p in reading.automatic_pairs() if frozenset(p) not in held]
    return (
        "\n".join([*lines, *(f"{_name(a)} ~~ 0*{_name(b)}" for a, b in absent), *writer.relations()]) + "\n"
    )


class _Writer:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        _check(spec)
        self.fixed, self.bounds, self.start = dict(spec.fixed), dict(spec.bounds), dict(spec.start)
        self.formulas = {d.name: _formula(d.name, d.program) for d in (*spec.define, *spec.derived)}
        self.labels = self._labels()
        self.items = [i for i in spec.indicators if not i.exact]
        self.exact = {i.column for i in spec.indicators if i.exact}
        self.measured = {v.name for v in spec.latents if any(v.name in i.of for i in spec.indicators)}
        self.formed = {v.name for v in spec.latents if self._is_formed(v)}

    def _is_formed(self, latent: Latent) -> bool:
        """Whether a latent variable is what its causes make of it, one of them its unit."""
        units = [self.fixed.get(names.slope(latent.name, str(p)), 0.0) for p in latent.predictors]
        bare = self.fixed.get(names.variance(latent.name)) == 0.0 and latent.scale == "variance"
        return latent.name not in self.measured and bare and any(units)

    def _labels(self) -> dict[str, str]:
        """A label for every parameter that is tied or stands in a formula."""
        found: dict[str, str] = {}
        derived = {d.name for d in self.spec.derived}
        words = [(p, w) for f in self.formulas.values() for w, p in f.names if p not in derived]
        defined = [(d.name, "") for d in self.spec.define]
        groups = [*self.spec.equal, *((p,) for p, _ in [*words, *defined])]
        taken = {w for _, w in words} | derived
        for group in groups:
            if any(name in found for name in group):
                label = next(found[name] for name in group if name in found)
            else:
                own = [w for p, w in words if p in group and w not in found.values()]
                label = own[0] if own else _new(taken)
            found.update(dict.fromkeys(group, label))
        return found

    def lines(self) -> list[str]:
        spec = self.spec
        implied = {*self.exact, *self.formed}
        lines = [self._measures(latent) for latent in spec.latents if latent.name not in implied]
        for latent in spec.latents:
            said = {*self.measured, *self.formed}
            others = [str(p) for p in latent.predictors if p not in spec.order or p in said]
            sign = "<~" if latent.name in self.formed else "~"
            lines += self._sum(latent.name, sign, [(names.slope(latent.name, p), p) for p in others])
        for item in self.items:
            on = [str(p) for p in getattr(item, "on", ())]
            lines += self._sum(item.column, "~", [(names.slope(item.column, p), p) for p in on])
        for a, b in (*spec.covariances, *spec.residuals):
            lines.append(f"{_name(a)} ~~ {self._said(names.covariance(a, b))}{_name(b)}")
        lines += self._variances()
        lines += self._locations()
        return lines

    def _measures(self, latent: Latent) -> str:
        name, spec = latent.name, self.spec
        if name in self.measured:
            found = [(names.loading(name, i.column), i.column) for i in spec.indicators if name in i.of]
        else:
            found = [(names.slope(v.name, name), v.name) for v in spec.latents if name in v.predictors]
        given = [n for n, _ in found if self.fixed.get(n, 0.0) != 0.0]
        marker = next((n for n, _ in found if self.fixed.get(n) != 0.0), "")
        conventional = latent.scale == "loading" and not given and name in self.measured
        terms = []
        for i, (parameter, target) in enumerate(found):
            said = self._said(parameter, 1.0 if conventional and parameter == marker else None)
            free = (
                "NA*"
                if i == 0 and parameter not in self.fixed and not (conventional and parameter == marker)
                else ""
            )
            terms.append(f"{free}{said}{_name(target)}")
        return f"{_name(name)} =~ {' + '.join(terms)}"

    def _variances(self) -> Iterable[str]:
        for latent in self.spec.latents:
            name = names.variance(latent.name)
            said = self._said(name, 1.0 if latent.scale == "variance" else None)
            if said and latent.name not in self.formed:
                yield f"{_name(latent.name)} ~~ {said}{_name(latent.name)}"
        for item in self.items:
            said = self._said(names.variance(item.column))
            if said or (item.discrete and getattr(item, "scale", False)):
                yield f"{_name(item.column)} ~~ {said}{_name(item.column)}"

    def _locations(self) -> Iterable[str]:
        for latent in self.spec.latents:
            if latent.intercept:
                yield f"{_name(latent.name)} ~ {self._said(names.intercept(latent.name))}1"
            elif latent.name in self.exact:
                yield f"{_name(latent.name)} ~ 0*1"
        for item in self.items:
            said = self._said(names.intercept(item.column))
            if item.discrete:
                if getattr(item, "intercept", False):
                    yield f"{_name(item.column)} ~ {said}1"
                yield from self._thresholds(item)
            elif item.location is None:
                yield f"{_name(item.column)} ~ 0*1"
            elif said:
                yield f"{_name(item.column)} ~ {said}1"

    def _thresholds(self, item: Indicator) -> Iterable[str]:
        known = {*self.fixed, *self.labels, *self.bounds, *self.start, names.threshold(item.column, 1)}
        prefix = names.threshold(item.column, 0)[:-1]
        numbers = sorted({int(n[len(prefix) :]) for n in known if n.startswith(prefix)})
        for k in numbers:
            yield f"{_name(item.column)} | {self._said(names.threshold(item.column, k))}t{k}"

    def _sum(self, left: str, operator: str, terms: list[tuple[str, str]]) -> list[str]:
        if not terms:
            return []
        return [
            f"{_name(left)} {operator} {' + '.join(self._said(n) + _name(target) for n, target in terms)}"
        ]

    def _said(self, parameter: str, fixed: float | None = None) -> str:
        """Modifiers of a term."""
        value = self.fixed.get(parameter, fixed)
        found = [] if value is None else [_number(value)]
        if parameter in self.labels:
            found.append(self.labels[parameter])
        if parameter in self.start:
            found.append(f"start({_number(self.start[parameter])})")
        for word, bound in zip(("lower", "upper"), self.bounds.get(parameter, ()), strict=False):
            if abs(bound) < float("inf"):
                found.append(f"{word}({_number(bound)})")
        return "".join(f"{f}*" for f in found)

    def relations(self) -> list[str]:
        found = []
        for d in self.spec.define:
            found.append(f"{self.labels[d.name]} == {self._expression(self.formulas[d.name])}")
        for d in self.spec.derived:
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


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _name(name: str) -> str:
    plain = name.replace("_", "a").replace(".", "a").isalnum() and not name[0].isdigit() and name != "NA"
    return name if plain else f"`{name}`"


def _new(taken: set[str]) -> str:
    label = next(f"e{k}" for k in range(1, 10**6) if f"e{k}" not in taken)
    taken.add(label)
    return label


def _formula(name: str, program: object) -> Formula:
    function = getattr(getattr(program, "_function", None), "function", None)
    if not isinstance(function, Formula):
        raise ValueError(f"to_text: {name!r} is defined by a Python function, which has no text.")
    return function


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
