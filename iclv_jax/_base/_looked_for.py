"""What people look for under names of other programs, and where it is."""

import difflib
import sys
from typing import NoReturn

ELSEWHERE = {
    "MixedLogit": "A mixed logit is iclv.Logit with random coefficients, random={'time': iclv.Normal()} of iclv.Model.",
    "ConditionalLogit": "The conditional logit is iclv.Logit; attributes stand in the utility function.",
    "MultinomialLogit": "The multinomial logit is iclv.Logit.",
    "MNL": "The multinomial logit is iclv.Logit.",
    "LatentClass": "Latent classes are iclv.LatentClasses(membership, classes={...}).",
    "CNL": "The cross-nested logit is iclv.CrossNestedLogit.",
    "OrderedLogit": "Ordered choices are iclv.OrderedChoice(index, chosen, link='logit'), ordered items iclv.Ordered.",
    "OrderedProbit": "Ordered choices are iclv.OrderedChoice(index, chosen, link='probit'), ordered items iclv.Ordered.",
    "MultinomialProbit": "A probit of more than two alternatives does not exist here. A logit with random "
    "constants comes close: iclv.Logit and random={'asc_car': iclv.Normal(), ...}.",
    "MaxDiff": "Best-worst choices are iclv.BestWorst(utility, best=..., worst=..., kind='maxdiff').",
    "RankOrderedLogit": "Rankings are iclv.Ranking(utility, ranks=[...]).",
    "Poisson": "Counts are iclv.Count(column, of=...), with dispersion=True negative binomial.",
    "NegativeBinomial": "Counts are iclv.Count(column, of=..., dispersion=True).",
    "Tobit": "A tobit is iclv.Censored(column, of=..., lower=0.0).",
    "Weibull": "Durations are iclv.Duration(column, of=..., event=...).",
    "Rasch": "A Rasch model is iclv.Binary items with equal loadings, equal=[[...]] of iclv.Model.",
    "Beta": "A parameter is declared by its use: b.time in a utility function. Bounds, starts and fixed values are "
    "arguments of iclv.Model.",
    "Variable": "A column is x.name in a utility function.",
    "Draws": "Draws are a rule of integration, iclv.MonteCarlo(500); what they are of is random={...} of iclv.Model.",
    "SEM": "A structural equation model is iclv.Model without choice=, or iclv.Model.from_text in lavaan's language.",
    "mirt": "Item response models are iclv.Model without choice=, its items iclv.Binary, iclv.Ordered and others.",
    "CFA": "A factor analysis is iclv.Model without choice=, with latent variables that have no on=.",
}  # fmt: skip
OF_FITS = {
    "coef": "fit.params",
    "coefficients": "fit.params",
    "se": "fit.bse",
    "std_err": "fit.bse",
    "robust_se": 'fit.uncertainty.standard_errors("robust")',
    "vcov": "fit.cov_params()",
    "covariance_matrix": "fit.cov_params()",
    "loglik": "fit.llf",
    "loglike": "fit.llf",
    "logLik": "fit.llf",
    "LL": "fit.llf",
    "rho2": "fit.choices.choice_fit()",
    "rho_squared": "fit.choices.choice_fit()",
    "parameterEstimates": "fit.table()",
    "get_estimated_parameters": "fit.table()",
    "standardizedSolution": "fit.structure.standardized()",
    "modindices": "fit.tests.modification_indices()",
    "fitMeasures": "fit.fit_measures()",
    "M2": "fit.fit_measures()",
    "anova": "fit.tests.lr_test(restricted)",
    "wtp": 'fit.choices.willingness_to_pay("time", cost="cost")',
    "vtt": 'fit.choices.willingness_to_pay("time", cost="cost")',
    "value_of_time": 'fit.choices.willingness_to_pay("time", cost="cost")',
    "consumer_surplus": 'fit.choices.scenario(before, after, cost="cost")',
    "simulate": "fit.predict(df), or model.simulate(fit.params, df) for artificial answers",
    "conditionals": "fit.individual_parameters()",
    "lcConditionals": "fit.choices.class_probabilities()",
    "deltaMethod": "fit.delta(lambda p: ...)",
    "lavPredict": "fit.latent_scores()",
    "fscores": "fit.latent_scores()",
    "factor_scores": "fit.latent_scores()",
    "itemfit": "fit.measurement.item_fit()",
    "personfit": "fit.measurement.person_fit()",
}
"""What programs of the field call something that a fit has."""


def looked_for(name: str) -> NoReturn:
    """AttributeError with where it is, or what is near it, for a name that the package does not have."""
    public = getattr(sys.modules["iclv_jax"], "__all__", ())
    near = [] if name.startswith("_") else difflib.get_close_matches(name, public, n=1)
    hint = (
        ELSEWHERE.get(name)
        or ELSEWHERE.get(name.upper())
        or "".join(f"Did you mean iclv.{one}?" for one in near)
    )
    raise AttributeError(f"module 'iclv_jax' has no attribute {name!r}.{' ' if hint else ''}{hint}")
