"""Gradients by block of parameters, before and after scaling, and the curvature of a step."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from iclv_jax._diagnose._point import Point, times

BLOCKS = ("structural", "measurement", "choice fixed effects", "choice latent effects")
LARGE = 1e3
"""Ratio between blocks above which unscaled optimisers crawl."""


@dataclass(frozen=True)
class Block:
    """One block; ratios are to the block with the smallest value, NaN where they mean nothing."""

    name: str
    parameters: int
    gradient: float
    ratio: float
    scaled_gradient: float
    scaled_ratio: float
    score: float
    score_ratio: float
    curvature: float
    scaled_curvature: float


def block_names(point: Point) -> tuple[str, ...]:
    """The block of every free parameter. Coefficients that multiply a latent variable, and what moves them,
    are latent effects."""
    latent = {name for names in point.latent_effects.values() for name in names}
    rows = point.table.rows
    latent |= {
        r.name for r in rows if r.parameter.role in ("spread", "mixing") and r.parameter.owner in latent
    }
    effects = np.array([row.name in latent for row in rows])
    moves = point.reach != 0.0
    found = []
    for name, touched in zip(point.names, moves.T, strict=True):
        block = point.table.row(name).parameter.block
        if block == "choice":
            block = BLOCKS[3] if (touched & effects).any() else BLOCKS[2]
        found.append(block)
    return tuple(found)


def gradient_blocks(point: Point, previous: np.ndarray | None) -> tuple[list[Block], list[str]]:
    """The table of blocks, and sentences on those that are out of balance."""
    names = np.array(block_names(point))
    present = [b for b in BLOCKS if (names == b).any()]
    size, units = np.abs(point.mean_gradient), point.units
    unscaled, scaled = _means(names, present, size), _means(names, present, size / units)
    typical = _means(names, present, point.typical_scores)
    nothing = np.full(len(present), np.nan)
    ratios = nothing if point.settled else _ratios(unscaled)
    scaled_ratios = nothing if point.settled else _ratios(scaled)
    score_ratios = _ratios(typical)
    curvature = _curvature(point, previous, names, present)
    blocks = [
        Block(
            b, int((names == b).sum()), unscaled[i], ratios[i], scaled[i], scaled_ratios[i], typical[i],
            score_ratios[i], *curvature[i],
        )
        for i, b in enumerate(present)
    ]  # fmt: skip
    # At a maximum the last step is short, and the curvature of a block that hardly moved is that of the others.
    return blocks, [*_out_of_balance(point, names, blocks), *([] if point.settled else _bent(blocks))]


def _means(names: np.ndarray, present: list[str], values: np.ndarray) -> list[float]:
    return [float(values[names == b].mean()) for b in present]


def _ratios(values: list[float]) -> np.ndarray:
    """To the smallest value that is not zero."""
    sizes = np.array(values)
    positive = sizes[sizes > 0.0]
    return sizes / positive.min() if len(positive) else np.full(len(sizes), np.nan)


def _curvature(
    point: Point, previous: np.ndarray | None, names: np.ndarray, present: list[str]
) -> list[tuple[float, float]]:
    """|y| / |s| of the step from `previous`, before and after scaling: change of the mean gradient over
    length. Scaled parameters have curvatures of about 1."""
    if previous is None or np.array_equal(previous, point.params):
        return [(np.nan, np.nan)] * len(present)
    other = np.asarray(point.problem.score(jnp.asarray(previous))) @ point.stretch / point.total
    change = point.mean_gradient - other
    step = np.linalg.solve(point.stretch, point.params - previous)
    found = []
    for block in present:
        own = names == block
        lengths = [np.linalg.norm(v[own]) for v in (change, step, change / point.units, step * point.units)]
        y, s, y_scaled, s_scaled = map(float, lengths)
        found.append((y / s, y_scaled / s_scaled) if s > 0.0 else (np.nan, np.nan))
    return found


def _out_of_balance(point: Point, names: np.ndarray, blocks: list[Block]) -> list[str]:
    sentences = []
    for what, ratio, values in (
        ("mean |gradient|", [b.ratio for b in blocks], np.abs(point.mean_gradient)),
        ("typical score", [b.score_ratio for b in blocks], point.typical_scores),
    ):
        ratios = np.nan_to_num(ratio)
        at = int(np.argmax(ratios))
        if ratios[at] <= LARGE:
            continue
        own = np.flatnonzero(names == blocks[at].name)
        driver = point.names[own[np.argmax(values[own])]]
        low = blocks[int(np.nanargmin(np.where(ratios > 0.0, ratios, np.nan)))].name
        sentences.append(
            f"The {what} of the {blocks[at].name} parameters is {times(ratios[at])} times that of the {low} "
            f"ones, mostly because of {driver!r}: without scaling an optimiser crawls. {_after(blocks)}"
        )
        break
    return sentences


def _after(blocks: list[Block]) -> str:
    after = max((b.scaled_ratio for b in blocks if np.isfinite(b.scaled_ratio)), default=1.0)
    if after > LARGE:
        return (
            f"Even on parameters scaled by their scores, the default, {times(after)} times remain, so this point is "
            "far off for one block only: start from start='sequential', or from an earlier fit."
        )
    return (
        "Scaling by root mean squared scores, the default, removes it; keep that, or bring the columns that this "
        "parameter multiplies to a common unit."
    )


def _bent(blocks: list[Block]) -> list[str]:
    known = [b for b in blocks if np.isfinite(b.scaled_curvature) and b.scaled_curvature > 0.0]
    if not known:
        return []
    steep = max(known, key=lambda b: b.scaled_curvature)
    flat = min(known, key=lambda b: b.scaled_curvature)
    ratio = steep.scaled_curvature / flat.scaled_curvature
    if ratio <= LARGE:
        return []
    return [
        f"In the last step the curvature |y| / |s| of the {steep.name} parameters was {times(ratio)} times that of the "
        f"{flat.name} ones, even after scaling: quasi-Newton updates are unreliable here. Use "
        "iclv.TrustRegion(hessian='exact'), or look for parameters of the flat block that are not identified."
    ]
