"""How many draws carry weight."""

from typing import Any

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax._problem._accuracy import FEW
from iclv_jax.plot._style import BLUE, INK, VERMILION, canvas, check_fit


def effective_sizes(fit: Given[Any], ax: Given[Any] = None) -> Any:
    """Histogram of the effective sample sizes of people's integrals, `(sum w)^2 / sum w^2` over their draws.

    The line shows the median, the shade the sizes below ten, with which a person's integral rests on a handful of
    draws.

    Parameters
    ----------
    fit
        A fit.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For a rule of integration whose weights differ by design (quadrature), which has no such sizes.

    Examples
    --------
    >>> drawn = model.fit(df, integration=iclv.Adaptive(32))
    >>> axes = iclv.plot.effective_sizes(drawn)
    """
    accuracy = check_fit(fit, "effective_sizes", "accuracy").accuracy
    if accuracy is None or accuracy.sizes is None:
        raise ValueError(
            "plot.effective_sizes: this fit's rule of integration has no effective sample sizes; only draws do "
            "(iclv.Adaptive, iclv.MonteCarlo). fit.integration_report() tells how accurate the integral is."
        )
    sizes = np.asarray(accuracy.sizes)
    ax = canvas(ax, 5.6, 3.2)
    ax.hist(sizes, bins=np.linspace(0.0, accuracy.nodes, 31), color=BLUE, edgecolor="white", linewidth=0.5)
    ax.axvspan(0.0, min(FEW, accuracy.nodes), color=VERMILION, alpha=0.12, linewidth=0, zorder=0)
    middle = float(np.median(sizes))
    ax.axvline(middle, color=INK, linewidth=1.0)
    side = "right" if middle > 0.5 * accuracy.nodes else "left"
    ax.text(
        middle,
        1.01,
        f"median {middle:.0f}",
        transform=ax.get_xaxis_transform(),
        ha=side,
        fontsize=8,
        color=INK,
    )
    ax.set_xlim(0.0, accuracy.nodes)
    ax.set_xlabel(f"Effective sample size, of {accuracy.nodes} nodes", fontsize=9)
    ax.set_ylabel("People", fontsize=9)
    return ax
