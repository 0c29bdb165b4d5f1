"""The pictures that stand in `fit.report(...)`."""

from typing import Any

from iclv_jax._report._pictures import PICTURES, Picture
from iclv_jax.plot._coefficients import coefficients
from iclv_jax.plot._latent_scores import latent_scores
from iclv_jax.plot._learning_curves import learning_curves
from iclv_jax.plot._path_diagram import path_diagram
from iclv_jax.plot._sizes import effective_sizes
from iclv_jax.plot._standard_errors import standard_errors
from iclv_jax.plot._trace import trace


def _of_block(block: str) -> Any:
    return lambda fit: coefficients(fit, block=block)


def register() -> None:
    """Put the pictures into their sections, once."""
    estimate = "Estimates with 95 % intervals, in the units of the table; hollow ones are fixed or have no standard error."
    PICTURES["model"] = [
        Picture(
            "Path diagram",
            "Covariates, latent variables in causal order with their items, and the choice, with estimates.",
            path_diagram,
        )
    ]
    PICTURES["estimates"] = [
        Picture("Choice model", estimate, _of_block("choice")),
        Picture("Structural equations", estimate, _of_block("structural")),
        Picture("Measurement equations, without thresholds", estimate, _of_block("measurement")),
        Picture(
            "Standard errors by kind",
            "Over those from the Hessian. Robust ones far from 1 speak for dependence or a wrong model.",
            standard_errors,
        ),
    ]
    PICTURES["people"] = [
        Picture(
            "Posterior means of people",
            "Boxes from the lower to the upper quartile, whiskers over the middle 90 per cent, the bar at the median.",
            latent_scores,
        )
    ]
    PICTURES["integral"] = [
        Picture(
            "Effective sample sizes",
            "Of every person's integral; below ten it rests on a handful of draws.",
            effective_sizes,
        )
    ]
    PICTURES["optimiser"] = [
        Picture(
            "Steps",
            "Distance to the log-likelihood of each stage's end, and the Newton decrement, by step.",
            trace,
        ),
        Picture(
            "Epochs", "Log-likelihood per person of those trained on and those held out.", learning_curves
        ),
    ]
