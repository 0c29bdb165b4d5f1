"""An artificial survey on sugar substitutes, with known truth: the reference workload of the library."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_seed
from iclv_jax._base._distributions import quantile
from iclv_jax._base._types import Given
from iclv_jax._families import Logit, Ordered
from iclv_jax._model import Model
from iclv_jax._spec import Latent
from iclv_jax._spec import _names as names

LATENTS = {
    "concern": ("age", "female"),
    "benefit": ("concern",),
    "intention": ("benefit", "income"),
    "price_perception": ("income",),
    "knowledge": ("education",),
}
"""Latent variables with the predictors of their equations."""

STRUCTURAL = {
    "concern ~ age": 0.3,
    "concern ~ female": 0.4,
    "benefit ~ concern": 0.5,
    "intention ~ benefit": 0.5,
    "intention ~ income": 0.2,
    "price_perception ~ income": -0.4,
    "knowledge ~ education": 0.5,
}
CHOICE = {
    "asc_sugar": 2.2,
    "asc_free": 1.8,
    "price": -1.2,
    "price_x_perception": -0.4,
    "label": 0.4,
    "label_x_knowledge": 0.4,
    "intention_sugar": -0.6,
    "intention_free": 0.7,
}
LOADINGS = (1.1, 0.8, -0.9, 1.3, 0.7, -1.0)
"""Loadings of a latent variable's items, over and over: every third item is reverse-worded."""
SHARES = (0.13, 0.34, 0.64, 0.86)
"""Shares of a neutral item at or below its first four levels."""
SHIFTS = (0.0, 0.25, -0.25, 0.15, -0.15)
"""What moves an item's thresholds, over and over, in standard deviations of its response."""

LEVELS = (1, 2, 3, 4, 5)
PRICES = (0.89, 1.29, 1.69, 2.09)
PROFILES = [(p, q, a, b) for p in PRICES for q in PRICES for a in (0.0, 1.0) for b in (0.0, 1.0)]
"""The full factorial of both prices and both labels: price and label of neither drink tell of another."""


@dataclass(frozen=True, eq=False)
class Survey:
    """Artificial data with the model that they were drawn from.

    Attributes
    ----------
    data
        One row per choice situation; the column `person` says whose it is.
    model
        A `Model` that fits `data`.
    truth
        The value of every free parameter of `model` from which `data` were drawn, by name.

    Examples
    --------
    >>> survey = iclv.datasets.sugar_substitutes(people=100, situations=2, items=(2, 1, 1, 1, 1))
    >>> survey.truth["price"]
    -1.2
    """

    data: pd.DataFrame
    model: Model
    truth: dict[str, float]


def sugar_substitutes(
    seed: Given[int] = 0,
    people: Given[int] = 328,
    situations: Given[int] = 6,
    items: Given[Sequence[int]] = (6, 6, 3, 3, 20),
) -> Survey:
    """Stated choices between a drink with sugar, one without, and neither, with five attitudes.

    Nobody was asked: the answers are drawn by `model.simulate`. At its default size this is the
    reference workload on which the speed of the library is measured: 205 free parameters, 38 items
    and five dimensions of integration.

    Parameters
    ----------
    seed
        Of covariates, designs and answers. The truth does not depend on it.
    people, situations
        Number of people, and of choice situations for each of them.
    items
        Number of items for each of the latent variables `concern`, `benefit`, `intention`,
        `price_perception` and `knowledge`. The parameters that remain in a smaller survey keep their
        true values.

    Returns
    -------
    Survey
        `.data`, `.model` and `.truth`. The data have

        * `person` and `situation`, both from 1;
        * constant within a person: `age` (standardised), `female` (0 or 1), `income` (its
          logarithm, standardised), `education` (1 with a university degree, else 0);
        * `price_sugar` and `price_free`, in euros a bottle, at four levels from 0.89 to 2.09;
          `label_sugar` and `label_free`, 1 where the bottle has a nutrition label, else 0. The 64
          combinations are dealt out to the people like shuffled packs of cards, so that each
          occurs equally often but for the last pack;
        * `choice`: `"sugar"`, `"sugar_free"` or `"none"`, which is always possible and has utility 0;
        * the items `concern_1`, `concern_2`, ..., `knowledge_20`: answers from 1 to 5, constant
          within a person. Every third item of a latent variable is reverse-worded, so that its
          loading is negative.

        In the model, concern about sugar leads to a perceived benefit of substitutes, and this to
        the intention to use them, which enters the utilities of both drinks. Price perception
        moves the coefficient of the price, knowledge that of the label. Items are ordered probits
        with free thresholds; each latent variable has disturbances with variance 1.

    Raises
    ------
    ValueError
        For numbers that are not positive and whole, or `items` that are not five. In a small survey an
        answer may occur for nobody; binding the model to it is then an error that names the item.

    Examples
    --------
    >>> survey = iclv.datasets.sugar_substitutes(people=100, situations=2, items=(2, 1, 1, 1, 1))
    >>> survey.data.shape[0], len(survey.truth)
    (200, 45)
    """
    check_seed(seed)
    counts = _check_items(items)
    for name, value in (("people", people), ("situations", situations)):
        _check_count(value, name)
    model = Model(
        latent=[Latent(name, on=on) for name, on in LATENTS.items()],
        indicators=[
            Ordered(column, of=latent, levels=LEVELS)
            for latent, count in counts.items()
            for column in _columns(latent, count)
        ],
        choice=Logit(_utility, chosen="choice"),
    )
    truth = STRUCTURAL | _measurement(counts) | CHOICE
    frame = _design(np.random.default_rng(seed), people, situations)
    return Survey(model.simulate(truth, frame, seed=seed, person="person"), model, truth)


