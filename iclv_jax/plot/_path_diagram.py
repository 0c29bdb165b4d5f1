"""The model as a picture, with its estimates."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._arguments import check_switch
from iclv_jax._base._types import Given, Level
from iclv_jax._report._table import of_group
from iclv_jax._spec import _names as names
from iclv_jax.plot._beside_items import Beside, beside_items
from iclv_jax.plot._layout import LETTER, Layout, Node, alternatives, covariate_terms, layout
from iclv_jax.plot._style import BLUE, GREY, INK, ORANGE, PALE, canvas, check_fit

FONT = 7.5
HEIGHT = 0.13
"""Of a line of text, in inches."""
FRACTIONS = (0.46, 0.4, 0.52, 0.34, 0.58, 0.28, 0.64, 0.7, 0.22, 0.16)
"""Where along an arrow its estimate may stand, in order of preference: near the middle, rather towards its beginning,
because arrows meet at their ends."""
AIR = 0.03
"""Inches between labels."""
STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))
FOOT = "* p < 0.10   ** p < 0.05   *** p < 0.01"


def path_diagram(
    fit: Given[Any],
    ax: Given[Any] = None,
    items: Given[bool] = True,
    cov: Given[str | None] = None,
    group: Given[Level | None] = None,
) -> Any:
    """Latent variables (ellipses), covariates and items (boxes) and the choice, with arrows and estimates.

    From left to right: covariates; latent variables in causal order, each in a horizontal band with its items at the right
    end; and the choice, whose box lists all coefficients of the utilities. Arrows lead from a latent variable to the
    coefficients that multiply it. Estimates are those of `fit.params`, with one to three stars for p below 0.10, 0.05
    and 0.01; values without stars are not significant or fixed. Dashed lines are covariances of disturbances, dashed arcs to
    the right of items those of their residuals; direct effects of covariates on an item lead to it from its right, with the
    covariates' names. Thresholds, variances and intercepts are left out, and so are items of no latent variable.

    Parameters
    ----------
    fit
        A fit of a model with latent variables.
    ax
        Axes to draw on; the diagram is scaled to fit. Without them the figure is as large as it needs to be.
    items
        Whether to draw items and loadings.
    cov
        Kind of covariance behind the stars, as of `fit.cov_params`.
    group
        Of a model with groups, the one to draw.

    Raises
    ------
    ValueError
        For a model without latent variables, and for a group that it does not have.

    Examples
    --------
    >>> axes = iclv.plot.path_diagram(fit)
    """
    spec, levels = (
        check_fit(fit, "path_diagram", "problem", "all_params").problem.spec,
        fit.problem.panel.levels,
    )
    if not spec.order:
        raise ValueError(
            "plot.path_diagram: the model has no latent variables. plot.coefficients shows the rest."
        )
    check_switch(items, "items")
    table = of_group(fit.problem, fit.table(cov), group, "plot.path_diagram")
    plan = layout(fit.problem, table, items)
    beside = beside_items(spec, levels, table, plan, lambda name: shown(table, name))
    plan = replace(plan, size=(max(plan.size[0], beside.end), plan.size[1]))
    ax = canvas(ax, plan.size[0] + 0.3, plan.size[1] + 0.8)
    drawing = Drawing(ax, table, plan)
    drawing.nodes()
    drawing.loadings(spec, levels)
    drawing.beside(beside)
    if spec.choices:
        drawing.choice(alternatives(spec))
    drawing.paths(spec, levels)
    return ax


class Drawing:
    """Marks on axes whose unit is an inch of the layout; `taken` are the boxes (left, bottom, right, top) of nodes and
    labels that no other label may touch."""

    def __init__(self, ax: Any, table: pd.DataFrame, plan: Layout) -> None:
        self.ax, self.table, self.plan = ax, table, plan
        nodes = [*plan.latents.values(), *plan.covariates.values(), *plan.items.values()]
        nodes += [plan.choice] if plan.choice else []
        self.taken = [_box(n.x, n.y, n.width, n.height) for n in nodes]
        low, high = min(b[1] for b in self.taken) - 0.35, max(b[3] for b in self.taken) + 0.1
        ax.set_xlim(-0.12, plan.size[0] + 0.12)
        ax.set_ylim(low, high)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.figure.draw_without_rendering()
        place = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        self.font = FONT * min(1.0, place.width / (plan.size[0] + 0.24))
        self.write(0.0, low + 0.08, FOOT, GREY, "left", "foot")

    def write(self, x: float, y: float, text: str, colour: str, side: str, gid: str, **more: Any) -> None:
        self.ax.text(
            x, y, text, color=colour, ha=side, va="center", fontsize=self.font, parse_math=False, gid=gid, zorder=5,
            **more,
        )  # fmt: skip

    def nodes(self) -> None:
        from matplotlib.patches import Ellipse

        for name, n in self.plan.latents.items():
            shape = Ellipse(
                (n.x, n.y), n.width, n.height, facecolor="white", edgecolor=BLUE, linewidth=1.2, zorder=3
            )
            self.ax.add_patch(shape)
            self.write(n.x, n.y, name, INK, "center", "latent")
        for gid, found in (("covariate", self.plan.covariates), ("item", self.plan.items)):
            for name, n in found.items():
                self.rectangle(n, "white", GREY)
                self.write(n.x, n.y, name, INK, "center", gid)

    def rectangle(self, n: Node, face: str, edge: str) -> None:
        from matplotlib.patches import Rectangle

        corner = (n.x - n.width / 2.0, n.y - n.height / 2.0)
        self.ax.add_patch(
            Rectangle(corner, n.width, n.height, facecolor=face, edgecolor=edge, linewidth=0.8, zorder=3)
        )

    def arrow(
        self, start: Any, end: Any, colour: str, width: float = 0.9, style: str = "-|>", **more: Any
    ) -> None:
        from matplotlib.patches import FancyArrowPatch

        scale = 7.0 * self.font / FONT
        self.ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle=style,
                mutation_scale=scale,
                color=colour,
                linewidth=width,
                shrinkA=0,
                shrinkB=0,
                zorder=1,
                **more,
            )
        )

    def loadings(self, spec: Any, levels: Any) -> None:
        """Fans to the items, with loadings in a column before them."""
        crossed = any(len(i.of) > 1 for i in spec.indicators)
        for item in (i for i in spec.indicators if i.column in self.plan.items):
            to = self.plan.items[item.column]
            indices = item.indices(levels[item.column])
            texts = [" / ".join(self.estimate(names.loading(n, index)) for index in indices) for n in item.of]
            if crossed and len(item.of) > 1:
                texts = [f"{t} ({n})" for t, n in zip(texts, item.of, strict=True)]
            text = ", ".join(texts)
            left = self.plan.loadings - LETTER * len(text)
            for n in item.of:
                self.arrow(_right(self.plan.latents[n]), (left, to.y), "#BBBBBB", 0.6, "-")
            self.write(self.plan.loadings, to.y, text, INK, "right", "loading")
            self.taken.append((left, to.y - HEIGHT / 2.0, self.plan.loadings, to.y + HEIGHT / 2.0))

    def choice(self, title: str) -> None:
        """The box of the choice with its coefficients, and arrows to those of latent variables."""
        box, plan = self.plan.choice, self.plan
        assert box is not None
        self.rectangle(box, PALE, INK)
        left, right = box.x - box.width / 2.0 + 0.06, box.x + box.width / 2.0 - 0.06
        self.write(
            left, box.y + box.height / 2.0 - 0.05 - 0.085, title, INK, "left", "choice", fontweight="bold"
        )
        for name, n in plan.coefficients.items():
            self.write(left, n.y, name, INK, "left", "coefficient")
            self.write(right, n.y, self.estimate(name), INK, "right", "estimate")
            for latent in plan.users.get(name, ()):
                self.arrow(_right(plan.latents[latent]), (left - 0.06, n.y), ORANGE)

    def paths(self, spec: Any, levels: Any) -> None:
        plan = self.plan
        for latent in spec.latents:
            to = plan.latents[latent.name]
            for n in [n for n in latent.predictors if n in spec.order]:
                self.path(_right(plan.latents[n]), to, names.slope(latent.name, n), BLUE)
            for term in covariate_terms(latent, spec, levels):
                self.path(_right(plan.covariates[term]), to, names.slope(latent.name, term), GREY)
        for a, b in spec.covariances:
            if a in plan.latents and b in plan.latents:
                self.covariance(plan.latents[a], plan.latents[b], names.covariance(a, b))

    def path(self, start: tuple[float, float], to: Node, name: str, colour: str) -> None:
        end = (to.x - to.width / 2.0, to.y)
        self.arrow(start, end, colour)
        if name not in self.table.index:
            return  # an equation that is a function has no coefficient for each of its predictors
        line = [(start[0] + f * (end[0] - start[0]), start[1] + f * (end[1] - start[1])) for f in FRACTIONS]
        self.label(line, self.estimate(name), "path")

    def covariance(self, a: Node, b: Node, name: str) -> None:
        """A dashed line between both."""
        upper, lower = sorted((a, b), key=lambda n: -n.y)
        start, end = (upper.x, upper.y - upper.height / 2.0), (lower.x, lower.y + lower.height / 2.0)
        self.arrow(start, end, INK, 0.8, "<|-|>", linestyle=(0, (4, 2)))
        line = [(start[0] + f * (end[0] - start[0]), start[1] + f * (end[1] - start[1])) for f in FRACTIONS]
        self.label(line, self.estimate(name), "covariance")

    def label(self, places: list[tuple[float, float]], text: str, gid: str) -> None:
        """An estimate at the first place where it touches nothing; above or below them all where there is none."""
        width = LETTER * len(text)
        moved = [(x, y + k * HEIGHT) for k in (0, 1, -1, 2, -2, 3, -3) for x, y in places]
        free = (
            p for p in moved if not any(_touch(_box(*p, width + AIR, HEIGHT + AIR), b) for b in self.taken)
        )
        x, y = next(free, places[0])
        self.taken.append(_box(x, y, width, HEIGHT))
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        self.write(x, y, text, INK, "center", gid, bbox=white)

    def beside(self, found: Beside) -> None:
        """Arcs between items whose residuals covary, and arrows from covariates that act on items."""
        for y, text in found.effects:
            self.arrow((found.column - 0.04, y), (found.start, y), GREY)
            self.write(found.column, y, text, INK, "left", "effect")
            self.taken.append(_box((found.start + found.column) / 2.0, y, found.column - found.start, AIR))
        for low, high, reach, name in found.arcs:
            # The control point of a quadratic curve lies twice as far away as the curve.
            curve = f"arc3,rad={-2.0 * reach / (high - low):.4f}"
            ends, text = ((found.start, high), (found.start, low)), self.estimate(name)
            self.arrow(*ends, INK, 0.8, "<|-|>", linestyle=(0, (4, 2)), connectionstyle=curve)
            beside = found.start + reach + LETTER * len(text) / 2.0 + AIR
            places = [(beside, low + f * (high - low)) for f in (0.5, 0.4, 0.6, 0.3, 0.7)]
            self.label(places, text, "residual")

    def estimate(self, name: str) -> str:
        return shown(self.table, name)


def shown(table: pd.DataFrame, name: str) -> str:
    """The estimate of a parameter with its stars."""
    value, p = (float(table[c][name]) for c in ("estimate", "p"))
    stars = next((s for edge, s in STARS if p < edge), "") if np.isfinite(p) else ""
    # As many decimals as leave a number behind the stars.
    small = np.isfinite(value) and 0.0 < abs(value) < 0.0995
    decimals = min(4, 1 - int(np.floor(np.log10(abs(value))))) if small else 2
    text = f"{value:.{decimals}f}" if not small or abs(value) >= 1e-4 else f"{value:.1e}"
    return f"{text}{stars}".replace("-", "\N{MINUS SIGN}")


def _right(n: Node) -> tuple[float, float]:
    return n.x + n.width / 2.0, n.y


def _box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0


def _touch(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
