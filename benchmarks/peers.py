"""Five models of the pages "Coming from another program", fitted by the other program and by this library, side by side.

The other programs (Biogeme, xlogit, semopy) pin versions of what they need, and live in an environment of their own
(Biogeme 3.3.2 does not begin with a newer tomlkit):

    python -m venv peers && peers/bin/pip install biogeme xlogit semopy "tomlkit<0.14"
    python benchmarks/peers.py --python peers/bin/python [case ...]

Each case replaces its own part of `results/peers.csv`, from which `results/peers.md` is written, which the pages show.
Seconds are of the fit alone, with whatever it compiles.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import on_device

RESULTS = Path(__file__).parent / "results"
DRAWS = 1_000
FIELDS = ("case", "program", "version", "name", "estimate", "se", "seconds")
FACTORS = {"visual": ("x1", "x2", "x3"), "textual": ("x4", "x5", "x6"), "speed": ("x7", "x8", "x9")}
TEXTS = {
    "semopy_factors": "\n".join(f"{f} =~ {' + '.join(items)}" for f, items in FACTORS.items()),
    "semopy_democracy": """
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8
""",
}
CASES = {
    "biogeme_logit": "Logit, Swissmetro survey, 6,768 choices",
    "xlogit_logit": "Logit, simulated, 500 people with 8 choices each",
    "xlogit_panel": f"Mixed logit over a panel, the same people ({DRAWS:,} Halton draws in xlogit)",
    "semopy_factors": "Three factors, 301 pupils",
    "semopy_democracy": "Political democracy, a structural equation model, 75 countries",
}
PEERS = {"biogeme": "Biogeme", "xlogit": "xlogit", "semopy": "semopy"}


# --- data ---------------------------------------------------------------------------------------------------------


def survey(case):
    """The data of a case, as both programs read them."""
    import iclv_jax as iclv

    if case.startswith("biogeme"):
        frame = iclv.datasets.swissmetro(download=True)
        return frame.assign(code=frame["choice"].map({"train": 1, "swissmetro": 2, "car": 3}))
    if case == "semopy_factors":
        return iclv.datasets.holzinger_swineford(download=True)
    if case == "semopy_democracy":
        return iclv.datasets.political_democracy(download=True)
    return long_survey()


def long_survey(people=500, tasks=8):
    """One row for each alternative; the taste for time is normal."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(7)
    rows = people * tasks
    price, hours = draw.uniform(1, 5, (2, rows)), draw.uniform(0.2, 2, (2, rows))
    taste = np.repeat(-1.5 + draw.normal(size=people), tasks)
    utility = -0.8 * price + taste * hours + np.array([[0.0], [0.4]]) + draw.gumbel(size=(2, rows))
    frame = pd.DataFrame(
        {
            "task": np.repeat(np.arange(rows), 2),
            "person": np.repeat(np.arange(rows) // tasks, 2),
            "alt": np.tile(["a", "b"], rows),
            "price": price.T.ravel(),
            "time": hours.T.ravel(),
        }
    )
    chosen = np.where(utility[1] > utility[0], "b", "a")
    frame["chosen"] = (frame["alt"] == np.repeat(chosen, 2)).astype(int)
    return frame


# --- this library -------------------------------------------------------------------------------------------------


def swissmetro(b, x, lv):
    return {
        1: b.asc_train + b.b_time * x.TRAIN_TT + b.b_cost * x.TRAIN_COST,
        2: b.b_time * x.SM_TT + b.b_cost * x.SM_COST,
        3: b.asc_car + b.b_time * x.CAR_TT + b.b_cost * x.CAR_CO,
    }


def two(b, x, lv):
    return {
        "a": b.price * x.price_a + b.time * x.time_a,
        "b": b.asc_b + b.price * x.price_b + b.time * x.time_b,
    }


def ours(case, frame):
    """Log-likelihood and estimates, by their names here."""
    import iclv_jax as iclv

    if case in TEXTS:
        fit = iclv.Model.from_text(TEXTS[case]).fit(frame, progress=False)
        return {"chi-square": (float(fit.fit_measures()["chi2"]), None), **told(fit)}
    if case.startswith("biogeme"):
        available = {1: "TRAIN_AVAIL", 2: "SM_AVAIL", 3: "CAR_AVAIL"}
        choice = iclv.Logit(swissmetro, "code", available)
        return told(iclv.Model(choice=choice).fit(frame, progress=False))
    about = {"situation": "task", "alternative": "alt", "chosen": "chosen", "person": "person"}
    wide, choice = iclv.from_long(frame, **about, columns=["price", "time"]), iclv.Logit(two, "chosen")
    if case == "xlogit_logit":
        return told(iclv.Model(choice=choice).fit(wide, progress=False))
    model = iclv.Model(choice=choice, random={"time": iclv.Normal()})
    return told(model.fit(wide, person="person", progress=False))


def told(fit):
    found = {name: (float(fit.params[name]), float(fit.bse[name])) for name in fit.names}
    return {"log-likelihood": (fit.llf, None), **found}


# --- the other programs, in their own interpreter -----------------------------------------------------------------


def biogeme(case, frame):
    import biogeme.database as database
    from biogeme.biogeme import BIOGEME
    from biogeme.expressions import Beta, Variable
    from biogeme.models import loglogit
    from biogeme.results_processing import EstimateVarianceCovariance

    v = {name: Variable(name) for name in frame}
    asc_car, asc_train, b_cost, b_time = (
        Beta(name, 0, None, None, 0) for name in ("asc_car", "asc_train", "b_cost", "b_time")
    )
    utilities = {
        1: asc_train + b_time * v["TRAIN_TT"] + b_cost * v["TRAIN_COST"],
        2: b_time * v["SM_TT"] + b_cost * v["SM_COST"],
        3: asc_car + b_time * v["CAR_TT"] + b_cost * v["CAR_CO"],
    }
    available = {1: v["TRAIN_AVAIL"], 2: v["SM_AVAIL"], 3: v["CAR_AVAIL"]}
    data = database.Database("swissmetro", frame.select_dtypes("number"))
    files = {"generate_html": False, "generate_yaml": False, "save_iterations": False}
    model = BIOGEME(data, loglogit(utilities, available, v["code"]), **files)
    model.model_name = "peer"
    results = model.estimate()
    kind = EstimateVarianceCovariance.RAO_CRAMER  # of the Hessian, as here; robust ones are its default
    values = results.get_beta_values()
    found = {n: (value, results.get_parameter_std_err(n, kind)) for n, value in values.items()}
    return {"log-likelihood": (results.final_log_likelihood, None), **found}


def xlogit(case, frame):
    from xlogit import MixedLogit, MultinomialLogit

    frame = frame.assign(asc_b=(frame["alt"] == "b").astype(float))
    names = ["price", "time", "asc_b"]
    about = {
        "X": frame[names], "y": frame["chosen"], "varnames": names, "alts": frame["alt"], "ids": frame["task"],
    }  # fmt: skip
    if case.endswith("panel"):
        model = MixedLogit()
        model.fit(**about, panels=frame["person"], randvars={"time": "n"}, n_draws=DRAWS, verbose=0)
    else:
        model = MultinomialLogit()
        model.fit(**about, verbose=0)
    known = {str(n).replace("sd.time", "time.sd"): k for k, n in enumerate(model.coeff_names)}
    found = {n: (float(model.coeff_[k]), float(model.stderr[k])) for n, k in known.items()}
    return {"log-likelihood": (float(model.loglikelihood), None), **found}


def semopy(case, frame):
    from semopy import Model, calc_stats

    model = Model(TEXTS[case])
    model.fit(frame)
    found = {"chi-square": (float(calc_stats(model)["chi2"].iloc[0]), None)}
    for row in model.inspect().to_dict("records"):
        # semopy turns a loading around: `x1 ~ visual`.
        loading = row["op"] == "~" and row["lval"][0] in "xy"
        name = f"{row['rval']} =~ {row['lval']}" if loading else f"{row['lval']} {row['op']} {row['rval']}"
        if row["Std. Err"] != "-":
            found[name] = (float(row["Estimate"]), float(row["Std. Err"]))
    return found


def measured(function, case, path):
    import pandas as pd

    frame = pd.read_csv(path)
    began = time.perf_counter()
    found = function(case, frame)
    return {"found": found, "seconds": time.perf_counter() - began}


# --- both ---------------------------------------------------------------------------------------------------------


def run(case, python):
    """Rows of both programs."""
    from importlib.metadata import version

    peer = case.partition("_")[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        survey(case).to_csv(path, index=False)
        command = [python, str(Path(__file__).resolve()), case, "--one", str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
        theirs = json.loads(done.stdout.splitlines()[-1])
        mine = measured(ours, case, path)
    for program, number, about in (
        (PEERS[peer], theirs["version"], theirs),
        ("iclv_jax", version("iclv-jax"), mine),
    ):
        for name, (estimate, se) in about["found"].items():
            row = {"case": case, "program": program, "version": number, "name": name}
            yield row | {"estimate": estimate, "se": se, "seconds": about["seconds"]}


def stored(case, rows):
    """All rows, with the new ones in the place of those of the same case."""
    path = RESULTS / "peers.csv"
    old = list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []
    new = [{k: f"{v:.8g}" if isinstance(v, float) else v or "" for k, v in row.items()} for row in rows]
    every = [row for row in old if row["case"] != case] + new
    every.sort(key=lambda row: list(CASES).index(row["case"]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(every)
    return every


def written(rows):
    lines = ["# Five models in two programs", "", __doc__.partition("\n")[0], ""]
    for peer in PEERS:
        lines += [f"<!-- {peer} -->", ""]
        for case in (c for c in CASES if c.startswith(peer)):
            lines += table(case, [row for row in rows if row["case"] == case])
    (RESULTS / "peers.md").write_text("\n".join([*lines, "<!-- end -->", ""]), encoding="utf-8")


def table(case, rows):
    """Estimates with standard errors in brackets, a column for each program."""
    programs = list(dict.fromkeys((row["program"], row["version"], row["seconds"]) for row in rows))
    if not programs:
        return []
    cells = {(row["program"], row["name"]): cell(row) for row in rows}
    # What both have; of structural equation models the variances stand in the other file.
    names = [n for n in dict.fromkeys(row["name"] for row in rows) if " ~~ " not in n]
    names = [n for n in names if all((p, n) in cells for p, *_ in programs)]
    lines = [f"{CASES[case]}:", "", f"| | {' | '.join(f'{p} {v}' for p, v, _ in programs)} |"]
    lines.append("|---|" + "---:|" * len(programs))
    for name in names:
        lines.append(f"| `{name}` | {' | '.join(cells[p, name] for p, *_ in programs)} |")
    seconds = " | ".join(f"{float(s):.1f}" for *_, s in programs)
    return [*lines, f"| seconds | {seconds} |", ""]


def cell(row):
    if not row["se"]:
        return f"{float(row['estimate']):.4f}"
    return f"{float(row['estimate']):.4f} ({float(row['se']):.4f})"


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("cases", nargs="*", help=f"some of {', '.join(CASES)}")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the other programs")
    parser.add_argument("--one", help="the data of one case, for the other program, in this process")
    options = parser.parse_args()
    if options.one:
        from importlib.metadata import version

        case = options.cases[0]
        peer = case.partition("_")[0]
        found = measured({"biogeme": biogeme, "xlogit": xlogit, "semopy": semopy}[peer], case, options.one)
        return print(json.dumps(found | {"version": version(peer)}))
    for case in options.cases or CASES:
        written(stored(case, list(run(case, options.python))))
        print(case, flush=True)


if __name__ == "__main__":
    main()
