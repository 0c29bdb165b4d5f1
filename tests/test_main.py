"""The demonstration: what it prints, and its exit code."""

import dataclasses
import re

import numpy as np
import pytest

from iclv_jax import __main__ as demonstration
from iclv_jax._integration import Adaptive
from iclv_jax._optimise import Verdict
from iclv_jax.datasets import sugar_substitutes

# The README's own set-up runs the demonstration.
pytestmark = [pytest.mark.slow, pytest.mark.optimised]
ARGUMENTS = ["--people", "200", "--seed", "1"]
ITEMS = demonstration.ITEMS["small"]
RULES = {**demonstration.RULES, "small": Adaptive(32, final_draws=32)}
against_truth = demonstration.against_truth


@pytest.fixture(scope="module")
def run():
    """One small run: its exit code, what it printed, and its fit."""
    fits, lines = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demonstration, "RULES", RULES)
        patch.setattr("builtins.print", lambda *parts, **_: lines.append(" ".join(map(str, parts))))
        patch.setattr(
            demonstration, "against_truth", lambda fit, truth: fits.append(fit) or against_truth(fit, truth)
        )
        code = demonstration.main(ARGUMENTS)
    return code, "\n".join(lines), fits[0]


def test_it_converges(run):
    code, text, fit = run
    assert fit.converged
    assert code == 0
    assert "The fit converged." in text


def test_it_tells_the_size_and_the_reference_workload(run):
    text = run[1]
    assert "200 people with 6 choices each" in text
    assert "15 five-point items (3, 3, 3, 3, 3)" in text
    assert "90 parameters" in text
    assert "--items full" in text
    assert "38 items" in text


def test_it_prints_the_summary_and_every_parameter_beside_the_truth(run):
    _, text, fit = run
    assert str(fit.summary()) in text
    comparison = text[text.index("Estimates and truth") :]
    for name in fit.names:
        assert re.search(rf"^{re.escape(name)}  ", comparison, re.MULTILINE)


def test_the_comparison_is_right(run):
    fit = run[2]
    truth = sugar_substitutes(1, 200, items=ITEMS).truth
    report = against_truth(fit, truth)
    rows = {row[0]: row for section in report.sections for row in section.rows}
    t = (fit.params["benefit ~ concern"] - 0.5) / fit.bse["benefit ~ concern"]
    assert rows["benefit ~ concern"][1] == "0.500"
    assert float(rows["benefit ~ concern"][4]) == pytest.approx(t, abs=0.006)
    bounds = fit.conf_int()
    inside = sum(bounds["lower"][n] <= truth[n] <= bounds["upper"][n] for n in fit.names)
    assert report.facts[0][1] == f"{inside} of 90 ({inside / 90:.1%})"


def test_it_prints_its_times(run):
    last = run[1].splitlines()[-1]
    times = [float(number) for number in re.findall(r"\d+\.\d", last)]
    assert "compilation included" in last
    assert len(times) == 4
    assert np.isclose(sum(times[:3]), times[3], atol=0.3)


def test_a_fit_that_did_not_converge_ends_with_1(run, monkeypatch, capsys):
    fit = run[2]
    report = dataclasses.replace(
        fit.optimizer_report, verdict=Verdict.ITERATION_LIMIT, message=Verdict.ITERATION_LIMIT.sentence
    )
    stopped = dataclasses.replace(fit, optimizer_report=report)
    survey = sugar_substitutes(1, 200, items=ITEMS)
    monkeypatch.setattr(demonstration, "sugar_substitutes", lambda *args, **kwargs: survey)
    monkeypatch.setattr(type(survey.model), "fit", lambda *args, **kwargs: stopped)
    assert demonstration.main(ARGUMENTS) == 1
    assert "DID NOT CONVERGE (iteration limit)" in capsys.readouterr().out


def test_wrong_arguments_are_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        demonstration.main(["--items", "large"])
    assert caught.value.code == 2
    assert "small" in capsys.readouterr().err
