"""How the optimiser came to the maximum."""

from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax.plot._style import BLUE, GREY, INK, PALE, VERMILION, canvas, check_fit

NARROW = 0.2
"""Share of the width below which the name of a stage is written upwards."""


def trace(fit: Given[Any], ax: Given[Any] = None) -> Any:
    """Gap of the log-likelihood and Newton decrement by step, on a logarithmic axis.

    The gap is the distance to the log-likelihood with which the stage ended (stages maximise different things, and later
    ones have more nodes), in log-likelihood points of the sample; the last step of a stage has none and is not drawn.
    Nodes that are placed anew within a stage move it up or down. The Newton
    decrement is the squared distance to the maximum in standard errors. Stages are shaded in turn and named.

    Parameters
    ----------
    fit
        A fit, also one that was loaded without its model.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For what is no fit, and for a fit without a trace.
    """
    table = check_fit(fit, "trace", "trace").trace
    if table.empty:
        raise ValueError("plot.trace: this fit has no trace, so there is no step to draw.")
    ax = canvas(ax, 6.4, 3.6)
    steps = np.arange(1, len(table) + 1)
    gap = table.groupby("stage", sort=False)["loglike"].transform("last") - table["loglike"]
    decrement = table["decrement"]
    for values, colour, words in (
        (gap.abs(), BLUE, "Log-likelihood gap"),
        (decrement, VERMILION, "Newton decrement"),
    ):
        shown = values.where(values > 0.0).to_numpy()
        ax.plot(steps, shown, "o-", color=colour, markersize=3, linewidth=1.2, label=words)
    ax.set_yscale("log")
    ax.set_xlim(0.5, len(table) + 0.5)
    _label_lines(ax)
    _shade(ax, table["stage"])
    ax.set_xlabel("Step", fontsize=9)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _label_lines(ax: Any) -> None:
    """The names of the two lines above the axes, in their colours."""
    for place, line in zip((0.0, 0.36), ax.get_lines(), strict=True):
        ax.text(place, 1.02, line.get_label(), color=line.get_color(), transform=ax.transAxes, fontsize=9)


def _shade(ax: Any, stages: pd.Series) -> None:
    """One background per run of steps of a stage, with its name."""
    run = (stages != stages.shift()).cumsum()
    begin = 0
    for k, (_, part) in enumerate(stages.groupby(run)):
        first, last = begin, begin + len(part) - 1
        begin += len(part)
        ax.axvspan(first + 0.5, last + 1.5, color=PALE if k % 2 == 0 else "white", zorder=0, linewidth=0)
        upward = len(part) < NARROW * len(stages) or len(str(part.iloc[0])) > 60 * len(part) / len(stages)
        middle = (first + last) / 2.0 + 1.0
        ax.text(
            middle, 0.98, str(part.iloc[0]), transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=7,
            color=GREY if k % 2 else INK, rotation=90 if upward else 0, gid="stage",
        )  # fmt: skip
