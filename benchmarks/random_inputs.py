"""What a user may throw at the library, counted: random inputs by hypothesis, and what became of each.

Nine kinds of input: values, types and names of columns, damage to frames, arguments of `bind`, of constructors and of calls
on a fit, new data to predict for, and saved files with changed bits. Each input ends in one class:

* *equal*: the answer is that of a reference (the same data written otherwise; everybody whose data were not touched).
* *answered*: taken, and the answer is finite where it must be; there is no reference to hold it against.
* *sentence*: a ValueError (AttributeError for what a kind of fit lacks) of the library that names the culprit.
* *unclear*: a sentence that names neither the argument nor the value.
* *internal*: an error from inside, or of another kind.
* *silent*: an answer that is not finite or not that of the reference, without a word.
* *hanging*: no answer within a minute.

Writes `results/random_inputs.md` and `.csv`; the inputs of the last four classes are printed.

    python benchmarks/random_inputs.py [inputs] [kind ...]
"""

import os
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import matplotlib
import numpy as np
import on_device
import pandas as pd
import small
import test_odd_arguments
import test_odd_calls
import test_properties as usual
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import iclv_jax as iclv

RESULTS = Path(__file__).resolve().parent / "results"
CLASSES = ("equal", "answered", "sentence", "unclear", "internal", "silent", "hanging")
PATIENCE = 60
OURS = f"{os.sep}iclv_jax{os.sep}"
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-50, 20), st.integers(2**40), st.floats(), st.complex_numbers(),
    st.text(max_size=6), st.binary(max_size=4), st.dates(), st.decimals(), st.timedeltas(),
)  # fmt: skip
HASHED = st.one_of(st.text(max_size=4), st.integers(-3, 3))
ANYTHING = st.one_of(
    PLAIN,
    st.recursive(
        PLAIN,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(HASHED, inner, max_size=3), st.tuples(inner, inner)
        ),
        max_leaves=4,
    ),
    st.lists(st.floats(), max_size=3).map(np.array),
    st.lists(st.floats(), max_size=3).map(lambda values: pd.DataFrame({"x": values})),
    st.sampled_from(
        [pd.NA, pd.NaT, int, print, object(), iclv, small.logit(), slice(2), lambda p: p, range(2)]
    ),
)


class Hanging(BaseException):
    """No answer within `PATIENCE`."""


def stopped(*_):
    raise Hanging


# --- kinds of input: a strategy, and what is done with it; "equal" or "answered", or an AssertionError for a silent one ---


def others_are(found, rows):
    """The answers of people whose data were not touched are those of the reference."""
    if len(found) != usual.PEOPLE:
        return "answered"  # a changed identifier made two of one, or one of two
    others = ~np.isin(np.arange(usual.PEOPLE), rows)
    np.testing.assert_allclose(found[others], usual.REFERENCE[others], rtol=1e-9)
    return "equal"


def odd_values(changes):
    data = usual.frame()
    for column, row, value in changes:
        data[column] = pd.Series([value if i == row else v for i, v in enumerate(data[column])], dtype=object)
    return others_are(usual.values_of(data), [row for _, row, _ in changes])


def other_types(changes):
    data = usual.frame()
    for column, kind in changes.items():
        data[column] = usual.SAME[kind](data[column])
    np.testing.assert_allclose(usual.values_of(data), usual.REFERENCE, rtol=1e-12)
    return "equal"


def names(changes):
    called = dict(changes)
    data = usual.frame().rename(columns=called)
    options = {k: called.get(v, v) if isinstance(v, str) else v for k, v in usual.USUAL.items()}
    problem = usual.model(lambda c: called.get(c, c)).bind(data, **options)
    known = usual.MODEL.bind(usual.frame(), **usual.USUAL)
    assert len(set(problem.names)) == len(known.names)
    np.testing.assert_allclose(
        problem.loglike_person(problem.start()), known.loglike_person(known.start()), rtol=1e-12
    )
    return "equal"


