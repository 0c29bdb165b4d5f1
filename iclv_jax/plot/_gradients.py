"""Whether the blocks of parameters pull equally hard."""

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._diagnose import Diagnosis
from iclv_jax._fit import Fit
from iclv_jax.plot._style import BLUE, GREY, VERMILION, Axes, canvas, check_fit, key, rows

DECADES = 100.0
"""The axis spans at least this ratio, so that small differences look small."""


def gradients(fit: Given[Fit], ax: Given[Axes | None] = None) -> Axes:
    """Typical score and mean |gradient| of every block of parameters, on a logarithmic axis.

    Both are per person and refer to the unscaled parameters that the optimiser moves. Blocks whose typical scores lie
    orders of magnitude apart are what unscaled optimisers fail at. At a maximum gradients are zero but for rounding and are
    left out: ask for a point on the way, `plot.gradients(iclv.diagnose(problem, params))`.

    Parameters
    ----------
    fit
        A fit, or what `iclv.diagnose(problem, params)` has returned.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For what is neither.

    Examples
    --------
    >>> problem = logit.bind(df)
    >>> axes = iclv.plot.gradients(iclv.diagnose(problem, problem.start()))
    """
    found = fit if isinstance(fit, Diagnosis) else check_fit(fit, "gradients", "diagnose").diagnose()
    blocks = found.blocks
    ax = canvas(ax, 6.0, 1.0 + 0.3 * len(blocks))
    at = np.arange(len(blocks))
    for column, colour, words in (
        ("score", BLUE, "Typical score"),
        ("gradient", VERMILION, "Mean |gradient|"),
    ):
        if column == "gradient" and found.findings.settled:
            continue
        values = blocks[column].to_numpy(float)
        ax.plot(np.where(values > 0.0, values, np.nan), at, "o", color=colour, label=words, markersize=5)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, high / DECADES), max(high, low * DECADES))
    ax.grid(axis="y", color=GREY, linewidth=0.3)
    labels = [f"{name} ({int(n)})" for name, n in blocks["parameters"].items()]
    rows(ax, labels, range(len(blocks)))
    ax.set_xlabel("Per person (number of parameters in brackets)", fontsize=9)
    key(ax, 2)
    return ax
