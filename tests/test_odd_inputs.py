"""Odd inputs by kind: each row does something odd, and says what is answered: a sentence, or a reference.

To add a case, add a row: `Refused(kind, does, sentence)`, or `Same(kind, does, reference)` where the right answer is
computed in another way.
"""

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv

PEOPLE = 120
NAN = np.nan


@cache
def data():
    """Three alternatives, the last not always available; a covariate, a region, an item and clusters."""
    random = np.random.default_rng(24)
    t = random.uniform(5, 60, (PEOPLE, 3))
    available = np.ones((PEOPLE, 3), bool)
    available[random.uniform(size=PEOPLE) < 0.3, 2] = False
    v = -1.5 * np.log(t) + [0, 0.3, 0.5] + random.gumbel(size=(PEOPLE, 3))
    frame = pd.DataFrame(t, columns=["t0", "t1", "t2"])
    frame["y"] = np.where(available, v, -np.inf).argmax(1)
    frame["av2"] = available[:, 2].astype(int)
    frame["age"] = random.normal(size=PEOPLE)
    frame["region"] = random.choice(["e", "n", "s"], PEOPLE)
    score = frame["age"] + random.normal(size=PEOPLE)
    for item in ("q1", "q2", "q3"):
        frame[item] = score + random.normal(size=PEOPLE)
    frame["group"] = np.arange(PEOPLE) % 2
    return frame


def logs(b, x, lv):
    return {
        0: b.t * jnp.log(x.t0),
        1: b.a1 + b.t * jnp.log(x.t1),
        2: b.a2 + b.t * jnp.log(x.t2),
    }


def plain(b, x, lv):
    return {0: b.t * x.t0, 1: b.a1 + b.t * x.t1}


def logit(utility=logs, **options):
    return iclv.Model(choice=iclv.Logit(utility, "y", available={2: "av2"}), **options)


def two(utility=plain, **options):
    return iclv.Model(choice=iclv.Logit(utility, "y"), **options)


def binary():
    frame = data()
    return frame[frame["y"] < 2].reset_index(drop=True)


def mimic(on=("age",)):
    return iclv.Model(
        [iclv.Latent("z", on=on, intercept="1" in on)],
        [iclv.Continuous(q, of="z") for q in ("q1", "q2", "q3")],
    )


MIMIC = {f"z =~ q{k}": 1.0 for k in (1, 2, 3)} | {f"q{k} ~ 1": 0.0 for k in (1, 2, 3)}
MIMIC |= {f"q{k} ~~ q{k}": 1.0 for k in (1, 2, 3)} | {"z ~ age": 1.0}
ONE_HOT = iclv.Standardized("region", how="one-hot")
ORDERED = iclv.Model([iclv.Latent("z", on=["age"])], [iclv.Ordered(q, of="z") for q in ("q1", "q2", "q3")])
CUTS = {f"q{k} | {j}": float(j) for k in (1, 2, 3) for j in (1, 2)}


@cache
def fitted(clusters=None):
    frame = binary()
    if clusters is not None:
        frame = frame.assign(group=np.arange(len(frame)) % clusters)
    return two().fit(frame, progress=False, cluster="group")


def estimates(model, frame, **options):
    fit = model.fit(frame, progress=False, **options)
    assert fit.converged
    return np.array([fit.llf, *fit.params.sort_index(), *fit.bse.sort_index()])


def at_gaps(value):
    """Something in the column of an alternative where it is not available."""
    frame = data()
    return estimates(logit(), frame.assign(t2=np.where(frame["av2"] == 1, frame["t2"], value)))


def shared(utility):
    """A column that enters an alternative that is available, and the logarithm of it in one that is not."""
    frame = data()
    income = np.where(frame["av2"] == 1, frame["t2"], 0.0)
    known = np.log(np.where(frame["av2"] == 1, frame["t2"], 1.0))
    return estimates(logit(utility), frame.assign(income=income, known=known))


