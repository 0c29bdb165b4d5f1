"""How training went, epoch by epoch."""

from typing import Any

import numpy as np

from iclv_jax._base._types import Given
from iclv_jax.plot._style import BLUE, GREY, SMALL, VERMILION, canvas, check_fit


def learning_curves(fit: Given[Any], ax: Given[Any] = None) -> Any:
    """Log-likelihood per person by epoch, of the people trained on and of those held out.

    The curve of those trained on is a mean over the batches of an epoch as they came, while the parameters moved; that of
    those held out is at the end of the epoch (at the average, where training takes one). A line marks the epoch whose
    point was restored.

    Parameters
    ----------
    fit
        A fit by `Stochastic`, also one that was loaded without its model.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For what is no fit, and for a fit that was not trained.

    Examples
    --------
    >>> import optax
    >>> trained = logit.fit(df, optimizer=iclv.Stochastic(optax.adam(0.05), batch_people=100, epochs=3))
    >>> axes = iclv.plot.learning_curves(trained)
    """
    table = check_fit(fit, "learning_curves", "trace").trace
    if "epoch" not in table:
        raise ValueError(
            "plot.learning_curves: this fit was not trained, so it has no epochs; plot.trace shows its steps."
        )
    table = table[table["epoch"].notna()]
    ax = canvas(ax, 6.0, 3.4)
    curves = [("train", BLUE, "Trained on")]
    if "validation" in table:
        curves.append(("validation", VERMILION, "Held out"))
    for place, (column, colour, words) in zip((0.0, 0.3), curves, strict=False):
        ax.plot(table["epoch"], table[column], color=colour, linewidth=1.2, label=words)
        ax.text(place, 1.02, words, color=colour, transform=ax.transAxes, fontsize=9)
    if "validation" in table and np.isfinite(table["validation"]).any():
        best = float(table.loc[table["validation"].idxmax(), "epoch"])
        ax.axvline(best, color=GREY, linewidth=0.8, linestyle=":")
        note = f" best: epoch {best:.0f}"
        ax.text(best, 0.02, note, color=GREY, transform=ax.get_xaxis_transform(), fontsize=SMALL, gid="best")
    ax.set_xlabel("Epoch", fontsize=9)
    ax.set_ylabel("Log-likelihood per person", fontsize=9)
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax
