"""How the optimiser came to the maximum."""

from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._types import Given
from iclv_jax.plot._style import BLUE, GREY, INK, PALE, VERMILION, canvas, check_fit

LETTERS = 90
"""Letters that fit beside each other over the width of the picture."""


def trace(fit: Given[Any], ax: Given[Any] = None) -> Any:
    """Gap of the log-likelihood, and what a Newton step promises, by step, in log-likelihood points on a logarithmic axis.

    The gap is the distance to the log-likelihood with which the stage ended (stages maximise different things, and later
    ones have more nodes), in log-likelihood points of the sample; the last step of a stage has none and is not drawn.
    Nodes that are placed anew within a stage move it up or down. What a Newton step promises is half the Newton decrement:
    the gain up to the maximum if the log-likelihood were quadratic. Stages are shaded in turn and named, in the picture or,
    where they are narrow, below it by number.

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

    Examples
    --------
    >>> axes = iclv.plot.trace(fit)
    """
    table = check_fit(fit, "trace", "trace").trace
    if table.empty:
        raise ValueError("plot.trace: this fit has no trace, so there is no step to draw.")
    ax = canvas(ax, 6.4, 3.6)
    steps = np.arange(1, len(table) + 1)
    gap = table.groupby("stage", sort=False)["loglike"].transform("last") - table["loglike"]
    promised = 0.5 * table["decrement"]
    for values, colour, words in (
        (gap.abs(), BLUE, "Gap to the end of the stage"),
        (promised, VERMILION, "Gain that a Newton step promises"),
    ):
        shown = values.where(values > 0.0).to_numpy()
        ax.plot(steps, shown, "o-", color=colour, markersize=3, linewidth=1.2, label=words)
    ax.set_yscale("log")
    ax.set_xlim(0.5, len(table) + 0.5)
    _label_lines(ax)
    below = _shade(ax, table["stage"])
    ax.set_xlabel("\n".join(["Step", *below]), fontsize=9, parse_math=False)
    ax.set_ylabel("Log-likelihood points", fontsize=9)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _label_lines(ax: Any) -> None:
    """The names of the two lines above the axes, in their colours."""
    for place, line in zip((0.0, 0.45), ax.get_lines(), strict=True):
        ax.text(place, 1.02, line.get_label(), color=line.get_color(), transform=ax.transAxes, fontsize=9)


def _shade(ax: Any, stages: pd.Series) -> list[str]:
    """One background per run of steps of a stage, with its name; or with its number, and lines that name the numbers."""
    runs = [(str(part.iloc[0]), len(part)) for _, part in stages.groupby((stages != stages.shift()).cumsum())]
    narrow = any(LETTERS * length < len(name) * len(stages) for name, length in runs)
    begin = 0
    for k, (name, length) in enumerate(runs):
        ax.axvspan(
            begin + 0.5, begin + length + 0.5, color=PALE if k % 2 == 0 else "white", zorder=0, linewidth=0
        )
        ax.text(
            begin + length / 2.0 + 0.5, 0.98, str(k + 1) if narrow else name, transform=ax.get_xaxis_transform(),
            ha="center", va="top", fontsize=7, color=GREY if k % 2 else INK, gid="stage", parse_math=False,
        )  # fmt: skip
        begin += length
    return _wrapped([f"{k} {name}" for k, (name, _) in enumerate(runs, start=1)]) if narrow else []


def _wrapped(words: list[str]) -> list[str]:
    """Words in lines that are no longer than the axes are wide."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 3 <= LETTERS:
            lines[-1] += f"   {word}"
        else:
            lines.append(word)
    return lines
