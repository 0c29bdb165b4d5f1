"""Models as text, in lavaan's language."""

import moments
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iclv_jax as iclv
from iclv_jax import TextError
from iclv_jax._spec._facts import facts_of

THREE = """
visual  =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed   =~ x7 + x8 + x9
"""
TWO = "f =~ x1 + x2 + x3; h =~ x4 + x5 + x6\n"
TEXTS = [
    THREE,
    THREE + "g =~ visual + textual + speed",
    THREE + "g =~ NA*visual + textual + speed; g ~~ 1*g",
    THREE + "visual + textual + speed ~ age + sex",
    THREE + "visual ~~ 0*textual\nvisual ~~ 0*speed",
    THREE + "speed ~ visual + textual",
    THREE + "x1 ~~ x4 + x7\nx2 ~~ x3",
    THREE + "x1 ~ 0*1\nvisual ~ 1",
    THREE.replace("x2", "a*x2").replace("x3", "a*x3"),
    THREE.replace("x2", "start(0.5)*x2").replace("x3", "0.75*x3"),
    THREE.replace("x3", 'equal("visual=~x2")*x3'),
    "f =~ NA*x1 + x2 + x3\nf ~~ 1*f",
    "f =~ NA*x1 + a*x2 + a*x3\nf ~~ 2*f",
    "f =~ x1 + -0.5*x2 + x3",
    "f =~ lower(0)*x1 + lower(0)*upper(3)*x2 + x3",
    "f =~ q1 + q2 + q3\nq1 | t1 + t2\nq2 | -1*t1 + a*t2\nq3 | t1 + a*t2",
    "f =~ q1 + q2\nq1 | t1\nq2 | 0*t1\nq2 ~~ q2",
    "i =~ 1*t1 + 1*t2 + 1*t3\ns =~ 0*t1 + 1*t2 + 2*t3\nt1 + t2 + t3 ~ 0*1\ni + s ~ 1",
    "i =~ 1*t1 + 1*t2 + 1*t3\ns =~ 0*t1 + 1*t2 + 2*t3\nt1 + t2 + t3 ~ 0*1\ni + s ~ 1 + x\nt1 ~~ v*t1\nt2 ~~ v*t2",
    "Y ~ c*X\nM ~ a*X\nY ~ b*M\nab := a*b\ntotal := c + ab",
    "y1 + y2 ~ x1 + x2",
    THREE + "visual ~ age\nx3 ~ sex + d*age\nx5 ~ d*age",
    "y ~ x\ny ~ 0*1",
    "y ~ f + x\nf =~ x1 + x2 + x3",
    "f ~ y\ny ~ x\nf =~ x1 + x2 + x3",
    TWO + "h ~ b*f\nb > 0",
    TWO + "h ~ b*f + c*z\nb == 2*c",
    TWO + "h ~ b*f + c*z\nb == c",
    TWO + "h ~ b*f + c*z\nb == 0.5\nd := exp(-c)/(1 + sqrt(c^2))",
    TWO + "h ~ f\nx4 ~ m*1\nx5 ~ m*1\nx1 ~~ e*x1\nx2 ~~ e*x2",
    TWO + "h =~ x3\nx1 ~~ 0.5*x1",
    "`my factor` =~ `item 1` + `item 2` + x3\n`my factor` ~ `log income`",
    "f <~ 1*x1 + b*x2 + z\nz =~ y1 + y2 + y3\ny ~ f\nc := 2*b",
    "f =~ x1 + x2 +\n  x3  # comment + x9\n! another =~\n\nh =~ x4\n  + x5 + x6;",
]


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(text):
    model = iclv.Model.from_text(text)
    written = model.to_text()
    again = iclv.Model.from_text(written)
    assert facts_of(again.spec) == facts_of(model.spec)
    assert again.spec.start == model.spec.start
    assert again.to_text() == written


def names(text, **kwargs):
    """Names and standing of the parameters."""
    table = iclv.Model.from_text(text, **kwargs).describe()
    return str(table)


def test_defaults_are_those_of_sem():
    spec = iclv.Model.from_text(THREE + "w =~ y1 + y2\nz =~ y3 + y4\nw + z ~ visual").spec
    assert dict(spec.fixed) == {
        "visual =~ x1": 1.0,
        "textual =~ x4": 1.0,
        "speed =~ x7": 1.0,
        "w =~ y1": 1.0,
        "z =~ y3": 1.0,
    }
    # Exogenous ones, and outcomes that predict nothing.
    assert set(spec.covariances) == {
        ("visual", "textual"),
        ("visual", "speed"),
        ("textual", "speed"),
        ("w", "z"),
    }
    assert all(item.intercept for item in spec.indicators)
    bare = iclv.Model.from_text("f =~ 1*x1 + x2\nh =~ 1*x3 + x4", auto=False).spec
    assert not bare.covariances
    assert dict(bare.fixed) == {"f =~ x1": 1.0, "h =~ x3": 1.0, **{f"x{i} ~ 1": 0.0 for i in (1, 2, 3, 4)}}


