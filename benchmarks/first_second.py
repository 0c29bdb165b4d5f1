"""The first second: import, first and second fit of small models and of the reference workload, each in new processes.

*cold* finds nothing compiled, *cached* the compilation cache that an earlier process has filled, *warm* is the second fit
of a process; all from the data frame to the printed summary with exact standard errors. Beside them R's lavaan, glmmTMB and
lme4, and xlogit and Biogeme in an interpreter of their own (`peers.py` says how), where they are installed. Writes
`results/first_second.md`, `.csv` and `.png`; with names of cases their rows alone are measured anew.

    python benchmarks/first_second.py [repeats] [--cases ...] [--python peers/bin/python]
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import on_device
import pandas as pd

RESULTS = Path(__file__).parent / "results"
CASES = {
    "factors": "three factors, nine normal items, 301 people",
    "binary": "five binary items with a regression, 500 people",
    "intercept": "random-intercept logit, 1,934 rows in 60 groups",
    "logit": "plain logit, three alternatives, 6,768 rows",
    "reference": "the reference workload: 205 parameters, 328 people",
}
LAVAAN = """
suppressMessages(library(lavaan))
m <- 'a =~ x1 + x2 + x3
b =~ x4 + x5 + x6
c =~ x7 + x8 + x9'
fit <- function() cfa(m, d)
"""
GLMMTMB = "fit <- function() glmmTMB::glmmTMB(y ~ x + (1 | g), d, family = binomial)"
GLMER = "fit <- function() lme4::glmer(y ~ x + (1 | g), d, binomial, nAGQ = 15)"
IN_R = """
d <- read.csv('{path}')
{text}
seconds <- function() system.time({{f <<- fit(); summary(f)}})[['elapsed']]
cat(seconds(), seconds(), as.numeric(logLik(f)))
"""
XLOGIT = """
from xlogit import MultinomialLogit
long = pd.DataFrame({k: d[[f"{k}{j}" for j in range(3)]].to_numpy().ravel() for k in "tc"})
long = long.assign(a1=np.tile([0, 1, 0], len(d)), a2=np.tile([0, 0, 1], len(d)))
chosen = np.equal.outer(d["y"].to_numpy(), np.arange(3)).ravel().astype(int)
about = {"alts": np.tile(np.arange(3), len(d)), "ids": np.repeat(np.arange(len(d)), 3), "varnames": list(long), "verbose": 0}
def fit():
    model = MultinomialLogit()
    model.fit(long, chosen, **about)
    return model.loglikelihood
"""
BIOGEME = """
from biogeme.biogeme import BIOGEME
from biogeme.database import Database
from biogeme.expressions import Beta, Variable
from biogeme.models import loglogit
def fit():
    b = {n: Beta(n, 0, None, None, 0) for n in ("a1", "a2", "t", "c")}
    v = {j: b["t"] * Variable(f"t{j}") + b["c"] * Variable(f"c{j}") + (b[f"a{j}"] if j else 0) for j in range(3)}
    files = {"generate_html": False, "generate_yaml": False, "save_iterations": False}
    model = BIOGEME(Database("d", d), loglogit(v, None, Variable("y")), **files)
    model.model_name = "peer"
    return model.estimate().final_log_likelihood
"""
IN_PYTHON = """
import time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
d = pd.read_csv("{path}")
{text}
seconds = []
for _ in range(2):
    began = time.perf_counter()
    loglike = fit()
    seconds.append(time.perf_counter() - began)