def guarded(utility, filled):
    frame = binary()
    frame["t1"] = frame["t1"].where(frame["t0"] > 20.0)
    gone = frame["t1"].isna().astype(float)
    return estimates(two(utility), frame.assign(t1=frame["t1"].fillna(0.0), gone=gone) if filled else frame)


def noisy(b, x, lv):
    return {0: b.t * x.t0 * np.random.default_rng().normal(), 1: b.a1}


def clock(b, x, lv):
    return {0: b.t * x.t0 * time.perf_counter(), 1: b.a1}


def counter():
    numbers = itertools.count()
    return lambda b, x, lv: {0: b.t * x.t0 + next(numbers), 1: b.a1}


def names_change():
    numbers = itertools.count()
    return lambda b, x, lv: {0: b[f"t{next(numbers)}"] * x.t0, 1: b.a1}


def spread(b, x, lv):
    return {0: b.t * x.t0 + b["t.sd"] * x.t1, 1: b.a1}


def keys(draw):
    """Labels of an index that repeats: rows are joined by position."""
    frame = pd.concat([binary(), binary()])
    fit = two().fit(frame, progress=False)
    return draw(fit, frame)


def long(**options):
    """The first four situations in long form, where nobody has chosen yet."""
    frame = data().head(4)
    rows = [
        {"trip": i, "mode": j, "t": frame.loc[i, f"t{j}"]}
        for i in range(4)
        for j in range(3)
        if j < 2 or options.get("walk", True)
    ]
    known = {k: v for k, v in options.items() if k != "walk"}
    return iclv.from_long(pd.DataFrame(rows), situation="trip", alternative="mode", columns="t", **known)


def long_utility(b, x, lv):
    return {j: b[f"a{j}"] * (j > 0) + b.t * jnp.log(x[f"t_{j}"]) for j in range(3)}


@cache
def long_fit():
    frame = data().rename(columns={f"t{j}": f"t_{j}" for j in range(3)}).assign(av_2=data()["av2"])
    choice = iclv.Logit(long_utility, "y", available={2: "av_2"})
    return iclv.Model(choice=choice, fixed={"a0": 0.0}).fit(frame, progress=False)


def bare(frame):
    """Probabilities of two alternatives by hand."""
    b = long_fit().params
    v = np.stack([b["t"] * np.log(frame["t_0"]), b["a1"] + b["t"] * np.log(frame["t_1"])], axis=1)
    return np.exp(v) / np.exp(v).sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Refused:
    """What is answered by a ValueError with this sentence."""

    kind: str
    does: Callable[[], object]
    sentence: str


@dataclass(frozen=True)
class Same:
    """What gives the same as a reference."""

    kind: str
    does: Callable[[], object]
    reference: Callable[[], object]


def codes(**first):
    """Three levels, but for the first person."""
    frame = pd.DataFrame({q: np.arange(PEOPLE) % 3 + 1 for q in ("q1", "q2", "q3")}).assign(age=data()["age"])
    for name, one in first.items():
        frame[name] = pd.Series([one, *frame[name][1:]], dtype=object)
    return frame


def levels(**options):
    return iclv.Model(choice=iclv.OrderedChoice(lambda b, x, lv: b.t * x.t0, chosen="o", **options))


def unasked(code):
    """Answers of those in group 1, with a code for the others."""
    return data().assign(o=np.where(data()["group"] == 1, np.digitize(data()["q1"], [-0.5, 0.5]) + 1, code))