def test_a_label_that_is_fixed_fixes_all():
    spec = iclv.Model.from_text("f =~ a*x1 + a*x2 + x3").spec
    assert dict(spec.fixed) == {"f =~ x1": 1.0, "f =~ x2": 1.0}
    assert spec.equal == ()


def test_ordered_items_by_argument():
    spec = iclv.Model.from_text("f =~ x1 + x2 + x3", ordered=["x2"], missing=[9]).spec
    assert [type(i).__name__ for i in spec.indicators] == ["Continuous", "Ordered", "Continuous"]
    assert all(i.missing == (9,) for i in spec.indicators)
    assert all(i.discrete for i in iclv.Model.from_text("f =~ x1 + x2", ordered=True).spec.indicators)


def test_bounds_of_a_parameter_hold_together():
    spec = iclv.Model.from_text("f =~ x1 + a*x2 + lower(0)*b*x3\na > 1\na > 0.5\nb < 3\na == b").spec
    assert dict(spec.bounds) == {"f =~ x2": (1.0, 3.0)}
    assert spec.equal == (("f =~ x2", "f =~ x3"),)


def test_all_thresholds_of_known_levels_are_written():
    data = pd.DataFrame({"x1": [1, 2, 3, 1, 2, 3], "x2": [0, 1, 2, 3, 0, 1], "x3": [0, 1, 0, 1, 0, 1]})
    model = iclv.Model.from_text("f =~ x1 + x2 + x3", ordered=True)
    written = {n: [f"x1 | t{k}" for k in (1, 2)][:n] + [f"x2 | t{k}" for k in (1, 2, 3)] for n in (1, 2)}
    assert [line for line in model.to_text(data).split("\n") if "|" in line] == [*written[2], "x3 | t1"]
    assert [line for line in model.to_text().split("\n") if "|" in line] == ["x1 | t1", "x2 | t1", "x3 | t1"]
    items = [iclv.Ordered("x1", of="f"), iclv.Ordered("x2", of="f", levels=[0, 1, 2, 3])]
    found = iclv.Model([iclv.Latent("f")], items).to_text()
    assert [line for line in found.split("\n") if "|" in line] == written[1]