DAMAGE = {
    "dropped": lambda data, c: data.drop(columns=c),
    "twice": lambda data, c: pd.concat([data, data[[c]]], axis=1),
    "empty": lambda data, c: data.assign(**{c: np.nan}),
    "constant": lambda data, c: data.assign(**{c: data[c].iloc[0]}),
    "text": lambda data, c: data.assign(**{c: "x"}),
    "lists": lambda data, c: data.assign(**{c: [[1]] * len(data)}),
    "rows doubled": lambda data, c: pd.concat([data, data.tail(3)]),
    "no rows": lambda data, c: data.head(0),
    "one row": lambda data, c: data.head(1),
    "as the index": lambda data, c: data.set_index(c),
    "two-part names": lambda data, c: pd.concat({c: data}, axis=1),
    "infinite": lambda data, c: data.assign(**{c: np.inf}),
    "reversed": lambda data, c: data.iloc[::-1],
}


def damaged(what):
    (how, column), both = what[0], what[1:]
    data = DAMAGE[how](usual.frame(), column)
    for other, again in both:
        if again in data.columns:
            data = DAMAGE[other](data, again)
    found = usual.values_of(data)
    assert np.isfinite(found).all()
    return "answered"


def arguments(what):
    argument, value = what
    found = usual.values_of(usual.frame(), **{argument: value})
    assert np.isfinite(found).all()
    return "answered"


def constructors(what):
    argument, value = what
    test_odd_arguments.ARGUMENTS[argument][0](value)
    return "answered"


def calls(what):
    call, value = what
    test_odd_calls.CALLS[call][0](small.fitted("hybrid"), value)
    return "answered"


def new_data(changes):
    fit, data = small.fitted("hybrid"), small.data().head(30)
    before = fit.predict(data).to_numpy()
    for column, row, value in changes:
        data[column] = pd.Series([value if i == row else v for i, v in enumerate(data[column])], dtype=object)
    found = fit.predict(data).to_numpy()
    others = ~np.isin(np.arange(len(data)), [row for _, row, _ in changes])
    np.testing.assert_allclose(found[others], before[others], rtol=1e-9)
    assert np.isfinite(found).all()
    return "equal"


def files(what):
    places, cut = what
    fit = small.fitted("hybrid")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.npz"
        fit.save(path)
        content = bytearray(path.read_bytes())
        for place, bit in places:
            content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content[: int(cut * len(content))] if cut else content)
        again = iclv.load(path)
    pd.testing.assert_series_equal(again.params, fit.params)
    assert again.llf == fit.llf
    return "equal"


PLACE = st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 7))
COLUMN = st.sampled_from(usual.COLUMNS)
OF_NEW = st.sampled_from(["price", "time", "age", "q1", "choice", "w", "group"])
KINDS = {
    "values of columns": (
        st.lists(st.tuples(COLUMN, st.integers(0, usual.PEOPLE - 1), usual.ODD | PLAIN), min_size=1, max_size=3),
        odd_values,
    ),
    "types of columns": (
        st.dictionaries(COLUMN, st.sampled_from(sorted(usual.SAME)), min_size=1, max_size=4),
        other_types,
    ),
    "names of columns": (st.dictionaries(COLUMN, st.text(max_size=8), min_size=1, max_size=3), names),
    "damaged frames": (
        st.lists(st.tuples(st.sampled_from(sorted(DAMAGE)), COLUMN), min_size=1, max_size=2),
        damaged,
    ),
    "arguments of bind": (
        st.tuples(
            st.sampled_from(
                ["person", "weights", "cluster", "integration", "memory", "weights_are", "batch_people", "people"]
            ),
            ANYTHING,
        ),
        arguments,
    ),
    "arguments of constructors": (
        st.tuples(st.sampled_from(sorted(test_odd_arguments.ARGUMENTS)), ANYTHING),
        constructors,
    ),
    "arguments of calls": (st.tuples(st.sampled_from(sorted(test_odd_calls.CALLS)), ANYTHING), calls),
    "new data": (
        st.lists(st.tuples(OF_NEW, st.integers(0, 29), usual.ODD | PLAIN), min_size=1, max_size=3),
        new_data,
    ),
    "saved files": (st.tuples(st.lists(PLACE, min_size=1, max_size=3), st.sampled_from([0.0, 0.0, 0.0, 0.3, 0.9])), files),
}  # fmt: skip


