"""Examples of docstrings run, and every public function and class has one."""

import doctest
import importlib.util
import inspect
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import iclv_jax as iclv
from iclv_jax import datasets, families, plot
from iclv_jax._fit._grouped import Group

FOLDER = Path(__file__).parents[1] / "notebooks"
MODULES = {"": iclv, "datasets.": datasets, "families.": families, "plot.": plot}
PUBLIC = {
    f"{prefix}{name}": getattr(module, name)
    for prefix, module in MODULES.items()
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name)) and name != "__version__"
}
GROUPS = [group for _, group in inspect.getmembers(iclv.Fit, inspect.isclass) if issubclass(group, Group)]
METHODS = {
    f"{kind.__qualname__}.{name}": inspect.unwrap(member)
    for kind in (iclv.Model, iclv.Problem, iclv.Fit, *GROUPS)
    for name, member in inspect.getmembers(kind)
    if not name.startswith("_") and inspect.isroutine(member)
} | {group.__qualname__: group for group in GROUPS}
WITH = {name: thing for name, thing in (PUBLIC | METHODS).items() if ">>>" in (thing.__doc__ or "")}
LONG = {
    "Fit.choices.class_probabilities", "Fit.fit_measures", "Fit.latent_scores", "Fit.measurement.item_fit",
    "Fit.measurement.predict_items", "Fit.measurement.reliability", "Fit.module", "Fit.predict", "Fit.report",
    "Fit.structure.effects", "Fit.structure.standardized", "Fit.tests.cross_validate", "Fit.tests.equality_tests",
    "Fit.tests.goodness_of_fit", "Fit.tests.lm_test", "Fit.tests.lr_test", "Fit.tests.modification_indices",
    "Fit.uncertainty.bootstrap", "Fit.uncertainty.profile", "Fit.uncertainty.sensitivity", "Model.fit",
    "Model.fit_sequential", "Problem.numerical_hessian", "SequentialFit", "Stochastic", "StreamedFit",
    "ben_akiva_swait", "datasets.Survey", "families.check_indicator", "invariance", "learning_rate_test", "multistart",
    "plot.effective_sizes", "plot.item_information", "plot.item_response", "plot.learning_curves",
    "plot.learning_rates", "plot.residual_quantiles", "plot.residuals_against", "plot.search", "sanity_checks",
    "search", "vuong",
}  # fmt: skip
"""Examples that compile for more than a few seconds."""


@pytest.fixture(scope="module")
def space():
    """What the examples go on from: the code at the top of the reference."""
    spec = importlib.util.spec_from_file_location("pages", FOLDER / "pages.py")
    pages = importlib.util.module_from_spec(spec)
    sys.modules["pages"] = pages
    spec.loader.exec_module(pages)
    found = {"__name__": "reference"}
    path = FOLDER / "reference/index.md"
    for block in pages.blocks(path.read_text(encoding="utf-8")):
        pages.execute(block, path, found)
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in sorted(WITH)]
)
def test_an_example_prints_what_it_shows(name, space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(WITH[name]), dict(space), name, None, None)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    printed = []
    result = doctest.DocTestRunner(verbose=False, optionflags=options).run(example, out=printed.append)
    plt.close("all")
    assert result.attempted and not result.failed, "".join(printed)


def test_every_public_function_and_class_has_an_example():
    assert sorted(PUBLIC.keys() - WITH.keys()) == []


def test_every_method_of_a_model_a_problem_and_a_fit_has_an_example():
    assert sorted(METHODS.keys() - WITH.keys()) == []


def test_long_examples_are_examples():
    assert WITH.keys() >= LONG