def test_with_a_choice():
    def utility(b, x, lv):
        return {"a": b.att * lv.f + b.cost * x.cost, "b": 0.0}

    model = iclv.Model.from_text("f =~ x1 + x2 + x3\nf ~ age", choice=iclv.Logit(utility, chosen="choice"))
    assert "att" in str(model.describe())


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("f =~ x1 + x2\nf => x3", 2, 3, "'=>' is no operator. Did you mean"),
        ("f =~ x1 + x2\n\n  f <~ x3", 3, 5, "measured by '=~' and made of its causes"),
        ("y ~ f\nf <~ x1 + x2", 2, 3, "fix one of its weights (f <~ 1*x1"),
        ("y ~ f\nf <~ 1*x1 + x2\nf ~~ 0.5*f", 2, 3, "no variance of its own"),
        ("f =~ x1 + x2\ngroup: 1\nx1 ~~ x2", 2, 6, "'group:' begins a block"),
        ("f =~ x1 + x2\nx1 ~*~ x1", 2, 4, "scaling factors"),
        ("f =~ x1 x2", 1, 9, "A term is a name"),
        ("f =~", 1, 3, "Nothing stands right of '=~'"),
        ("f =~ x1 + ", 1, 3, "missing behind '+'"),
        ("f =~ a:b + x2", 1, 7, "computed in the data, and its name written between backquotes"),
        ("f =~ x1 + 0.5?0.6?x2", 1, 18, "two values for start"),
        ("f", 1, 1, "no operator"),
        ("f =~ x1 =~ x2", 1, 9, "second operator"),
        ("f =~ c(1, 2)*x1", 1, 6, "values by group, and there are none"),
        ("f =~ c(1)*x1", 1, 6, "one value for each group"),
        ("f =~ c(a, )*x1", 1, 6, "beside a comma"),
        ("f =~ x1 + c(a, b)*x2 + c(1, 2, 3)*x3", 1, 24, "3 values here and 2 in line 1"),
        ("f =~ x1 + c(1, NA)*2*x2", 1, 22, "for all groups and by group"),
        ("f =~ strt(1)*x1", 1, 6, "'strt' is no modifier. Did you mean 'start'?"),
        ("f =~ NA*1*x1", 1, 11, "fixed and free"),
        ("f =~ 1*x1 + 2*x1", 1, 15, "has fixed 1.0 already"),
        ("f =~ NA*x1 + x2", 1, 9, "has no unit"),
        ("f =~ x1 + a*x2\nx1 ~~ a*x1", 2, 9, "stands for a variance"),
        ('f =~ x1 + x2\nx1 ~~ equal("f=~x2")*x1', 2, 22, "ties a variance"),
        ('f =~ x1 + x2 + equal("f=~x9")*x3', 1, 31, "names no parameter"),
        ("f =~ x1 + loading*x2\nb := lodaing*2", 2, 3, "Did you mean 'loading'?"),
        ("f =~ x1 + a*x2\nb := sinh(a)", 2, 6, "function 'sinh' is unknown"),
        ("f =~ x1 + a*x2\nb := (a", 2, 3, "not closed"),
        ("f =~ x1 + a*x2\na + 1 > 2*a", 2, 7, "Constraints are of a label"),
        ("f =~ x1 + x2\nf ~~ age", 2, 6, "Covariates are taken as given"),
        ("f =~ x1 + x2\nf ~~ x1", 2, 6, "cannot covary"),
        ("f =~ x1 + x2\nx1 | tau", 2, 6, "Thresholds are called"),
        ("f =~ x1 + x2\ny | t1", 2, 5, "is no item"),
        ("f =~ x1 + x2\nf ~ f", 2, 5, "both sides"),
        ("f =~ x1 + x2\nf ~ x1", 2, 5, "Items measure"),
        ("f =~ x1 + x2\nf ~ h\nh =~ x3 + x4\nh ~ f", 4, 5, "'f' depends on 'h' already"),
        ("f =~ x1 + x2\nx1 | t1\nx1 ~~ x2", 3, 7, "'x1' is ordered and has no residual"),
        ("f =~ x1 + a*x2\na == a + 1", 2, 3, "'a' stands on both sides"),
        ("f =~ x1 + a*x2 + b*x3\na == 2*b\nb == 3*a", 3, 3, "cyclic: 'a' is f =~ x3 or depends on it"),
        ("f =~ x1 + a*x2 + b*x3 + c*x4\na == 2*b\nb == 3*c\nc == a + 1", 4, 3, "cyclic: 'a' is f =~ x4 or"),
        ("f =~ x1 + a*x2 + b*x3\na == 2*b\na == b", 2, 3, "cyclic: 'b' is f =~ x2 or"),
        ("f =~ x1 + a*x2 + b*x3 + c*x4\na == b\na == 2*c\nb == 3*c", 4, 3, "f =~ x3 has a value already"),
        ("f =~ x1 + a*x2 + b*x3\na == 2*b\na == 1", 2, 3, "f =~ x2 has a value already"),
        ("f =~ x1 + a*x2\na == 2*g", 2, 3, "'g' is no label of the text"),
        ("f =~ x1 + a*x2\nd := 2*a\na == 3*d", 3, 3, "'d' is defined by ':=' in line 2: only a ':=' further"),
        ("f =~ x1 + a*x2\nu := v\nv := u", 2, 3, "'v' is defined by ':=' in line 3: only a ':=' further"),
        ("f =~ x1 + a*x2\nu := u + 1", 2, 3, "'u' is defined by ':=' in line 2"),
        ("f =~ x1 + a*x2 + b*x3\na > 0\na == 2*b", 2, 3, "a function of others here and has no bounds"),
        ("f =~ x1 + a*x2\na == 2\na > 3", 3, 3, "fixed at 2, outside its bounds"),
        ("f =~ x1 + a*x2\na > 1\na < 1", 3, 3, "leave nothing: above 1 and below 1"),
        ("f =~ x1 + a*x2 + b*x3\na > 1\nb < 0\na == b", 3, 3, "leave nothing: above 1 and below 0"),
        ("f =~ x1 + a*x2 + 2*x3\nf =~ 1*x2 + a*x3", 1, 20, "fixed at different values"),
        ("f =~ x1 + 1e999*x2", 1, 11, "too large"),
        ("f =~ x1 + x2 $", 1, 14, "'$' has no meaning"),
    ],
)
def test_errors_say_where(text, line, column, words):
    with pytest.raises(TextError) as caught:
        iclv.Model.from_text(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in str(caught.value)


def test_errors_of_the_whole():
    for text, words in (
        ("", "no equations"),
        ("f =~ x1 + a*x2 + 2*x3 + a*x4\nb := 1\nx2 ~~ b*x2", "label or is defined already"),
    ):
        with pytest.raises(TextError, match=words):
            iclv.Model.from_text(text)
    with pytest.raises(TextError, match=r"'x3', which is no item of the text\. Known names: 'x1', 'x2'"):
        iclv.Model.from_text("f =~ x1 + x2", ordered=["x3"])
    with pytest.raises(TextError, match="written as text"):
        iclv.Model.from_text(3)


def test_what_has_no_text_is_named():
    f = iclv.Latent("f")
    items = [iclv.Continuous(q, of="f") for q in ("x1", "x2")]
    with pytest.raises(ValueError, match="'f =~ x1' is defined by a Python function"):
        iclv.Model([f], items, define={"f =~ x1": lambda p: 2 * p["f =~ x2"]}).to_text()
    shared = [iclv.Ordered(q, of="f", thresholds=iclv.Thresholds("t")) for q in ("x1", "x2")]
    with pytest.raises(ValueError, match="'x1' \\(Ordered\\)"):
        iclv.Model([f], shared, fixed={"x1 ~~ x1": 1.0, "x1 ~ 1": 0.0}).to_text()


def test_labels_by_group_are_equality_across_groups():
    """In the place of `equal_across`. In two schools the whole text has lavaan's -3706.323256."""
    data = iclv.datasets.holzinger_swineford(download=True)
    text = "visual =~ x1 + c(a2, a2)*x2 + c('a3', 'a3')*x3\nvisual ~ c(0, NA)*1\ngap := a3 - a2\n"
    text += "".join(f"x{i} ~ c(m{i}, m{i})*1\n" for i in (1, 2, 3))
    problem = iclv.Model.from_text(text, group="school").bind(data)
    equal = ["loadings", "intercepts"]
    plain = iclv.Model.from_text("visual =~ x1 + x2 + x3", group="school", equal_across=equal).bind(data)
    assert len(problem.names) == len(plain.names) == 14
    row, (one, two) = problem.table.row, problem.spec.groups.labels
    for name in ("visual =~ x2", "visual =~ x3", "x1 ~ 1", "x3 ~ 1"):
        assert row(f"{name} [{two}]").tied == f"{name} [{one}]"
    assert [row(f"visual ~ 1 [{g}]").status for g in problem.spec.groups.labels] == ["fixed", "free"]
    found = problem.unpack(problem.start(), everything=True)
    gap = found[f"visual =~ x3 [{two}]"] - found[f"visual =~ x2 [{one}]"]
    assert float(found["gap"]) == pytest.approx(float(gap))


def test_values_and_starts_by_group():
    text = "f =~ x1 + c(0.5, NA)*x2 + start(c(0.3, 0.4))*x3\nx1 ~~ c(0.2, 0.3)*x1\nf ~~ c(v, w)*f\nw == 2*v"
    data = iclv.datasets.holzinger_swineford(download=True)
    problem = iclv.Model.from_text(text, group="school").bind(data)
    one, two = problem.spec.groups.labels
    row, start = problem.table.row, problem.unpack(problem.start(), everything=True)
    assert (row(f"f =~ x2 [{one}]").value, row(f"f =~ x2 [{two}]").status) == (0.5, "free")
    assert [float(start[f"f =~ x3 [{g}]"]) for g in (one, two)] == [0.3, 0.4]
    assert [row(f"x1 ~~ x1 [{g}]").value for g in (one, two)] == [0.2, 0.3]
    assert float(start[f"f ~~ f [{two}]"]) == 2.0 * float(start[f"f ~~ f [{one}]"])


@pytest.mark.parametrize(
    "entry", ["c(1, NA, 2)*x2", "c(a, b, c)*x2", "start(c(1, 2, 3))*x2", "lower(c(0, 0, 0))*x2"]
)
def test_there_is_one_entry_for_each_group(entry):
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["x1", "x2", "x3"])
    model = iclv.Model.from_text(f"f =~ x1 +\n  {entry} + x3", group="land")
    with pytest.raises(TextError, match=r"of 'x2' gives 3 values.* 'land' has 2 groups \(a, b\)") as caught:
        model.bind(data.assign(land=["a", "b"] * 15))
    assert (caught.value.line, caught.value.column) == (
        2,
        3 if entry.startswith("c") else entry.index("c(") + 3,
    )


