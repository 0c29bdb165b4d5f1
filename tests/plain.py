"""The log-likelihood of a model once more, in plain numpy and Python: the oracle of the bank.

It loops over people, nodes, items and situations, reads the data frame itself, and builds thresholds,
structural equations, covariances, random coefficients and constraints from named parameters. From the package
it takes nothing but the user's own objects: `parts` are the keyword arguments of `iclv.Model`, whose members it
asks for their names and options.

Shocks are standard normal: first those of the latent variables (predictors before what they predict, otherwise
in the order of the model), then those of the random coefficients in the order of `random=`.
"""

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import expit, logsumexp, ndtr

import iclv_jax as iclv


class Named:
    """`b`, `x`, `lv` or `p` for a user's function: names looked up in a mapping or by a function."""

    def __init__(self, look_up):
        self._look_up = look_up

    def __getattr__(self, name):
        return self._look_up(name)

    def __getitem__(self, name):
        return self._look_up(name)


class Values:
    """Every parameter by name, from the free ones and the constraints of the model."""

    def __init__(self, parts, free):
        self._known = {**_conventions(parts), **parts.get("fixed", {}), **free}
        self._define = parts.get("define", {})
        self._equal = parts.get("equal", ())

    def __call__(self, name):
        if name in self._known:
            return float(self._known[name])
        if name in self._define:
            return float(self._define[name](Named(self)))
        for group in self._equal:
            if name in group:
                return float(next(self(n) for n in group if n in self._known or n in self._define))
        raise KeyError(name)


def _conventions(parts):
    """Disturbance variances of 1, or first loadings of 1, where the user says nothing else."""
    found = {}
    said = {**parts.get("fixed", {}), **parts.get("define", {})}
    for latent in parts.get("latent", ()):
        loadings = [f"{latent.name} =~ {i.column}" for i in parts["indicators"] if latent.name in i.of]
        if latent.scale == "variance":
            found[f"{latent.name} ~~ {latent.name}"] = 1.0
        elif loadings[0] not in said and not set(loadings) & set(parts.get("fixed", {})):
            found[loadings[0]] = 1.0
    return found


# --- people -----------------------------------------------------------------------------------------------------


def read_people(parts, data, person=None, people=None):
    """One namespace per person: identifier, covariates, answers by item (absent when missing), rows of choices."""
    ids = list(data.index) if person is None else list(dict.fromkeys(data[person]))
    rows = {i: [] for i in ids}
    for position in range(len(data)):
        row = {name: data[name].iloc[position] for name in data.columns}
        rows[data.index[position] if person is None else row[person]].append(row)
    extra = {}
    if people is not None:
        table = people.set_index(person) if person in people.columns else people
        extra = {i: table.loc[i].to_dict() for i in table.index}
        ids += [i for i in extra if i not in rows]
    choice = parts.get("choice")
    found = []
    for i in ids:
        first = (rows.get(i) or [{}])[0] | extra.get(i, {})
        situations = [r for r in rows.get(i, []) if choice is not None and not pd.isna(r[choice.chosen])]
        covariates = {n: float(first[n]) for v in parts.get("latent", ()) for n in v.on if n in first}
        found.append(
            SimpleNamespace(id=i, covariates=covariates, answers=_answers(parts, first), rows=situations)
        )
    return found


def _answers(parts, row):
    present = {}
    for item in parts.get("indicators", ()):
        value = row.get(item.column)
        if not pd.isna(value) and value not in item.missing:
            present[item.column] = value
    return present


def item_levels(parts, everyone):
    """Levels of the ordered items: as declared, or what the people answered, pooled over shared thresholds."""
    found = {}
    for item in parts.get("indicators", ()):
        if isinstance(item, iclv.Ordered):
            seen = {p.answers[item.column] for p in everyone if item.column in p.answers}
            found[item.column] = list(item.levels) if item.levels is not None else sorted(seen)
    for owner in {_owner(i) for i in parts.get("indicators", ()) if isinstance(i, iclv.Ordered)}:
        members = [i for i in parts["indicators"] if isinstance(i, iclv.Ordered) and _owner(i) == owner]
        if all(i.levels is None for i in members):
            pooled = sorted({level for i in members for level in found[i.column]})
            found.update({i.column: pooled for i in members})
    return found


def _owner(item):
    return item.column if item.thresholds == "free" else item.thresholds.name


# --- given the parameters ---------------------------------------------------------------------------------------


