"""Models written as text, with items of the families that the language knows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import Given, Level
from iclv_jax._families._continuous import Continuous
from iclv_jax._families._observed import Observed
from iclv_jax._families._ordered import Ordered
from iclv_jax._spec import Indicator, Kernel, Mixing
from iclv_jax._spec._groups import Groups
from iclv_jax._spec._names import as_tuple
from iclv_jax._spec._text import Item, Parts, TextError, read

Written = TypeVar("Written")


def from_text(
    model: Callable[..., Written],
    text: Given[str],
    *,
    ordered: Given[Sequence[str] | bool] = (),
    choice: Given[Kernel | Sequence[Kernel] | None] = None,
    auto: Given[bool] = True,
    link: Given[Literal["probit", "logit"]] = "probit",
    missing: Given[Sequence[Any]] = (),
    random: Given[Mapping[str, Mixing] | None] = None,
    modules: Given[Mapping[str, Any] | None] = None,
    group: Given[str | None] = None,
    equal_across: Given[Sequence[str]] = (),
    free_across: Given[Sequence[str]] = (),
) -> Written:
    """A model written in the language of R's lavaan (Rosseel 2012).

    Parameters
    ----------
    text
        Statements by line or between semicolons; `#` and `!` begin comments. `visual =~ x1 + x2` measures (a latent
        variable on the right makes a higher-order factor), `visual ~ age + textual` and `x3 ~ sex` regress, `a ~~ b`
        covaries (latent variables, or residuals of continuous items), `f <~ 1*x1 + x2` makes a latent variable of its
        causes alone (`f ~ 1*x1 + x2; f ~~ 0*f`), `x1 ~ 1` is an intercept, `u1 | t1 + t2` are thresholds, `ab := a*b`
        reports a function of labelled parameters with its standard error, and `a == b`, `a == 2*b`, `a > 0`, `a < 1`
        constrain them. In front of a term stand `0.5*` (fixed), `NA*` (free), `a*` (a label: equal labels are equal
        parameters), `equal("f=~x1")*`, `start(0.8)*` or `0.8?`, `lower(0)*`, `upper(1)*`. An outcome that no latent
        variable has as an item is `Observed`. Names that are no words stand between backquotes.
    ordered
        Items that are ordered, or True for all; those with thresholds in the text are anyway. Unlike lavaan's limited
        information, the likelihood is that of all answers; the response behind the levels has a residual variance of 1.
    choice, random, modules
        As of `Model`; the utilities use latent variables of the text.
    group, equal_across, free_across
        As of `Model`: the text says what every group has. A label is one parameter in all groups, as in lavaan: `a*x2` is
        equal across them. What differs stands in `c(...)`, one value for each group in their order: `c(1, NA)*`, `c(a, b)*`,
        `start(c(0.5, 1))*`; with three groups, `c(a, a, b)*` is equal in the first two. Labels hold whatever
        `equal_across` says.
    auto
        Whether what the text does not say is as lavaan's `sem` has it: first loadings are 1, exogenous latent
        variables covary, so do disturbances of outcomes that predict nothing, and items have intercepts. False: none
        of that, and every latent variable needs a fixed loading or variance. Residual variances are free in any case.
    link, missing
        Of the ordered items, and of all items.

    Covariates are conditioned on (`fixed.x`): log-likelihoods compare with lavaan's without the covariates' own part.
    Parameters have the names of `Model`: a loading on a higher-order factor is `visual ~ g`.

    Raises
    ------
    ValueError
        `iclv.TextError`, with `line` and `column`, for whatever cannot be read or does not fit together.

    Examples
    --------
    >>> attitude = iclv.Model.from_text("green =~ q1 + q2 + q3; green ~ age", ordered=True)
    >>> attitude.bind(df).names[0]
    'green ~ age'
    """
    if not is_word(link, ("probit", "logit")):
        raise TextError(f"link is 'probit' or 'logit', not {link!r}.")
    try:
        groups = None if group is None else Groups(group, as_tuple(equal_across), as_tuple(free_across))
        parts = read(text, ordered, auto, groups)
        return model(
            parts.latents,
            [*items_of(parts.items, link, missing), *(Observed(n, missing) for n in parts.observed)],
            choice,
            covariances=parts.covariances,
            random=random,
            define=parts.define,
            fixed=parts.fixed,
            equal=parts.equal,
            bounds=parts.bounds,
            start=parts.start,
            modules=modules,
            derived=parts.derived,
            group=None if groups is None else _with_text(groups, parts),
            equal_across=equal_across,
            free_across=free_across,
        )
    except TextError:
        raise
    except ValueError as error:
        raise TextError(str(error)) from error


def _with_text(groups: Groups, parts: Parts) -> Groups:
    """Groups with what a text says of them."""
    return replace(
        groups,
        equal=tuple(dict.fromkeys((*groups.equal, *parts.shared))),
        free=tuple(dict.fromkeys((*groups.free, *parts.apart))),
        freed=tuple(parts.freed),
        listed=parts.listed,
    )


def items_of(
    items: Mapping[str, Item], link: Given[Literal["probit", "logit"]], missing: Given[Sequence[Level]]
) -> list[Indicator]:
    """Continuous items, and ordered ones with thresholds of their own."""
    return [_item(item, link, missing) for item in items.values()]


def _item(item: Item, link: Given[Literal["probit", "logit"]], missing: Given[Sequence[Level]]) -> Indicator:
    if item.ordered:
        return Ordered(
            item.column,
            of=item.of,
            link=link,
            intercept=item.intercept,
            scale=item.scale,
            missing=missing,
            on=item.on,
        )
    return Continuous(item.column, of=item.of, missing=missing, on=item.on)
