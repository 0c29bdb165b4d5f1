"""What a text says as the parts of a model, and which of lavaan's defaults it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from iclv_jax._base._types import Given
from iclv_jax._spec import _names as names
from iclv_jax._spec._groups import Listed, placed
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._names import nearest
from iclv_jax._spec._text._formula import Formula
from iclv_jax._spec._text._statements import ONE, Statements, Term, statements
from iclv_jax._spec._text._tokens import TextError

RANK = {"=~": 0, "~": 1, "~~": 2, "|": 3}


@dataclass
class Item:
    """An item as a text has it; `on` are covariates that act on it directly."""

    column: str
    of: list[str] = field(default_factory=list)
    on: list[str] = field(default_factory=list)
    ordered: bool = False
    intercept: bool = False
    scale: bool = False


@dataclass
class Parts:
    """The arguments of a model."""

    latents: list[Latent] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)
    observed: list[str] = field(default_factory=list)
    covariances: list[tuple[str, str]] = field(default_factory=list)
    fixed: dict[str, float] = field(default_factory=dict)
    equal: list[list[str]] = field(default_factory=list)
    define: dict[str, Formula] = field(default_factory=dict)
    derived: dict[str, Formula] = field(default_factory=dict)
    bounds: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    """What is equal in all groups, by a label of its own."""
    apart: list[str] = field(default_factory=list)
    """What has labels by group, whatever else is equal across them."""
    freed: list[str] = field(default_factory=list)
    """Variances that are free in a group although they are the unit of another."""
    listed: Listed | None = None


@dataclass
class Named:
    """A term with the name and the kind of its parameter."""

    name: str
    kind: str
    term: Term


class Reading:
    """The terms of a text in the order of the model, and the variables that they speak of."""

    def __init__(self, text: str, ordered: Given[Sequence[str] | bool], auto: bool) -> None:
        self.said: Statements = statements(text)
        self.auto = auto
        self.terms = sorted(self.said.terms.values(), key=lambda t: (RANK[t.operator], t.right == ONE))
        measured = [t for t in self.terms if t.operator == "=~"]
        self.latents = list(dict.fromkeys([*(t.left for t in measured), *self.said.formed]))
        self.parts = Parts()
        lower = {t.right for t in measured}
        for name, place in self.said.formed.items():
            if name in lower or any(t.left == name for t in measured):
                raise place.error(
                    f"{name!r} is measured by '=~' and made of its causes by '<~'. Keep one of them."
                )
        equations = [t.left for t in self.terms if t.operator == "~"]
        self.observed = [n for n in dict.fromkeys(equations) if n not in self.latents and n not in lower]
        self.parts.observed = self.observed
        self.variables = [*self.latents, *self.observed]
        self.on: dict[str, list[str]] = {v: [] for v in self.variables}
        for term in measured:
            if term.right in self.on:
                self.on[term.right].append(term.left)
            else:
                self._item(term.right).of.append(term.left)
        self._mark_ordered(ordered)
        self.named = [self._named(term) for term in self.terms]
        self.groups, self.split = self._count_groups(), self._split()
        self.everywhere = [one for named in self.named for one in self.in_groups(named)]

    def _count_groups(self) -> int:
        """How many groups c(...) speaks of; 0 where nothing does."""
        apart = [(t, t.listed) for t in self.terms if t.listed is not None]
        counts = [len(next(iter(t.apart.values()))) for t, _ in apart]
        for (_, place), count in zip(apart, counts, strict=True):
            if count != counts[0]:
                raise place.error(
                    f"c(...) gives {count} values here and {counts[0]} in line {apart[0][1].line}: one for each group."
                )
        if not counts:
            return 0
        term, place = apart[0]
        self.parts.listed = Listed(counts[0], place.line, place.column, term.right)
        return counts[0]

    def _split(self) -> set[str]:
        """Labels that stand for single groups somewhere, and so for each group by itself wherever they stand."""
        of_groups = {v for t in self.terms for v in t.apart.get("label", ()) if v is not None}
        return of_groups | {t.label for t in self.terms if t.apart and t.label is not None}

    def in_groups(self, named: Named) -> list[Named]:
        """The parameter, once for each group where something is said by group."""
        if not (named.term.apart or named.term.label in self.split):
            return [named]
        each = enumerate(named.term.by_group(self.groups))
        return [Named(placed(named.name, g, self.groups), named.kind, term) for g, term in each]

    def _item(self, column: str) -> Item:
        return self.parts.items.setdefault(column, Item(column))

    def _mark_ordered(self, ordered: Given[Sequence[str] | bool]) -> None:
        items = self.parts.items
        for term in self.said.of("|"):
            if term.left not in items:
                raise term.place.error(
                    f"{term.left!r} has thresholds, but is no item. {nearest(term.left, items)}"
                )
            items[term.left].ordered = True
        for name in items if ordered is True else names.as_tuple(() if ordered is False else ordered):
            if name not in items:
                raise TextError(
                    f"ordered= names {name!r}, which is no item of the text. {nearest(name, items)}"
                )
            items[name].ordered = True

    def check_paths(self) -> None:
        """TextError at the first path that closes a circle."""
        sources: dict[str, set[str]] = {v: set() for v in self.variables}
        for term in sorted(self.terms, key=lambda t: (t.place.line, t.place.column)):
            ends = (term.left, term.right) if term.operator == "~" else (term.right, term.left)
            if term.operator not in ("~", "=~") or not {*ends} <= {*self.variables}:
                continue
            outcome, source = ends
            behind, ahead = {source}, [source]
            while ahead:
                new = sources[ahead.pop()] - behind
                behind |= new
                ahead += new
            if outcome in behind:
                raise term.place.error(
                    f"The paths are cyclic: {source!r} depends on {outcome!r} already. Equations must be recursive."
                )
            sources[outcome].add(source)

    # --- what a term is called ------------------------------------------------------------------------------------

    def _named(self, term: Term) -> Named:
        left, right = term.left, term.right
        if term.operator == "=~":
            if right in self.on:
                return Named(names.slope(right, left), "loading", term)
            return Named(names.loading(left, right), "loading", term)
        if term.operator == "|":
            return Named(self._threshold(term), "threshold", term)
        if term.operator == "~~":
            return self._covariance(term)
        return self._intercept(term) if right == ONE else self._regression(term)

    def _threshold(self, term: Term) -> str:
        digits = term.right[1:]
        if term.right[:1] != "t" or not (digits.isascii() and digits.isdigit()) or int(digits) < 1:
            raise term.place.error(f"Thresholds are called t1, t2, ..., not {term.right!r}.")
        return names.threshold(term.left, int(digits))

    def _covariance(self, term: Term) -> Named:
        left, right, items = term.left, term.right, self.parts.items
        known = [*self.variables, *items]
        for name in (left, right):
            if name not in known:
                raise term.place.error(
                    f"{name!r} has a (co)variance, but is neither a latent variable nor an item. Covariates are taken as "
                    f"given: leave their variances out. {nearest(name, known)}"
                )
        if left == right:
            if left in items and items[left].ordered:
                items[left].scale = not (term.fixed == 1.0 and term.label is None)
            return Named(names.variance(left), "variance", term)
        if (left in items) != (right in items):
            raise term.place.error(
                f"{left!r} and {right!r} are a latent variable and an item: they cannot covary here."
            )
        for name in (left, right):
            if name in items and items[name].ordered:
                raise term.place.error(
                    f"The item {name!r} is ordered and has no residual that covaries. Only those of continuous items do."
                )
        first, second = sorted((left, right), key=known.index)
        if term.fixed != 0.0 or term.label is not None:
            self.parts.covariances.append((first, second))
        return Named(names.covariance(first, second), "covariance", term)

    def _intercept(self, term: Term) -> Named:
        if term.left in self.parts.items:
            self.parts.items[term.left].intercept = True
        return Named(names.intercept(term.left), "intercept", term)

    def _regression(self, term: Term) -> Named:
        left, right = term.left, term.right
        if right in self.parts.items and left in self.on:
            raise term.place.error(
                f"{right!r} is an item and predicts {left!r}. Items measure; use a copy of the column."
            )
        if left in self.on:
            if right not in self.on[left]:
                self.on[left].append(right)
            return Named(names.slope(left, right), "regression", term)
        item = self.parts.items[left]
        if right in self.on:
            if right in item.of:
                raise term.place.error(f"{left!r} measures {right!r} already by '=~'. Keep one of them.")
            item.of.append(right)
            return Named(names.loading(right, left), "regression", term)
        if right in self.parts.items:
            raise term.place.error(
                f"The item {right!r} predicts the item {left!r}: use a copy of the column."
            )
        item.on.append(right)
        return Named(names.slope(left, right), "regression", term)

    def kind(self, named: Named) -> str:
        """The word for parameters of this kind, of which groups may have equal ones."""
        of_item = named.term.left in self.parts.items
        if named.kind == "loading":
            return "regressions" if named.term.right in self.on else "loadings"
        if named.kind == "regression":
            return "loadings" if of_item and named.term.right in self.on else "regressions"
        return {
            "intercept": ("means", "intercepts"),
            "threshold": ("thresholds", "thresholds"),
            "variance": ("latent variances", "residuals"),
            "covariance": ("covariances", "residual covariances"),
        }[named.kind][of_item]

    # --- defaults --------------------------------------------------------------------------------------------------

    def automatic_pairs(self) -> list[tuple[str, str]]:
        """Latent variables that covary unless the text says otherwise: exogenous ones, and outcomes that predict nothing."""
        effects = [t for t in self.terms if t.operator == "~" and t.right != ONE]
        outcomes = {t.left for t in effects}
        predictors = {t.right for t in effects}
        lower = {t.right for t in self.terms if t.operator == "=~"}
        exogenous = [v for v in self.latents if v not in outcomes and v not in lower]
        last = [v for v in self.variables if v in outcomes and v not in predictors]
        return [*combinations(exogenous, 2), *combinations(last, 2)]
