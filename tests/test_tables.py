"""Tables in LaTeX and CSV: what compiles, what is escaped, and what comes back."""

import io
import re

import bank
import numpy as np
import pandas as pd
import pytest

import iclv_jax as iclv
from iclv_jax._tables import Report, Section
from iclv_jax._tables._latex import escape

SPECIAL = re.compile(r"(?<!\\)[%#_]|(?<!\\)&(?! )|[~^<>|]")


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    price, time = generator.normal(size=(2, 300))
    better = 0.5 - price - 0.5 * time + generator.logistic(size=300) > 0
    frame = pd.DataFrame({"price": price, "time_%": time, "group": np.arange(300) % 30})
    return frame.assign(choice=np.where(better, "a & b", "none"))


@pytest.fixture(scope="module")
def fit(data):
    def utility(b, x, lv):
        return {"a & b": b.asc + b.price_ * x.price + b["time #1"] * x["time_%"], "none": 0.0}

    return iclv.Model(choice=iclv.Logit(utility, chosen="choice")).fit(data, progress=False, cluster="group")


@pytest.fixture(scope="module")
def mimic():
    case = bank.get("mimic")
    return case.model.fit(case.data, progress=False, start=case.params)


RESULTS = {
    "summary": lambda f, d: f.summary(),
    "integration": lambda f, d: f.integration_report(),
    "diagnosis": lambda f, d: f.diagnose(),
    "comparison": lambda f, d: iclv.compare({"A_1": f, "B%": f}),
    "wald": lambda f, d: f.wald_test("price_ = 0, asc = 1"),
    "covariances": lambda f, d: f.compare_covariances(),
    "bootstrap": lambda f, d: f.bootstrap(3),
    "profile": lambda f, d: f.profile("price_"),
    "elasticities": lambda f, d: f.elasticities("price"),
    "scenario": lambda f, d: f.scenario(d, d.assign(price=d["price"] + 1), cost="price_"),
    "trade-off": lambda f, d: f.willingness_to_pay("time_%", cost="price_", draws=50),
}


def check(text):
    """Environments in pairs, as many cells in every row as the table has columns, nothing left to be escaped."""
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.replace(r"\$", "").count("$") % 2 == 0
    spec = re.search(r"\\begin\{tabular\}\{(.*)\}|\\begin\{longtable\}\{(.*)\}", text)
    assert spec is not None
    width = len(re.sub(r"p\{[^}]*\}", "l", spec[1] or spec[2]))
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert rows
    for row in rows:
        spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
        assert row.count(" & ") + 1 + spans == width, row
    printed = re.sub(r"\\label\{[^}]*\}|\\\\| & |^ ?& |\\multicolumn", "", text, flags=re.MULTILINE)
    assert not SPECIAL.search(printed), SPECIAL.search(printed)
    return width


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_tables_in_latex_and_csv(name, fit, data):
    found = RESULTS[name](fit, data)
    check(found.to_latex())
    check(found.to_latex(long=True, caption="50 % of a_b", label="tab:a_b"))
    frame = found.to_frame()
    assert len(frame)
    back = pd.read_csv(io.StringIO(found.to_csv()), dtype=str, keep_default_na=False)
    assert back.to_numpy().tolist() == frame.to_numpy().tolist()
    assert list(back.columns) == list(frame.columns)
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f.table(),
        lambda f: f.params,
        lambda f: f.effects(),
        lambda f: f.standardized(),
        lambda f: f.predict_items(),
        lambda f: f.conf_int(),
        lambda f: f.trace,
        lambda f: f.summary(),
    ],
)
def test_frames_of_a_fit_are_tables_in_latex(call, mimic):
    check(iclv.to_latex(call(mimic), caption="of health_1"))


def test_the_summary_in_latex(mimic):
    text = mimic.summary().to_latex(label="tab:mimic")
    assert r"\label{tab:mimic}" in text
    assert r"\textit{Structural equations}" in text
    estimate = f"{mimic.params['health ~ income']:.3f}".replace("-", "$-$")
    assert rf"health \textasciitilde{{}} income & {estimate} & " in text
    assert rf"\multicolumn{{5}}{{r}}{{{mimic.llf:,.4f}}}".replace("{-", "{$-$") in text
    assert "Integration: " in text[text.index(r"\end{tabular}") :]


def test_the_summary_as_data(fit):
    frame = fit.summary().to_frame()
    assert list(frame.columns) == ["section", "name", "estimate", "std. error", "t (0)", "p", "t (1)"]
    assert (frame["section"] == "Choice model").all()
    shown = frame.set_index("name")["estimate"].astype(float)
    np.testing.assert_allclose(shown[list(fit.names)], fit.params, atol=5e-4)


def test_files_are_written(fit, tmp_path):
    report = fit.summary()
    assert report.to_latex(tmp_path / "a.tex") is None
    assert (tmp_path / "a.tex").read_text(encoding="utf-8") == report.to_latex()
    assert report.to_csv(tmp_path / "a.csv") is None
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == report.to_csv()
    assert iclv.to_latex(fit.table(), tmp_path / "b.tex") is None
    assert (tmp_path / "b.tex").read_text(encoding="utf-8") == iclv.to_latex(fit.table())


def test_what_must_not_be_missed_stands_below():
    text = Report(
        "T", (), ("", "a"), (Section("", (("x", "1"),)),), ("see_1",), alarm="DID NOT CONVERGE"
    ).to_latex()
    check(text)
    assert r"\textbf{DID NOT CONVERGE}" in text and r"see\_1" in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("50 % & #1_a", r"50 \% \& \#1\_a"),
        ("-0.5 (-2.1)", "$-$0.5 ($-$2.1)"),
        ("1e-05", "1e-05"),
        ("well-known", "well-known"),
        (r"a\b{c}$", r"a\textbackslash{}b\{c\}\$"),
        ("q =~ x | 1 ^ <0.001", r"q =\textasciitilde{} x \textbar{} 1 \textasciicircum{} \textless{}0.001"),
        ("  inner", r"\quad inner"),
        ("", ""),
    ],
)
def test_text_is_escaped(text, wanted):
    assert escape(text) == wanted


def test_frames_with_several_levels():
    columns = pd.MultiIndex.from_tuples([("q1", 1), ("q1", "p")])
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["from", None])
    frame = pd.DataFrame([[0.5, 0.0001], [np.nan, True]], index=index, columns=columns)
    text = iclv.to_latex(frame)
    assert check(text) == 4
    assert "from &  & q1 1 & q1 p" in text
    tuples = pd.Series([1.0], index=pd.Index([("a", "b")], tupleize_cols=False))
    assert check(iclv.to_latex(tuples)) == 2
    with pytest.raises(ValueError, match="takes a DataFrame"):
        iclv.to_latex({"a": 1})
