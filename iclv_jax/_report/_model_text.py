"""The model in lines of text, in the operators of lavaan, and what each utility depends on."""

from iclv_jax._parameters import ParameterTable, Row
from iclv_jax._spec import Utility
from iclv_jax._spec._model import Spec
from iclv_jax._spec._standardized import column_of


def model_text(spec: Spec, table: ParameterTable) -> str:
    """Equations of latent variables and items, covariances, the choices with what their utilities depend on, and what was
    fixed, tied or defined."""
    lines = []
    if spec.groups is not None:
        same = ", ".join(spec.groups.equal) or "nothing"
        but = f" but {', '.join(spec.groups.free)}" if spec.groups.free else ""
        lines += [f"groups by {spec.groups.column}: {', '.join(spec.groups.labels)}; equal: {same}{but}", ""]
    for latent in spec.latents:
        predictors = [p if isinstance(p, str) else column_of(p) for p in latent.predictors]
        right = " + ".join((["1"] if latent.intercept else []) + predictors) or "0"
        lines.append(
            f"{latent.name} ~ {right}"
            if latent.equation is None
            else f"{latent.name} ~ f({', '.join(predictors)})"
        )
    for name in spec.order:
        items = [i for i in spec.indicators if name in i.of]
        if items:
            lines.append(f"{name} =~ " + " + ".join(f"{i.column} ({type(i).__name__})" for i in items))
    lines += [f"{a} ~~ {b}" for a, b in spec.covariances]
    lines += [f"{name} varies: {mixing!r}" for name, mixing in spec.random]
    for choice in spec.choices:
        lines += ["", f"{choice.name}: {type(choice).__name__} of {', '.join(map(repr, choice.columns))}"]
        lines += _reached(choice.utility)
    standing = [_standing(row) for row in table.rows if row.status != "free"]
    return "\n".join([*lines, *(["", *standing] if standing else [])]).strip()


def _standing(row: Row) -> str:
    """What a parameter that is not free is."""
    if row.status == "fixed":
        return f"{row.name} = {row.value:g} (fixed)"
    return f"{row.name} = {row.tied}" if row.tied else f"{row.name} is defined by others"


def _reached(utility: Utility) -> list[str]:
    """What every alternative's utility depends on."""
    names = (*utility.parameters, *utility.columns, *utility.latents, *(m.name for m in utility.modules))
    lines = []
    for alternative, found in zip(utility.alternatives, utility.program.reaches(), strict=True):
        used = [name for at, name in enumerate(names) if at in found]
        label = ": ".join(map(str, alternative)) if isinstance(alternative, tuple) else alternative
        lines.append(f"  {label}: f({', '.join(used)})" if used else f"  {label}: a constant")
    return lines
