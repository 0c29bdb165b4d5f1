"""Draws of parameters for arviz, whichever of its versions is there."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def inference_data(draws: Mapping[str, np.ndarray]) -> Any:
    """Draws by name, of shape (chain, draw), as the group `posterior` of what arviz works with: an `InferenceData` before
    its version 1, an `xarray.DataTree` since.

    Raises ImportError where arviz is not installed.
    """
    try:
        import arviz  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "to_arviz needs the package arviz, which is not installed: pip install arviz."
        ) from error
    if hasattr(arviz, "InferenceData"):
        return arviz.from_dict(posterior=dict(draws))
    return arviz.from_dict({"posterior": dict(draws)})
