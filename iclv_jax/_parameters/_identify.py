"""Scales and locations that no data could determine, found before any data is looked at."""

from collections.abc import Sequence

from iclv_jax._spec import Indicator, Latent, Parameter
from iclv_jax._spec import _names as names
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import column_of

LOCATIONS = ("intercept", "threshold")


def check_identified(spec: Spec, declared: Sequence[Parameter], given: frozenset[str] = frozenset()) -> None:
    """Raise ValueError for a location or scale that the model leaves open, with what to fix; `given` are parameters whose
    values come from elsewhere."""
    constrained = set(given) | {n for n, _ in spec.fixed} | {d.name for d in spec.define}
    constrained |= {n for group in spec.equal for n in group}
    constrained |= {p.name for p in declared if p.fixed is not None}
    for item in spec.indicators:
        _check_own_thresholds(item, declared, constrained)
    for name in dict.fromkeys(shared for item in spec.indicators if (shared := item.shared)):
        held = any(p.role == "threshold" and p.owner == name and p.name in constrained for p in declared)
        _check_shared_thresholds(name, spec, constrained, held)
    for latent in spec.latents:
        _check_direct(latent, spec, constrained)
        if latent.scale == "loading":
            _check_unit(latent.name, spec, declared)
        if latent.intercept:
            _check_location(latent.name, spec, constrained, declared)


def _check_direct(latent: Latent, spec: Spec, constrained: set[str]) -> None:
    """A covariate that acts on a latent variable and on every one of its items does so in one direction only."""
    if latent.equation is not None or latent.name in spec.felt:
        return
    items = [item for item in spec.indicators if latent.name in item.of]
    paths = any(latent.name in v.predictors for v in spec.latents)
    for predictor in latent.predictors if items and not paths else ():
        held = {names.slope(latent.name, column_of(predictor))}
        held |= {names.slope(item.column, column_of(predictor)) for item in items}
        if all(predictor in item.on for item in items) and not held & constrained:
            raise ValueError(
                f"The covariate {column_of(predictor)!r} acts on {latent.name!r} and on all of its items, so its "
                f"effects are unidentified. Take it out of on= of one item, or of {latent.name!r}."
            )


def _check_own_thresholds(item: Indicator, declared: Sequence[Parameter], constrained: set[str]) -> None:
    q = item.column
    own = [p.name for p in declared if p.role == "threshold" and p.owner == q]
    held = sum(name in constrained for name in own)
    if not own:
        return
    open_intercept = item.location is not None and item.location not in constrained
    has_scale = any(p.name == names.variance(q) and p.role == "scale" for p in declared)
    open_scale = has_scale and names.variance(q) not in constrained
    loadings = {names.loading(latent, q) for latent in item.of}
    if open_intercept and held == 0:
        raise ValueError(
            f"Item {q!r} has free thresholds and a free intercept, so its location is unidentified. "
            f"Use intercept=False, or fix a threshold, for example fixed={{{own[0]!r}: 0.0}}."
        )
    if open_scale and held < 1 + open_intercept and not loadings & constrained:
        raise ValueError(
            f"Item {q!r} has free thresholds and a free scale, so its scale is unidentified. Use "
            f"scale=False, or fix a threshold or {names.variance(q)!r}."
        )


def _check_shared_thresholds(name: str, spec: Spec, constrained: set[str], thresholds: bool) -> None:
    items = [item for item in spec.indicators if item.shared == name]
    kinds = {getattr(item, "thresholds", None) for item in items}
    if len(kinds) > 1:
        raise ValueError(
            f"Items share the thresholds {name!r}, but some of them as symmetric and some not. Make one "
            f"Thresholds({name!r}) and give it to all."
        )
    scale = any(not getattr(i, "scale", False) or names.variance(i.column) in constrained for i in items)
    # A fixed loading gives the unit only where the variance of its latent variable is given as well.
    loading = any(
        names.loading(v, i.column) in constrained and names.variance(v) in constrained
        for i in items
        for v in i.of
    )
    if not (thresholds or scale or loading):
        first = items[0].column
        raise ValueError(
            f"All items that share the thresholds {name!r} have a free scale, so the scale is unidentified. "
            f"Fix one, for example fixed={{{names.variance(first)!r}: 1.0}}."
        )
    symmetric = bool(getattr(getattr(items[0], "thresholds", None), "symmetric", False))
    located = symmetric or any(i.location is None or i.location in constrained for i in items)
    if not (located or thresholds):
        first = items[0].column
        raise ValueError(
            f"All items that share the thresholds {name!r} have a free intercept, so the location is "
            f"unidentified. Fix one, for example fixed={{{names.intercept(first)!r}: 0.0}}, or use "
            "symmetric=True."
        )


def _check_unit(latent: str, spec: Spec, declared: Sequence[Parameter]) -> None:
    zero = {n for n, value in spec.fixed if value == 0.0}
    loadings = [p.name for p in declared if p.role == "loading" and p.owner == latent]
    if loadings and zero.issuperset(loadings):
        raise ValueError(
            f"Latent variable {latent!r} has scale='loading', but every loading of it is fixed at 0, which "
            "gives no unit. Fix one at another value, or use scale='variance'."
        )


def _check_location(latent: str, spec: Spec, constrained: set[str], declared: Sequence[Parameter]) -> None:
    items = [item for item in spec.indicators if latent in item.of]
    if not items or names.intercept(latent) in constrained:
        return
    if any(_anchors(item, constrained, declared) for item in items):
        return
    first = next(p.name for p in declared if p.role in LOCATIONS and _owns(items[0], p))
    raise ValueError(
        f"Latent variable {latent!r} has an intercept, but the location of every item that measures it is "
        "free, so the location is unidentified. Use intercept=False, or fix the location of one item, for "
        f"example fixed={{{first!r}: 0.0}}."
    )


def _anchors(item: Indicator, constrained: set[str], declared: Sequence[Parameter]) -> bool:
    """Whether the item's own location is given."""
    if item.location is not None:
        return item.location in constrained
    own = {p.name for p in declared if p.role in LOCATIONS and _owns(item, p)}
    return not item.discrete or bool(item.shared) or bool(own & constrained)


def _owns(item: Indicator, parameter: Parameter) -> bool:
    return parameter.owner in (item.column, item.shared)
