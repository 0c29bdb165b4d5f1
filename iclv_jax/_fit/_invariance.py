"""Measurement invariance: the ladder of models with more and more parameters equal across groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from iclv_jax._base._alone import refuse_several
from iclv_jax._base._answers import Answer
from iclv_jax._base._arguments import check_share, check_switch, names_of
from iclv_jax._base._portable import packed, unpacked
from iclv_jax._base._types import Given
from iclv_jax._base._workers import Workers, check_workers, do_all
from iclv_jax._fit._fit import fit
from iclv_jax._fit._loading import HasSpec
from iclv_jax._fit._result import Fit
from iclv_jax._inference._against import lr_test
from iclv_jax._inference._equality import equality_tests
from iclv_jax._parameters._groups import declare_groups
from iclv_jax._problem import bind
from iclv_jax._spec._groups import check_groups, kind_of
from iclv_jax._spec._model import Spec
from iclv_jax._spec._names import nearest
from iclv_jax._tables import Report, Section, Tabular
from iclv_jax._tables._format import fixed, loglike, probability

STEPS = ("configural", "loadings", "thresholds", "intercepts", "residuals")
"""Steps of the ladder; of thresholds and intercepts those that the items have, in one step where they have both."""
ALPHA = 0.05
SHOWN = 5
"""Score tests that are printed."""
INDICES = ("chi2", "df", "p", "cfi", "tli", "rmsea", "srmr")
LIMITED = ("df", "p", "cfi2", "tli2", "rmsea2", "srmsr")
"""Of items with levels, beside their statistic."""
STATISTICS = ("m2", "c2", "m2*")


@dataclass(frozen=True, eq=False)
class Invariance(Tabular):
    """The ladder of invariance.

    Attributes
    ----------
    fits
        The fits by step: `configural`, `loadings`, `intercepts` or `thresholds`, `residuals`.
    measures
        By step: `parameters`, `loglike`, `aic`, `bic` and, for continuous items without a choice, `chi2`, `df`, `p`, `cfi`,
        `tli`, `rmsea`, `srmr` with their changes from the step before (`cfi.change`, `rmsea.change`; a loss of CFI
        above 0.01 speaks against equality: Cheung and Rensvold 2002). For items with levels `m2` or `c2`, `df`, `p`, `cfi2`,
        `tli2`, `rmsea2`, `srmsr`, from single answers and pairs of them, as `fit.fit_measures` has them; the rule of 0.01 is
        one for continuous items.
    tests
        By step but the first: likelihood ratio test against the step before, `statistic`, `df`, `p`.
    alpha
        The size of the tests.
    """

    fits: Mapping[str, Fit]
    measures: pd.DataFrame
    tests: pd.DataFrame
    alpha: float
    unmeasured: str = ""
    """Why measures of fit are missing."""

    @property
    def level(self) -> str:
        """The last step up to which no test rejects."""
        held = list(self.fits)[:1]
        for step, p in self.tests["p"].items():
            if not p >= self.alpha:
                break
            held.append(str(step))
        return held[-1]

    @property
    def rejected(self) -> str | None:
        """The first step that is rejected; None where all stand."""
        steps = list(self.fits)
        after = steps.index(self.level) + 1
        return steps[after] if after < len(steps) else None

    def score_tests(self, step: Given[str | None] = None) -> pd.DataFrame:
        """Score tests of what to free first in a step, by default the one that is rejected, or the last: its parameters that
        are equal across groups, as `fit.tests.equality_tests` has them. What is freed goes into `free_across`."""
        step = step or self.rejected or list(self.fits)[-1]
        if step not in self.fits:
            raise ValueError(f"step= is {step!r}, which the ladder does not have. {nearest(step, self.fits)}")
        fit = self.fits[step]
        before = list(self.fits)[max(list(self.fits).index(step) - 1, 0)]
        found = equality_tests(fit)
        new = set(_equal(fit)) - set(_equal(self.fits[before])) if before != step else set(_equal(fit))
        return found[found["kind"].isin(list(new))]

    def group_means(self, step: Given[str | None] = None) -> pd.DataFrame:
        """Means of the latent variables by group with standard errors, and `d`, the mean in standard deviations of the
        disturbance in the first group, an effect size; of a step in which they are free, by default the last that stands."""
        steps = [s for s, f in self.fits.items() if len(_means(f))]
        if not steps:
            raise ValueError(
                "group_means: no step of the ladder frees the means of latent variables: loadings and intercepts (or "
                "thresholds) are equal in none."
            )
        if step is None:
            standing = list(self.fits)[: list(self.fits).index(self.level) + 1]
            step = next((s for s in reversed(standing) if s in steps), steps[0])
        if step not in steps:
            raise ValueError(f"step= is {step!r}, in which means are not free. {nearest(step, steps)}")
        return _means(self.fits[step])

    def as_report(self) -> Report:
        statistic = self.statistic
        columns = (
            "",
            "parameters",
            "log-likelihood",
            *((statistic.upper().replace("CHI", "chi"), "df") if statistic else ()),
        )
        of_covariances, of_levels = ("CFI", "RMSEA"), ("CFI2", "RMSEA2", "SRMSR")
        columns += of_covariances if statistic == "chi2" else of_levels if statistic else ()
        columns += ("LR", "df of LR", "p", "BIC")
        rows = tuple(self._row(str(step), statistic) for step in self.measures.index)
        return Report("Measurement invariance", self._facts(), columns, (Section("", rows),), self._notes())

    @property
    def statistic(self) -> str | None:
        """The statistic of the fit: `chi2`, or `m2` or `c2` of items with levels; None where there is none."""
        return next((name for name in ("chi2", *STATISTICS) if name in self.measures), None)

    def _row(self, step: str, statistic: str | None) -> tuple[str, ...]:
        m, test = self.measures.loc[step].to_dict(), ("", "", "")
        chi2 = (fixed(m[statistic], 2), f"{m['df']:.0f}") if statistic else ()
        shown = ("cfi", "rmsea") if statistic == "chi2" else ("cfi2", "rmsea2", "srmsr") if statistic else ()
        more = tuple(fixed(m[name], 3) for name in shown)
        if step in self.tests.index:
            t = self.tests.loc[step].to_dict()
            test = (fixed(t["statistic"], 2), f"{t['df']:.0f}", probability(t["p"]))
        counted = f"{m['parameters']:.0f}"
        return (step, counted, loglike(m["loglike"]), *chi2, *more, *test, fixed(m["bic"], 1))

    def _facts(self) -> tuple[tuple[str, str], ...]:
        groups = next(iter(self.fits.values())).problem.spec.groups
        assert groups is not None
        return (
            ("Groups", f"{', '.join(groups.labels)} (column {groups.column})"),
            ("Stands up to", self.level),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = ["LR: likelihood ratio test against the line above"]
        notes += [self.unmeasured] if self.unmeasured else []
        notes += [f"{step} did not converge" for step, f in self.fits.items() if not f.converged]
        if self.rejected is None:
            return tuple(notes)
        tests = self.score_tests().head(SHOWN)
        listed = ", ".join(
            f"{n} ({row['statistic']:.2f}, p {probability(row['p'])})" for n, row in tests.iterrows()
        )
        return (*notes, f"Score tests of what to free first in {self.rejected!r}: {listed}")

    def __str__(self) -> str:
        return str(self.as_report())

    __repr__ = __str__


def invariance(
    model: Given[HasSpec],
    data: Given[Any],
    group: Given[str | None] = None,
    *,
    steps: Given[Sequence[str] | None] = None,
    free_across: Given[Sequence[str]] = (),
    alpha: Given[float] = ALPHA,
    progress: Given[bool] = True,
    workers: Given[Workers] = None,
    **options: Any,
) -> Invariance:
    """Is a model measured in the same way in several groups? The usual ladder of fits (Vandenberg and Lance 2000).

    Parameters
    ----------
    model
        A model; what it says of `group` and of what is equal beside the ladder (`"choice"`, say) stays.
    data
        As of `model.fit`.
    group
        The column of the groups, where the model names none.
    steps
        Of `"configural"` (the same items, nothing equal), `"loadings"`, `"thresholds"` and `"intercepts"` (one step where
        the model has both, named by the latter), `"residuals"`, those to be climbed, in this order; each keeps what was
        equal before. None: all that the items have. From equal loadings and locations on the means of latent variables are
        free in all groups but the first.
    free_across
        Parameters that are free in every step, for partial invariance.
    alpha
        Size of the tests by which `level` is read off.
    workers
        As of `fit.uncertainty.bootstrap`: who fits the steps, which then show no progress. The
        fits are the same whoever does.
    progress, options
        As of `model.fit`: `person`, `people`, `weights`, `integration`, `accuracy`, ...

    Returns
    -------
    Invariance
        Fits, measures, tests; prints as a table, and names by score tests what to free where a step is rejected.

    Raises
    ------
    ValueError
        As of `model.fit`; and for steps that the model does not have.

    References
    ----------
    Vandenberg, R. J. and Lance, C. E. (2000). A review and synthesis of the measurement invariance literature.
    Organizational Research Methods 3, 4-70.

    Examples
    --------
    >>> sexes = df.assign(sex=np.where(df["female"] == 1, "woman", "man"))
    >>> climbed = iclv.invariance(iclv.Model([iclv.Latent("green")], items), sexes, group="sex")
    >>> list(climbed.fits)
    ['configural', 'loadings', 'thresholds']
    """
    refuse_several("invariance")
    if options.get("penalties") is not None:
        raise ValueError(
            "invariance: penalised log-likelihoods are no maxima and have no likelihood ratio tests. Leave penalties= out."
        )
    check_workers(workers)
    check_switch(progress, "progress")
    check_share(alpha, "alpha=")
    spec = _grouped(model, group)
    ladder = _ladder(spec, data, steps, free_across, options)
    if workers is None:
        fits = {step: fit(one, data, progress=progress, **options) for step, one in ladder.items()}
    else:
        answers = do_all(fit_step, (data, options), ladder, workers)
        fits = {step: unpacked(found["fit"].tobytes()) for step, found in answers.items()}
    measures, unmeasured = _table(fits)
    for name in {"cfi", "rmsea", "cfi2", "rmsea2"} & set(measures.columns):
        measures[f"{name}.change"] = measures[name].diff()
    pairs = list(fits.items())
    tests = {}
    for (_, larger), (step, restricted) in pairwise(pairs):
        found = lr_test(larger, restricted)
        tests[step] = {"statistic": found.statistic, "df": found.df, "p": found.pvalue}
    table = pd.DataFrame(tests, index=["statistic", "df", "p"]).T
    return Invariance(fits, measures, table, alpha, unmeasured)


def fit_step(common: tuple[Any, dict[str, Any]], spec: Spec) -> Answer:
    """The fit of a step, as bytes."""
    data, options = common
    content = packed(fit(spec, data, progress=False, **options), "The fit")
    return {"fit": np.frombuffer(content, np.uint8)}


def _grouped(model: HasSpec, group: str | None) -> Spec:
    if not isinstance(model, HasSpec):
        raise ValueError(f"invariance takes an iclv.Model, not {model!r}.")
    spec = model.spec
    if not spec.indicators:
        raise ValueError("invariance: the model has no items, so there is no measurement to compare.")
    if group is None and spec.groups is None:
        raise ValueError("invariance: name the column of the groups by group=.")
    if group is not None and spec.groups is not None and group != spec.groups.column:
        raise ValueError(
            f"invariance: group={group!r}, but the model has the groups of {spec.groups.column!r}. Leave one of them out."
        )
    return spec if spec.groups is not None else replace(spec, groups=check_groups(group, (), ()))


def _ladder(
    spec: Spec,
    data: Any,
    steps: Given[Sequence[str] | None],
    free: Given[Sequence[str]],
    options: Mapping[str, Any],
) -> dict[str, Spec]:
    """The models of the steps."""
    known = {
        k: options[k]
        for k in ("person", "people", "weights", "weights_are", "memory", "cluster")
        if k in options
    }
    problem = bind(spec, data, **known)
    assert spec.groups is not None and problem.spec.groups is not None
    kinds = {p.name: kind_of(p) for g in declare_groups(problem.spec, problem.panel.levels) for p in g.plain}
    has = [s for s in STEPS if s == "configural" or s in kinds.values()]
    both = {"thresholds", "intercepts"} <= set(has)
    wanted = has if steps is None else names_of(steps, "steps=")
    if not wanted:
        raise ValueError(f"steps= names no step. This model has {', '.join(map(repr, has))}.")
    for step in wanted:
        if step not in has:
            raise ValueError(f"steps= names {step!r}, which this model does not have. {nearest(step, has)}")
    released = [*spec.groups.free, *names_of(() if free is None else free, "free_across=")]
    for name in released:
        if name not in kinds:
            raise ValueError(
                f"free_across= names {name!r}, which the model does not have. {nearest(name, kinds)}"
            )
    base = tuple(kind for kind in spec.groups.equal if kind not in STEPS)
    found: dict[str, Spec] = {}
    for step in [s for s in STEPS if s in wanted]:
        if both and step == "thresholds" and "intercepts" in wanted:
            continue
        equal = (*base, *(s for s in has[1 : has.index(step) + 1] if s in wanted or steps is None))
        kept = tuple(n for n in dict.fromkeys(released) if kinds[n] in equal)
        found[step] = replace(spec, groups=replace(spec.groups, equal=equal, free=kept))
    return found


def _table(fits: Mapping[str, Fit]) -> tuple[pd.DataFrame, str]:
    """Measures by step, and why those of fit are missing."""
    base = {
        step: {"parameters": len(f.names), "loglike": f.llf, "aic": f.aic, "bic": f.bic}
        for step, f in fits.items()
    }
    why = ""
    try:
        base = {step: found | _measures(fits[step]) for step, found in base.items()}
    except ValueError as error:
        why = str(error)
    return pd.DataFrame(base).T, why


def _measures(fit: Fit) -> dict[str, float]:
    """Those of the fit; ValueError for models that have none."""
    measured = fit.fit_measures()
    levels = [name for name in STATISTICS if name in measured]
    return {name: measured[name] for name in ((*levels, *LIMITED) if levels else INDICES)}


def _equal(fit: Fit) -> tuple[str, ...]:
    groups = fit.problem.spec.groups
    return () if groups is None else groups.equal


def _means(fit: Fit) -> pd.DataFrame:
    """Means that groups have for themselves."""
    values, errors, groups = fit.all_params, fit.bse, fit.problem.spec.groups
    rows = [r for r in fit.problem.table.rows if kind_of(r.parameter) == "means" and r.parameter.group]
    free = [r for r in rows if r.status == "free"]
    spreads = {
        r.parameter.owner: float(values[r.name]) ** 0.5
        for r in reversed(fit.problem.table.rows)
        if kind_of(r.parameter) == "latent variances"
    }
    index = pd.MultiIndex.from_tuples(
        [(r.parameter.group, r.parameter.owner) for r in free], names=["group", "latent"]
    )
    assert groups is not None
    return pd.DataFrame(
        {
            "mean": [float(values[r.name]) for r in free],
            "se": [float(errors[r.name]) for r in free],
            "d": [float(values[r.name]) / spreads[r.parameter.owner] for r in free],
        },
        index=index,
    )
