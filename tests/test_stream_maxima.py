"""Maxima of people in chunks are examined as those of people in memory are: the same verdicts, with the same names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_endings import binary, choices, generic, panel
from test_probe import member, of_three_kinds
from test_stream import cut

import iclv_jax as iclv
from iclv_jax._optimise import Verdict
from iclv_jax._stream import _fit as streams


def both(model, frame, **options):
    """The fit of a frame in memory, and that of its people in two chunks."""
    person = "id" if "id" in frame else None
    half = len(frame) // 2
    pieces = cut(frame, 2) if person else [frame.iloc[:half], frame.iloc[half:]]
    people = iclv.People.stream(pieces, person=person)
    return model.fit(frame, person=person, progress=False, **options), model.fit(
        people, progress=False, **options
    )


def check_same(whole, found):
    """The verdicts and what goes with them, the estimates, and which of them have no standard error."""
    report, other = whole.optimizer_report, found.optimizer_report
    assert (other.verdict, other.message) == (report.verdict, report.message)
    assert (dict(other.limits), other.zero, other.undetermined) == (
        dict(report.limits),
        report.zero,
        report.undetermined,
    )
    assert found.llf == pytest.approx(whole.llf, abs=1e-6)
    sure = whole.bse.notna()
    assert found.bse.notna().equals(sure)
    np.testing.assert_allclose(found.params[sure], whole.params[sure], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.bse[sure], whole.bse[sure], rtol=1e-3)


def logit(utility, **parts):
    return iclv.Model(choice=iclv.Logit(utility, "y"), **parts)


def test_separation():
    frame, d = choices(1), (np.arange(300) % 9 == 0).astype(float)
    y = ((frame.w + np.random.default_rng(2).logistic(size=300) > 0) | (d > 0)).astype(int)
    whole, found = both(logit(binary), frame.assign(d=d, y=y))
    check_same(whole, found)
    assert dict(found.optimizer_report.limits) == {"d": "infinity"}
    assert "DID NOT CONVERGE (no finite maximum)" in str(found.summary())


def test_an_interrupt_during_the_first_chunk_ends_the_fit(monkeypatch):
    real = streams.estimated

    def stopped(*given):
        first, outcome, rows = real(*given)
        message = Verdict.INTERRUPTED.sentence
        report = replace(outcome.report, verdict=Verdict.INTERRUPTED, message=message)
        return first, replace(outcome, report=report), rows

    monkeypatch.setattr(streams, "estimated", stopped)
    frame = choices(1)
    people = iclv.People.stream([frame[:150], frame[150:]])
    found = logit(generic).fit(people, progress=False)
    alone = logit(generic).fit(frame[:150], progress=False)
    np.testing.assert_allclose(found.params, alone.params, rtol=1e-6)
    assert found.optimizer_report.verdict is Verdict.INTERRUPTED and not len(found.trace)
    assert "That was in the fit of the first chunk" in str(found.summary())


@pytest.mark.slow
def test_a_parameter_without_effect():
    def more(b, x, lv):
        return {j: b.x * x[f"x{j}"] + b.f * x.female for j in range(3)}

    whole, found = both(logit(more), choices())
    check_same(whole, found)
    assert found.optimizer_report.undetermined == ("f",)
    assert "Flat direction of the log-likelihood: f" in str(found.summary())


@pytest.mark.slow
def test_a_variance_that_goes_to_zero():
    rng = np.random.default_rng(2)
    z = rng.normal(size=40)
    sizes = {"y1": (1.5, 0.4), "y2": (0.5, 1.0), "y3": (0.5, 1.0)}
    frame = pd.DataFrame({q: a * z + e * rng.normal(size=40) for q, (a, e) in sizes.items()})
    model = iclv.Model([iclv.Latent("F")], [iclv.Continuous(q, of="F") for q in sizes])
    whole, found = both(model, frame)
    check_same(whole, found)
    assert dict(found.optimizer_report.limits) == {"y1 ~~ y1": "zero"}


@pytest.mark.slow
@pytest.mark.parametrize("spread", [pytest.param(0.0, marks=pytest.mark.slow), 0.8])
def test_spreads_that_are_zero_and_others(spread):
    whole, found = both(
        logit(generic, random={"x": iclv.Normal()}),
        panel(1 if spread == 0.0 else 8, spread),
    )
    check_same(whole, found)
    assert found.converged and found.optimizer_report.zero == (() if spread else ("x.sd",))
    assert ("x.sd is 0" in str(found.summary())) is (spread == 0.0)


@pytest.mark.slow
def test_a_higher_maximum_of_two_classes():
    choice = iclv.LatentClasses(
        lambda b, x, lv: {"one": b.m, "two": 0.0}, {"one": member("1"), "two": member("2")}
    )
    whole, found = both(iclv.Model(choice=choice), of_three_kinds())
    assert found.converged and found.llf == pytest.approx(whole.llf, abs=2e-3)
    assert "starts around it lead back to it" in found.optimizer_report.message
    assert "probe" in set(found.trace["stage"])


@pytest.mark.slow
def test_a_search_over_chunks_ends_after_as_many_steps_as_the_fit():
    """But for two climbs, which are always made; in memory there are more."""
    choice = iclv.LatentClasses(
        lambda b, x, lv: {"one": b.m, "two": 0.0}, {"one": member("1"), "two": member("2")}
    )
    model, frame = iclv.Model(choice=choice), of_three_kinds()
    whole = model.fit(frame, person="id", progress=False)
    people = iclv.People.stream(cut(frame, 2), person="id")
    found = model.fit(people, start=whole, progress=False)
    assert found.llf == pytest.approx(whole.llf, abs=2e-3)
    tried = [
        int(fit.optimizer_report.message.split(" starts around it")[0].split()[-1]) for fit in (whole, found)
    ]
    assert tried[0] > tried[1] == 2