def value(model, frame):
    problem = model.bind(frame.assign(who=np.arange(PEOPLE) // 2), person="who")
    return problem.loglike(problem.start() + 0.1)


VALUES = [0.1, 0.7, 1.1, 0.2, 0.8, 1.2, 0.3, 0.9, 1.3]


def items(**options):
    names = ("q1", "q2", "q3")
    return iclv.Model(
        latent=[iclv.Latent("z")], indicators=[iclv.Continuous(q, of="z") for q in names], **options
    )


def ordered(**options):
    frame = data().assign(o=np.digitize(data()["q1"], [-1.0, 0.0, 1.0]))
    item = iclv.Ordered("o", of="z")
    return iclv.Model(latent=[iclv.Latent("z")], indicators=[item], **options).bind(frame)


def second(**options):
    """The items of `items`, one of them measuring a latent variable that is nothing but `z`."""
    of = {"q1": "z", "q2": "w", "q3": "z"}
    latent = [iclv.Latent("z"), iclv.Latent("w", on=["z"])]
    model = iclv.Model(latent=latent, indicators=[iclv.Continuous(q, of=v) for q, v in of.items()], **options)
    problem = model.bind(data(), integration=iclv.GaussHermite(7))
    names = [n.replace("w =~", "z =~") for n in problem.names]
    reference = items().bind(data()).names
    params = jnp.asarray([VALUES[reference.index(n)] for n in names])
    assert np.isfinite(np.asarray(problem.score(params))).all()
    assert np.isfinite(np.asarray(problem.hessian(params))).all()
    return problem.loglike(params)


REFUSED = {
    "seed below zero": Refused(
        "arguments", lambda: iclv.MonteCarlo(10, seed=-1), "seed is a whole number from 0"
    ),
    "seed that is no whole number": Refused(
        "arguments", lambda: iclv.Adaptive(10, seed=1.5), "seed .* not 1.5"
    ),
    "seed as text": Refused(
        "arguments", lambda: iclv.datasets.sugar_substitutes(seed="a"), "seed= is a whole number"
    ),
    "seed too large": Refused(
        "arguments", lambda: mimic().simulate(MIMIC, data(), seed=2**80), "seed= is a whole number"
    ),
    "no seed": Refused(
        "arguments", lambda: fitted().bootstrap(10, seed=None), "Without a seed nothing could be repeated"
    ),
    "seed of folds": Refused(
        "arguments", lambda: fitted().cross_validate(2, seed=-1), "seed= is a whole number"
    ),
    "a model for a problem": Refused(
        "arguments", lambda: iclv.multistart(two(), 2), "multistart takes .*bind"
    ),
    "optimiser as text": Refused(
        "arguments", lambda: two().fit(binary(), optimizer="x", progress=False), "optimizer= is an optimiser"
    ),
    "optimiser of starts as text": Refused(
        "arguments",
        lambda: iclv.multistart(two().bind(binary()), 2, optimizer="x"),
        "optimizer= is an optimiser",
    ),
    "checkpoint that is no path": Refused(
        "files",
        lambda: two().fit(binary(), checkpoint=True, progress=False),
        "checkpoint= is the path of a file",
    ),
    "checkpoint without a name": Refused(
        "files",
        lambda: two().fit(binary(), checkpoint="", progress=False),
        "is a folder. Give the name of a file",
    ),
    "checkpoint switched off": Refused(
        "files",
        lambda: two().fit(binary(), checkpoint=False, progress=False),
        "checkpoint= is the path of a file",
    ),
    "folder that is none": Refused(
        "files",
        lambda: two().fit(binary(), checkpoint="/proc/none/x", progress=False),
        "folder that does not exist",
    ),
    "folder that takes no file": Refused(
        "files", lambda: two().fit(binary(), checkpoint="/proc/x.npz", progress=False), "cannot be written"
    ),
    "level above one": Refused(
        "arguments", lambda: fitted().t_test({"t": 0}, level=2), "level= lies between 0 and 1"
    ),
    "alpha below zero": Refused(
        "arguments", lambda: fitted().conf_int(alpha=-1), "alpha= lies between 0 and 1"
    ),
    "infinite radius": Refused("arguments", lambda: iclv.TrustRegion(radius=np.inf), "radius is finite"),
    "half an iteration": Refused(
        "arguments", lambda: iclv.TrustRegion(max_iterations=0.5), "max_iterations is a whole number from 1"
    ),
    "very many nodes": Refused("sizes", lambda: iclv.GaussHermite(10**9), "1,000,000,000, more than 20,000"),
    "very many nodes in a row": Refused(
        "sizes", lambda: iclv.Trapezoid(10**9), "1,000,000,000, more than 20,000"
    ),
    "very many draws": Refused(
        "sizes", lambda: iclv.MonteCarlo(10**9), "1,000,000,000, more than 10,000,000"
    ),
    "very many draws at posteriors": Refused("sizes", lambda: iclv.Adaptive(10**9), "more than 10,000,000"),
    "more draws than memory": Refused(
        "sizes",
        lambda: two(random={"t": iclv.Normal()}).bind(binary(), integration=iclv.MonteCarlo(5_000_000)),
        r"5,000,000 nodes for each of \d+ people, .* GB, more than memory= .*at most [\d,]+ nodes, or raise",
    ),
    "a long memory": Refused(
        "sizes", lambda: iclv.LBFGSB(memory=10**9), "1,000,000,000 pairs .* more than 1,000"
    ),
    "covariate called 1": Refused(
        "names",
        lambda: mimic(("age", "1")).bind(data().assign(**{"1": data()["t0"]})),
        "Two parameters would have the name 'z ~ 1': the intercept of z and the effect of 1 on z",
    ),
    "name of a spread": Refused(
        "names",
        lambda: two(spread, random={"t": iclv.Normal()}).bind(binary()),
        "would have the name 't.sd': .*standard deviation of t",
    ),
    "random numbers": Refused(
        "faults", lambda: two(noisy), "utility function is no function of its arguments"
    ),
    "a clock": Refused("faults", lambda: two(clock), "utility function is no function of its arguments"),
    "a counter": Refused(
        "faults", lambda: two(counter()), "utility function is no function of its arguments"
    ),
    "names that change": Refused("faults", lambda: two(names_change()), "is no function of its arguments"),
    "random definition": Refused(
        "faults",
        lambda: two(define={"a1": lambda p: p.c * np.random.default_rng().normal()}),
        r"define\['a1'\] is no function of its arguments",
    ),
    "NaN to draw from": Refused(
        "values", lambda: mimic().simulate(MIMIC | {"z ~ age": NAN}, data()), r"params\['z ~ age'\] .* finite"
    ),
    "negative variance": Refused(
        "values",
        lambda: mimic().simulate(MIMIC | {"q1 ~~ q1": -1.0}, data()),
        r"params\['q1 ~~ q1'\] = -1 .* positive",
    ),
    "thresholds out of order": Refused(
        "values",
        lambda: ORDERED.simulate(
            {"z ~ age": 1.0} | {f"z =~ q{k}": 1.0 for k in (1, 2, 3)} | CUTS | {"q2 | 2": 0.5}, data()
        ),
        r"params\['q2 \| 1'\] = 1 is not below params\['q2 \| 2'\] = 0.5",
    ),
    "two levels without a parameter": Refused(
        "values",
        lambda: mimic((ONE_HOT,)).simulate({"z ~ region[s]": 1.0} | MIMIC, data()),
        "of which one at most is the baseline",
    ),
    "empty text among numbers": Refused(
        "types",
        lambda: ORDERED.bind(data().assign(q1=[1, ""] * (PEOPLE // 2), q2=1, q3=2)),
        r"Item 'q1' holds the empty text '' among numbers, first for person 1.*missing=\[''\]",
    ),
    "alternative that is not listed": Refused(
        "ids", lambda: long(alternatives=[0, 1]), "holds 2 in row 2, which alternatives= does not list"
    ),
    "NaN that reaches a utility": Refused(
        "values", lambda: guarded(plain, filled=False), "'t1' is missing .* although the alternative 1"
    ),
    "an item too large to be squared": Refused(
        "values", lambda: mimic().bind(data().assign(q1=1e150 * data().q1)), "'q1' has the value .* too large"
    ),
    "a covariate too large to be squared": Refused(
        "values", lambda: mimic().bind(data().assign(age=-1e200)), "'age' holds -1e\\+200 .* too large"
    ),
    "bounds that leave a variance nothing": Refused(
        "arguments",
        lambda: items(bounds={"q1 ~~ q1": (-2.0, 0.0)}).bind(data()),
        "bounds\\['q1 ~~ q1'\\] end at 0, which leaves no",
    ),
    "bounds that leave a threshold nothing": Refused(
        "arguments",
        lambda: ordered(fixed={"o | 1": 1.0}, bounds={"o | 2": (None, 0.5)}),
        "leave 'o \\| 1' nothing below 1 and 'o \\| 2' nothing above 0.5",
    ),
    "a code among levels that is very far away": Refused(
        "values", lambda: ORDERED.bind(codes(q1=10**30)), "'q1' has gaps: nobody answered 4, 5, 6, 7, 8, ..."
    ),
    "a duration of almost nothing": Refused(
        "values",
        lambda: iclv.Model([iclv.Latent("z")], [iclv.Duration("q1", of="z")]).bind(data().assign(q1=5e-324)),
        "'q1' has the value 5e-324 .* Durations are positive",
    ),
    "an ordered choice that nobody made": Refused(
        "values", lambda: levels().bind(data().assign(o=NAN)), "column 'o' is missing .* in every row"
    ),
    "a function without frames": Refused(
        "arguments",
        lambda: two().bind(iclv.People.stream(lambda: 3)),
        "given to People.stream returns frames one after the other, not 3",
    ),
    "frames that are numbers": Refused(
        "types", lambda: two().bind(iclv.People.stream((1, 2))), "frame 1: .* not int"
    ),
    "no restriction": Refused("arguments", lambda: fitted().wald_test({}), "no restriction to test"),
    "restriction to a missing value": Refused(
        "values", lambda: fitted().t_test({"t": NAN}), r"restrictions\['t'\] must be a finite number, not nan"
    ),
    "restrictions in an array of text": Refused(
        "types", lambda: fitted().t_test(np.array(["t = 0"])), "matrix of restrictions holds numbers, not"
    ),
    "restrictions with gaps": Refused(
        "values", lambda: fitted().wald_test(np.full((1, 2), NAN)), "restrictions holds finite numbers"
    ),
    "values as text": Refused(
        "types", lambda: fitted().wald_test(np.eye(2), ["a", "b"]), "values= holds numbers, not"
    ),
    "covariance switched off": Refused(
        "arguments", lambda: fitted().cov_params(False), "kind of covariance .* is a text .*, not False"
    ),
    "covariance of no name": Refused(
        "arguments", lambda: fitted().standard_errors(""), "kind of covariance is one of .*not ''"
    ),
    "covariances in a list": Refused(
        "arguments", lambda: fitted().table(["robust"]), r"is a text .*, not \['robust'\]"
    ),
    "errors by a word": Refused(
        "arguments", lambda: fitted().predict(errors="no"), "errors is True or False, not 'no'"
    ),
    "details by a word": Refused(
        "arguments", lambda: fitted().summary(details="no"), "details is True or False, not 'no'"
    ),
    "refit by a word": Refused(
        "arguments", lambda: fitted().goodness_of_fit(refit="no"), "refit is True or False, not 'no'"
    ),
    "caption by a number": Refused(
        "types", lambda: fitted().to_latex(caption=3), "caption= is a text, not 3"
    ),
    "title by a number": Refused("types", lambda: fitted().report(title=3), "title= is a text, not 3"),
    "a choice in a list": Refused(
        "types", lambda: fitted().predict(choice=["choice"]), "name of a choice, is a text, not"
    ),
    "an alternative in a list": Refused(
        "types", lambda: fitted().elasticities("t0", [0]), r"alternative=\[0\] is none of the model"
    ),
    "a level in an array": Refused(
        "types", lambda: fitted().t_test({"t": 0}, level=np.array([0.9])), "level= lies between 0 and 1"
    ),
    "a level as a decimal number": Refused(
        "types", lambda: fitted().delta(lambda p: p.t, level=Decimal("0.9")), "level= lies between 0 and 1"
    ),
    "a seed in an array": Refused(
        "types", lambda: fitted().bootstrap(2, seed=np.array(1)), "seed= is a whole number"
    ),
    "parameters by numbers": Refused(
        "names", lambda: two(fixed={1: 2.0}), "fixed= names 1: parameters are called by text"
    ),
    "indices of a number": Refused(
        "names", lambda: fitted().modification_indices(np.array(3)), "names= takes names, .*3"
    ),
}

SAME = {
    "codes where an ordered choice was not asked": Same(
        "values",
        lambda: value(levels(rows="group"), unasked(0)),
        lambda: value(levels(rows="group"), unasked(NAN)),
    ),
    "a tuple of frames in a stream": Same(
        "types",
        lambda: two().bind(iclv.People.stream((binary(), binary()))).loglike([-0.1, 0.2]),
        lambda: 2.0 * two().bind(binary()).loglike(jnp.array([-0.1, 0.2])),
    ),
    "a disturbance of zero": Same(
        "values",
        lambda: second(fixed={"w ~~ w": 0.0, "w ~ z": 1.0}),
        lambda: items().bind(data(), integration=iclv.GaussHermite(7)).loglike(jnp.asarray(VALUES)),
    ),
    "NaN where not available": Same("values", lambda: at_gaps(NAN), lambda: at_gaps(30.0)),
    "logarithm of zero where not available": Same("values", lambda: at_gaps(0.0), lambda: at_gaps(30.0)),
    "logarithm of -1 where not available": Same("values", lambda: at_gaps(-1.0), lambda: at_gaps(30.0)),
    "logarithm of zero of what others use": Same(
        "values",
        lambda: shared(lambda b, x, lv: {0: b.i * x.income, 1: b.a, 2: b.c + b.l * jnp.log(x.income)}),
        lambda: shared(lambda b, x, lv: {0: b.i * x.income, 1: b.a, 2: b.c + b.l * x.known}),
    ),
    "NaN that the utility guards": Same(
        "values",
        lambda: guarded(
            lambda b, x, lv: {0: b.t * x.t0, 1: b.a + jnp.where(jnp.isnan(x.t1), b.gone, b.t * x.t1)},
            filled=False,
        ),
        lambda: guarded(lambda b, x, lv: {0: b.t * x.t0, 1: b.a + b.gone * x.gone + b.t * x.t1}, filled=True),
    ),
    "index that repeats, errors": Same(
        "ids",
        lambda: keys(lambda fit, frame: fit.predict(errors=True)),
        lambda: keys(lambda fit, frame: fit.predict(frame.reset_index(drop=True), errors=True)),
    ),
    "compiled utility": Same(
        "types", lambda: estimates(two(jax.jit(plain)), binary()), lambda: estimates(two(), binary())
    ),
    "compiled within a utility": Same(
        "types",
        lambda: estimates(two(lambda b, x, lv: jax.jit(lambda b, x: plain(b, x, lv))(b, x)), binary()),
        lambda: estimates(two(), binary()),
    ),
    "the same covariate for all": Same(
        "values",
        lambda: mimic().simulate(MIMIC, data().assign(age=2.0), seed=1)["q1"],
        lambda: mimic().simulate(MIMIC | {"z ~ age": 0.0, "q1 ~ 1": 2.0}, data(), seed=1)["q1"],
    ),
    "one region": Same(
        "values",
        lambda: mimic((ONE_HOT,)).simulate(
            MIMIC_REGION | {"z ~ region[n]": 5.0}, data().assign(region="s"), seed=1
        )["q1"],
        lambda: mimic().simulate(MIMIC, data().assign(age=3.0), seed=1)["q1"],
    ),
    "the region of the baseline": Same(
        "values",
        lambda: mimic((ONE_HOT,)).simulate(MIMIC_REGION, data().assign(region="e"), seed=1)["q1"],
        lambda: mimic().simulate(MIMIC, data().assign(age=0.0), seed=1)["q1"],
    ),
    "nobody has chosen yet": Same(
        "files",
        lambda: long_fit().predict(long()),
        lambda: long_fit().predict(
            data().head(4).rename(columns={f"t{j}": f"t_{j}" for j in range(3)}).assign(av_2=1)
        ),
    ),
    "an alternative that is offered to nobody": Same(
        "files",
        lambda: long_fit().predict(long(walk=False, alternatives=[0, 1, 2]))[[0, 1]],
        lambda: bare(long(walk=False)),
    ),
    "rows in another order": Same(
        "ids",
        lambda: fitted().lr_test(simple(binary().sample(frac=1, random_state=0))).statistic,
        lambda: fitted().lr_test(simple(binary())).statistic,
    ),
}
MIMIC_REGION = {k: v for k, v in MIMIC.items() if k != "z ~ age"} | {
    "z ~ region[n]": 0.0,
    "z ~ region[s]": 3.0,
}


def simple(frame):
    frame = frame.sort_index() if frame.index.is_monotonic_increasing else frame
    return two(lambda b, x, lv: {0: b.t * x.t0, 1: b.t * x.t1}).fit(frame, progress=False)


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    row = REFUSED[case]
    with pytest.raises(ValueError, match=row.sentence) as error:
        row.does()
    assert not re.search(r"Traced|Tracer|jaxtyping", str(error.value))


@pytest.mark.parametrize("case", SAME)
def test_same(case):
    row = SAME[case]
    np.testing.assert_allclose(np.asarray(row.does()), np.asarray(row.reference()), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("clusters", "words"), [(1, "one cluster"), (2, "too few for 2"), (9, "so few as 9")]
)
def test_few_clusters_are_said(clusters, words):
    found = fitted(clusters).covariance("cluster")
    assert any(words in note for note in found.notes)
    assert np.isnan(found.matrix).all() == (clusters == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", [pytest.param("items and structure", marks=pytest.mark.slow), "choice given items", "joint"]
)
def test_an_interrupt_stops_whatever_stage_it_meets(monkeypatch, tmp_path, stage):
    survey = iclv.datasets.sugar_substitutes(people=40, situations=2, items=(3, 3, 3, 3, 3))
    seen = []

    def watch(bar, name, row):
        seen.append(name)
        if name.startswith(stage) and seen.count(name) == 2:
            raise KeyboardInterrupt

    how = {"person": "person", "progress": False, "integration": iclv.Adaptive(10, final_draws=12)}
    with monkeypatch.context() as patch:
        patch.setattr("iclv_jax._tables._progress.Progress.__call__", watch)
        fit = survey.model.fit(survey.data, checkpoint=tmp_path / "fit.npz", **how)
    assert fit.optimizer_report.verdict.value == "interrupted"
    assert not fit.converged
    assert "Interrupted" in str(fit.summary())
    assert seen[-1].startswith(stage)
    assert f"in the stage '{stage}" in fit.optimizer_report.message
    assert np.isfinite(fit.llf)
    assert fit.problem.rule == iclv.Adaptive(12, final_draws=12)


@pytest.mark.parametrize(
    "label",
    [
        lambda i: i,
        lambda i: f"p{i}",
        lambda i: (i, "a"),
        lambda i: pd.Timestamp("2020-01-01") + pd.Timedelta(i, "D"),
    ],
    ids=["number", "text", "tuple", "date"],
)
def test_people_keep_their_labels_in_files(tmp_path, label):
    frame = binary()
    people = [label(i) for i in range(len(frame))]
    fit = two().fit(frame.assign(id=pd.Series(people, dtype=object)), person="id", progress=False)
    fit.save(tmp_path / "fit.npz")
    assert list(iclv.load(tmp_path / "fit.npz").scores.index) == people
