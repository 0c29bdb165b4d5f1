"""What people look for under names of other programs, and where it is."""

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
    "SEM": "A structural equation model is iclv.Model without choice=.",
    "CFA": "A factor analysis is iclv.Model without choice=, with latent variables that have no on=.",
}  # fmt: skip


def looked_for(name: str) -> NoReturn:
    """AttributeError with where it is, for a name that the package does not have."""
    where = f" {ELSEWHERE[name]}" if name in ELSEWHERE else ""
    raise AttributeError(f"module 'iclv_jax' has no attribute {name!r}.{where}")
