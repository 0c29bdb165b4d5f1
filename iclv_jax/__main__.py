"""The demonstration, `python -m iclv_jax`: simulate a survey, fit it, compare estimates and truth."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import jax
import pandas as pd

from iclv_jax._base._distributions import quantile
from iclv_jax._fit import Fit
from iclv_jax._integration import Adaptive
from iclv_jax._report._summary import HEADINGS
from iclv_jax._tables import Report, Section, fixed, number
from iclv_jax.datasets import Survey, sugar_substitutes

ITEMS = {"small": (3, 3, 3, 3, 3), "full": (6, 6, 3, 3, 20)}
"""Numbers of items for each latent variable: a quick look, and the reference workload."""
RULES = {"small": Adaptive(64, final_draws=64), "full": Adaptive(20)}
"""How to integrate: with one number of draws throughout, so that everything is compiled once; and with few
draws for the search and 128 for the result."""
WITHIN = quantile(0.975)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; the exit code is 0 where the fit converged, 1 where it did not."""
    options = _parser().parse_args(arguments)
    items = ITEMS[options.items]
    clock = [time.perf_counter()]
    survey = sugar_substitutes(options.seed, options.people, items=items)
    clock.append(time.perf_counter())
    print(_heading(survey, options.items, items), flush=True)
    rule, progress = RULES[options.items], sys.stderr.isatty()
    fit = survey.model.fit(survey.data, person="person", integration=rule, progress=progress)
    clock.append(time.perf_counter())
    print(fit.summary())
    clock.append(time.perf_counter())
    print(f"\n{against_truth(fit, survey.truth)}")
    print(f"\n{_ending(fit, clock)}")
    return 0 if fit.converged else 1


def against_truth(fit: Fit, truth: Mapping[str, float]) -> Report:
    """Estimates beside the values that the data were drawn from, with t of their difference."""
    frame = pd.DataFrame({"truth": pd.Series(truth), "estimate": fit.params, "se": fit.bse})
    frame["t"] = (frame["estimate"] - frame["truth"]) / frame["se"]
    blocks = {row.name: row.parameter.block for row in fit.problem.table.rows}
    sections = []
    for block, heading in HEADINGS.items():
        rows = [
            (name, number(true), number(estimate), number(error), fixed(t, 2))
            for name, true, estimate, error, t in frame.loc[list(fit.names)].itertuples(name=None)
            if blocks[name] == block
        ]
        sections.append(Section(heading, tuple(rows)))
    inside = int((frame["t"].abs() <= WITHIN).sum())
    share = f"{inside} of {len(frame)} ({inside / len(frame):.1%})"
    return Report(
        "Estimates and truth",
        (("Truths inside the 95 % interval", share),),
        ("", "truth", "estimate", "std. error", "t (truth)"),
        tuple(sections),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m iclv_jax",
        description="Simulate a survey with five attitudes, fit the joint model, compare with the truth.",
    )
    parser.add_argument("--people", type=int, default=328, metavar="N", help="number of people (328)")
    sizes = "15 items, or the 38 of the reference workload (small)"
    parser.add_argument("--items", choices=ITEMS, default="small", help=sizes)
    parser.add_argument("--seed", type=int, default=0, help="seed of the survey (0)")
    return parser


def _heading(survey: Survey, size: str, items: Sequence[int]) -> str:
    people, parameters = survey.data["person"].nunique(), len(survey.truth)
    choices = len(survey.data) // people
    lines = [
        f"A simulated survey on sugar substitutes: {people} people with {choices} choices each,",
        f"{sum(items)} five-point items {tuple(items)} on five latent variables, {parameters} parameters.",
    ]
    if size != "full":
        lines.append(f"`--items full` runs the reference workload with its {sum(ITEMS['full'])} items.")
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    lines.append(f"Fitting on {devices} with JAX {jax.__version__} ...")
    return "\n".join(lines) + "\n"


def _ending(fit: Fit, clock: Sequence[float]) -> str:
    simulated, fitted, summarised = (b - a for a, b in pairwise(clock))
    report = fit.optimizer_report
    verdict = "The fit converged." if fit.converged else f"THE FIT DID NOT CONVERGE ({report.verdict.value})."
    return "\n".join(
        [
            f"{verdict} {report.message}",
            f"Seconds, compilation included: simulation {simulated:.1f}, fit {fitted:.1f}, "
            f"standard errors and summary {summarised:.1f}, together {clock[-1] - clock[0]:.1f}.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
