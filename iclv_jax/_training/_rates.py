"""The learning-rate range test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.typing import ArrayLike

from iclv_jax._base._alone import refuse_several
from iclv_jax._base._arguments import check_seed, is_real
from iclv_jax._base._types import AnyFrame, AnyFrames, Given
from iclv_jax._integration import Rule
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import Stochastic
from iclv_jax._optimise._epoch import cut
from iclv_jax._optimise._training import course_of
from iclv_jax._spec._trace import check_arguments
from iclv_jax._tables import Report, Tabular
from iclv_jax._tables._table import of_frame
from iclv_jax._training._binds import Binds, begun, check_binds

if TYPE_CHECKING:
    import optax

SMOOTHING = 0.9
"""Weight of what came before in the smoothed curve."""
BELOW = 10.0
"""The rate suggested is this many times below the one with the highest smoothed log-likelihood."""
SHOWN = 12


@final
@dataclass(frozen=True, eq=False)
class LearningRates(Tabular):
    """What a range of learning rates does.

    Attributes
    ----------
    table
        One row per step: `learning_rate`, the log-likelihood per person of the batch before the step (`train`), and the
        same `smoothed` by an exponential moving average. It ends where something is not finite.
    best
        The rate at which the smoothed log-likelihood was highest: above it training no longer gains.
    suggestion
        A tenth of it.
    """

    table: pd.DataFrame = field(repr=False)
    best: float
    suggestion: float

    def as_report(self) -> Report:
        at = np.unique(np.linspace(0, len(self.table) - 1, SHOWN).astype(int))
        facts = [("Highest log-likelihood at", f"{self.best:.2g}"), ("Suggested", f"{self.suggestion:.2g}")]
        return of_frame(self.table.iloc[at], "Learning-rate range test", facts=facts)

    def __str__(self) -> str:
        return str(self.as_report())


def adam(rate: "optax.ScalarOrSchedule") -> "optax.GradientTransformation":
    """`optax.adam`; optax takes long to import, and few fits need it."""
    import optax

    return optax.adam(rate)


def learning_rate_test(
    model: Given[Binds],
    data: Given[AnyFrames],
    transformation: Given["Callable[[optax.ScalarOrSchedule], optax.GradientTransformation]"] = adam,
    *,
    lowest: Given[float] = 1e-5,
    highest: Given[float] = 1.0,
    steps: Given[int] = 100,
    batch_people: Given[int | None] = 256,
    clip: Given[float | None] = None,
    start: Given[Mapping[str, float] | pd.Series | None] = None,
    seed: Given[int] = 0,
    person: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
    weights: Given[str | Sequence[float] | np.ndarray | pd.Series | None] = None,
    integration: Given[Rule | None] = None,
    memory: Given[str | float] = "2GB",
) -> LearningRates:
    """Train with a learning rate that grows from step to step, and look where it helps and where it harms (Smith 2017).

    Parameters
    ----------
    model, data, person, people, weights, integration, memory
        As of `model.fit`.
    transformation
        Makes a transformation of optax from a learning rate: `optax.adam`, or
        `lambda rate: optax.sgd(rate, momentum=0.9)`.
    lowest, highest
        Ends of the range, which is gone through in equal steps of the logarithm.
    steps
        How many steps (batches).
    batch_people, clip, seed
        As of `Stochastic`; rates are those of its scaled parameters.
    start
        Values by name where training begins, in place of the default start.

    Raises
    ------
    ValueError
        For a range that is none, for what makes no transformation, and as of `model.bind`.

    Examples
    --------
    >>> found = iclv.learning_rate_test(logit, df, steps=20, batch_people=100)
    >>> bool(1e-5 < found.suggestion < found.best <= 1.0)
    True
    """
    refuse_several("learning_rate_test")
    check_seed(seed)
    check_count(steps, "steps")
    check_binds(model, "learning_rate_test")
    if not (is_real(lowest) and is_real(highest) and 0.0 < lowest < highest < np.inf):
        raise ValueError(f"lowest and highest are 0 < lowest < highest, not {lowest!r} and {highest!r}.")
    if not callable(transformation):
        raise ValueError(
            f"transformation= makes one from a learning rate, such as optax.adam, not {transformation!r}."
        )
    check_arguments(transformation, ("learning_rate",), "transformation=")

    def rate(count: ArrayLike) -> ArrayLike:
        return lowest * (highest / lowest) ** (jnp.asarray(count) / max(steps - 1, 1))

    options = Stochastic(transformation(rate), batch_people=batch_people, clip=clip, seed=seed)
    problem = model.bind(
        data, person=person, people=people, weights=weights, integration=integration, memory=memory
    )
    params = begun(problem, start)
    course = course_of(options, problem, params)
    batches, real = _batches(course.train, batch_people or len(course.train), steps, seed)
    _, seen = course.advance(course.begin(course.objective.z(params)), batches, real)
    rates = np.asarray(rate(jnp.arange(float(steps))))
    return _read(rates, np.asarray(seen.loglike), np.asarray(seen.finite))


def _batches(people: np.ndarray, width: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many epochs of batches as the steps take."""
    epochs = -(-steps // -(-len(people) // width))
    each = [cut(np.random.default_rng([seed, k]).permutation(people), width) for k in range(epochs)]
    found, real = (np.concatenate([e[i] for e in each])[:steps] for i in (0, 1))
    return found, real


def _read(rates: np.ndarray, train: np.ndarray, finite: np.ndarray) -> LearningRates:
    last = len(finite) if finite.all() else int(np.argmin(finite))
    if not last:
        raise ValueError(
            "The first batch has a log-likelihood that is not finite. Check the data, or give start=."
        )
    table = pd.DataFrame({"learning_rate": rates[:last], "train": train[:last]})
    table["smoothed"] = table["train"].ewm(alpha=1.0 - SMOOTHING).mean()
    best = float(table["learning_rate"].iloc[int(table["smoothed"].argmax())])
    return LearningRates(table, best, best / BELOW)
