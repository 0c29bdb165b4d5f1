"""`Model`: the user's handle on a specification, with its verbs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from iclv_jax._base._types import AnyFrame, AnyFrames, Given
from iclv_jax._families._from_text import from_text
from iclv_jax._fit import SequentialFit, fit, fit_sequential
from iclv_jax._integration import Rule
from iclv_jax._likelihood import Devices
from iclv_jax._optimise import Optimizer
from iclv_jax._panel import WeightsAre
from iclv_jax._predict._simulated import simulate
from iclv_jax._problem import bind
from iclv_jax._report._as_text import to_text
from iclv_jax._report._describe import describe
from iclv_jax._spec import Indicator, Kernel, Latent, Mixing
from iclv_jax._spec._model import Spec, build_spec
from iclv_jax._stream import Bound, Fitted, People, bind_people, fit_people, in_chunks
from iclv_jax._tables import Report


class Model:
    """An integrated choice and latent variable model.

    Parameters
    ----------
    latent
        Latent variables with their structural equations. None: a plain (or mixed) choice model.
    indicators
        Items that measure them.
    choice
        How choices come about: `Logit(...)` or `Probit(...)`, or a list of several, each with a `name` of its own and its
        situations told by `rows=` (a column of zeros and ones) or `table=` (the data are then a mapping of frames). A
        parameter name that stands in two utilities is one parameter. None: a CFA, SEM or MIMIC model.
    covariances
        Pairs that covary: of latent variables (their disturbances), of random coefficients, or of one and the other; and of
        continuous items (their residuals), `y1 ~~ y5`.
    random
        Choice parameters that vary over people, with distributions: `{"price": Normal(), "time": LogNormal(sign=-1)}`.
    define
        Parameters as functions of others: `{"b": lambda p: 2 * p.a}`. A name not yet known becomes a free parameter.
    fixed
        Parameters with a given value.
    equal
        Lists of parameters that share one value. They are of one kind: two loadings, two tastes, a taste and a slope, but no
        loading and a variance.
    bounds
        `(lower, upper)` by name, None where there is none.
    start
        Start values by name, in place of the usual ones.
    modules
        Networks, or any equinox modules or trees of arrays, by name: with `{"taste": eqx.nn.MLP(2, "scalar", 8, 1,
        key=...)}` a utility calls `b.taste(jnp.stack([x.age, x.income]))`. The entries of their arrays of real numbers
        are parameters (`taste.layers[0].weight[2,1]`), free unless something else is said, and start where the module
        does; everything else in a module is constant. `fixed`, `bounds` and `start` take the name of an entry, of an
        array (`taste.layers[0].weight`), of a part (`taste.layers[0]`) or of the whole, with one value for all its
        entries, `"start"` for those that the module comes with, or a module that holds the values. So
        `fixed={"taste": "start"}` freezes a network as it is, by the same argument that holds any other parameter.
        Dropout is off in every likelihood and on while `Stochastic` trains, where each batch of people drops units of
        its own; `eqx.nn.inference_mode(module)` keeps it off there too. Layers that remember, or look at a whole batch
        (BatchNorm), are refused: a person's likelihood would depend on the others.
    group
        A column, constant within a person, that tells groups of people apart; None: one group. Each group then has
        parameters of its own, called after it, `visual =~ x2 [Pasteur]`, those of the choice among them; only entries of
        modules are shared by all. Groups are those of the data in order of appearance (of an ordered categorical column
        in its order); the first is the one that others are compared with. What `fixed`, `equal`, `define`, `bounds` and
        `start` say of a plain name holds in every group, what they say of `name [group]` in that one.
    equal_across
        Kinds of parameters that are equal across groups, and plain names of single ones, `["loadings", "x1 ~ 1"]`; they
        keep their plain names. Kinds are `"loadings"`, `"intercepts"`
        (of items), `"thresholds"`, `"residuals"` (variances and scales of items, and what else belongs to one item alone),
        `"residual covariances"`, `"regressions"` (paths and slopes), `"means"` (of latent variables), `"latent variances"`,
        `"covariances"`, `"choice"` (everything in the utilities). With equal loadings the variances of latent variables
        that are 1 by convention (`scale="variance"`) are 1 in the first group and free in the others; with equal intercepts,
        or thresholds, of the items as well, so are their means, 0 in the first group (Jöreskog 1971). Nothing, the
        default, is the configural model.
    free_across
        Plain names of parameters that are free all the same: `["x3 ~ 1"]` for partial invariance (Byrne, Shavelson and
        Muthén 1989).
    derived
        Functions of parameters that are only reported, with delta-method standard errors, written as those of `define`:
        `{"indirect": lambda p: p["b ~ a"] * p["c ~ b"]}`; each may use those before it.

    Raises
    ------
    ValueError
        For whatever does not fit together, naming it; before any data are seen where possible.

    Examples
    --------
    >>> iclv.Model([iclv.Latent("green", on=["age"])], items, iclv.Logit(utility, chosen="mode")).bind(df).names[:2]
    ('green ~ age', 'green =~ q1')
    """

    def __init__(
        self,
        latent: Given[Sequence[Latent]] = (),
        indicators: Given[Sequence[Indicator]] = (),
        choice: Given[Kernel | Sequence[Kernel] | None] = None,
        *,
        covariances: Given[Sequence[tuple[str, str]]] = (),
        random: Given[Mapping[str, Mixing] | None] = None,
        define: Given[Mapping[str, Callable[..., Any]] | None] = None,
        fixed: Given[Mapping[str, float] | None] = None,
        equal: Given[Sequence[Sequence[str]]] = (),
        bounds: Given[Mapping[str, tuple[float | None, float | None]] | None] = None,
        start: Given[Mapping[str, float] | None] = None,
        modules: Given[Mapping[str, Any] | None] = None,
        group: Given[str | None] = None,
        equal_across: Given[Sequence[str]] = (),
        free_across: Given[Sequence[str]] = (),
        derived: Given[Mapping[str, Callable[..., Any]] | None] = None,
    ) -> None:
        self._spec = build_spec(
            latent,
            indicators,
            choice,
            covariances,
            _mapping(random),
            _mapping(define),
            _mapping(fixed),
            equal,
            _mapping(bounds),
            _mapping(start),
            _mapping(modules),
            group,
            equal_across,
            free_across,
            _mapping(derived),
        )

    from_text, to_text, simulate = classmethod(from_text), to_text, simulate

    @property
    def spec(self) -> Spec:
        """The checked model as data."""
        return self._spec

    def describe(
        self,
        data: Given[AnyFrames | None] = None,
        *,
        person: Given[str | None] = None,
        people: Given[Any] = None,
    ) -> Report:
        """The parameter table before any fit and, with data, what the data hold.

        Examples
        --------
        >>> "age_bus" in str(logit.describe(df))
        True
        """
        return describe(self._spec, data, person, people)

    def bind(
        self,
        data: Given[AnyFrames | People],
        *,
        person: Given[str | None] = None,
        people: Given[AnyFrame | None] = None,
        weights: Given[Any] = None,
        weights_are: Given[WeightsAre] = "sampling",
        cluster: Given[str | None] = None,
        integration: Given[Rule | None] = None,
        levels: Given[Mapping[str, Any] | None] = None,
        batch_people: Given[int | None] = None,
        memory: Given[str | float] = "2GB",
        devices: Given[Devices] = None,
    ) -> Bound:
        """Model, data and nodes as a pure function of the parameters; arguments as of `fit`.

        `levels` are those of another data set, `problem.panel.levels`, for items whose levels are read
        from the data. `batch_people` is how many people are evaluated at a time. Of `iclv.People.stream(...)` a
        `StreamedProblem` is returned.

        Examples
        --------
        >>> logit.bind(df).names
        ('asc_bus', 'age_bus', 'time', 'cost')
        """
        who: dict[str, Any] = {"person": person, "people": people, "weights": weights, "cluster": cluster}
        how: dict[str, Any] = {"integration": integration, "levels": levels, "batch_people": batch_people}
        keywords = who | how | {"weights_are": weights_are, "memory": memory, "devices": devices}
        return (
            bind_people(self._spec, data, keywords) if in_chunks(data) else bind(self._spec, data, **keywords)
        )

    def fit(
        self,
        data: Given[AnyFrames | People],
        *,
        person: Given[str | None] = None,
        people: Given[AnyFrame | None] = None,
        weights: Given[Any] = None,
        weights_are: Given[WeightsAre] = "sampling",
        cluster: Given[str | None] = None,
        integration: Given[Rule | None] = None,
        accuracy: Given[float | None] = 0.1,
        optimizer: Given[Optimizer | None] = None,
        penalties: Given[Mapping[str, Any] | None] = None,
        start: Given[Any] = "sequential",
        starts: Given[int] = 1,
        progress: Given[bool] = True,
        checkpoint: Given[Any] = None,
        memory: Given[str | float] = "2GB",
        devices: Given[Devices] = None,
    ) -> Fitted:
        """Estimate by simultaneous maximum likelihood.

        Parameters
        ----------
        data
            A frame of pandas, polars, pyarrow or any library that narwhals reads (lazy ones are computed), or a mapping of
            several by name. One row per choice situation, wide over alternatives. Items and covariates of latent variables
            are constant within a person. Or `iclv.People.stream(...)`, people who need not be in memory together; then a
            `StreamedFit` is returned, as it is where several processes of `jax.distributed` each give people of their own.
        person
            Column that says whose row it is; None: every row is a person.
        people
            A frame with one row per person that holds items and covariates, in place of `data`.
        weights
            Person weights: a column, or one number per person in the order of their first rows (a
            Series whose index holds the people is matched by it). The log-likelihood is
            `sum_n w_n log L_n`.
        weights_are
            What they are. `"sampling"`: people stand for others who were not asked, by the inverse of the probability of
            being drawn (also expansion factors, post-stratification). There are as many observations as people, the
            log-likelihood is a pseudo-likelihood, and standard errors are robust unless asked for otherwise.
            `"frequency"`: whole numbers that say how many people gave the same answers; everything is as with as many
            rows: `nobs`, BIC, standard errors of every kind.
        cluster
            Column of clusters of people, for covariances of the kind `"cluster"`.
        integration
            How to integrate over latent variables and random coefficients; None: adaptive
            Gauss-Hermite in one and two dimensions, posterior-centred draws beyond, with as many nodes as
            `accuracy` asks for.
        accuracy
            Standard error of log L, in points, that the usual rule reaches by raising its nodes, or by placing them at
            posterior means and with some from the prior where posteriors are skewed; what cannot be reached stands above the
            summary. A rule that is given as `integration` is taken as it is. None: whatever the usual rule gives.
        optimizer
            `TrustRegion`, `LBFGSB`, `BHHH`, `Scipy`, or `Stochastic` for training; None: `TrustRegion()`.
        penalties
            What is subtracted from the log-likelihood, by parameter or by what the names of several begin with up to a dot
            or a bracket: `{"taste": iclv.L2(1.0), "price": iclv.Gaussian(-1.0, 0.5)}`. Several penalties of one key are a
            list; where keys overlap the longest one holds, and None exempts. `fit.llf` stays the log-likelihood,
            `fit.penalty` stands beside it, and summary and covariances say that they are penalised.
        start
            `"sequential"` (items and structure, then the choice, then everything), `"default"`, a mapping of some names to
            values, an earlier fit, also one of `fit_sequential` or one that was loaded, or the estimates of another program,
            `iclv.read_start("model_estimates.csv")`.
        starts
            How often to start: log-likelihoods of mixtures, classes and random coefficients can have several maxima. The
            first is `start`, the others are random departures from the default, taken to their maxima in one compiled loop
            (`iclv.multistart`), of people in chunks or in several processes one after the other; the best one is reported,
            and how many agree with it. With one start, models that may have several maxima are probed from a few points
            around the one that was found, over chunks for about as many steps as the fit took.
        progress
            Whether to show a progress bar.
        checkpoint
            Path of a file that holds the state after every step. A fit that was killed goes on from it, to the
            same answer; the file of another model, other data or other settings is refused. None: no file.
        memory
            What the arrays of a batch of people may take, as "500MB" or "2GB", or in bytes. Fewer people are
            evaluated at a time where memory is short; the answer is the same.
        devices
            Where people are: None, the usual device; `"all"`, a number, a list of `jax.local_devices()`, or a
            `jax.sharding.Mesh`, all of this process. People are cut into equal parts, one on each device, and only sums
            travel between them; the answers are those of one device up to rounding. `memory` is that of a batch on each.

        Raises
        ------
        ValueError
            For data that do not fit the model, and for a log-likelihood that is not finite at the start. For penalties of
            what is no free parameter, and for `iclv.L1` with an optimiser that takes derivatives at zero.

        Warns
        -----
        UserWarning
            When draws from the prior (`MonteCarlo`) have an effective sample size below 10 for half of
            the people.

        Examples
        --------
        >>> logit.fit(df).converged
        True
        """
        keywords: dict[str, Any] = {
            "person": person,
            "people": people,
            "weights": weights,
            "weights_are": weights_are,
            "cluster": cluster,
            "integration": integration,
            "accuracy": accuracy,
            "optimizer": optimizer,
            "penalties": penalties,
            "start": start,
            "starts": starts,
            "progress": progress,
            "checkpoint": checkpoint,
            "memory": memory,
            "devices": devices,
        }
        return (
            fit_people(self._spec, data, keywords) if in_chunks(data) else fit(self._spec, data, **keywords)
        )

    def fit_sequential(
        self,
        data: Given[AnyFrames],
        *,
        person: Given[str | None] = None,
        people: Given[AnyFrame | None] = None,
        weights: Given[Any] = None,
        weights_are: Given[WeightsAre] = "sampling",
        cluster: Given[str | None] = None,
        integration: Given[Rule | None] = None,
        optimizer: Given[Optimizer | None] = None,
        start: Given[Any] = "sequential",
        progress: Given[bool] = True,
        checkpoint: Given[Any] = None,
        memory: Given[str | float] = "2GB",
        devices: Given[Devices] = None,
    ) -> SequentialFit:
        """Estimate in two steps: items and structure first, then the choice with those estimates held.

        The first step maximises the log-likelihood of the items, `sum_n w_n log L_n(items; a)`. The second maximises
        the joint log-likelihood over the parameters b of the choice alone, `sum_n w_n log L_n(choices, items; a, b)`.
        The items' own part of it is constant in b, so this is the log-likelihood of the choices given the items: the
        latent variables are integrated out over what each person's answers leave open. Both steps are consistent. Two
        shortcuts are not taken. Scores of the latent variables put into the utilities as if they were the variables
        attenuate their coefficients. Integration over the structural equations alone is consistent as well, but does
        not use what a person answered, and so tells less.

        Standard errors of the second step that take a as known are too small. The default corrects them (Murphy and Topel
        1985), and the robust kind is the sandwich of both steps' scores (Newey and McFadden 1994, section 6.1). `fit`,
        which estimates everything at once, is at least as precise in large samples. What two steps offer is a
        measurement model that the choices cannot bend.

        Where no latent variable enters the utilities, the parts have nothing to do with each other, and both steps
        are the joint fit.

        Parameters
        ----------
        start
            As of `fit`: `"sequential"` passes roughly through both steps before it takes each to its maximum.
        data, person, people, weights, weights_are, cluster, integration, optimizer, progress, checkpoint, memory, devices
            As of `fit`.

        Returns
        -------
        SequentialFit
            Estimates of both steps, and covariances of the kinds `"murphy-topel"`, `"uncorrected"`, `"robust"` and, with
            `cluster`, `"cluster"`, side by side in `.table()` and `.summary()`.

        Raises
        ------
        ValueError
            As of `fit`; and for a model without a choice, latent variables or indicators, for parameters that the choice
            shares with the items or the structural equations, for structural parameters of latent variables that no
            item measures, and where no parameter of one of the steps is free.

        Warns
        -----
        UserWarning
            As of `fit`.

        Examples
        --------
        >>> model.fit_sequential(df, integration=iclv.GaussHermite(7)).converged
        True
        """
        return fit_sequential(
            self._spec,
            data,
            person=person,
            people=people,
            weights=weights,
            weights_are=weights_are,
            cluster=cluster,
            integration=integration,
            optimizer=optimizer,
            start=start,
            progress=progress,
            checkpoint=checkpoint,
            memory=memory,
            devices=devices,
        )


def _mapping(given: Any) -> Any:
    """Nothing is an empty mapping, and a Series (the estimates of an earlier fit) a mapping."""
    if given is None:
        return {}
    return given.to_dict() if isinstance(given, pd.Series) else given