print()
print(*seconds, loglike)
"""
PEERS = {
    "lavaan": ("factors", IN_R, LAVAAN),
    "glmmTMB": ("intercept", IN_R, GLMMTMB),
    "lme4": ("intercept", IN_R, GLMER),
    "xlogit": ("logit", IN_PYTHON, XLOGIT),
    "Biogeme": ("logit", IN_PYTHON, BIOGEME),
}


def frame(name):
    """The data, made anew in every process from one seed."""
    rng = np.random.default_rng(0)
    if name == "factors":
        root = np.linalg.cholesky(np.array([[1.0, 0.4, 0.4], [0.4, 1.0, 0.3], [0.4, 0.3, 1.0]]))
        f = rng.normal(size=(301, 3)) @ root.T
        return pd.DataFrame(
            {f"x{i + 1}": 0.8 * f[:, i // 3] + 0.6 * rng.normal(size=301) + 3 for i in range(9)}
        )
    if name == "binary":
        f, x = rng.normal(size=(2, 500))
        items = {f"y{i}": (0.5 * x + f + rng.logistic(size=500) > 0.2 * i).astype(int) for i in range(5)}
        return pd.DataFrame(items | {"x": x})
    if name == "intercept":
        g = np.minimum(np.arange(1934) // 32, 59)
        x, u = rng.normal(size=1934), rng.normal(size=60)[g]
        return pd.DataFrame({"g": g, "x": x, "y": (0.5 * x + u + rng.logistic(size=1934) > 0).astype(int)})
    t, c = rng.normal(size=(2, 6768, 3))
    y = (-t - 0.5 * c + rng.gumbel(size=(6768, 3))).argmax(axis=1)
    return pd.DataFrame(
        {f"t{j}": t[:, j] for j in range(3)} | {f"c{j}": c[:, j] for j in range(3)} | {"y": y}
    )


def model(iclv, name):
    if name == "factors":
        return iclv.Model(
            [iclv.Latent(n, scale="loading") for n in "abc"],
            [iclv.Continuous(f"x{i + 1}", of="abc"[i // 3]) for i in range(9)],
            covariances=[("a", "b"), ("a", "c"), ("b", "c")],
        )
    if name == "binary":
        items = [iclv.Ordered(f"y{i}", of="trait", link="logit") for i in range(5)]
        return iclv.Model([iclv.Latent("trait", on=["x"])], items)
    if name == "intercept":
        choice = iclv.Logit(lambda b, x, lv: {0: 0.0, 1: b.constant + b.x * x.x}, "y")
        return iclv.Model(choice=choice, random={"constant": iclv.Normal()})

    def utility(b, x, lv):
        return {j: (b[f"a{j}"] if j else 0.0) + b.t * x[f"t{j}"] + b.c * x[f"c{j}"] for j in range(3)}

    return iclv.Model(choice=iclv.Logit(utility, "y"))


def one_process(name):
    """Seconds of the import and of two fits, programs compiled by the first, and its log-likelihood."""
    began = time.perf_counter()
    import iclv_jax as iclv

    imported, programs = time.perf_counter() - began, []

    import jax

    def listen(event, seconds, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            programs.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(listen)
    survey = iclv.datasets.sugar_substitutes() if name == "reference" else None
    data = frame(name) if survey is None else survey.data
    person = {"intercept": "g", "reference": "person"}.get(name)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        fit = (model(iclv, name) if survey is None else survey.model).fit(data, person=person, progress=False)
        str(fit.summary())
        seconds.append(time.perf_counter() - began)
        count = len(programs) if len(seconds) == 1 else count
    print(json.dumps([imported, *seconds, count, fit.llf, fit.converged]))


def in_a_new_process(name, cache):
    command = [sys.executable, __file__, "--one", name]
    environment = os.environ | {"ICLV_JAX_CACHE": cache}
    # As installed by pip, which compiles the package.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def measured(name, repeats):
    load = os.getloadavg()[0]
    cold = [in_a_new_process(name, "off") for _ in range(repeats)]
    with tempfile.TemporaryDirectory() as folder:
        in_a_new_process(name, folder)
        cached = [in_a_new_process(name, folder) for _ in range(repeats)]
    middle = statistics.median
    return {
        "case": CASES[name],
        "import": middle(c[0] for c in cold),
        "cold": middle(c[1] for c in cold),
        "cached": middle(c[1] for c in cached),
        "warm": middle(c[2] for c in cold),
        "programs": cold[0][3],
        "loglike": cold[0][4],
        "converged": all(c[5] for c in cold + cached),
        "repeats": repeats,
        "load": load,
    }


def peers(python):
    """Seconds of two fits by other programs, with their standard errors, where these are installed."""
    rows = []
    for program, (case, frame_of, text) in PEERS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.csv"
            frame(case).to_csv(path, index=False)
            command = ["Rscript", "-e"] if frame_of is IN_R else [python, "-c"]
            script = frame_of.format(path=path, text=text)
            done = shutil.which(command[0]) and subprocess.run(
                [*command, script], capture_output=True, text=True, check=False, cwd=folder
            )
        known = bool(done) and done.returncode == 0
        first, second, loglike = map(float, done.stdout.split()[-3:]) if known else 3 * (float("nan"),)
        row = {"program": program, "case": CASES[case], "first": first, "second": second}
        rows.append(row | {"loglike": loglike})
    return pd.DataFrame(rows)


def picture(table):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    places = np.arange(len(table))
    for k, column in enumerate(("cold", "cached", "warm")):
        bars = axes.barh(places + 0.27 * (k - 1), table[column], height=0.25, label=column)
        axes.bar_label(bars, fmt="%.2g s", padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 2)
    axes.set_yticks(places, table["case"])
    axes.invert_yaxis()
    axes.set_xlabel("Seconds from the data frame to the summary")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    figure.savefig(RESULTS / "first_second.png", dpi=150)


def write(table, others):
    lines = ["# The first second", ""]
    lines += [
        f"`python benchmarks/first_second.py`, {os.cpu_count()} cores; seconds, medians of `of` new processes.",
        "`load` is the load average when a model's measurements began; times are to be read in imports of the same row.",
    ]
    heads = "model | import | first fit | first, programs cached | second fit | programs | log L | of | load"
    lines += ["", f"| {heads} |", "|---" + "|---:" * heads.count("|") + "|"]
    for row in table.to_dict("records"):
        said = "" if row["converged"] else " (not converged)"
        lines.append(
            f"| {row['case']} | {row['import']:.2f} | {row['cold']:.2f} | {row['cached']:.2f} | {row['warm']:.3f} | "
            f"{row['programs']} | {row['loglike']:.4f}{said} | {row['repeats']:.0f} | {row['load']:.1f} |"
        )
    lines += ["", "| peer | model | first fit | second fit | log L |", "|---|---|---:|---:|---:|"]
    for row in others.to_dict("records"):
        known = not np.isnan(row["first"])
        times = (
            f"{row['first']:.2f} | {row['second']:.3f} | {row['loglike']:.4f}"
            if known
            else "not installed | | "
        )
        lines.append(f"| {row['program']} | {row['case']} | {times} |")
    (RESULTS / "first_second.md").write_text("\n".join([*lines, ""]))


def main():
    parser = on_device.parser(__doc__)
    parser.add_argument("repeats", type=int, nargs="?", default=3)
    parser.add_argument(
        "--cases", nargs="+", choices=list(CASES), default=list(CASES), help="rows to measure anew"
    )
    parser.add_argument("--one", choices=list(CASES), help="one case in this process")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of xlogit and Biogeme")
    options = parser.parse_args()
    if options.one:
        return one_process(options.one)
    repeats = options.repeats
    stored = RESULTS / "first_second.csv"
    rows = {row["case"]: row for row in pd.read_csv(stored).to_dict("records")} if stored.exists() else {}
    for name in options.cases:
        rows[CASES[name]] = measured(name, repeats)
        print(rows[CASES[name]], flush=True)
    table, others = (
        pd.DataFrame([rows[case] for case in CASES.values() if case in rows]),
        peers(options.python),
    )
    table.to_csv(stored, index=False)
    write(table, others)
    picture(table)


if __name__ == "__main__":
    main()
