"""What all pictures share: colours, bare axes, and checks of what they are given."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iclv_jax._base._types import Given
from iclv_jax._inference._estimated import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = object  # matplotlib is optional.

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7", ORANGE, "#56B4E9", "#000000")
"""Of Okabe and Ito, which the colour-blind tell apart; their yellow is too light for lines."""
INK, GREY, PALE = "#222222", "#777777", "#F2F2F2"
SMALL = 8.0
ROW = 0.22
"""Inches that a row of small text takes."""


def canvas(ax: Given[Axes | None], width: float, height: float) -> Axes:
    """The axes given, or new ones in a figure of this size in inches, without the top and right spines."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Pictures are drawn with matplotlib, which is not installed: pip install "iclv-jax[plot]".'
        ) from error
    from matplotlib import axes

    if ax is None:
        ax = plt.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, axes.Axes):
        raise ValueError(f"ax= is a matplotlib Axes, such as plt.gca(), not {ax!r}.")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_linewidth(0.6)
    ax.tick_params(width=0.6, labelsize=SMALL)
    return ax


def rows(ax: Axes, labels: Sequence[object], positions: Sequence[float]) -> None:
    """Names down the left side, the first on top, without a spine or ticks."""
    ax.set_yticks(list(positions), [str(label) for label in labels], fontsize=SMALL, parse_math=False)
    ax.set_ylim(max(positions) + 0.7, min(positions) - 0.7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def word(value: object) -> str:
    """A level or a group as text, whole numbers without a point."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def key(ax: Axes, columns: int) -> None:
    """A legend without a frame above the axes."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, frameon=False, fontsize=SMALL,
        handletextpad=0.3, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip


def check_fit(fit: object, what: str, *attributes: str) -> Any:
    """The fit; ValueError for what is none, and for one that does not tell what the picture shows."""
    return needs(fit, f"plot.{what}", *attributes)
