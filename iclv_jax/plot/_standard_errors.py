"""Standard errors by kind of covariance."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import names_of
from iclv_jax._base._types import Given
from iclv_jax._fit import Fit
from iclv_jax._inference._intervals import standard_errors as errors_of
from iclv_jax.plot._style import COLOURS, GREY, ROW, Axes, canvas, check_fit, key, rows

MOST = 45
"""More parameters than these are drawn without their names."""
FARTHEST = 2
"""Of how many parameters the names are written then."""


def standard_errors(
    fit: Given[Fit], kinds: Given[Sequence[str]] = ("bhhh", "robust"), ax: Given[Axes | None] = None
) -> Axes:
    """Standard errors of some kinds over those from the Hessian, on a logarithmic axis.

    All near one speaks for the model; robust ones far from one speak for dependence or a wrong model. With many people
    per parameter those from the outer products of scores (BHHH) come near one as well. One point per parameter and kind;
    with more than 45 parameters one row per kind, and the two farthest from one by name.

    Parameters
    ----------
    fit
        A fit.
    kinds
        Kinds of covariance, as of `fit.cov_params`, other than `"hessian"`.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For unknown kinds.

    Examples
    --------
    >>> axes = iclv.plot.standard_errors(logit_fit)
    """
    check_fit(fit, "standard_errors", "hessian")
    kinds = names_of(kinds, "kinds=")
    if not kinds or "hessian" in kinds:
        raise ValueError("kinds= names covariances to compare with that of the Hessian, such as ['robust'].")
    base = errors_of(fit, "hessian")
    ratios = pd.DataFrame({kind: errors_of(fit, kind) / base for kind in kinds})
    many = len(ratios) > MOST
    ax = canvas(ax, 6.0, 1.0 + (0.9 * len(kinds) if many else ROW * len(ratios)))
    for i, kind in enumerate(kinds):
        (_strip if many else _points)(ax, ratios[kind], i, COLOURS[i % len(COLOURS)])
    ax.axvline(1.0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_xscale("log")
    _ticks(ax, ratios.to_numpy())
    rows(ax, kinds if many else list(ratios.index), range(len(kinds) if many else len(ratios)))
    ax.set_xlabel("Standard error over that from the Hessian", fontsize=9)
    if not many:
        key(ax, len(kinds))
    return ax


def _points(ax: Axes, ratio: pd.Series, place: int, colour: str) -> None:
    ax.plot(ratio.to_numpy(), np.arange(len(ratio)), "o", color=colour, markersize=4, label=ratio.name)


def _strip(ax: Axes, ratio: pd.Series, place: int, colour: str) -> None:
    """All parameters around one row, spread by a fixed sequence so that points do not hide each other."""
    spread = 0.5 * ((np.arange(len(ratio)) * 0.618034) % 1.0) - 0.25
    ax.plot(ratio.to_numpy(), place + spread, "o", color=colour, markersize=3, alpha=0.6, label=ratio.name)
    names = (-np.abs(np.log(ratio.to_numpy()))).argsort()[:FARTHEST]
    text = "farthest from 1: " + ", ".join(f"{ratio.index[i]} {ratio.iloc[i]:.2f}" for i in names)
    ax.text(
        0.01,
        place + 0.42,
        text,
        transform=ax.get_yaxis_transform(),
        fontsize=7,
        color=GREY,
        gid="farthest",
        parse_math=False,
    )


def _ticks(ax: Axes, values: np.ndarray) -> None:
    """Ratios as plain numbers, a few of them."""
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    low, high = min(np.nanmin(values), 0.9) / 1.03, max(np.nanmax(values), 1.1) * 1.03
    round_ones = np.array(
        [0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100]
    )
    if high / low > 3.0:
        round_ones = round_ones[~np.isin(round_ones, (0.8, 0.9, 1.1, 1.25))]
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(FixedLocator(round_ones[(round_ones >= low) & (round_ones <= high)].tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
