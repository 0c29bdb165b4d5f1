"""What goes out to other programs, and the start values that come in from them."""

import json
import re
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import small

import iclv_jax as iclv
from iclv_jax._tables import Report, Section

APOLLO = '"","Estimate","s.e.","t.rat.(0)","Rob.s.e."\n"asc",0.5,0.2,2.5,0.2\n"b_price",-1.1,0.1,-11,0.1\n"old",1,NA,NA,NA\n'
YAML = """# File logit.yaml has automatically been generated
bhhh:
- - 1.0
  - 0.5
beta_names:
- asc
- 'b_price'
beta_values:
- 0.5
- -1.1e+00
bootstrap: []
"""
HTML = """<html><body><table border="0"><tr class=biostyle><td>Sample size: </td><td>90</td></tr></table>
<table border="1"><tr class=biostyle><th>Id</th><th>Name</th><th>Value</th><th>Robust std err.</th></tr>
<tr class=biostyle><td>0</td><td>asc</td><td>0.5</td><td>0.2</td></tr>
<tr class=biostyle><td>1</td><td>b_price</td><td>-1.1</td><td>0.1</td></tr></table>
<table border="1"><tr><th>Coefficient 1</th><th>Coefficient 2</th><th>Robust covariance</th><th>Robust correlation</th></tr>
<tr><td>b_price</td><td>asc</td><td>0.0039</td><td>0.812</td></tr></table></body></html>"""
F12 = f"""{"logit":>79}
{"From somewhere":<56}{"2024-05-01 10:00:00":<21}
END
   0 {"asc":>10} F  {0.5:>+19.12e} {0.2:>+19.12e}
   0 {"b_price":>10} T  {-1.1:>+19.12e} {0.1:>+19.12e}
  -1
      90                  0 {-62.4:>+19.12e} {-30.0:>+19.12e}
   0   0  2024-05-01 10:00:00
  12345
"""
FILES = {"m_estimates.csv": APOLLO, "m.yaml": YAML, "m.html": HTML, "m.F12": F12}