def bound(text, people=40, **kwargs):
    """A text in two groups, with three normal variables each of two."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(people, 6)), columns=[f"x{i}" for i in range(1, 7)])
    data = data.assign(land=np.where(np.arange(people) % 2, "b", "a"))
    return iclv.Model.from_text(text, group="land", **kwargs).bind(data)


def arrays(problem, point):
    """All that the likelihood reads of the parameters."""
    table = problem.table
    values = {r.name: r.value if r.status == "fixed" else point.get(r.name) for r in table.rows}
    values = np.array([values[r.tied] if r.tied else values[r.name] for r in table.rows], float)
    found = np.zeros(1 + max(table.map.rows))
    np.add.at(found, list(table.map.rows), np.array(table.map.weights) * values[list(table.map.columns)])
    return found


def test_a_label_is_one_parameter_in_all_groups():
    """As in lavaan, whose parameter tables have these ties, and whatever `equal_across` says."""
    problem = bound("f =~ x1 + a*x2 + a*x3\nx1 ~~ r*x1\nd := 2*a\nr > 0.1")
    assert {"f =~ x2", "x1 ~~ x1"} <= set(problem.names) and "f =~ x3" not in problem.names
    assert problem.table.row("f =~ x3").tied == "f =~ x2" and problem.table.row("x1 ~~ x1").lower == 0.1
    assert [r.name for r in problem.table.rows if r.status == "defined"] == ["d"]
    problem = bound("f =~ x1 + c(a, b)*x2 + a*x3")
    assert problem.table.row("f =~ x3 [b]").tied == problem.table.row("f =~ x3 [a]").tied == "f =~ x2 [a]"
    assert "f =~ x2 [b]" in problem.names
    problem = bound("f =~ x1 + c(a, b)*x2 + x3", equal_across=["loadings"])
    assert {"f =~ x2 [a]", "f =~ x2 [b]", "f =~ x3"} <= set(problem.names)
    assert {"f =~ x2 [a]", "f =~ x2 [b]"} <= set(bound("f =~ x1 + c('', b)*x2 + x3").names)
    problem = bound("f =~ c(l, l)*x1 + x2 + x3")
    assert [problem.table.row(f"f =~ x1 [{g}]").value for g in "ab"] == [1.0, 1.0]


def test_variances_by_group_are_units_where_loadings_carry_them():
    spec = iclv.Model.from_text("f =~ NA*x1 + x2 + x3\nf ~~ c(1, 1)*f", group="school").spec
    assert spec.latents[0].scale == "variance" and not spec.fixed
    for text in ("NA*x1 + a*x1 + x2 + x3", "NA*x1 + c(a, a)*x1 + x2 + x3", "NA*x1 + c(NA, 1)*x2 + x3"):
        problem = bound(f"f =~ {text}\nf ~~ c(1, NA)*f")
        assert [problem.table.row(f"f ~~ f [{g}]").status for g in "ab"] == ["fixed", "free"]
    one = bound("f =~ NA*x1 + x2 + x3\nf ~~ c(1, NA)*f", equal_across=["loadings"])
    assert set(one.names) == set(bound("f =~ NA*x1 + x2 + x3\nf ~~ 1*f", equal_across=["loadings"]).names)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("f =~ NA*x1 + x2 + x3; f ~~ c(1, NA)*f", 28, "free in group 2, and none of its loadings"),
        (
            "f =~ NA*x1 + c(a, b)*x1 + x2 + x3; f ~~ c(1, NA)*f",
            41,
            "free in group 2, and none of its loadings",
        ),
        ('f =~ x1 + c(a, b)*x2 + equal("f=~x2")*x3', 39, "Say it by labels"),
        ("f =~ x1 + x2; x1 ~ c(0, NA)*1", 20, "Name 'x1 ~ 1' in free_across="),
        ("f =~ x1 + x2; x1 ~ start(c(0, 1))*1", 26, "Name 'x1 ~ 1' in free_across="),
    ],
)
def test_errors_of_groups_say_where(text, column, words):
    with pytest.raises(TextError) as caught:
        iclv.Model.from_text(text, group="land", equal_across=["intercepts"])
    assert (caught.value.line, caught.value.column) == (1, column) and words in str(caught.value)


GROUPED = [
    {},
    {"equal_across": ["loadings", "intercepts"], "free_across": ["x3 ~ 1", "f =~ x2"]},
    {"equal_across": ["loadings", "intercepts", "residuals"], "scale": "variance"},
    {
        "equal_across": ["loadings", "intercepts", "means", "latent variances", "covariances"],
        "scale": "variance",
    },
    {"equal_across": ["f =~ x2", "f ~~ h"], "fixed": {"x5 ~~ x5 [b]": 0.7, "h =~ x5": 0.9}},
    {"bounds": {"f ~ z [a]": (0.0, None)}, "start": {"x1 ~~ x1": 0.6, "h ~~ h [b]": 0.4}},
    {"equal": [["x1 ~ 1 [a]", "x1 ~ 1 [b]", "x2 ~ 1 [b]"], ["h =~ x5", "h =~ x6"]]},
    {
        "ordered": True,
        "equal_across": ["loadings", "thresholds"],
        "free_across": ["x2 | 1"],
        "scale": "variance",
    },
]


@pytest.mark.gate("parts0", "parts1", "parts6", "parts7")
@pytest.mark.parametrize("parts", GROUPED)
def test_round_trip_of_groups(parts):
    """The text by itself has all that groups share and differ in: the same parameters, which fill the same arrays."""
    parts, rng = dict(parts), np.random.default_rng(1)
    scale, discrete = parts.pop("scale", "loading"), parts.pop("ordered", False)
    kind = iclv.Ordered if discrete else iclv.Continuous
    values = rng.normal(size=(60, 6)) + rng.normal(size=(60, 1))
    data = pd.DataFrame(
        np.digitize(values, [-0.8, 0.6]) if discrete else values, columns=[f"x{i}" for i in range(1, 7)]
    )
    data = data.assign(z=rng.normal(size=60), land=np.where(np.arange(60) % 2, "b", "a"))
    latent = [iclv.Latent("f", on=["z"], scale=scale), iclv.Latent("h", scale=scale)]
    items = [kind(f"x{i}", of="f" if i < 4 else "h") for i in range(1, 7)]
    pairs = [("f", "h")] + ([] if discrete else [("x1", "x4")])
    model = iclv.Model(latent, items, covariances=pairs, group="land", **parts)
    text = model.to_text(data)
    again = iclv.Model.from_text(text, group="land")
    one, two = model.bind(data), again.bind(data)
    assert sorted(one.names) == sorted(two.names)
    point = {n: float(v) + 0.01 * rng.random() for n, v in zip(one.names, one.start(), strict=True)}
    assert two.table.map.arrays == one.table.map.arrays
    np.testing.assert_allclose(arrays(two, point), arrays(one, point), rtol=1e-12)
    starts = {n: float(v) for n, v in zip(two.names, two.start(), strict=True)}
    assert all(starts[n] == v for n, v in one.spec.start)


def test_round_trip_of_groups_has_the_same_likelihood():
    text = "f =~ x1 + a*x2 + c(b, e)*x3\nh =~ x4 + a*x5 + c(0.5, NA)*x6\nx1 ~ m*1\nd := b - e\nf ~~ c(v, w)*f\nw == 2*v"
    one = bound(text)
    data = one.panel.frame.data
    written = iclv.Model.from_text(text, group="land").to_text(data)
    assert iclv.Model.from_text(written, group="land").to_text(data) == written
    two = bound(written)
    assert sorted(one.names) == sorted(two.names)
    point = {n: float(v) for n, v in zip(one.names, one.start(), strict=True)}
    np.testing.assert_allclose(two.loglike(two.vector(point)), one.loglike(one.vector(point)), rtol=1e-12)


def test_groups_of_a_text_are_those_of_the_data():
    model = iclv.Model.from_text("f =~ x1 + a*x2 + x3", group="land")
    with pytest.raises(ValueError, match=r"the groups of the column 'land'.* to_text\(data\)"):
        model.to_text()


def test_composites():
    """`<~` is the latent variable of causes without a disturbance."""
    text = "f <~ 1*income + education\na =~ t1 + t2 + t3\nb =~ c1 + c2 + c3\na + b ~ f"
    long = text.replace("f <~", "f ~") + "\nf =~ NA*a + b\nf ~~ 0*f"
    short = iclv.Model.from_text(text).spec
    assert facts_of(short) == facts_of(iclv.Model.from_text(long.replace("a + b ~ f", "a ~~ b")).spec)
    assert dict(short.fixed)["f ~~ f"] == 0.0 and ("a", "b") in short.covariances


PIECES = st.sampled_from(
    ["f", "<~", "?", "c(1, a)*", "group", ":", "h", "x1", "x2", "y", "1", "0.5", "NA", "=~", "~", "~~", "|", ":=",
     "==", "<", ">", "+", "-", "*", "/", "^", "(", ")", ",", "\n", ";", " ", "#", '"f=~x1"', "start", "equal",
     "t1", "a", "b", "exp", "`", "c", "1e400", "é", "."]
)  # fmt: skip
LINES = st.sampled_from(
    ["f =~ x1 + a*x2", "h <~ 1*x + z", "h =~ x3 + x4", "f ~ h", "h ~ f", "x1 ~~ x3", "f ~~ h", "a == 2",
     "b := a/0", "b := log(a - 2)",
     "a > 1", "a < 1", "x1 ~ 0*1", "f ~ 1", "y ~ f", "y ~ x", "x1 | t1", "x3 ~ y", "f ~~ 1*f",
     "a == a + 1", "y ~~ x1", "f =~ h", "f =~ NA*x1 + c(a, b)*x1", "f ~~ c(1, NA)*f", "h =~ c(l, l)*x3", "x1 ~ c(0, NA)*1"]
)  # fmt: skip


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(PIECES, max_size=14).map(" ".join),
        st.lists(LINES, max_size=6).map("\n".join),
    )
)
def test_nothing_but_its_own_error(text):
    try:
        iclv.Model.from_text(text, group="school")
        model = iclv.Model.from_text(text)
    except TextError:
        return
    written = model.to_text()
    assert iclv.Model.from_text(written).to_text() == written


SIDES = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "u",
        "v",
        "2*a",
        "3*b",
        "c + 1",
        "a - b",
        "b^2",
        "exp(c)",
        "2*u",
        "v/a",
        "1",
        "-2",
        "0.5",
        "1/0",
        "w",
    ]
)
RELATIONS = st.builds("{} {} {}".format, SIDES, st.sampled_from(["==", ":=", "<", ">"]), SIDES)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(RELATIONS, min_size=1, max_size=5).map("\n".join))
def test_constraints_have_a_place_or_a_table(relations):
    try:
        model = iclv.Model.from_text(f"f =~ x1 + a*x2 + b*x3 + c*x4\n{relations}")
    except TextError as error:
        assert error.line > 1, error
        return
    model.describe()
    written = model.to_text()
    assert iclv.Model.from_text(written).to_text() == written


# --- published numbers ---------------------------------------------------------------------------------------------

HOLZINGER = {
    "visual =~ x2": 0.5535006358, "visual =~ x3": 0.7293703726, "textual =~ x5": 1.1130760006,
    "textual =~ x6": 0.9261458775, "speed =~ x8": 1.1799502833, "speed =~ x9": 1.0815314083, "x1 ~~ x1": 0.5490535911,
    "x2 ~~ x2": 1.1338395088, "x3 ~~ x3": 0.8443242032, "x4 ~~ x4": 0.3711725407, "x5 ~~ x5": 0.446255318,
    "x6 ~~ x6": 0.356202845, "x7 ~~ x7": 0.7993926311, "x8 ~~ x8": 0.4876979477, "x9 ~~ x9": 0.566130627,
    "visual ~~ visual": 0.8093154492, "textual ~~ textual": 0.9794922056, "speed ~~ speed": 0.3837474895,
    "visual ~~ textual": 0.4082322067, "visual ~~ speed": 0.2622244474, "textual ~~ speed": 0.1734948076,
}  # fmt: skip
SECOND = {
    "visual =~ x2": 0.553500434, "visual =~ x3": 0.7293704811, "textual =~ x5": 1.1130762155,
    "textual =~ x6": 0.9261460437, "speed =~ x8": 1.1799505241, "speed =~ x9": 1.0815311966, "textual ~ g": 0.6616274254,
    "speed ~ g": 0.4249902945, "x1 ~~ x1": 0.5490551326, "x2 ~~ x2": 1.1338424137, "x3 ~~ x3": 0.8443252728,
    "x4 ~~ x4": 0.3711728688, "x5 ~~ x5": 0.4462554838, "x6 ~~ x6": 0.3562025595, "x7 ~~ x7": 0.7993920406,
    "x8 ~~ x8": 0.4876976713, "x9 ~~ x9": 0.5661307879, "visual ~~ visual": 0.1923014157,
    "textual ~~ textual": 0.7093940492, "speed ~~ speed": 0.2723046332, "g ~~ g": 0.6170131685,
}  # fmt: skip
MIMIC = {
    "visual =~ x2": 0.603285062, "visual =~ x3": 0.798712741, "textual =~ x5": 1.113537835, "textual =~ x6": 0.9208521213,
    "speed =~ x8": 1.2033517418, "speed =~ x9": 1.0617271058, "visual ~ ageyr": -0.0539428401,
    "visual ~ female": -0.3344396732, "textual ~ ageyr": -0.2158532154, "textual ~ female": 0.0785152069,
    "speed ~ ageyr": 0.1517221998, "speed ~ female": 0.0934645016, "x1 ~~ x1": 0.6189375522, "x2 ~~ x2": 1.1126657988,
    "x3 ~~ x3": 0.8031498836, "x4 ~~ x4": 0.3678207565, "x5 ~~ x5": 0.4410938599, "x6 ~~ x6": 0.362939365,
    "x7 ~~ x7": 0.7990451828, "x8 ~~ x8": 0.4658038359, "x9 ~~ x9": 0.5820397909, "visual ~~ visual": 0.711348439,
    "textual ~~ textual": 0.9271965105, "speed ~~ speed": 0.3589925548, "visual ~~ textual": 0.3839500468,
    "visual ~~ speed": 0.2607821292, "textual ~~ speed": 0.2042756119, "x1 ~ 1": 5.8090674627, "x2 ~ 1": 6.6148879873,
    "x3 ~ 1": 2.9479294083, "x4 ~ 1": 5.8258515302, "x5 ~ 1": 7.4194008483, "x6 ~ 1": 4.7316760961,
    "x7 ~ 1": 2.1658880965, "x8 ~ 1": 3.0962893729, "x9 ~ 1": 3.229419249,
}  # fmt: skip
DIRECT = {
    "visual =~ x2": 0.5865105464, "visual =~ x3": 0.7199374468, "textual =~ x5": 1.124167345,
    "textual =~ x6": 0.9342821429, "visual ~ ageyr": -0.0786157099, "textual ~ visual": 0.5160977875,
    "x3 ~ female": -0.3325479304, "x1 ~~ x4": 0.0674865215, "x1 ~~ x1": 0.5830624109, "x2 ~~ x2": 1.115848648,
    "x3 ~~ x3": 0.8334299982, "x4 ~~ x4": 0.3788819227, "x5 ~~ x5": 0.4410843953, "x6 ~~ x6": 0.3545921163,
    "visual ~~ visual": 0.7662793197, "textual ~~ textual": 0.7584379442, "x1 ~ 1": 5.957512805, "x2 ~ 1": 6.687302896,
    "x3 ~ 1": 3.157252131, "x4 ~ 1": 3.588227857, "x5 ~ 1": 4.933327139, "x6 ~ 1": 2.678237269,
}  # fmt: skip
GROWTH = {
    "i ~ x1": 0.6090661908, "i ~ x2": 0.6129236108, "s ~ x1": 0.2626537266, "s ~ x2": 0.517225568, "t1 ~~ t1": 0.5972268441,
    "t2 ~~ t2": 0.6708000431, "t3 ~~ t3": 0.5994602284, "t4 ~~ t4": 0.5934636593, "i ~~ i": 1.0760776322,
    "s ~~ s": 0.2192431076, "i ~~ s": 0.0879434054, "i ~ 1": 0.5861691936, "s ~ 1": 0.9584436328,
}  # fmt: skip
MEDIATION = {
    "Y ~ X": 0.0363546521, "M ~ X": 0.4739150487, "Y ~ M": 0.7883192971, "Y ~~ Y": 0.8983461578, "M ~~ M": 1.0540770503,
    "Y ~ 1": 0.1635826653, "M ~ 1": 0.0371540587,
}  # fmt: skip
GROWTH_TEXT = """
i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4
s =~ 0*t1 + 1*t2 + 2*t3 + 3*t4
i ~ x1 + x2
s ~ x1 + x2
t1 + t2 + t3 + t4 ~ 0*1
i + s ~ 1
"""
DIRECT_TEXT = """
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
visual ~ ageyr
textual ~ visual
x3 ~ female
x1 ~~ x4
"""
MEDIATION_TEXT = """# direct effect
Y ~ c*X
# mediator
M ~ a*X
Y ~ b*M
# indirect and total effect
ab := a*b
total := c + (a*b)
"""
MEANS = dict(zip(moments.HOLZINGER, moments.HOLZINGER_MEANS, strict=True))
PUBLISHED = {
    "Holzinger-Swineford": (THREE, moments.holzinger, HOLZINGER, -3737.744927),
    "second order": (THREE + "g =~ visual + textual + speed", moments.holzinger, SECOND, -3737.744927),
    "MIMIC": (THREE + "visual + textual + speed ~ ageyr + female", moments.holzinger, MIMIC, -3712.203507),
    "direct effect": (DIRECT_TEXT, moments.holzinger, DIRECT, -2513.781578),
    "growth": (GROWTH_TEXT, moments.growth, GROWTH, -2541.898581),
    "mediation": (MEDIATION_TEXT, moments.mediation, MEDIATION, -281.060994),
}
"""Estimates and log-likelihoods by R's lavaan 0.6-14, those of the first and the last as its pages print them; intercepts of
items without covariates are their means."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_likelihood_at_estimates_of_lavaan(name):
    text, data, estimates, loglike = PUBLISHED[name]
    problem = iclv.Model.from_text(text).bind(data())
    values = {f"{q} ~ 1": m for q, m in MEANS.items()} | estimates
    params = problem.vector({n: values[n] for n in problem.names})
    found, score = problem.loglike(params), problem.score(params)
    np.testing.assert_allclose(found, loglike, atol=2e-6)
    # At the maximum: the estimates are lavaan's, to the tolerance of its search.
    np.testing.assert_allclose(score, 0.0, atol=0.05)
    rate = np.abs(np.asarray(score)) * np.abs(np.asarray(params))
    assert rate.max() < 0.05


