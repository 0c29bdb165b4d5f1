"""Fits from files; the format is told in `_writing`."""

import dataclasses
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from typing_extensions import Protocol, runtime_checkable

from iclv_jax._base import _archive as archive
from iclv_jax._base._facts import Fact, Facts
from iclv_jax._base._types import Given
from iclv_jax._fit._result import Fit
from iclv_jax._fit._saved import SavedFit
from iclv_jax._fit._writing import ARRAYS, FORMAT
from iclv_jax._inference._penalised import from_data
from iclv_jax._integration import (
    Adaptive,
    Conditioned,
    GaussHermite,
    Laplace,
    MonteCarlo,
    Nodes,
    Rule,
    Trapezoid,
)
from iclv_jax._optimise import OptimizerReport, Verdict
from iclv_jax._problem import Problem, bind
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._fingerprint import mismatch, of_data, of_model
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest

RULES = {
    kind.__name__: kind for kind in (Adaptive, Conditioned, GaussHermite, Laplace, MonteCarlo, Trapezoid)
}
AGREE = 1e-6
"""Relative difference from the file's log-likelihood that another machine or release of JAX may make."""
WANTED = {
    "model": dict, "data": dict, "names": list, "people": list, "table": dict, "modules": dict, "llf": float, "rule": dict,
    "report": dict, "accuracy": dict, "trace": list, "summary": str, "known": list, "quantities": list,
}  # fmt: skip
"""Facts of a fit that reading relies on."""


@runtime_checkable
class HasSpec(Protocol):
    """A `Model`."""

    @property
    def spec(self) -> Spec: ...


def load(
    path: str | os.PathLike[str], model: Given[HasSpec | None] = None, data: Any = None, *, people: Any = None
) -> Fit | SavedFit:
    """A fit of people in memory from a file; `iclv.load` tells the rest."""
    about, arrays = _read(Path(path))
    if model is None and data is None:
        return SavedFit(about, arrays)
    if model is None or data is None:
        raise ValueError("load takes the model and the data together, or neither.")
    if not isinstance(model, HasSpec):
        raise ValueError(f"load takes the iclv.Model of the fit, not {model!r}.")
    try:
        rule, report, accuracy = of_rule(about["rule"]), of_report(about["report"]), _accuracy(about, arrays)
        penalties = from_data(about["names"], about["penalties"])  # pyright: ignore[reportArgumentType]
    except (KeyError, TypeError, AttributeError) as trouble:
        raise ValueError(f"{str(path)!r} is damaged: a part of its report cannot be read.") from trouble
    problem = _bound(about, arrays, model.spec, data, people, rule)
    fit = Fit(
        problem,
        arrays["estimates"],
        report,
        arrays["start"],
        accuracy,
        tuple(about["trace"]),
        arrays["hessian"],
        penalties,
    )
    if not math.isclose(fit.llf, about["llf"], rel_tol=AGREE, abs_tol=AGREE):
        raise ValueError(
            f"The log-likelihood of this model and these data at the estimates of {str(path)!r} is {fit.llf:.6f}; the file "
            f"says {about['llf']:.6f}. Either the utility differs in a way that shows on the data alone, such as a limit in "
            "jnp.where, or nodes are drawn in another way by the installed release of scipy. Fit again."
        )
    return fit


def _bound(
    about: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    spec: Spec,
    data: Any,
    people: Any,
    rule: Rule,
) -> Problem:
    """The problem of the fit, or a ValueError that says what differs."""
    weights = about["weighted_by"] or arrays["weights"]
    problem = bind(
        spec,
        data,
        person=about["person"],
        people=people,
        weights=weights,
        integration=rule,
        weights_are=about["weights_are"],
    )
    theirs = {key: about[key] for key in ("model", "data")}
    if different := mismatch(theirs, {"model": of_model(problem), "data": of_data(problem)}):
        raise ValueError(f"The file holds a fit of {different}. Give the model and the data of the fit.")
    if "clusters" in arrays:
        panel = dataclasses.replace(problem.panel, clusters=arrays["clusters"])
        problem = eqx.tree_at(lambda p: p.core, dataclasses.replace(problem, panel=panel), problem.core)
    if "shocks" in arrays:
        nodes = Nodes(jnp.asarray(arrays["shocks"]), jnp.asarray(arrays["log weights"]))
        problem = eqx.tree_at(lambda p: p.core.nodes, problem, nodes)
    return problem


def _read(path: Path) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
    try:
        about, arrays = archive.read(path, FORMAT, ARRAYS.__contains__)
        _check(about, arrays)
    except FileNotFoundError:
        raise ValueError(f"There is no file {str(path)!r}.") from None
    except archive.Unreadable as trouble:
        raise ValueError(f"{str(path)!r} {trouble}") from trouble
    return about, arrays


def _check(about: Facts, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse a file whose parts are missing or do not belong to each other."""
    wrong = [key for key, kind in WANTED.items() if not isinstance(about.get(key), kind)]
    absent = [name for name in ARRAYS[:9] if name not in arrays]
    if wrong or absent:
        raise archive.Unreadable(f"is damaged: it lacks {', '.join(map(repr, [*wrong, *absent]))}.")
    free, people = (len(about[key]) for key in ("names", "people"))  # pyright: ignore[reportArgumentType]
    shapes = {
        "estimates": (free,), "start": (free,), "hessian": (free, free), "scores": (people, free), "weights": (people,),
        "held": (free,), "precision": (free,), "clusters": (people,), "sizes": (people,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            raise archive.Unreadable(
                f"is damaged: its {name} have the shape {arrays[name].shape}, not {shape}."
            )


def of_report(known: Mapping[str, Any]) -> OptimizerReport:
    """The report of the optimiser of these facts."""
    lists = {k: tuple(known[k]) for k in ("unscaled", "flat", "trained", "zero", "remarks") if k in known}
    found: dict[str, Any] = {**known, **lists, "verdict": Verdict(known["verdict"])}
    return OptimizerReport(**found)


def _accuracy(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Accuracy:
    known: Mapping[str, Any] = about["accuracy"]
    listed: Any = {key: tuple(known[key]) for key in ("lost", "bent")}
    return Accuracy(**{**known, **listed, "sizes": arrays.get("sizes")})


def of_rule(known: Fact) -> Rule:
    """The rule of these facts; ValueError for one that this version does not have."""
    assert isinstance(known, dict)
    kind = str(known.get("kind"))
    if kind not in RULES:
        raise ValueError(
            f"The file names the rule of integration {kind!r}, which is unknown. {nearest(kind, RULES)}"
        )
    rest = {k: of_rule(v) if isinstance(v, dict) else v for k, v in known.items() if k != "kind"}
    return RULES[kind](**rest)  # pyright: ignore[reportArgumentType]
