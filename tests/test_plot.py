"""Pictures show the numbers of the fit, on the axes that they are given, and nothing overlaps in the path diagram."""

import subprocess
import sys
from dataclasses import replace

import after
import bank
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Ellipse

import iclv_jax as iclv
from iclv_jax import plot
from iclv_jax._inference import Covariance
from iclv_jax._problem._accuracy import Accuracy
from iclv_jax._training import LearningRates

ROWS = tuple(
    {"stage": stage, "loglike": value, "decrement": decrement}
    for stage, value, decrement in [
        ("items", -30.0, 9.0), ("items", -21.0, 0.4), ("items", -20.5, 1e-9), ("joint", -90.0, 5.0),
        ("joint", -80.0, 0.1), ("joint", -79.9, 0.0),
    ]
)  # fmt: skip


EPOCHS = tuple(
    {"stage": "training", "epoch": k + 1, "train": t, "validation": v}
    for k, (t, v) in enumerate([(-1.0, -0.9), (-0.8, -0.7), (-0.7, -0.75), (-0.65, -0.8)])
)
RATES = LearningRates(
    pd.DataFrame(
        {"learning_rate": [0.01, 0.1, 1.0], "train": [-1.0, -0.8, -2.0], "smoothed": [-1.0, -0.9, -1.2]}
    ),
    0.1,
    0.01,
)


def trained(fit):
    """With the trace of a training."""
    return replace(fit, _rows=EPOCHS) if isinstance(fit, iclv.Fit) else fit


def dressed(fit):
    """With a trace, sizes, and other kinds of standard errors."""
    sizes = np.linspace(2.0, 18.0, fit.nobs)
    fit = replace(fit, _rows=ROWS, accuracy=Accuracy(20, sizes, 0.1))
    base = np.eye(len(fit.names)) / 100.0
    fit._covariances.update(
        {k: Covariance(k, f * base, ()) for k, f in {"hessian": 1.0, "bhhh": 1.21, "robust": 4.0}.items()}
    )
    return fit


@pytest.fixture(scope="module")
def fit():
    return dressed(after.at("chain"))


@pytest.fixture(scope="module")
def sugar():
    """38 items and five latent variables, at the truth."""
    survey = iclv.datasets.sugar_substitutes(people=200)
    problem = survey.model.bind(survey.data, person="person", integration=iclv.Adaptive(4))
    return dressed(after.fit_at(problem, problem.vector(survey.truth)))


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


PICTURES = {
    "coefficients": lambda fit, ax: plot.coefficients(fit, ax=ax),
    "path_diagram": lambda fit, ax: plot.path_diagram(fit, ax=ax),
    "trace": lambda fit, ax: plot.trace(fit, ax=ax),
    "learning_curves": lambda fit, ax: plot.learning_curves(trained(fit), ax=ax),
    "learning_rates": lambda fit, ax: plot.learning_rates(RATES if isinstance(fit, iclv.Fit) else fit, ax=ax),
    "gradients": lambda fit, ax: plot.gradients(fit, ax=ax),
    "effective_sizes": lambda fit, ax: plot.effective_sizes(fit, ax=ax),
    "latent_scores": lambda fit, ax: plot.latent_scores(fit, by="female", ax=ax),
    "willingness_to_pay": lambda fit, ax: plot.willingness_to_pay(fit, "asc_free", cost="price", ax=ax),
    "standard_errors": lambda fit, ax: plot.standard_errors(fit, ax=ax),
    "shares": lambda fit, ax: plot.shares(fit, ax=ax),
    "item_response": lambda fit, ax: plot.item_response(fit, "q1", ax=ax),
    "item_information": lambda fit, ax: plot.item_information(fit, "concern", ax=ax),
    "residual_quantiles": lambda fit, ax: plot.residual_quantiles(fit, ax=ax),
    "residuals_against": lambda fit, ax: plot.residuals_against(fit, "q1", "concern", ax=ax),
}


