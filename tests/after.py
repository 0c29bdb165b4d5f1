"""Fits at given parameters, without an estimation, and expectations by brute force in plain numpy."""

from functools import cache
from types import SimpleNamespace

import bank
import jax.numpy as jnp
import numpy as np
import plain
from scipy.special import logsumexp, roots_hermitenorm

import iclv_jax as iclv
from iclv_jax._inference import Covariance
from iclv_jax._optimise import OptimizerReport, Verdict
from iclv_jax._problem._accuracy import Accuracy


@cache
def at(name, integration=None):
    """A `Fit` of a bank's case at the parameters of the case, with an invented covariance of the estimates."""
    case = bank.get(name)
    keywords = case.bind | ({} if integration is None else {"integration": integration})
    problem = case.model.bind(case.data, **keywords)
    return fit_at(problem, problem.vector(case.params))


def fit_at(problem, params):
    params = jnp.asarray(params)
    report = OptimizerReport(Verdict.CONVERGED, Verdict.CONVERGED.sentence, 0, 0, 0.0, 0.0, 0.0, 0.0)
    accuracy = Accuracy(problem.core.nodes.shocks.shape[1], None, None)
    fit = iclv.Fit(problem, np.asarray(params), report, np.asarray(params), accuracy, ())
    root = np.random.default_rng(0).normal(size=(len(params), len(params))) / 20.0
    known = Covariance("hessian", root @ root.T, ())
    fit._covariances.update(dict.fromkeys(("hessian", fit.default_covariance), known))
    return fit


def differences(function, params, step=1e-5):
    """Central differences of an array-valued function, the parameter as last axis."""
    columns = []
    for i in range(len(params)):
        move = np.zeros(len(params))
        move[i] = step
        columns.append((function(params + move) - function(params - move)) / (2.0 * step))
    return np.stack(columns, axis=-1)


def grid(nodes, dimension):
    """Product Gauss-Hermite points and log weights."""
    points, weights = roots_hermitenorm(nodes)
    mesh = np.stack(np.meshgrid(*[points] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    logs = sum(np.meshgrid(*[np.log(weights / weights.sum())] * dimension, indexing="ij")).reshape(-1)
    return mesh, logs


def expectations(name, given, nodes, count, situation, answer=None):
    """Averages over the shocks of `count` people of the bank: `situation(case, values, random, row, eta)` of each of
    their rows with a choice, and `answer(case, values, eta)` of each person. Returns both as lists of arrays."""
    case = bank.get(name)
    parts = case.parts
    keywords = {key: case.bind[key] for key in ("person", "people") if key in case.bind}
    everyone = plain.read_people(parts, case.data, **keywords)
    levels, values = plain.item_levels(parts, everyone), plain.Values(parts, case.params)
    latent_variables, coefficients = plain.structural(parts, values), plain.coefficients(parts, values)
    size = len(parts.get("latent", ()))
    shocks, logs = nodes
    rows, people = [], []
    for one in everyone[:count]:
        known = SimpleNamespace(answers=one.answers, rows=one.rows if given == "answers" else [])
        points = [(latent_variables(one.covariates, u[:size]), coefficients(u[size:])) for u in shocks]
        terms = logs.copy()
        if given != "nothing":
            terms += [plain.log_density(parts, known, levels, values, eta, b) for eta, b in points]
        weights = np.exp(terms - logsumexp(terms))
        for row in one.rows:
            each = [situation(case, values, b, row, eta) for eta, b in points]
            rows.append(weights @ np.array(each))
        if answer is not None:
            people.append(weights @ np.array([answer(case, values, levels, eta) for eta, _ in points]))
    return np.array(rows), np.array(people)


def probabilities(case, values, random, row, eta):
    """Choice probabilities in one situation, 0 where not available."""
    choice = case.parts["choice"]
    v = plain.utilities(choice, values, random, row, eta)
    on_offer = plain.open_alternatives(choice, row, list(v))
    return [
        np.exp(plain.choice_log_probability(choice, v, row | {choice.chosen: a})) if a in on_offer else 0.0
        for a in v
    ]


def in_order_of_people(case, count, frame):
    """The rows of a prediction that belong to the first people, person by person, as `expectations` has them."""
    ids = list(dict.fromkeys(case.data[case.bind["person"]]))[:count]
    owner = case.data[case.bind["person"]]
    return frame.loc[[i for p in ids for i in frame.index if owner[i] == p]]
