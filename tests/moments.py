"""Sample moments of published data sets, which are all that the likelihood of normal items without missing answers depends
on, and rows that have exactly these moments."""

import numpy as np
import pandas as pd

DEMOCRACY = ("x1", "x2", "x3", *(f"y{i}" for i in range(1, 9)))
"""Bollen (1989), Structural Equations with Latent Variables: 75 countries; moments of `PoliticalDemocracy` of R's lavaan."""
DEMOCRACY_MEANS = (
    5.05438384, 4.79219462667, 3.55768978667, 5.46466666667, 4.25644288, 6.56311025333, 4.45253304,
    5.13625192, 2.97807408, 6.19626389333, 4.04338968,
)  # fmt: skip
DEMOCRACY_COVARIANCES = (
    0.529986746231, 0.977156266158, 2.25167889387, 0.812445029653, 1.78200938834, 1.94967710898,
    0.72460106968, 1.25641529214, 0.899302013796, 6.78685155556, 0.611235591604, 1.47138922539,
    1.15421562875, 6.16801437576, 15.3720853388, 0.776386962307, 1.53124260594, 1.02522515601,
    5.76098427628, 5.76077745836, 10.6207239804, 1.13512181872, 2.21107762236, 1.8135162765,
    6.00746075675, 9.38177265506, 6.59876449304, 11.0693460197, 1.0672042681, 2.03621639633,
    1.56235189549, 4.99629333717, 5.52836463131, 4.87317339183, 5.62603108328, 6.73468088114,
    0.841418384704, 1.78141319338, 1.55110527384, 5.66921514549, 9.26113877396, 4.66436438236,
    7.34295297618, 4.91044710905, 11.22365409, 0.924346167116, 1.96898728813, 1.60427412008,
    5.73445058756, 7.43498948744, 6.91301560253, 7.38815879528, 5.74374799783, 6.65814410912,
    10.6553802931, 1.0881761896, 2.20444713759, 1.66959484586, 5.59544351536, 7.65477034132,
    5.5639505455, 7.90581101255, 5.26819410873, 8.1368719611, 7.49120068933, 10.3934200602,
)  # fmt: skip
"""Lower triangle by rows, divided by the number of countries."""


def rows(columns, means, lower, count):
    """A frame whose columns have these means and covariances (maximum likelihood, by the count)."""
    size = len(columns)
    covariance = np.zeros((size, size))
    covariance[np.tril_indices(size)] = lower
    covariance = covariance + np.tril(covariance, -1).T
    noise = np.random.default_rng(0).standard_normal((count, size))
    orthogonal, _ = np.linalg.qr(noise - noise.mean(axis=0))
    values = means + np.sqrt(count) * orthogonal @ np.linalg.cholesky(covariance).T
    return pd.DataFrame(values, columns=list(columns))


def democracy():
    return rows(DEMOCRACY, DEMOCRACY_MEANS, DEMOCRACY_COVARIANCES, 75)