def texts(ax, gid=None):
    return [t.get_text() for t in ax.texts if gid is None or t.get_gid() == gid]


def names_of_rows(ax):
    return [t.get_text() for t in ax.get_yticklabels()]


def test_every_picture_is_tested():
    # That of a search has tests of its own, in test_search.
    assert {*PICTURES, "search"} == set(plot.__all__)


@pytest.mark.gate("gradients", "willingness_to_pay", "latent_scores", "shares")
@pytest.mark.parametrize("name", PICTURES)
def test_axes_are_used_and_returned(fit, name):
    ax = plt.figure().add_subplot()
    assert PICTURES[name](fit, ax) is ax
    assert len(plt.get_fignums()) == 1
    assert ax.has_data() or ax.patches
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_no_fit_or_no_axes_is_refused(fit, name):
    with pytest.raises(ValueError, match="fit"):
        PICTURES[name]("a fit", None)
    with pytest.raises(ValueError, match="ax= is a matplotlib Axes"):
        PICTURES[name](fit, "here")


def test_without_matplotlib_the_package_imports():
    code = "import sys, iclv_jax; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_coefficients(fit):
    ax = plot.coefficients({"A": fit, "B": fit}, names=["price", "taste"], level=0.9)
    assert names_of_rows(ax) == ["price", "taste"]
    first = ax.get_lines()[0]
    assert first.get_label() == "A"
    np.testing.assert_allclose(first.get_xdata(), fit.params[["price", "taste"]])
    ends = np.array([s[:, 0] for s in ax.collections[0].get_segments()])
    np.testing.assert_allclose(ends, fit.conf_int(0.1).loc[["price", "taste"]])
    blocks = fit.table()["block"]
    assert names_of_rows(plot.coefficients(fit, block="choice")) == list(blocks.index[blocks == "choice"])


def test_coefficients_without_some_and_in_other_units(fit):
    ax = plot.coefficients(fit, block="choice", without=["price"], scale={"taste": -10.0})
    shown = names_of_rows(ax)
    assert "taste (x -10)" in shown and "price" not in shown
    at = shown.index("taste (x -10)")
    assert ax.get_lines()[0].get_xdata()[at] == pytest.approx(-10.0 * fit.params["taste"])
    ends = ax.collections[0].get_segments()[at][:, 0]
    np.testing.assert_allclose(sorted(ends), sorted(-10.0 * fit.conf_int().loc["taste"]))
    even = plot.coefficients(fit, names=["price", "taste"], scale="errors")
    np.testing.assert_allclose(even.get_lines()[0].get_xdata(), fit.tvalues[["price", "taste"]])
    widths = [np.ptp(segment[:, 0]) for segment in even.collections[0].get_segments()]
    np.testing.assert_allclose(widths, 2 * 1.959964, rtol=1e-6)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"names": ["price"], "without": ["price"]}, "leaves no parameter"),
        ({"without": ["pirce"]}, "Did you mean 'price'"),
        ({"scale": {"pirce": 2}}, "Did you mean 'price'"),
        ({"scale": 3}, "'errors' or a mapping"),
        ({"names": ["pirce"]}, "Did you mean 'price'"),
        ({"names": []}, "empty"),
        ({"block": "prices"}, "'choice', not 'prices'"),
        ({"level": 95}, "0.95, not 95"),
    ],
)
def test_coefficients_refuse(fit, keywords, message):
    with pytest.raises(ValueError, match=message):
        plot.coefficients(fit, **keywords)


