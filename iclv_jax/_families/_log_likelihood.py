"""A log-likelihood of one's own in the place of a choice: whatever the library does not have."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from iclv_jax._base._types import AnyArray, Array, Arrays, ByAlternative, Given
from iclv_jax._families import _choice_parts as _shared
from iclv_jax._families._sampler import Sampler, record_sampler
from iclv_jax._spec import Declared, Kernel, Recorder, Utility, Words
from iclv_jax._spec import _names as names
from iclv_jax._spec._trace import check_arguments, plain
from iclv_jax._spec._utility import INDEX

LOG = "log-likelihood"
"""What stands for the function's value among the predictions."""
WORDS = Words(
    "The function of a LogLikelihood",
    "one number, the log-likelihood of a row",
    number="{!r} of a LogLikelihood",
)


@dataclass(frozen=True)
class LogLikelihood(Kernel):
    """A situation whose log-likelihood is what a function returns: a model that the library does not have.

    Parameters
    ----------
    log_likelihood
        `log_likelihood(b, x, lv)` returns one number: the log of the probability, or of the density, of what was observed in
        one row. Its arguments are those of a utility function (see `Logit`); what is explained is among the columns `x`.
    explains
        The column, or columns, of numbers that the function explains. A row in which all of them are missing (NaN) is no
        situation; data to predict for need not have them.
    predict
        `predict(b, x, lv)` returns a mapping from labels to numbers that are expected before anything is observed (a mean, a
        probability): what `fit.predict()`, elasticities and scenarios are about, expected over latent variables and random
        coefficients. None: there is nothing to predict.
    draw
        `draw(p, u)` returns a mapping from the columns in `explains` to a draw of each; `p` holds the predictions by
        label, and every name in `u` is a number drawn evenly between 0 and 1, as in
        `{"days": -p.days * jnp.log(u.one)}`. None: nothing can be simulated.
    name, rows, table
        As of `Logit`.

    Nothing is checked of the function: one that is no density in what it explains has a log-likelihood that means nothing.
    Latent variables, random coefficients, latent classes, scores and exact Hessians, standard errors and saving are
    those of any choice. Equal shares, constants only, rho-squared, hits and the surplus have no meaning.

    Raises
    ------
    ValueError
        For a function that returns no number or does not use what it explains, and for predictions that use it.

    Examples
    --------
    >>> def exponential(b, x, lv):  # the log density of a waiting time
    ...     return b.log_rate - jnp.exp(b.log_rate) * x.time
    >>> iclv.Model(choice=iclv.LogLikelihood(exponential, explains="time")).bind(df).names
    ('log_rate',)
    """

    log_likelihood: Given[Callable[..., object] | Utility]
    explains: Given[str | Sequence[str]]
    predict: Given[Callable[..., ByAlternative[object]] | None] = None
    draw: Given[Callable[..., Mapping[str, object]] | Sampler | None] = None
    name: Given[str] = "choice"
    rows: Given[str | None] = None
    table: Given[str | None] = None
    available: ClassVar[tuple[()]] = ()
    indexed: ClassVar[bool] = True
    discrete: ClassVar[bool] = False
    function: ClassVar[str] = "log_likelihood"

    def __post_init__(self) -> None:
        object.__setattr__(self, "explains", names.as_tuple(self.explains))
        words = all(isinstance(c, str) and c for c in self.explains)
        if not words or not self.explains or names.duplicates(self.explains):
            raise ValueError(
                "explains= names the columns of numbers that the function explains, one or several, each once, not "
                f"{list(self.explains)!r}."
            )
        if self.draw is not None and self.predict is None and not isinstance(self.draw, Sampler):
            raise ValueError("draw= is a function of the predictions. Give predict= too, with what it needs.")
        _shared.normalise(self)

    @property
    def utility(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.log_likelihood

    @property
    def chosen(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.explains[0]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.explains)

    @property
    def outcomes(self) -> tuple[Hashable, ...]:
        return tuple(a for a in self.utility.alternatives if a not in (LOG, *INDEX))

    @property
    def whole(self) -> Callable[..., object]:
        check_arguments(self.log_likelihood, ("b", "x", "lv"), "log_likelihood=")
        if self.predict is None:
            return plain(self.log_likelihood)  # pyright: ignore[reportArgumentType]
        check_arguments(self.predict, ("b", "x", "lv"), "predict=")
        own, told = plain(self.log_likelihood), plain(self.predict)  # pyright: ignore[reportArgumentType]

        def both(b: Any, x: Any, lv: Any) -> dict[Hashable, object]:
            found = told(b, x, lv)
            if not isinstance(found, Mapping) or not found or LOG in found:
                raise ValueError(
                    "predict= returns a mapping from labels to numbers, such as {'mean': ...}, in which "
                    f"{LOG!r} is no label."
                )
            return {LOG: own(b, x, lv), **found}

        return both

    def recorded(self, record: Recorder) -> Kernel:
        seen = record.speaking(WORDS)(self.whole, True)
        if seen.alternatives != INDEX and seen.alternatives[0] != LOG:
            raise ValueError(
                "The function of a LogLikelihood returns one number, the log-likelihood of a row; this one returns a "
                "mapping. What is to be predicted goes into predict=."
            )
        _check_explained(seen, self.columns)
        labels = tuple(a for a in seen.alternatives if a not in (LOG, *INDEX))
        draw = None if self.draw is None else record_sampler(self.draw, labels, self.columns)
        return replace(self, log_likelihood=seen, predict=None, draw=draw)

    @property
    def unpredicted(self) -> str:
        if self.outcomes:
            return ""
        return f"the log-likelihood {self.name!r} does not say what to expect. Give it predict="

    @property
    def unvalued(self) -> str:
        return (
            f"{self.name!r} returns a log-likelihood, not utilities. Where both stand in one index take the ratio of two "
            "coefficients, fit.delta(lambda p: -p.time / p.cost)"
        )

    @property
    def undrawn(self) -> str:
        if self.draw is not None:
            return ""
        return f"the log-likelihood {self.name!r} does not say how to draw what it explains. Give it draw="

    def needed(self, offered: AnyArray) -> AnyArray:
        return np.ones((len(offered), len(self.utility.alternatives)), bool)

    def check(self, alternatives: tuple[Hashable, ...]) -> None:
        return None

    def declare(self) -> Declared:
        return Declared((), ())

    def log_density(self, cells: Arrays, utilities: Array, outcome: Array, offered: Array) -> Array:
        return utilities[0]

    def expected(self, cells: Arrays, utilities: Array, offered: Array) -> Array:
        return utilities[1:]

    def sample(self, cells: Arrays, utilities: Array, offered: Array, key: Array) -> Array:
        assert isinstance(self.draw, Sampler), "Whoever draws asks for `undrawn` first."
        return self.draw(utilities[1:], key)


def _check_explained(utility: Utility, columns: Sequence[str]) -> None:
    for column in columns:
        at = utility.columns.index(column) if column in utility.columns else -1
        if at < 0 or not utility.reach[0, at]:
            raise ValueError(
                f"explains= names the column {column!r}, which the log-likelihood does not use. "
                f"{names.nearest(column, utility.columns)}"
            )
        told = [a for a, used in zip(utility.alternatives[1:], utility.reach[1:, at], strict=True) if used]
        if told:
            raise ValueError(
                f"predict=: {told[0]!r} uses the column {column!r}, which is not known before it is observed."
            )
