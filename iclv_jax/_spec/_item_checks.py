"""What does not hold of the items of a model, and of covariates in standard units, before any data are seen."""

from iclv_jax._spec._family import Indicator
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._names import duplicates, nearest
from iclv_jax._spec._standardized import Standardized, column_of


def check_items(items: tuple[Indicator, ...], latents: list[str]) -> None:
    for item in items:
        for name in item.of:
            if name not in latents:
                raise ValueError(
                    f"Indicator {item.column!r} measures {name!r}, which is not a latent variable of the "
                    f"model. {nearest(name, latents)}"
                )
        wrong = [column_of(p) for p in item.on if column_of(p) in latents]
        if wrong:
            raise ValueError(
                f"Item {item.column!r} has the latent variable {wrong[0]!r} in on=, which holds covariates. Name it in of=."
            )
        if item.column in (*map(column_of, item.on), item.exposure):
            raise ValueError(
                f"Item {item.column!r} cannot depend on itself. Take it out of on= (or exposure=)."
            )


def check_standardized(latents: tuple[Latent, ...], items: tuple[Indicator, ...]) -> None:
    predictors = [p for part in (*(v.predictors for v in latents), *(i.on for i in items)) for p in part]
    used = dict.fromkeys(p for p in predictors if isinstance(p, Standardized))
    for predictor in used:
        what = f"Standardized({predictor.column!r})"
        if any(predictor.column == v.name for v in latents):
            raise ValueError(
                f"{what} names a latent variable; only columns are standardised. Use its bare name."
            )
        if predictor.nominal and any(predictor.column == i.column for i in items):
            raise ValueError(
                f"{what} makes dummies of a column that is an indicator as well. Give it a copy under another name."
            )
    twice = duplicates(p.column for p in used if p.nominal)
    if twice:
        raise ValueError(
            f"Standardized({twice[0]!r}) makes dummies in two different ways. Use one declaration everywhere."
        )