def test_trace(fit):
    gap, decrement, *_ = plot.trace(fit).get_lines()
    np.testing.assert_allclose(gap.get_ydata(), [9.5, 0.5, np.nan, 10.1, 0.1, np.nan])
    # Half the decrement is the gain that a Newton step promises, in the same points.
    np.testing.assert_allclose(decrement.get_ydata(), [4.5, 0.2, 5e-10, 2.5, 0.05, np.nan])
    assert texts(plot.trace(fit), "stage") == ["items", "joint"]
    assert plot.trace(fit).get_ylabel() == "Log-likelihood points"
    long = plot.trace(replace(fit, _rows=tuple({**row, "stage": row["stage"] * 12} for row in ROWS)))
    assert texts(long, "stage") == ["1", "2"]
    assert long.get_xlabel() == f"Step\n1 {'items' * 12}\n2 {'joint' * 12}"
    with pytest.raises(ValueError, match="no trace"):
        plot.trace(after.at("chain"))


def test_gradients(fit):
    blocks = fit.diagnose().blocks
    ax = plot.gradients(fit)
    np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), blocks["score"])
    assert [name.partition(" (")[0] for name in names_of_rows(ax)] == list(blocks.index)


def test_effective_sizes(fit):
    ax = plot.effective_sizes(fit)
    assert sum(p.get_height() for p in ax.patches[:30]) == fit.nobs
    assert texts(ax) == ["median 10"]
    with pytest.raises(ValueError, match="integration_report"):
        plot.effective_sizes(replace(fit, accuracy=Accuracy(5, None, None)))


def test_latent_scores(fit):
    female = bank.get("chain").data.drop_duplicates("id").set_index("id")["female"]
    scores = fit.latent_scores()["concern"]
    for by in ("female", female):
        ax = plot.latent_scores(fit, by=by, names=["concern"])
        shown = [scores[female.reindex(scores.index) == g] for g in (0, 1)]
        assert names_of_rows(ax) == [*(f"{g}  (n = {len(s)})" for g, s in enumerate(shown)), "concern"]
        np.testing.assert_allclose([p.get_x() for p in ax.patches], [s.quantile(0.25) for s in shown])
    assert len(plot.latent_scores(fit, by="age").patches) == 4 * 3
    years = pd.Series(np.arange(fit.nobs) + 20.0, index=scores.index, name="years").mask(
        np.arange(fit.nobs) < 5, -1
    )
    ax = plot.latent_scores(fit, by=years, names=["concern"], missing=[-1])
    assert names_of_rows(ax)[0].startswith("25 to ") and "5 people without it are left out" in ax.get_xlabel()
    assert sum(int(n.partition("n = ")[2].strip(")") or 0) for n in names_of_rows(ax)) == fit.nobs - 5
    assert len(plot.latent_scores(fit).patches) == 3


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"by": "femal"}, "Did you mean 'female'"),
        ({"by": pd.Series([1.0], index=[-1])}, "no value for"),
        ({"by": "female", "missing": [0, 1]}, "missing for everyone"),
        ({"by": [1, 2]}, "Series indexed by person"),
        ({"names": ["concer"]}, "Did you mean 'concern'"),
    ],
)
def test_latent_scores_refuse(fit, keywords, message):
    with pytest.raises(ValueError, match=message):
        plot.latent_scores(fit, **keywords)


def test_willingness_to_pay(fit):
    found = fit.willingness_to_pay("asc_free", cost="price")
    ax = plot.willingness_to_pay(fit, "asc_free", cost="price")
    assert names_of_rows(ax) == ["Delta method", "Fieller", "Krinsky and Robb"]
    np.testing.assert_allclose(
        ax.collections[0].get_segments()[0][:, 0], found.intervals.iloc[0, :2].astype(float)
    )
    assert ax.get_xlabel() == "Willingness to pay for asc_free (units of price per unit of asc_free)"
    varying = plot.willingness_to_pay(fit, "label", cost="price", alternative="free", unit="EUR")
    assert varying.get_xlabel() == "Willingness to pay for label (EUR)"
    assert texts(varying) == ["5 %", "median", "95 %"]