@pytest.mark.slow
def test_mediation_with_what_is_derived():
    fit = iclv.Model.from_text(MEDIATION_TEXT).fit(moments.mediation(), progress=False)
    table = fit.table()
    np.testing.assert_allclose(
        table.loc["ab", ["estimate", "se"]].astype(float), [0.3735963781, 0.0920484679], rtol=1e-5
    )
    np.testing.assert_allclose(
        table.loc["total", ["estimate", "se"]].astype(float), [0.4099510302, 0.1247139365], rtol=1e-5
    )
    assert "Functions of parameters" in str(fit.summary())
    measures = fit.fit_measures()
    assert measures["df"] == 0
    np.testing.assert_allclose(measures["chi2"], 0.0, atol=1e-6)
    scores = fit.latent_scores()
    np.testing.assert_allclose(scores["M"], moments.mediation()["M"], rtol=1e-10)
    standard = fit.standardized()
    # lavaan's std.all.
    np.testing.assert_allclose(standard.loc["M ~ X", "std.all"], 0.418886, atol=1e-5)
    assert standard.index.is_unique


def test_missing_mediators_are_integrated_out():
    data = moments.mediation()
    data.loc[:9, "M"] = np.nan
    data.loc[5:14, "Y"] = np.nan
    data = data[data[["M", "Y"]].notna().any(axis=1)].reset_index(drop=True)
    problem = iclv.Model.from_text(MEDIATION_TEXT).bind(data)
    p = MEDIATION
    found = np.asarray(problem.loglike_person(problem.vector({n: p[n] for n in problem.names})))
    mean = np.stack([p["M ~ 1"] + p["M ~ X"] * data["X"], np.zeros(len(data))])
    mean[1] = p["Y ~ 1"] + p["Y ~ X"] * data["X"] + p["Y ~ M"] * mean[0]
    b, m, y = p["Y ~ M"], p["M ~~ M"], p["Y ~~ Y"]
    spread = np.array([[m, b * m], [b * m, b * b * m + y]])
    from scipy.stats import multivariate_normal

    for i in range(len(data)):
        values = data.loc[i, ["M", "Y"]].to_numpy(float)
        seen = ~np.isnan(values)
        truth = multivariate_normal.logpdf(values[seen], mean[seen, i], spread[np.ix_(seen, seen)])
        np.testing.assert_allclose(found[i], truth, rtol=1e-9)


