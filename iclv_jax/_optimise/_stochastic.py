"""`Stochastic`: training on minibatches of people, as users ask for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from iclv_jax._base._arguments import check_seed, check_switch, is_word
from iclv_jax._base._types import Given
from iclv_jax._optimise._losses import Loss
from iclv_jax._optimise._method import Method
from iclv_jax._optimise._options import Optimizer, TrustRegion, decisive
from iclv_jax._optimise._recorded import Recorded

if TYPE_CHECKING:
    import optax

TRIED = 3
"""Parameters on which a transformation shows its steps."""
POLYAK = 8.0
"""Of the weights of steps in a Polyak average: step t of T counts like t^8, so that the beginning is forgotten."""


@dataclass(frozen=True)
class Stochastic(Optimizer):
    """Any transformation of optax on minibatches of people, for models with many parameters or many people.

    Every epoch goes through a new random order of the people. A step takes the mean score of a batch of them (an
    unbiased estimate of that of all), in the scaled unconstrained parameters of all optimisers, with the batch's nodes
    placed anew at the present parameters, and is then projected onto the bounds. An epoch is one compiled loop; the data
    stay where they are.

    Dropout layers of modules drop units in every step, the same ones for all people of the batch; people held out, and
    whatever follows from the estimates, are judged by the whole network.

    Training ends where it is told to, which is not a maximum: the verdict says `"training stopped"`, and no Newton
    decrement is computed. `polish` goes on to a maximum with the trust region.

    Parameters
    ----------
    transformation
        Such as `optax.adam(1e-2)`, `optax.sgd(optax.cosine_decay_schedule(0.5, 1000), momentum=0.9)` or `optax.adamw(1e-3)`.
        One unit of a scaled parameter is about sqrt(people) of its standard errors, so that learning rates of 1e-3 to 1e-1
        are usual. What `optax.inject_hyperparams` makes also tells its learning rate to the trace. Weight decay inside a
        transformation pulls the scaled unconstrained parameters to zero, thresholds and variances too, and is not
        reported; `penalties=` of `model.fit` are.
    batch_people
        People per step; None: all of them. Batches of an epoch differ by one person at most.
    epochs
        How often everybody is seen, at most.
    validation
        Share of people (of whole clusters, where there are) who are held out, and whose log-likelihood is computed after
        every epoch. The best point by it is restored at the end.
    patience
        Epochs without a better log-likelihood of those held out after which training stops; None: never.
    clip
        Largest Euclidean norm of a mean score in scaled parameters; longer ones are shortened to it. None: no limit.
    average
        What is evaluated, restored and reported in place of the last point: an exponential moving average with this
        decay (0.99, say), or `"polyak"`, a mean over steps in which step t has a weight of about t^8 (Shamir and Zhang
        2013). None: the point itself.
    whiten
        Whether steps are taken in coordinates in which the scores of people at the start (of up to 1,000) are uncorrelated,
        not only of one size: models whose parameters are hard to tell apart then need hundreds of full batches instead of
        many thousands (the hybrid model of Optima: 350 for 1e-3 in the log-likelihood). For up to some hundreds of
        parameters, without bounds and `L1`; clipping, weight decay and the gradient in the trace are in these coordinates.
    seed
        Of the people held out and of the order of people.
    polish
        True: afterwards the trust region takes all parameters to a maximum, with all people and the usual verdict.
        `"named"`: all but entries of arrays (`taste.layers[0].weight[2,1]`). A list of names, or of what names begin with
        (`"taste"`): only these. The others stay where training stopped, and standard errors take them as known.
    objective
        `"likelihood"`; or, for comparison with what is usual elsewhere, `"brier"`, the sum over alternatives of
        `(P_j - y_j)^2`, or `"hinge"`, `max(0, 1 + max_j log P_j - log P_chosen)` over the alternatives not chosen. These two
        are not maximum likelihood: their estimates have other standard errors, and cannot be polished. They are for
        models without latent variables and random coefficients, whose choice probabilities are in closed form. The curves
        and those held out are judged by the log-likelihood all the same.
    tolerance, max_iterations, recentrings
        Of the polish, as of `TrustRegion`.
    time_limit
        Seconds, of the training and again of the polish.
    scaling, trace_parameters
        As of all optimisers; the scores behind scales are those of up to 1,000 people.

    Examples
    --------
    >>> import optax
    >>> trained = logit.fit(df, optimizer=iclv.Stochastic(optax.adam(0.05), batch_people=100, epochs=3))
    >>> "train" in trained.trace
    True
    """

    transformation: Given["optax.GradientTransformation"] = field(hash=False)
    batch_people: Given[int | None] = field(default=256, kw_only=True)
    epochs: Given[int] = field(default=100, kw_only=True)
    validation: Given[float] = field(default=0.0, kw_only=True)
    patience: Given[int | None] = field(default=None, kw_only=True)
    clip: Given[float | None] = field(default=None, kw_only=True)
    average: Given[float | Literal["polyak"] | None] = field(default=None, kw_only=True)
    whiten: Given[bool] = field(default=False, kw_only=True)
    seed: Given[int] = field(default=0, kw_only=True)
    objective: Given[Loss] = field(default="likelihood", kw_only=True)
    polish: Given[bool | Literal["named"] | Sequence[str]] = field(default=False, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        Recorded(self.transformation, 1)
        for name, none in (("batch_people", True), ("epochs", False), ("patience", True)):
            value = getattr(self, name)
            if not (_is_count(value) or (none and value is None)):
                raise ValueError(f"Stochastic: {name} is a whole number from 1, not {value!r}.")
        if not (_is_number(self.validation) and 0.0 <= self.validation < 1.0):
            raise ValueError(f"Stochastic: validation is a share from 0 to below 1, not {self.validation!r}.")
        if self.patience is not None and self.validation == 0.0:
            raise ValueError(
                "Stochastic: patience watches people who are held out. Give validation=0.2, say."
            )
        if self.clip is not None and not (_is_number(self.clip) and self.clip > 0.0):
            raise ValueError(f"Stochastic: clip is positive, or None, not {self.clip!r}.")
        self._check_average()
        check_seed(self.seed, "Stochastic: seed")
        if not is_word(self.objective, get_args(Loss)):
            known = ", ".join(map(repr, get_args(Loss)))
            raise ValueError(f"Stochastic: objective is one of {known}, not {self.objective!r}.")
        if self.objective != "likelihood" and self.polish is not False:
            raise ValueError(
                f"polish= maximises the likelihood, not the objective {self.objective!r}. Leave one out."
            )
        check_switch(self.whiten, "Stochastic: whiten")
        wanted = self.polish
        if isinstance(wanted, bool) or is_word(wanted, ("named",)):
            return
        if (
            not isinstance(wanted, Sequence)
            or isinstance(wanted, str)
            or not all(isinstance(n, str) for n in wanted)
        ):
            raise ValueError(
                f'Stochastic: polish is True, False, "named" or a list of names, not {wanted!r}.'
            )

    def _check_average(self) -> None:
        if self.average is None or is_word(self.average, ("polyak",)):
            return
        if not (_is_number(self.average) and 0.0 < float(self.average) < 1.0):
            raise ValueError(
                f'Stochastic: average is a decay between 0 and 1, "polyak" or None, not {self.average!r}.'
            )

    @property
    def method(self) -> Method:
        raise NotImplementedError("training has its own loop")

    @property
    def settings(self) -> dict[str, object]:
        """As of all optimisers; the transformation is known by the steps that it takes."""
        return {**decisive(self), "transformation": Recorded(self.transformation, TRIED).steps}

    @property
    def weighting(self) -> tuple[float, float]:
        """`(least, start)`: step t moves the average by the share `max(least, (start + 1) / (t + start))` to the point."""
        if self.average is None:
            return 1.0, 0.0
        return (0.0, POLYAK) if isinstance(self.average, str) else (1.0 - self.average, 0.0)

    @property
    def finish(self) -> TrustRegion:
        """The trust region that polishes."""
        return TrustRegion(
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            time_limit=self.time_limit,
            recentrings=self.recentrings,
            scaling=self.scaling,
            trace_parameters=self.trace_parameters,
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)