def test_standard_errors(fit, sugar):
    bhhh, robust = plot.standard_errors(fit).get_lines()[:2]
    np.testing.assert_allclose(bhhh.get_xdata(), 1.1)
    np.testing.assert_allclose(robust.get_xdata(), 2.0)
    many = plot.standard_errors(sugar, ["robust"])
    assert names_of_rows(many) == ["robust"] and len(texts(many, "farthest")) == 1
    with pytest.raises(ValueError, match="compare with that of the Hessian"):
        plot.standard_errors(fit, ["hessian"])


def test_shares(fit):
    table = fit.shares()
    predicted, observed = plot.shares(fit).get_lines()
    np.testing.assert_allclose(predicted.get_xdata(), table["predicted"])
    np.testing.assert_allclose(observed.get_xdata(), table["observed"])
    assert len(names_of_rows(plot.shares(fit, by="female"))) == 2 * 4
    with pytest.raises(ValueError, match="more than 24"):
        plot.shares(fit, by="price_free")


def test_item_response(fit):
    lines = plot.item_response(fit, "q1").get_lines()
    assert [line.get_label() for line in lines] == ["1", "2", "3", "4", "5"]
    np.testing.assert_allclose(sum(line.get_ydata() for line in lines), 1.0)
    from scipy.stats import norm

    # Every label stands on its own curve, and no two touch.
    ax = plot.item_response(fit, "q1")
    for text, line in zip(ax.texts, ax.get_lines(), strict=True):
        x, y = text.get_position()
        assert y == line.get_ydata()[list(line.get_xdata()).index(x)]
    assert not touching(ax)
    expected = norm.cdf(fit.params["q1 | 1"] - fit.params["concern =~ q1"] * lines[0].get_xdata())
    np.testing.assert_allclose(lines[0].get_ydata(), expected, rtol=1e-6)
    (mean,) = plot.item_response(fit, "k1").get_lines()
    slope = np.diff(mean.get_ydata()) / np.diff(mean.get_xdata())
    np.testing.assert_allclose(slope, fit.params["benefit =~ k1"], rtol=1e-6)
    with pytest.raises(ValueError, match="no item that measures a latent variable"):
        plot.item_response(fit, "q9")
    with pytest.raises(ValueError, match="does not measure"):
        plot.item_response(fit, "q1", latent="benefit")


def test_item_information(fit):
    lines = {line.get_label(): line for line in plot.item_information(fit, "benefit").get_lines()}
    continuous = fit.params["benefit =~ k1"] ** 2 / fit.params["k1 ~~ k1"]
    np.testing.assert_allclose(lines["k1"].get_ydata(), continuous, rtol=1e-6)
    own = [line.get_ydata() for name, line in lines.items() if name != "together"]
    np.testing.assert_allclose(lines["together"].get_ydata(), sum(own))
    with pytest.raises(ValueError, match="several latent variables: name one"):
        plot.item_information(fit)
    with pytest.raises(ValueError, match="does not measure"):
        plot.item_information(fit, "benefit", ["q1"])


# --- the path diagram --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chain", "cfa", "mimic", "likert5", "constraints"])
@pytest.mark.parametrize("items", [True, False])
def test_the_diagram_of_small_models(name, items):
    found = after.at(name)
    ax = plot.path_diagram(found, items=items)
    spec = found.problem.spec
    assert texts(ax, "latent") == list(spec.order)
    assert len([p for p in ax.patches if isinstance(p, Ellipse)]) == len(spec.order)
    assert sorted(texts(ax, "item")) == sorted(i.column for i in spec.indicators if items)
    assert not touching(ax)


@pytest.mark.parametrize("size", [None, (6, 5)])
def test_labels_do_not_overlap_with_many_items(sugar, size):
    ax = None if size is None else plt.figure(figsize=size).add_subplot()
    ax = plot.path_diagram(sugar, ax=ax)
    assert len(texts(ax, "item")) == len(texts(ax, "loading")) == 38
    assert len(texts(ax, "path")) == 7 and len(texts(ax, "coefficient")) == 8
    assert not touching(ax)


