"""`--device` of all benchmarks: where they compute.

JAX takes a GPU where it finds one; `--device cpu` and `--device gpu` say which it is to be, also for the processes that a
benchmark starts.
"""

import argparse
import os
import sys

PLATFORMS = {"cpu": "cpu", "gpu": "cuda"}


class OnDevice(argparse.Action):
    """Sets the device before anything is computed."""

    def __call__(self, parser, namespace, value, option=None):
        os.environ["JAX_PLATFORMS"] = PLATFORMS[value]
        # Some benchmarks measure what the import takes, so that it is not done here.
        if "jax" in sys.modules:
            sys.modules["jax"].config.update("jax_platforms", PLATFORMS[value])
        setattr(namespace, self.dest, value)


def parser(about):
    """Options of a benchmark, of which `--device` is one."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--device", choices=list(PLATFORMS), action=OnDevice, help="cpu or gpu; else as JAX does"
    )
    return made
