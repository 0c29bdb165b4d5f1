"""Pictures of fits, drawn with matplotlib (`pip install "iclv-jax[plot]"`), which is imported when the first one is drawn.

Every function takes a fit and, as `ax`, the matplotlib Axes to draw on; without one it makes a figure of a fitting
size. It returns the Axes, so that titles, limits and files are the user's: `plot.trace(fit).figure.savefig("trace.png")`.
"""

from iclv_jax.plot._coefficients import coefficients
from iclv_jax.plot._for_pages import register as _register
from iclv_jax.plot._gradients import gradients
from iclv_jax.plot._item_response import item_information, item_response
from iclv_jax.plot._latent_scores import latent_scores
from iclv_jax.plot._learning_curves import learning_curves
from iclv_jax.plot._learning_rates import learning_rates
from iclv_jax.plot._path_diagram import path_diagram
from iclv_jax.plot._residuals import residual_quantiles, residuals_against
from iclv_jax.plot._search import search
from iclv_jax.plot._shares import shares
from iclv_jax.plot._sizes import effective_sizes
from iclv_jax.plot._standard_errors import standard_errors
from iclv_jax.plot._trace import trace
from iclv_jax.plot._willingness_to_pay import willingness_to_pay

_register()

__all__ = [
    "coefficients",
    "effective_sizes",
    "gradients",
    "item_information",
    "item_response",
    "latent_scores",
    "learning_curves",
    "learning_rates",
    "path_diagram",
    "residual_quantiles",
    "residuals_against",
    "search",
    "shares",
    "standard_errors",
    "trace",
    "willingness_to_pay",
]
