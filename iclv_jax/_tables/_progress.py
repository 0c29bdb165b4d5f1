"""The progress bar of a fit."""

import warnings
from collections.abc import Mapping

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # In a notebook without ipywidgets the import itself warns, and then gives the plain bar.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm


class Progress:
    """A bar that shows stage, iteration, log-likelihood and Newton decrement (or epoch and log-likelihoods per person);
    silent when switched off."""

    def __init__(self, show: bool) -> None:
        self._bar = tqdm(
            disable=not show, unit=" steps", bar_format="{desc} [{elapsed}]", leave=False, dynamic_ncols=True
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __call__(self, stage: str, row: Mapping[str, object]) -> None:
        self.say(f"{stage}: {_words(row)}")

    def say(self, text: str) -> None:
        """One step more, with these words."""
        self._bar.set_description_str(text)
        self._bar.update()


def _words(row: Mapping[str, object]) -> str:
    if "epoch" not in row:
        return f"step {row['iteration']}, log L {row['loglike']:.3f}, decrement {row['decrement']:.1e}"
    held_out = f", held out {row['validation']:.4f}" if "validation" in row else ""
    return f"epoch {row['epoch']}, log L per person {row['train']:.4f}{held_out}"
