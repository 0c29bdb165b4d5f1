"""What a range of learning rates does."""

from iclv_jax._base._types import Given
from iclv_jax._training import LearningRates
from iclv_jax.plot._style import BLUE, GREY, PALE, SMALL, Axes, canvas


def learning_rates(found: Given[LearningRates], ax: Given[Axes | None] = None) -> Axes:
    """Log-likelihood per person against the learning rate, as it was and smoothed, with the rate suggested.

    Parameters
    ----------
    found
        What `iclv.learning_rate_test` returns.
    ax
        Axes to draw on.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> axes = iclv.plot.learning_rates(iclv.learning_rate_test(logit, df, steps=20, batch_people=100))
    """
    if not isinstance(found, LearningRates):
        raise ValueError(
            f"plot.learning_rates takes what iclv.learning_rate_test returns, no fit and not {type(found).__name__}."
        )
    ax, table = canvas(ax, 6.0, 3.4), found.table
    ax.plot(table["learning_rate"], table["train"], ".", color=GREY, markersize=3)
    ax.plot(table["learning_rate"], table["smoothed"], color=BLUE, linewidth=1.4)
    ax.set_xscale("log")
    ax.axvspan(found.suggestion, found.best, color=PALE, zorder=0, linewidth=0)
    ax.axvline(found.suggestion, color=GREY, linewidth=0.8, linestyle=":")
    words = f" {found.suggestion:.2g}"
    ax.text(found.suggestion, 0.02, words, color=GREY, transform=ax.get_xaxis_transform(), fontsize=SMALL)
    low, high = table["smoothed"].min(), table["smoothed"].max()
    ax.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))
    ax.set_xlabel("Learning rate", fontsize=9)
    ax.set_ylabel("Log-likelihood per person", fontsize=9)
    return ax