def causal_order(latents):
    """Names such that every latent variable comes after its predictors, otherwise in the order given."""
    by_name, order = {v.name: v for v in latents}, []

    def visit(latent):
        for predictor in latent.on:
            if predictor in by_name:
                visit(by_name[predictor])
        if latent.name not in order:
            order.append(latent.name)

    for latent in latents:
        visit(latent)
    return order


def structural(parts, values):
    """The function (covariates, shocks) -> latent variables by name, from eta = B eta + index + chol(Psi) u."""
    latents = {v.name: v for v in parts.get("latent", ())}
    order = causal_order(list(latents.values()))
    size = len(order)
    paths, psi = np.zeros((size, size)), np.zeros((size, size))
    for i, name in enumerate(order):
        psi[i, i] = values(f"{name} ~~ {name}")
        for j, other in enumerate(order):
            if other in latents[name].on:
                paths[i, j] = values(f"{name} ~ {other}")
    for first, second in parts.get("covariances", ()):
        if first in order:
            i, j = order.index(first), order.index(second)
            psi[i, j] = psi[j, i] = _covariance(values, first, second)
    factor = np.linalg.cholesky(psi)

    def latent_variables(covariates, shocks):
        index = np.zeros(size)
        for i, name in enumerate(order):
            index[i] += values(f"{name} ~ 1") if latents[name].intercept else 0.0
            for predictor in latents[name].on:
                if predictor not in order:
                    index[i] += values(f"{name} ~ {predictor}") * covariates[predictor]
        eta = np.linalg.solve(np.eye(size) - paths, index + factor @ shocks) if size else index
        return dict(zip(order, eta.tolist(), strict=True))

    return latent_variables


def coefficients(parts, values):
    """The function shocks -> random coefficients by name."""
    random = parts.get("random", {})
    names = list(random)
    spreads = np.array([values(f"{n}.sd") for n in names])
    covariance = np.diag(spreads**2)
    for first, second in parts.get("covariances", ()):
        if first in random:
            i, j = names.index(first), names.index(second)
            covariance[i, j] = covariance[j, i] = _covariance(values, first, second)
    # With a negative standard deviation, only its shock changes sign.
    diagonal = np.array_equal(covariance, np.diag(np.diag(covariance)))
    factor = np.diag(spreads) if diagonal else np.linalg.cholesky(covariance)

    def draw(shocks):
        found = {}
        for name, deviation in zip(names, factor @ shocks, strict=True):
            normal = values(name) + deviation
            lognormal = isinstance(random[name], iclv.LogNormal)
            found[name] = float(random[name].sign * np.exp(normal) if lognormal else normal)
        return found

    return draw


def _covariance(values, first, second):
    try:
        return values(f"{first} ~~ {second}")
    except KeyError:
        return values(f"{second} ~~ {first}")