def _utility(b: Any, x: Any, lv: Any) -> dict[Hashable, Any]:
    def drink(constant: Any, price: Any, label: Any, intention: Any) -> Any:
        by_price = b.price + b.price_x_perception * lv.price_perception
        by_label = b.label + b.label_x_knowledge * lv.knowledge
        return constant + by_price * price + by_label * label + intention * lv.intention

    return {
        "sugar": drink(b.asc_sugar, x.price_sugar, x.label_sugar, b.intention_sugar),
        "sugar_free": drink(b.asc_free, x.price_free, x.label_free, b.intention_free),
        "none": 0.0,
    }


def _measurement(counts: dict[str, int]) -> dict[str, float]:
    """Loadings, and thresholds such that every answer is given by some twentieth of the people or more."""
    truth = {}
    cuts = quantile(np.array(SHARES))
    for latent, count in counts.items():
        for i, column in enumerate(_columns(latent, count)):
            loading = LOADINGS[i % len(LOADINGS)]
            # A latent variable's own variance is about 1.2, an item's error has variance 1.
            spread = np.sqrt(1.0 + 1.2 * loading**2)
            thresholds = np.round(spread * (cuts + SHIFTS[i % len(SHIFTS)]), 2)
            truth[names.loading(latent, column)] = loading
            truth |= {names.threshold(column, k + 1): float(t) for k, t in enumerate(thresholds)}
    return truth


def _columns(latent: str, count: int) -> list[str]:
    return [f"{latent}_{i + 1}" for i in range(count)]


def _design(generator: np.random.Generator, people: int, situations: int) -> pd.DataFrame:
    """Covariates of the people and attributes of their choice situations."""
    years = generator.integers(18, 76, people)
    covariates = {
        "age": (years - 46.5) / 16.7,
        "female": (generator.random(people) < 0.52).astype(float),
        "income": generator.standard_normal(people),
        "education": (generator.random(people) < 0.4).astype(float),
    }
    rows = people * situations
    packs = [generator.permutation(len(PROFILES)) for _ in range(-(-rows // len(PROFILES)))]
    profiles = np.array(PROFILES)[np.concatenate(packs)[:rows]]
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(1, people + 1), situations),
            "situation": np.tile(np.arange(1, situations + 1), people),
            **{name: np.repeat(values, situations) for name, values in covariates.items()},
            **dict(zip(("price_sugar", "price_free", "label_sugar", "label_free"), profiles.T, strict=True)),
        }
    )


def _check_items(items: Given[Sequence[int]]) -> dict[str, int]:
    several = isinstance(items, (Sequence, np.ndarray)) and not isinstance(items, (str, bytes))
    if not several or getattr(items, "ndim", 1) != 1 or len(items) != len(LATENTS):
        raise ValueError(f"items is five numbers, how many items {', '.join(LATENTS)} have, not {items!r}.")
    for latent, count in zip(LATENTS, items, strict=True):
        _check_count(count, f"the number of items of {latent}")
    return dict(zip(LATENTS, map(int, items), strict=True))


def _check_count(value: object, what: str) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{what} is a positive whole number, not {value!r}.")