def test_observed_outcomes_are_conditioned_on():
    model = iclv.Model.from_text("f =~ x1 + x2 + x3\ny ~ f")
    frame = model.simulate(
        {"f =~ x2": 0.8, "f =~ x3": 1.2, "f ~~ f": 1.0, "y ~ f": 0.5, "y ~~ y": 0.3, "y ~ 1": 1.0}
        | {f"x{i} ~ 1": 0.0 for i in (1, 2, 3)}
        | {f"x{i} ~~ x{i}": 0.5 for i in (1, 2, 3)},
        pd.DataFrame(index=range(50)),
    )
    with pytest.raises(ValueError, match="'y' is conditioned on in closed form"):
        model.bind(frame, integration=iclv.GaussHermite(5))
    with pytest.raises(ValueError, match="'y' is conditioned on in closed form"):
        iclv.Model.from_text("f =~ x1 + x2 + x3\ny ~ f", ordered=["x1"]).bind(
            frame.assign(x1=(frame["x1"] > 0).astype(int))
        )

    def utility(b, x, lv):
        return {"a": b.att * lv.y, "b": 0.0}

    with pytest.raises(ValueError, match="Use the column, x\\['y'\\]"):
        iclv.Model.from_text("y ~ x", choice=iclv.Logit(utility, chosen="choice"))
