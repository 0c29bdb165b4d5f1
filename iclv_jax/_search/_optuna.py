"""Model-based search by Optuna (`pip install "iclv-jax[search]"`), which is imported when it is asked for."""

from collections.abc import Mapping
from typing import Any, final

from iclv_jax._search._methods import Method
from iclv_jax._search._space import Choices, Dimension, Settings
from iclv_jax._search._trial import Trial, same

REPEATS = 50
"""Proposals that may repeat earlier settings before a search is over."""


@final
class Optuna(Method):
    """Settings proposed by a sampler of Optuna; None: its tree-structured Parzen estimator (Bergstra et al. 2011)."""

    def __init__(self, space: Mapping[str, Dimension], seed: int, sampler: Any = None) -> None:
        self._optuna = import_optuna()
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        sampler = sampler or self._optuna.samplers.TPESampler(seed=seed)
        self._study = self._optuna.create_study(direction="maximize", sampler=sampler)
        self._space = space
        self._asked: Any = None
        self._seen: list[Trial] = []

    def ask(self) -> Settings | None:
        distributions = {name: self._distribution(d) for name, d in self._space.items()}
        for _ in range(REPEATS):
            self._asked = self._study.ask(distributions)
            found = {name: _value(d, self._asked.params[name]) for name, d in self._space.items()}
            earlier = next((t for t in self._seen if same(found, t.settings)), None)
            if earlier is None:
                return found
            self._answer(earlier)
        return None

    def tell(self, trial: Trial) -> None:
        self._seen.append(trial)
        self._answer(trial)

    def _answer(self, trial: Trial) -> None:
        state = self._optuna.trial.TrialState
        for step, value in enumerate(trial.running):
            self._asked.report(value, step)
        if trial.state == "complete":
            self._study.tell(self._asked, trial.value)
        else:
            self._study.tell(self._asked, state=state.PRUNED if trial.state == "pruned" else state.FAIL)

    def _distribution(self, dimension: Dimension) -> Any:
        kinds = self._optuna.distributions
        if isinstance(dimension, Choices):
            return kinds.CategoricalDistribution(range(len(dimension.values)))
        kind = kinds.IntDistribution if dimension.whole else kinds.FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)


def _value(dimension: Dimension, found: Any) -> Any:
    return dimension.values[found] if isinstance(dimension, Choices) else found


def import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            'A model-based search is done by Optuna, which is not installed: pip install "iclv-jax[search]". '
            "method='random', 'grid' and 'coarse-to-fine' do without."
        ) from error
    return optuna