def test_the_diagram_shows_estimates_with_stars(fit):
    ax = plot.path_diagram(fit)
    table = fit.table()
    row = table.loc["intention ~ benefit"]
    stars = "***" if row["p"] < 0.01 else "**" if row["p"] < 0.05 else "*" if row["p"] < 0.1 else ""
    assert f"{row['estimate']:.2f}{stars}".replace("-", "\N{MINUS SIGN}") in texts(ax, "path")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.50"), (-0.0021, "\N{MINUS SIGN}0.0021"), (0.099, "0.099"), (0.00004, "4.0e\N{MINUS SIGN}05"), (0.0, "0.00")],
)  # fmt: skip
def test_a_small_estimate_keeps_its_digits(value, shown):
    from iclv_jax.plot._path_diagram import Drawing

    drawing = object.__new__(Drawing)
    drawing.table = pd.DataFrame({"estimate": [value], "p": [0.02]}, index=["a"])
    assert drawing.estimate("a") == f"{shown}**"


def test_the_diagram_shows_what_items_have_beside_their_latent_variables():
    """Covariances of residuals as dashed arcs and direct effects of covariates, of one group of several."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"age": generator.normal(size=90), "school": ["north", "south", "east"] * 30})
    eta = frame["age"] + generator.normal(size=90)
    for k in range(5):
        frame[f"y{k}"] = eta + generator.normal(size=90)
    items = [iclv.Continuous(f"y{k}", "trust", on=["age"] if k == 2 else []) for k in range(5)]
    pairs = [("y0", "y1"), ("y1", "y4")]
    model = iclv.Model([iclv.Latent("trust", on=["age"])], items, covariances=pairs, group="school")
    problem = model.bind(frame)
    found = after.fit_at(problem, problem.start())
    ax = plot.path_diagram(found, group="south")
    table = found.table()["estimate"]
    shown = [float(t.strip("*").replace("\N{MINUS SIGN}", "-")) for t in texts(ax, "residual")]
    expected = [table[f"{a} ~~ {b} [south]"] for a, b in pairs]
    np.testing.assert_allclose(shown, expected, atol=0.0051)
    (effect,) = texts(ax, "effect")
    assert effect.startswith("age ") and not touching(ax)
    assert not texts(plot.path_diagram(found, group="south", items=False), "residual")


def test_the_diagram_needs_latent_variables():
    with pytest.raises(ValueError, match="no latent variables"):
        plot.path_diagram(after.at("plain_logit"))


def touching(ax):
    """Pairs of texts that overlap by more than a hair, and texts that leave the figure."""
    ax.figure.canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent().padded(-0.5)) for t in ax.texts]
    frame = ax.figure.bbox.padded(1.0)
    out = [a for a, box in boxes if not (frame.x0 <= box.x0 and box.x1 <= frame.x1)]
    pairs = [(a, b) for i, (a, x) in enumerate(boxes) for b, y in boxes[:i] if x.overlaps(y)]
    return out + pairs


def test_learning_curves(fit):
    ax = plot.learning_curves(trained(fit))
    train, held_out = ax.get_lines()[:2]
    np.testing.assert_allclose(train.get_ydata(), [-1.0, -0.8, -0.7, -0.65])
    np.testing.assert_allclose(held_out.get_ydata(), [-0.9, -0.7, -0.75, -0.8])
    assert texts(ax, "best") == [" best: epoch 2"]
    alone = tuple({k: v for k, v in row.items() if k != "validation"} for row in EPOCHS)
    assert len(plot.learning_curves(replace(fit, _rows=alone)).get_lines()) == 1
    with pytest.raises(ValueError, match="was not trained"):
        plot.learning_curves(fit)


def test_learning_rates():
    ax = plot.learning_rates(RATES)
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), RATES.table["smoothed"])
    assert ax.get_xscale() == "log" and " 0.01" in texts(ax)
