"""What practitioners check before they train: the start, ten people, and where gradients arrive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

import jax.numpy as jnp
import numpy as np
import pandas as pd

from iclv_jax._base._alone import refuse_several
from iclv_jax._base._arguments import check_seed, is_real
from iclv_jax._base._types import AnyArray, AnyFrame, AnyFrames, Given, Params
from iclv_jax._integration import Rule
from iclv_jax._integration._rule import check_count
from iclv_jax._optimise import Stochastic
from iclv_jax._optimise._checkpoint import Slot
from iclv_jax._optimise._training import Training
from iclv_jax._problem import Problem
from iclv_jax._problem._components import equal_shares
from iclv_jax._tables import Report, Tabular
from iclv_jax._tables._table import of_frame
from iclv_jax._training._binds import Binds, begun, check_binds

FAR = 0.1
"""Share by which the start may miss the log-likelihood of equal shares."""
GAIN = 1e-3
"""Share of the log-likelihood of ten people that training has to gain at least."""
PEOPLE = 200
"""People whose scores are looked at."""


class Check(NamedTuple):
    """One row: what was asked, what was found, what was expected, whether they agree, and what to do if not."""

    check: str
    found: float
    expected: str
    ok: bool
    advice: str


@final
@dataclass(frozen=True, eq=False)
class SanityChecks(Tabular):
    """What was found before training.

    Attributes
    ----------
    table
        One row per check: `found`, `expected`, `ok`, and `advice` where it is not.
    """

    table: pd.DataFrame = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether everything is as expected."""
        return bool(self.table["ok"].all())

    def as_report(self) -> Report:
        return of_frame(self.table, "Before training")

    def __str__(self) -> str:
        return str(self.as_report())


def sanity_checks(
    model: Given[Binds],
    data: Given[AnyFrames],
    *,
    start: Given[Mapping[str, float] | pd.Series | None] = None,
    epochs: Given[int] = 200,
    learning_rate: Given[float] = 0.05,
    seed: Given[int] = 0,
    person: Given[str | None] = None,
    people: Given[AnyFrame | None] = None,
    weights: Given[str | Sequence[float] | np.ndarray | pd.Series | None] = None,
    integration: Given[Rule | None] = None,
    memory: Given[str | float] = "2GB",
) -> SanityChecks:
    """Three things to know before a long training.

    The log-likelihood at the start: it is finite, and that of the choices is near equal shares, unless the start knows more.
    Ten people: training on them alone must gain, because few people are easy to fit. Gradients: in every block of
    parameters (every array of a module) there must be a parameter on which somebody's log-likelihood depends.

    Parameters
    ----------
    model, data, person, people, weights, integration, memory
        As of `model.fit`.
    start
        Values by name where training would begin, in place of the default start.
    epochs, learning_rate
        Of Adam on the ten people.
    seed
        Of the choice of people.

    Raises
    ------
    ValueError
        As of `model.bind`.

    Examples
    --------
    >>> list(iclv.sanity_checks(logit, df, epochs=20).table)
    ['found', 'expected', 'ok', 'advice']
    """
    refuse_several("sanity_checks")
    check_seed(seed)
    check_count(epochs, "epochs")
    check_binds(model, "sanity_checks")
    if not (is_real(learning_rate) and 0.0 < learning_rate < np.inf):
        raise ValueError(f"learning_rate= is a positive number, not {learning_rate!r}.")
    problem = model.bind(
        data, person=person, people=people, weights=weights, integration=integration, memory=memory
    )
    params = begun(problem, start)
    drawn = np.random.default_rng(seed).permutation(problem.core.people.size)
    values = np.asarray(problem.recentre(params).loglike_person(params))
    bad = int((~np.isfinite(values)).sum())
    advice = "give another start: problem.check_start(params) names people and factors"
    checks = [Check("people without a finite log-likelihood at the start", bad, "0", bad == 0, advice)]
    if problem.spec.choices and all(choice.discrete for choice in problem.spec.choices):
        checks.append(_near_equal_shares(problem, params))
    import optax

    options = Stochastic(optax.adam(learning_rate), batch_people=None, epochs=epochs, seed=seed)
    checks.append(_ten_people(problem.take(np.sort(drawn[:10])), params, options))
    checks += _gradients(problem.take(np.sort(drawn[:PEOPLE])), params)
    rows = [c if not c.ok else c._replace(advice="") for c in checks]
    return SanityChecks(pd.DataFrame(rows).set_index("check"))


def _near_equal_shares(problem: Problem, params: Params) -> Check:
    part = problem.part("choices") if problem.spec.indicators else problem
    weights = problem.panel.weights
    count = float(weights @ problem.panel.person_situations)
    found = float(part.recentre(params).loglike(params)) / count
    equal = float(weights @ equal_shares(problem)) / count
    return Check(
        "log-likelihood per choice at the start",
        found,
        f"about {equal:.4f}, equal shares",
        bool(found > equal - FAR * abs(equal)),
        "the start is worse than equal shares: scale columns, or begin with smaller weights",
    )


def _ten_people(ten: Problem, params: Params, options: Stochastic) -> Check:
    free = np.ones(len(ten.names), bool)
    trained = Training(options, ten, free, None, lambda row: None, Slot()).run(jnp.asarray(params))
    size = float(ten.core.weights.sum())

    def value(at: AnyArray) -> float:
        return float(ten.recentre(jnp.asarray(at)).loglike(jnp.asarray(at))) / size

    before, after = value(params), value(trained.params)
    return Check(
        "log-likelihood per person of ten people, trained on them alone",
        after,
        f"above {before:.4f}, their start",
        bool(after > before + GAIN * abs(before)),
        "the model cannot fit even ten people: try another learning rate, and look at the utility and its columns",
    )


def _gradients(some: Problem, params: Params) -> list[Check]:
    scores = np.asarray(some.recentre(params).score_person(params))
    sizes = np.sqrt(np.mean(scores**2, axis=0))
    homes = [p.argument if p.role == "weight" else f"{p.block} parameters" for p in some.table.parameters]
    found = []
    for home in dict.fromkeys(homes):
        mine = sizes[[h == home for h in homes]]
        silent = int((mine == 0.0).sum())
        advice = (
            f"{silent} of {len(mine)} have no gradient: they do not enter, or begin where everything is flat"
        )
        typical = float(np.median(mine))
        found.append(Check(f"size of scores, {home}", typical, "above 0 for each", silent == 0, advice))
    return found