def thresholds(item, count, values):
    """The count - 1 thresholds of an ordered item."""
    if item.thresholds == "free":
        return [values(f"{item.column} | {k}") for k in range(1, count)]
    name = item.thresholds.name
    if not item.thresholds.symmetric:
        return [values(f"{name} | {k}") for k in range(1, count)]
    outward = np.cumsum([values(f"{name}.delta{k}") for k in range(1, (count - 1) // 2 + 1)]).tolist()
    return [-t for t in reversed(outward)] + ([0.0] if count % 2 == 0 else []) + outward


def item_log_density(item, value, levels, eta, values):
    centre = sum(values(f"{latent} =~ {item.column}") * eta[latent] for latent in item.of)
    centre += values(f"{item.column} ~ 1") if item.intercept else 0.0
    if isinstance(item, iclv.Continuous):
        variance = values(f"{item.column} ~~ {item.column}")
        return -0.5 * np.log(2.0 * np.pi * variance) - 0.5 * (value - centre) ** 2 / variance
    scale = np.sqrt(values(f"{item.column} ~~ {item.column}")) if item.scale else 1.0
    ends = [-np.inf, *thresholds(item, len(levels), values), np.inf]
    at = levels.index(value)
    return log_interval((ends[at] - centre) / scale, (ends[at + 1] - centre) / scale, item.link)


def log_interval(lower, upper, link):
    """log(F(upper) - F(lower)), in the left tail where nothing cancels."""
    cdf = ndtr if link == "probit" else expit
    if lower > 0.0:
        lower, upper = -upper, -lower
    return np.log(cdf(upper) - cdf(lower))


def utilities(choice, values, random, row, eta):
    """Utilities by alternative, from the user's own function at plain numbers."""
    b = Named(lambda name: random[name] if name in random else values(name))
    x = Named(lambda name: float(row[name]))
    return {k: float(v) for k, v in choice.utility(b, x, Named(eta.__getitem__)).items()}


def open_alternatives(choice, row, alternatives):
    return [a for a in alternatives if a not in dict(choice.available) or row[dict(choice.available)[a]] == 1]


def choice_log_probability(choice, v, row):
    on_offer = open_alternatives(choice, row, list(v))
    chosen = next(a for a in v if a == row[choice.chosen])
    if isinstance(choice, iclv.Logit):
        return v[chosen] - logsumexp([v[a] for a in on_offer])
    others = [a for a in on_offer if a != chosen]
    return float(np.log(ndtr(v[chosen] - v[others[0]]))) if others else 0.0


# --- the likelihood ---------------------------------------------------------------------------------------------


def loglike_person(parts, data, free, shocks, log_weights, person=None, people=None):
    """log L_n of every person.

    `free` maps names of free parameters to numbers; `shocks` has the shape (people, nodes, dimension) and
    `log_weights` (people, nodes).
    """
    everyone = read_people(parts, data, person, people)
    levels, values = item_levels(parts, everyone), Values(parts, free)
    latent_variables, random_coefficients = structural(parts, values), coefficients(parts, values)
    size = len(parts.get("latent", ()))
    found = []
    for n, one in enumerate(everyone):
        terms = []
        for shock, log_weight in zip(np.asarray(shocks[n]), np.asarray(log_weights[n]), strict=True):
            eta, random = latent_variables(one.covariates, shock[:size]), random_coefficients(shock[size:])
            terms.append(log_weight + log_density(parts, one, levels, values, eta, random))
        found.append(logsumexp(terms))
    return np.array(found)


def log_density(parts, one, levels, values, eta, random):
    """log f(answers, choices of a person | latent variables, random coefficients)."""
    total = 0.0
    for item in parts.get("indicators", ()):
        if item.column in one.answers:
            answer = one.answers[item.column]
            total += item_log_density(item, answer, levels.get(item.column), eta, values)
    for row in one.rows:
        choice = parts["choice"]
        total += choice_log_probability(choice, utilities(choice, values, random, row, eta), row)
    return total


# --- artificial data --------------------------------------------------------------------------------------------


def simulate(parts, frame, free: Mapping[str, float], levels, seed, person=None):
    """The frame with items and choices drawn from the model; `levels` lists those of every ordered item."""
    generator = np.random.default_rng(seed)
    values = Values(parts, free)
    latent_variables, random_coefficients = structural(parts, values), coefficients(parts, values)
    choice, items = parts.get("choice"), parts.get("indicators", ())
    owner = list(frame.index) if person is None else list(frame[person])
    columns = {i.column: pd.Series(index=frame.index, dtype=object) for i in items}
    chosen = pd.Series(index=frame.index, dtype=object)
    for who in dict.fromkeys(owner):
        rows = [at for at, o in enumerate(owner) if o == who]
        first = frame.iloc[rows[0]].to_dict()
        size = len(parts.get("latent", ()))
        shocks = generator.standard_normal(size + len(parts.get("random", {})))
        eta, random = latent_variables(first, shocks[:size]), random_coefficients(shocks[size:])
        for item in items:
            columns[item.column].iloc[rows] = _draw_item(
                item, levels.get(item.column), eta, values, generator
            )
        for at in rows if choice is not None else ():
            row = frame.iloc[at].to_dict()
            chosen.iloc[at] = _draw_choice(
                choice, utilities(choice, values, random, row, eta), row, generator
            )
    drawn = {name: column.infer_objects() for name, column in columns.items()}
    return frame.assign(**drawn, **({} if choice is None else {choice.chosen: chosen.infer_objects()}))


def _draw_item(item, levels, eta, values, generator):
    if isinstance(item, iclv.Continuous):
        centre = sum(values(f"{v} =~ {item.column}") * eta[v] for v in item.of)
        centre += values(f"{item.column} ~ 1") if item.intercept else 0.0
        return centre + np.sqrt(values(f"{item.column} ~~ {item.column}")) * generator.standard_normal()
    shares = np.exp([item_log_density(item, level, levels, eta, values) for level in levels])
    return levels[generator.choice(len(levels), p=shares / shares.sum())]


def _draw_choice(choice, v, row, generator):
    on_offer = open_alternatives(choice, row, list(v))
    logs = [choice_log_probability(choice, v, row | {choice.chosen: a}) for a in on_offer]
    return on_offer[generator.choice(len(on_offer), p=np.exp(logs) / np.exp(logs).sum())]
