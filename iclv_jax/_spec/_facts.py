"""The facts of a model: what it says, as plain data.

Two models with the same facts are the same model to a file. Where a class stands, how it prints and which values a search
begins from are no facts.
"""

from iclv_jax._base._facts import Facts, dict_of, fact, fields
from iclv_jax._spec._equation import Equation
from iclv_jax._spec._family import Indicator, Kernel
from iclv_jax._spec._groups import Groups
from iclv_jax._spec._latent import Latent
from iclv_jax._spec._model import Spec
from iclv_jax._spec._module import Module
from iclv_jax._spec._utility import Utility


def facts_of(spec: Spec) -> Facts:
    """Latent variables, items, choices, parameters and modules."""
    return {
        "latent variables": {v.name: _latent(v) for v in spec.latents},
        "items": {i.column: _item(i) for i in spec.indicators},
        "choices": {choice.name: _choice(choice) for choice in spec.choices},
        "random": {name: fact(mixing) for name, mixing in spec.random},
        "covariances": fact([*spec.covariances, *spec.residuals]),
        "fixed": dict_of(dict(spec.fixed)),
        "equal": fact(spec.equal),
        "define": {
            d.name: {"arguments": fact(d.arguments), "computes": d.program.computes} for d in spec.define
        },
        "derived": {
            d.name: {"arguments": fact(d.arguments), "computes": d.program.computes} for d in spec.derived
        },
        "bounds": dict_of(dict(spec.bounds)),
        "modules": {m.name: _module(m) for m in spec.modules},
    } | ({} if spec.groups is None else {"groups": _groups(spec.groups)})


def _groups(groups: Groups) -> Facts:
    """Where a text speaks of them is no fact."""
    return fields(groups, ("listed",) if groups.freed else ("listed", "freed"))


def _latent(latent: Latent) -> Facts:
    equation = latent.equation
    return {
        "predictors": fact(latent.predictors),
        "scale": latent.scale,
        "intercept": latent.intercept,
        "equation": _function(equation) if isinstance(equation, Equation) else None,
    }


def _item(item: Indicator) -> Facts:
    return {"family": type(item).__name__, **fields(item)}


def _choice(kernel: Kernel) -> Facts:
    """The kernel's own fields as they are declared; of the utility what it uses and computes."""
    utility: Utility = kernel.utility
    return {
        "kernel": type(kernel).__name__,
        **fields(kernel, without=(kernel.function, "available", "classes")),
        "classes": {name: _class(part) for name, part in kernel.classes},
        "available": fact(sorted(kernel.available or (), key=repr)),
        "alternatives": fact(utility.alternatives),
        "utility": _function(utility),
    }


def _class(kernel: Kernel) -> Facts:
    """A latent class; its utilities stand among those of all."""
    return {"kernel": type(kernel).__name__, **fields(kernel, without=("available",))}


def _function(function: Utility | Equation) -> Facts:
    return {
        "parameters": fact(function.parameters),
        "columns": fact(function.columns),
        "latent variables": fact(function.latents),
        "modules": fact([m.name for m in function.modules]),
        "computes": function.program.computes,
    }


def _module(module: Module) -> Facts:
    return {"arrays": fact({part.name: part.shape for part in module.parts}), "draws": fact(module.draws)}