@pytest.mark.parametrize("name", FILES)
def test_names_and_values_of_every_program(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    found = dict(iclv.read_start(tmp_path / name))
    found.pop("old", None)
    assert found == {"asc": 0.5, "b_price": -1.1}


def test_a_file_of_biogeme_with_lists_in_a_line(tmp_path):
    (tmp_path / "m.yaml").write_text("beta_names: [asc, b_price]\nbeta_values: [0.5, -1.1]\n")
    assert dict(iclv.read_start(tmp_path / "m.yaml")) == {"asc": 0.5, "b_price": -1.1}


def test_lavaan_speaks_of_the_same_parameters(tmp_path):
    rows = [
        ("green", "=~", "q1", 0.9), ("green", "~", "age", 0.6), ("q1", "|", "t1", -0.8), ("green", "~~", "green", 1.0),
        ("green", "~1", "", 0.0), ("ratio", ":=", "a/b", 2.0), ("b", "~~", "a", 0.3),
    ]  # fmt: skip
    pd.DataFrame(rows, columns=["lhs", "op", "rhs", "est"]).to_csv(tmp_path / "lavaan.csv")
    found = iclv.read_start(tmp_path / "lavaan.csv")
    assert dict(found) == {
        "green =~ q1": 0.9, "green ~ age": 0.6, "q1 | 1": -0.8, "green ~~ green": 1.0, "green ~ 1": 0.0, "b ~~ a": 0.3,
    }  # fmt: skip
    table = found.match(["green =~ q1", "green ~ age", "q1 | 1", "q1 | 2", "a ~~ b"]).set_index("file")
    assert table.loc["b ~~ a", "parameter"] == "a ~~ b"
    assert pd.isna(table.loc["green ~ 1", "parameter"])
    assert table["parameter"].iloc[-1] == "q1 | 2" and pd.isna(table["value"].iloc[-1])


def test_ten_letters_of_a_name_find_the_parameter(tmp_path):
    (tmp_path / "m.f12").write_text(F12.replace(f"{'b_price':>10}", "constant_l"))
    start = iclv.read_start(tmp_path / "m.f12")
    assert start.match(["asc", "constant_long"])["parameter"].tolist() == ["asc", "constant_long"]
    assert pd.isna(start.match(["asc", "constant_long", "constant_last"])["parameter"].iloc[1])


def test_a_fit_starts_there(tmp_path):
    (tmp_path / "m_estimates.csv").write_text(APOLLO)
    rename = {"b_price": "price", "old": None}
    start = iclv.read_start(tmp_path / "m_estimates.csv", rename=rename)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = small.logit().fit(small.data(), start=start, progress=False)
    assert fit.llf == pytest.approx(small.fitted("logit").llf)
    np.testing.assert_allclose(fit.start[:2], [0.5, -1.1])
    table = start.match(fit)
    assert table["parameter"].tolist() == ["asc", "price", "time"]
    unmatched = iclv.read_start(tmp_path / "m_estimates.csv")
    said = r"2 of 3 values of 'm_estimates.csv' have no parameter here: 'b_price', 'old'. 2 parameters start as usual: 'pr"
    with pytest.warns(UserWarning, match=said):
        small.logit().fit(small.data(), start=unmatched, progress=False)


REFUSED = {
    "no file": (lambda folder: iclv.read_start(folder / "none.csv"), "there is no file"),
    "another table": (lambda folder: iclv.read_start(folder / "other.csv"), r"holds no estimates that can be read\. Give"),
    "not that program": (lambda folder: iclv.read_start(folder / "m.yaml", program="alogit"), "read as those of alogit"),
    "no program": (lambda folder: iclv.read_start(folder / "m.yaml", program="apolo"), "not 'apolo'. Did you mean 'apollo'"),
    "no such name": (lambda folder: iclv.read_start(folder / "m.yaml", rename={"b_pric": "p"}), "Did you mean 'b_price'"),
    "nothing matches": (
        lambda folder: iclv.read_start(folder / "m.yaml").for_names(("price",)),
        r"none of the 2 names of 'm.yaml' is a parameter .* rename=\{'theirs': 'ours'\}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_said(what, tmp_path):
    (tmp_path / "m.yaml").write_text(YAML)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    call, said = REFUSED[what]
    with pytest.raises(ValueError, match=said):
        call(tmp_path)


def test_long_tables_break_by_themselves_and_blocks_are_tables_of_their_own():
    rows = tuple((f"p{i}", "1.0") for i in range(60))
    long = Report(
        "T",
        (("a", "1"),),
        ("", "estimate"),
        (Section("One", rows[:50]), Section("Two", rows[50:])),
        ("Note",),
    )
    assert r"\begin{longtable}" in long.to_latex() and r"\begin{table}" not in long.to_latex()
    assert r"\begin{longtable}" not in long.to_latex(long=False)
    parts = long.to_latex(blocks=True, label="tab:x").split("\n\n\\begin")
    assert len(parts) == 2
    assert (
        r"\caption{T: One}\label{tab:x-1}" in parts[0] and "Note" not in parts[0] and "longtable" in parts[0]
    )
    assert (
        r"\caption{T: Two}\label{tab:x-2}" in parts[1] and "Note" in parts[1] and "longtable" not in parts[1]
    )
    short = Report("T", (), ("", "estimate"), (Section("One", rows[:5]),))
    assert r"\begin{table}" in short.to_latex() and short.to_latex(blocks=True) == short.to_latex()


@pytest.mark.slow
def test_fits_go_out_with_all_digits(tmp_path):
    fit = small.fitted("hybrid")
    plain = json.loads(json.dumps(fit.to_dict("robust")))
    assert plain["llf"] == fit.llf and plain["covariance"] == "robust" and plain["people"] == 90
    assert plain["parameters"]["price"]["se"] == fit.standard_errors("robust")["price"]
    assert plain["parameters"]["green ~~ green"]["se"] is None
    fit.to_csv(tmp_path / "fit.csv")
    read = pd.read_csv(tmp_path / "fit.csv", index_col="parameter")
    np.testing.assert_allclose(read["estimate"], fit.table()["estimate"], rtol=1e-15)
    fit.to_excel(tmp_path / "fit.xlsx")
    sheets = pd.read_excel(tmp_path / "fit.xlsx", sheet_name=None, index_col=0)
    assert list(sheets) == ["estimates", "covariances", "correlations", "summary"]
    np.testing.assert_allclose(sheets["covariances"], fit.cov_params(), rtol=1e-12)
    assert fit.to_latex(blocks=True).count(r"\caption") == 3
    fit.summary().to_excel(tmp_path / "summary.xlsx")
    assert pd.read_excel(tmp_path / "summary.xlsx")["name"].tolist() == list(fit.table().index)
    assert fit.summary().to_dict()["rows"][0]["name"] == "green ~ age"


def test_saved_fits_go_out_too(tmp_path):
    fit = small.fitted("logit")
    fit.save(tmp_path / "fit.npz")
    saved = iclv.load(tmp_path / "fit.npz")
    assert saved.to_dict()["parameters"] == fit.to_dict()["parameters"]
    assert saved.to_csv() == fit.to_csv()
    assert re.search(r"price & .*\\\\", saved.to_latex())
    saved.to_excel(tmp_path / "saved.xlsx")


class Arviz:
    """As little of arviz as draws are handed to: before its version 1 and since."""

    class Old:
        InferenceData = dict

        @staticmethod
        def from_dict(*, posterior):
            return {"posterior": posterior}

    class New:
        @staticmethod
        def from_dict(data):
            return data


@pytest.mark.parametrize("version", [Arviz.Old, Arviz.New])
def test_draws_are_handed_to_either_arviz(version, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", version)
    problem = small.fitted("logit").problem
    density = problem.logdensity()
    z = np.asarray(density.start) + np.linspace(0.0, 0.1, 5)[None, :, None] * np.ones((2, 1, 1))
    params = np.asarray(density.to_params(z))
    found = density.to_arviz(z)["posterior"]
    assert list(found) == list(problem.names)
    np.testing.assert_array_equal(found["price"], params[..., list(problem.names).index("price")])
    assert density.to_arviz(z[0])["posterior"]["price"].shape == (1, 5)
    with pytest.raises(ValueError, match=r"Draws of z have the shape \(chain, draw, 3\)"):
        density.to_arviz(z[0, 0])


def test_draws_without_arviz(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    density = small.fitted("logit").problem.logdensity()
    with pytest.raises(ImportError, match="pip install arviz"):
        density.to_arviz(np.zeros((5, 3)))


def test_samples_for_arviz():
    pytest.importorskip("arviz")
    found = small.fitted("logit").bootstrap(6)
    data = found.to_arviz()
    np.testing.assert_array_equal(data.posterior["price"].values[0], found.samples["price"])
