"""Steps of a trust region, with supplied or with updated second derivatives."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from iclv_jax._base._either import library
from iclv_jax._base._types import AnyArray
from iclv_jax._optimise._method import SHORTEST, Judgement, Trial, rounding
from iclv_jax._optimise._objective import Supplied
from iclv_jax._optimise._subproblem import (
    Curvature,
    Model,
    Spectrum,
    curvature,
    predicted_decrease,
    spectrum,
    trial_step,
)

Curved = Literal["exact", "bhhh", "sr1", "bfgs"]


class Region(NamedTuple):
    """The radius, the matrix of a secant method, and the spectrum of supplied second derivatives (empty otherwise)."""

    radius: AnyArray
    matrix: AnyArray
    spectrum: Spectrum


@dataclass(frozen=True)
class TrustRegionSteps:
    """`hessian` says where second derivatives come from; `radius` is the first one."""

    hessian: Curved
    radius: float

    @property
    def supplied(self) -> Supplied:
        return self.hessian if self.hessian in ("exact", "bhhh") else "none"

    @property
    def pure(self) -> "TrustRegionSteps":
        """Steps with supplied second derivatives do not depend on where these come from."""
        return TrustRegionSteps("exact" if self.supplied != "none" else self.hessian, 1.0)

    @property
    def eager(self) -> bool:
        return True

    @property
    def slopes(self) -> bool:
        return self.supplied == "none"

    def begin(self, size: int) -> Region:
        # Scaled parameters have unit mean squared scores, so the unit matrix is the outer products' diagonal.
        secant, supplied = (size, 0) if self.slopes else (0, size)
        spectrum = Spectrum(np.zeros(supplied), np.zeros((supplied, supplied)))
        return Region(np.full((), self.radius), np.eye(secant), spectrum)

    def plan(self, memory: Region, model: Model) -> tuple[Region, Curvature]:
        model = self._curved(memory, model)
        known = spectrum(model)
        # A secant matrix may change at points that are refused, after which nothing is planned.
        memory = memory if self.slopes else memory._replace(spectrum=known)
        return memory, curvature(model, known)

    def propose(self, memory: Region, model: Model) -> AnyArray:
        known = None if self.slopes else memory.spectrum
        return trial_step(self._curved(memory, model), memory.radius, known)

    def judge(self, memory: Region, model: Model, trial: Trial) -> Judgement:
        lib, predicted = library(trial.step), predicted_decrease(self._curved(memory, model), trial.step)
        noise, actual = rounding(trial.value), trial.value - trial.trial
        # Below rounding the ratio means nothing; a step of the size of the noise is as good as predicted.
        tiny = lib.maximum(lib.abs(actual), predicted) < noise
        finite = lib.isfinite(trial.trial) & lib.all(lib.isfinite(trial.gradient))
        ratio = lib.where(finite, lib.where(tiny, 1.0, actual / lib.maximum(predicted, noise)), -1.0)
        length = lib.linalg.norm(trial.step)
        shorter = 0.25 * lib.minimum(memory.radius, length)
        longer = lib.where(
            (ratio > 0.75) & (length > 0.9 * memory.radius), 2.0 * memory.radius, memory.radius
        )
        radius = lib.where(ratio < 0.25, shorter, longer)
        matrix = memory.matrix
        if self.slopes:
            updated = self._updated(matrix, trial.step, trial.gradient - model.gradient)
            matrix = lib.where(finite, updated, matrix)
        return Judgement(ratio > 1e-4, ratio, Region(radius, matrix, memory.spectrum))

    def rescaled(self, memory: Region, ratio: AnyArray) -> Region:
        if not self.slopes:
            return memory
        return memory._replace(matrix=memory.matrix / library(ratio).outer(ratio, ratio))

    def spent(self, memory: Region) -> AnyArray:
        return memory.radius < SHORTEST

    def restarts(self, memory: Region) -> AnyArray:
        return np.zeros((), bool)

    def progress(self, memory: Region) -> dict[str, AnyArray]:
        return {"radius": memory.radius}

    def _curved(self, memory: Region, model: Model) -> Model:
        return model._replace(hessian=memory.matrix) if self.slopes else model

    def _updated(self, matrix: AnyArray, step: AnyArray, change: AnyArray) -> AnyArray:
        """The secant update that carries `step` to `change` (symmetric rank one, or damped BFGS; Nocedal
        and Wright 2006, sections 6.2 and 18.3)."""
        lib, product = library(step), matrix @ step
        if self.hessian == "sr1":
            rest = change - product
            along = rest @ step
            usable = lib.abs(along) > 1e-8 * lib.linalg.norm(rest) * lib.linalg.norm(step)
            return lib.where(usable, matrix + lib.outer(rest, rest) / lib.where(usable, along, 1.0), matrix)
        curved, bent = step @ product, step @ change
        share = lib.where(
            bent >= 0.2 * curved, 1.0, 0.8 * curved / lib.where(curved > bent, curved - bent, 1.0)
        )
        damped = share * change + (1.0 - share) * product
        usable = curved > 0.0
        update = lib.outer(damped, damped) / lib.where(usable, step @ damped, 1.0) - lib.outer(
            product, product
        ) / lib.where(usable, curved, 1.0)
        return lib.where(usable, matrix + update, matrix)
