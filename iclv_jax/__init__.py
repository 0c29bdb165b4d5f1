"""Integrated choice and latent variable models by joint maximum likelihood, on JAX.

Importing this package switches JAX to 64-bit mode (`jax_enable_x64`): log-likelihoods of surveys
need it. It also turns on JAX's compilation cache in the user's cache folder, so that a second process need not compile
again: the environment variable `ICLV_JAX_CACHE` moves it (a folder) or switches it off (`off`), and settings of JAX's own
that were made before the import stay.
"""

import jax

from iclv_jax._base._cache import use_cache

jax.config.update("jax_enable_x64", True)
use_cache()

from iclv_jax import datasets, families, plot  # noqa: E402
from iclv_jax._base._looked_for import looked_for as __getattr__  # noqa: E402, F401
from iclv_jax._base._version import __version__  # noqa: E402
from iclv_jax._diagnose import diagnose  # noqa: E402
from iclv_jax._families import (  # noqa: E402
    MDCEV,
    BestWorst,
    Binary,
    Censored,
    Continuous,
    Count,
    CrossNestedLogit,
    Duration,
    LatentClasses,
    Logit,
    LogLikelihood,
    NestedLogit,
    Nominal,
    Observed,
    Ordered,
    OrderedChoice,
    PartialCredit,
    Probit,
    Ranking,
)
from iclv_jax._fit import Fit, SequentialFit, read_start  # noqa: E402
from iclv_jax._fit._invariance import invariance  # noqa: E402
from iclv_jax._inference._against import ben_akiva_swait, vuong  # noqa: E402
from iclv_jax._inference._multistart import multistart  # noqa: E402
from iclv_jax._integration import (  # noqa: E402
    Adaptive,
    Conditioned,
    GaussHermite,
    Laplace,
    MonteCarlo,
    Trapezoid,
)
from iclv_jax._model import Model  # noqa: E402
from iclv_jax._optimise import BHHH, LBFGSB, Scipy, Stochastic, TrustRegion  # noqa: E402
from iclv_jax._panel._long import from_long  # noqa: E402
from iclv_jax._parameters._penalties import L1, L2, Gaussian  # noqa: E402
from iclv_jax._problem import Problem  # noqa: E402
from iclv_jax._report._compare import compare  # noqa: E402
from iclv_jax._search import search  # noqa: E402
from iclv_jax._spec import (  # noqa: E402
    JohnsonSB,
    Latent,
    LogNormal,
    Mixing,
    Normal,
    Standardized,
    Thresholds,
    Triangular,
    TruncatedNormal,
    Uniform,
)
from iclv_jax._spec._initialise import initialise  # noqa: E402
from iclv_jax._spec._terms import boxcox, piecewise, regret  # noqa: E402
from iclv_jax._spec._text import TextError  # noqa: E402
from iclv_jax._stream import People, StreamedFit, StreamedProblem, load  # noqa: E402
from iclv_jax._tables import to_latex  # noqa: E402
from iclv_jax._training import learning_rate_test, sanity_checks  # noqa: E402

__all__ = [
    "BHHH",
    "L1",
    "L2",
    "LBFGSB",
    "MDCEV",
    "Adaptive",
    "BestWorst",
    "Binary",
    "Censored",
    "Conditioned",
    "Continuous",
    "Count",
    "CrossNestedLogit",
    "Duration",
    "Fit",
    "GaussHermite",
    "Gaussian",
    "JohnsonSB",
    "Laplace",
    "Latent",
    "LatentClasses",
    "LogLikelihood",
    "LogNormal",
    "Logit",
    "Mixing",
    "Model",
    "MonteCarlo",
    "NestedLogit",
    "Nominal",
    "Normal",
    "Observed",
    "Ordered",
    "OrderedChoice",
    "PartialCredit",
    "People",
    "Probit",
    "Problem",
    "Ranking",
    "Scipy",
    "SequentialFit",
    "Standardized",
    "Stochastic",
    "StreamedFit",
    "StreamedProblem",
    "TextError",
    "Thresholds",
    "Trapezoid",
    "Triangular",
    "TruncatedNormal",
    "TrustRegion",
    "Uniform",
    "__version__",
    "ben_akiva_swait",
    "boxcox",
    "compare",
    "datasets",
    "diagnose",
    "families",
    "from_long",
    "initialise",
    "invariance",
    "learning_rate_test",
    "load",
    "multistart",
    "piecewise",
    "plot",
    "read_start",
    "regret",
    "sanity_checks",
    "search",
    "to_latex",
    "vuong",
]
