"""Fits from files; the format is told in `_writing`."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from iclv_jax import _integration as integration
from iclv_jax._fit._result import Fit
from iclv_jax._fit._saved import SavedFit
from iclv_jax._fit._writing import FORMAT
from iclv_jax._inference._penalised import from_data
from iclv_jax._integration import Nodes, Rule
from iclv_jax._optimise import OptimizerReport, Verdict
from iclv_jax._problem import Problem, bind
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._fingerprint import of_data, of_model


def load(
    path: str | os.PathLike[str], model: Any = None, data: Any = None, *, people: Any = None
) -> Fit | SavedFit:
    """Read a fit from a file.

    Parameters
    ----------
    path
        What `fit.save(path)` has written.
    model, data
        The model and the data of the fit: the answer is then the `Fit` itself, with all that it can do. Without
        them it is a `SavedFit`: estimates, covariances, tables, scores and latent scores, but nothing that needs the utility
        function, which no file can hold.
    people
        The person-level frame, where the fit had one.

    Raises
    ------
    ValueError
        For a file that is no saved fit, and for another model or other data than those of the fit.
    """
    about, arrays = _read(Path(path))
    if model is None and data is None:
        return SavedFit(about, arrays)
    if model is None or data is None:
        raise ValueError("load takes the model and the data together, or neither.")
    problem = _bound(about, arrays, model, data, people)
    report = about["report"] | {"verdict": Verdict(about["report"]["verdict"])}
    report |= {key: tuple(report[key]) for key in ("unscaled", "flat", "trained") if key in report}
    accuracy = about["accuracy"] | {"sizes": arrays.get("sizes")}
    return Fit(
        problem,
        arrays["estimates"],
        OptimizerReport(**report),
        arrays["start"],
        Accuracy(**accuracy),
        tuple(about["trace"]),
        arrays["hessian"],
        from_data(problem.names, about.get("penalties")),
    )


def _bound(
    about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], model: Any, data: Any, people: Any
) -> Problem:
    """The problem of the fit, or a ValueError that says what differs."""
    rule = _rule_from_data(about["rule"])
    weights = about["weighted_by"] or arrays["weights"]
    problem = bind(
        model.spec,
        data,
        person=about["person"],
        people=people,
        weights=weights,
        integration=rule,
        weights_are=about.get("weights_are", "sampling"),
    )
    for key, found in (("model", of_model(problem)), ("data", of_data(problem))):
        if about["fingerprints"][key] != found:
            raise ValueError(
                f"The file holds a fit of another {key}: its fingerprint differs. Give the one of the fit."
            )
    if "clusters" in arrays:
        panel = dataclasses.replace(problem.panel, clusters=arrays["clusters"])
        problem = eqx.tree_at(lambda p: p.core, dataclasses.replace(problem, panel=panel), problem.core)
    if "shocks" in arrays:
        nodes = Nodes(jnp.asarray(arrays["shocks"]), jnp.asarray(arrays["log weights"]))
        problem = eqx.tree_at(lambda p: p.core.nodes, problem, nodes)
    return problem


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            held = dict(file)
        about = json.loads(held.pop("about").tobytes())
    except FileNotFoundError:
        raise ValueError(f"There is no file {str(path)!r}.") from None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as trouble:
        raise ValueError(f"{str(path)!r} is not a saved fit of iclv_jax.") from trouble
    if about.get("format") != FORMAT:
        raise ValueError(f"{str(path)!r} has the format {about.get('format')!r}, not {FORMAT!r}.")
    return about, held


def _rule_from_data(known: Mapping[str, Any]) -> Rule:
    rest = {k: _rule_from_data(v) if isinstance(v, dict) else v for k, v in known.items() if k != "rule"}
    return getattr(integration, known["rule"])(**rest)
