"""Fits from files, of people in memory or in chunks."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from iclv_jax._base import _archive as archive
from iclv_jax._base._arguments import check_idle
from iclv_jax._base._types import File, Given
from iclv_jax._base._whole import check_path
from iclv_jax._fit import Fit
from iclv_jax._fit import load as load_in_memory
from iclv_jax._fit._loading import AGREE, HasSpec, of_report, of_rule
from iclv_jax._fit._saved import SavedFit
from iclv_jax._inference._penalised import from_data
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._problem._fingerprint import mismatch, of_model
from iclv_jax._stream._fit import bind_streamed
from iclv_jax._stream._result import StreamedFit
from iclv_jax._stream._saved import FORMAT, SavedStreamedFit, read
from iclv_jax._stream._source import People

if TYPE_CHECKING:
    Loaded: TypeAlias = Fit | SavedFit
else:
    # Fits of streams have some of the same methods, under the same names.
    Loaded: TypeAlias = Fit | SavedFit | StreamedFit | SavedStreamedFit


def load(
    path: Given[File],
    model: Given[HasSpec | None] = None,
    data: Given[Any] = None,
    *,
    people: Given[Any] = None,
) -> Loaded:
    """Read a fit from a file.

    Parameters
    ----------
    path
        What `fit.save(path)` has written.
    model, data
        The model and the data of the fit: the answer is then the `Fit` itself, with all that it can do. Without
        them it is a `SavedFit`: estimates, covariances, tables, scores and latent scores, but nothing that needs the utility
        function, which no file can hold. Of a fit of people in chunks the data are `iclv.People.stream(...)`, cut in any
        way, and the answer is a `StreamedFit`.
    people
        The person-level frame, where the fit had one.

    Functions of the model are known by what they compute at some points, not by their text, so that another release of
    JAX, or the same formula in other words, makes no difference. The log-likelihood at the estimates is computed again.

    Raises
    ------
    ValueError
        For a file that is no saved fit, that is damaged, or that has been changed; for another model or other data than
        those of the fit, saying what differs; and where the log-likelihood is not that of the file.

    Examples
    --------
    >>> fit.save("fit.npz")
    >>> iclv.load("fit.npz").params.equals(fit.params)
    True
    """
    check_path(path, "load")
    if model is None and data is None:
        check_idle(people, "people=", "data=")
    place = Path(path)
    if archive.kind_of_file(place) != FORMAT.kind:
        if isinstance(data, People):
            raise ValueError(
                f"{str(path)!r} is no fit of people in chunks. Give the data of the fit as they were."
            )
        return load_in_memory(path, model, data, people=people)
    about, arrays = read(place)
    if model is None and data is None:
        return SavedStreamedFit(about, arrays)  # pyright: ignore[reportReturnType]
    if not isinstance(model, HasSpec) or not isinstance(data, People):
        raise ValueError(
            f"{str(path)!r} is a fit of people in chunks: load takes its iclv.Model and iclv.People.stream(...), or neither."
        )
    return _streamed(str(path), about, arrays, model, data)  # pyright: ignore[reportReturnType]


def _streamed(path: str, about: Any, arrays: Any, model: HasSpec, data: People) -> StreamedFit:
    try:
        rule, report, accuracy = (
            of_rule(about["rule"]),
            of_report(about["report"]),
            _accuracy(about["accuracy"]),
        )
        penalties = from_data(about["names"], about["penalties"])
    except (KeyError, TypeError, AttributeError) as trouble:
        raise ValueError(f"{path!r} is damaged: a part of its report cannot be read.") from trouble
    problem = bind_streamed(model.spec, data, rule, weights_are=about["weights_are"])
    theirs = {"model": about["model"]}
    if different := mismatch(theirs, {"model": of_model(problem.first)}):
        raise ValueError(f"The file holds a fit of {different}. Give the model and the people of the fit.")
    extent = problem.passed.extent
    for what, here, there in (
        ("people", extent.people, about["people"]),
        ("the sum of weights", extent.weight, about["weight"]),
    ):
        if not math.isclose(here, there, rel_tol=AGREE):
            raise ValueError(f"The file holds a fit of other people: {what} {there:,}, here {here:,}.")
    if "placed" in arrays:
        problem = problem.recentre(arrays["placed"])
    fit = StreamedFit(
        problem, arrays["estimates"], report, accuracy, tuple(about["trace"]), penalties, arrays["hessian"]
    )
    if not math.isclose(fit.llf, about["llf"], rel_tol=AGREE, abs_tol=AGREE):
        raise ValueError(
            f"At the estimates of {path!r} the log-likelihood of these people is {fit.llf:.6f}; the file says "
            f"{about['llf']:.6f}. Give the model and the people of the fit."
        )
    return fit


def _accuracy(known: Any) -> Accuracy:
    listed = {key: tuple(known[key]) for key in ("lost", "bent")}
    sizes = None if known["sizes"] is None else np.asarray(known["sizes"])
    return Accuracy(**{**known, **listed, "sizes": sizes})
