"""Arguments of strange kinds, by a bank of arguments times a bank of values: each is refused in a sentence that names the
argument, before anything is traced. To add a case, add a row to either.
"""

import re
from decimal import Decimal

import numpy as np
import optax
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._likelihood import mesh_of
from iclv_jax._problem._memory import parse_memory


class Strange:
    """Something that no argument is."""

    def __repr__(self):
        return "<strange>"


ODD = {
    "an array": np.array([1.5, 1.5]),
    "an array that holds one number": np.array(3.5),
    "a series": pd.Series([1.5]),
    "a frame": pd.DataFrame({"x": [1.0]}),
    "a missing value": pd.NA,
    "bytes": b"a",
    "a list of lists": [["x"]],
    "a type": int,
    "an object": Strange(),
    "a decimal number": Decimal("0.5"),
}


def utility(b, x, lv):
    return {"a": b.a, "b": b.t * x.t, "c": 0.0}


def named(**options):
    """A model of a choice with these fields."""
    return iclv.Model(choice=iclv.Logit(utility, "y", **options))


def index(b, x, lv):
    return b.t * x.t


DATA = pd.DataFrame({"y": ["a", "b", "c"], "t": [1.0, 2.0, 3.0]})
ADAM = optax.adam(0.1)
MODEL = named()
ARGUMENTS = {
    "Latent, name": (lambda v: iclv.Latent(v), "name of a latent variable"),
    "Latent, scale": (lambda v: iclv.Latent("f", scale=v), "scale is"),
    "Latent, intercept": (lambda v: iclv.Latent("f", intercept=v), "intercept is"),
    "Thresholds, symmetric": (lambda v: iclv.Thresholds("l", symmetric=v), "symmetric is"),
    "Standardized, how": (lambda v: iclv.Standardized("x", how=v), "how is"),
    "Ordered, column": (lambda v: iclv.Ordered(v, of="f"), "column of an indicator"),
    "Ordered, link": (lambda v: iclv.Ordered("q", of="f", link=v), "link is"),
    "Ordered, thresholds": (lambda v: iclv.Ordered("q", of="f", thresholds=v), "thresholds is"),
    "Ordered, scale": (lambda v: iclv.Ordered("q", of="f", scale=v), "scale is"),
    "Binary, guessing": (lambda v: iclv.Binary("q", of="f", guessing=v), "guessing is"),
    "Count, exposure": (lambda v: iclv.Count("q", of="f", exposure=v), "exposure= is"),
    "Count, dispersion": (lambda v: iclv.Count("q", of="f", dispersion=v), "dispersion is"),
    "Duration, event": (lambda v: iclv.Duration("q", of="f", event=v), "event= is"),
    "Logit, utility": (lambda v: iclv.Model(choice=iclv.Logit(v, "y")), "utility function is a function"),
    "Logit, chosen": (lambda v: iclv.Logit(utility, v), "chosen= is"),
    "Logit, available": (lambda v: iclv.Logit(utility, "y", available=v), r"available= is|available\["),
    "Logit, name": (lambda v: named(name=v), "name= of a choice"),
    "Logit, rows": (lambda v: named(rows=v), "rows= of the choice"),
    "Logit, table": (lambda v: named(table=v), "table= of the choice"),
    "NestedLogit, nests": (lambda v: iclv.NestedLogit(utility, "y", v), "nests= is"),
    "NestedLogit, members": (lambda v: iclv.NestedLogit(utility, "y", {"n": v}), r"nests\['n'\]"),
    "CrossNestedLogit, nests": (lambda v: iclv.CrossNestedLogit(utility, "y", v), "nests= is"),
    "OrderedChoice, link": (lambda v: iclv.OrderedChoice(index, "y", link=v), "link= is"),
    "Ranking, scales": (lambda v: iclv.Ranking(utility, ["r", "s"], scales=v), "scales= is"),
    "BestWorst, best": (lambda v: iclv.BestWorst(utility, best=v), "best= is"),
    "BestWorst, kind": (lambda v: iclv.BestWorst(utility, kind=v), "kind= is"),
    "MDCEV, utility": (
        lambda v: iclv.Model(choice=iclv.MDCEV(v, {"a": "qa", "b": "qb"})),
        "utility function is a function",
    ),
    "MDCEV, outside": (lambda v: iclv.MDCEV(utility, {"a": "qa", "b": "qb"}, outside=v), "outside="),
    "MDCEV, profile": (lambda v: iclv.MDCEV(utility, {"a": "qa", "b": "qb"}, profile=v), "profile= is"),
    "LatentClasses, classes": (lambda v: iclv.LatentClasses(utility, v), "classes= is"),
    "LatentClasses, of": (
        lambda v: iclv.LatentClasses(
            utility, {"a": iclv.Logit(utility, "y"), "b": iclv.Logit(utility, "y")}, of=v
        ),
        "of= is",
    ),
    "LogLikelihood, function": (
        lambda v: iclv.Model(choice=iclv.LogLikelihood(v, explains="y")),
        "is a function",
    ),
    "LogLikelihood, predict": (
        lambda v: iclv.Model(choice=iclv.LogLikelihood(index, explains="y", predict=v)),
        "predict= is a function",
    ),
    "LogNormal, sign": (lambda v: iclv.LogNormal(v), "sign of a LogNormal"),
    "JohnsonSB, lower": (lambda v: iclv.JohnsonSB(v, 2.0), "lower="),
    "TruncatedNormal, upper": (lambda v: iclv.TruncatedNormal(0.0, v), "upper="),
    "L2, strength": (lambda v: iclv.L2(v), "strength is"),
    "Gaussian, sd": (lambda v: iclv.Gaussian(0.0, v), "sd is"),
    "MonteCarlo, draws": (lambda v: iclv.MonteCarlo(v), "draws is"),
    "MonteCarlo, sequence": (lambda v: iclv.MonteCarlo(5, v), "sequence is"),
    "MonteCarlo, seed": (lambda v: iclv.MonteCarlo(5, seed=v), "seed is"),
    "Adaptive, proposal": (lambda v: iclv.Adaptive(5, proposal=v), "proposal is"),
    "GaussHermite, adaptive": (lambda v: iclv.GaussHermite(5, adaptive=v), "adaptive is"),
    "GaussHermite, target_error": (lambda v: iclv.GaussHermite(5, target_error=v), "target_error is"),
    "Trapezoid, reach": (lambda v: iclv.Trapezoid(5, reach=v), "reach"),
    "TrustRegion, hessian": (lambda v: iclv.TrustRegion(v), "hessian is"),
    "TrustRegion, radius": (lambda v: iclv.TrustRegion(radius=v), "radius is"),
    "TrustRegion, tolerance": (lambda v: iclv.TrustRegion(tolerance=v), "tolerance is"),
    "TrustRegion, max_iterations": (lambda v: iclv.TrustRegion(max_iterations=v), "max_iterations is"),
    "TrustRegion, scaling": (lambda v: iclv.TrustRegion(scaling=v), "scaling is"),
    "BHHH, recentrings": (lambda v: iclv.BHHH(recentrings=v), "recentrings is"),
    "BHHH, trace_parameters": (lambda v: iclv.BHHH(trace_parameters=v), "trace_parameters is"),
    "LBFGSB, memory": (lambda v: iclv.LBFGSB(v), "memory is"),
    "Scipy, method_name": (lambda v: iclv.Scipy(v), "Scipy takes"),
    "Stochastic, objective": (lambda v: iclv.Stochastic(ADAM, objective=v), "objective is"),
    "Stochastic, average": (lambda v: iclv.Stochastic(ADAM, average=v), "average is"),
    "Stochastic, whiten": (lambda v: iclv.Stochastic(ADAM, whiten=v), "whiten is"),
    "Model, random": (lambda v: iclv.Model(choice=iclv.Logit(utility, "y"), random=v), "random"),
    "Model, derived": (lambda v: iclv.Model(choice=iclv.Logit(utility, "y"), derived=v), "derived"),
    "Model, modules": (lambda v: iclv.Model(choice=iclv.Logit(utility, "y"), modules=v), "modules="),
    "Model, group": (lambda v: iclv.Model(choice=iclv.Logit(utility, "y"), group=v), "group"),
    "from_text, text": (lambda v: iclv.Model.from_text(v), "written as text"),
    "from_text, auto": (lambda v: iclv.Model.from_text("f =~ k1 + k2 + k3", auto=v), "auto is"),
    "People.stream, person": (lambda v: iclv.People.stream([DATA], person=v), "person= is"),
    "People.stream, rows": (lambda v: iclv.People.stream([DATA], rows=v), "rows= is"),
    "devices": (mesh_of, "devices= is"),
    "bind, weights_are": (lambda v: MODEL.bind(DATA, weights_are=v), "weights_are= is"),
    "bind, levels": (lambda v: MODEL.bind(DATA, levels=v), "levels= is"),
    "memory": (parse_memory, "memory= is"),
}

INSIDE = re.compile(
    r"Traced|jaxlib|has no attribute|is ambiguous|not iterable|not callable|unhashable|not supported between|positional"
)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_strange_arguments_are_refused_by_name(argument, value):
    give, words = ARGUMENTS[argument]
    with pytest.raises(ValueError, match=words) as error:
        give(ODD[value])
    said = str(error.value).replace(repr(ODD[value]), "")
    assert not INSIDE.search(said), said