def outcome(does, made):
    """The class of one input, and what was said."""
    signal.alarm(PATIENCE)
    try:
        return does(made), ""
    except Hanging:
        return "hanging", ""
    except AssertionError as error:
        return "silent", str(error)[:300]
    except (ValueError, AttributeError) as error:
        ours = OURS in traceback.extract_tb(error.__traceback__)[-1].filename
        said = str(error).replace(repr(made), "")
        clear = ours and not test_odd_arguments.INSIDE.search(_without(said, made))
        return ("sentence" if _names(str(error), made) else "unclear") if clear else "internal", str(error)[
            :300
        ]
    except Exception as error:
        return "internal", f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)


def _without(said, made):
    """What is said without the values that it repeats."""
    return said.replace(repr(made[-1]), "") if isinstance(made, tuple) else said


def _words(made):
    """Names and values that an input is made of."""
    if isinstance(made, dict):
        return [w for pair in made.items() for w in _words(pair)]
    if isinstance(made, (list, tuple)):
        return [repr(made), *(w for part in made for w in _words(part))]
    return [repr(made), str(made), *re.split(r"[, ]+", str(made)[:60])]


def _names(said, made):
    """Whether a sentence names an argument, a column, a value or a place."""
    parts = [w for w in _words(made) if len(w) > 1]
    return any(part in said for part in parts) or bool(
        re.search(r"'[^']+'|\b[a-z_]+=|\brow \d|\bis empty", said)
    )


def counted(kind, inputs):
    """How many of so many random inputs of a kind ended in each class."""
    strategy, does = KINDS[kind]
    found, seen = Counter(), []

    @settings(
        max_examples=inputs, deadline=None, derandomize=True, phases=[Phase.generate], database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def draw(made):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            what, said = outcome(does, made)
        found[what] += 1
        if what in CLASSES[3:]:
            seen.append(f"{kind}: {what}: {made!r:.200}: {said}")

    began = time.perf_counter()
    draw()
    print(f"{kind}: {dict(found)} in {time.perf_counter() - began:.0f} s", *seen, sep="\n  ", flush=True)
    return {"kind": kind, **{name: found[name] for name in CLASSES}}


def write(table):
    table.to_csv(RESULTS / "random_inputs.csv", index=False)
    total = table[list(CLASSES)].sum()
    lines = [
        "# Random inputs",
        "",
        f"{int(total.sum()):,} of them; `benchmarks/random_inputs.py` says what the classes are.",
        "",
    ]
    lines += [f"| input | {' | '.join(CLASSES)} |", "|---|" + "---:|" * len(CLASSES)]
    rows = [*table.to_dict("records"), {"kind": "all", **total}]
    lines += [f"| {row['kind']} | {' | '.join(str(int(row[c])) for c in CLASSES)} |" for row in rows]
    (RESULTS / "random_inputs.md").write_text("\n".join([*lines, ""]))


def main():
    matplotlib.use("Agg")
    signal.signal(signal.SIGALRM, stopped)
    parser = on_device.parser(__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=2000)
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(KINDS)}")
    options = parser.parse_args()
    inputs, asked = options.inputs, options.kinds or list(KINDS)
    os.chdir(tempfile.mkdtemp())  # any text is a name of a file
    path = RESULTS / "random_inputs.csv"
    known = {row["kind"]: row for row in pd.read_csv(path).to_dict("records")} if path.exists() else {}
    for kind in asked:
        known[kind] = counted(kind, -(-inputs // len(KINDS)))
        write(pd.DataFrame([known[kind] for kind in KINDS if kind in known]))


if __name__ == "__main__":
    main()
