"""The groups of a fit: one class for each kind of question. A verb stands in exactly one of them."""

from iclv_jax._base._types import Given
from iclv_jax._fit._grouped import Fact, Group, Verb
from iclv_jax._inference import Covariance
from iclv_jax._inference._against import lr_test
from iclv_jax._inference._bootstrap import bootstrap
from iclv_jax._inference._compare_covariances import compare_covariances
from iclv_jax._inference._cross_validation import cross_validate
from iclv_jax._inference._dependence import correlations, eigenvalues
from iclv_jax._inference._equality import equality_tests
from iclv_jax._inference._intervals import standard_errors
from iclv_jax._inference._kinds import default_covariance
from iclv_jax._inference._modification import lm_test, modification_indices
from iclv_jax._inference._profile import profile
from iclv_jax._inference._sensitivity import sensitivity
from iclv_jax._inference._wald import t_test, wald_test
from iclv_jax._predict._classes import class_probabilities
from iclv_jax._predict._elasticities import elasticities, marginal_effects
from iclv_jax._predict._goodness import goodness_of_fit
from iclv_jax._predict._item_fit import item_fit
from iclv_jax._predict._latent_scores import latent_covariances
from iclv_jax._predict._marginaleffects import to_marginaleffects
from iclv_jax._predict._person_fit import person_fit
from iclv_jax._predict._predictions import predict_items
from iclv_jax._predict._quantile_residuals import item_residuals
from iclv_jax._predict._scenario import scenario
from iclv_jax._predict._shares import choice_fit, hit_rate, shares
from iclv_jax._predict._structural import effects, reliability, standardized
from iclv_jax._predict._willingness_to_pay import willingness_to_pay
from iclv_jax._report._exports import to_csv, to_dict, to_excel, to_latex


class Uncertainty(Group, called="uncertainty"):
    """How sure are the estimates? Beside `fit.bse`, `fit.conf_int` and `fit.cov_params`, which are on the fit itself.

    Examples
    --------
    >>> logit_fit.uncertainty.standard_errors("robust").round(1).tolist()
    [0.5, 0.1, 0.3, 0.2]
    >>> logit_fit.uncertainty
    <fit.uncertainty: standard_errors, covariance, default_covariance, compare_covariances, bootstrap, profile, correlations,
    eigenvalues, sensitivity>
    """

    standard_errors = Verb(standard_errors)

    def covariance(self, kind: Given[str | None] = None) -> Covariance:
        """The covariance of a kind, those of `fit.cov_params`, with its notes; computed once.

        Examples
        --------
        >>> found = logit_fit.uncertainty.covariance("robust")
        >>> found.kind, found.matrix.shape
        ('robust', (4, 4))
        """
        return self._fit.covariance(kind)

    default_covariance = Fact(default_covariance)
    compare_covariances = Verb(compare_covariances)
    bootstrap = Verb(bootstrap)
    profile = Verb(profile)
    correlations, eigenvalues = Verb(correlations), Verb(eigenvalues)
    sensitivity = Verb(sensitivity)


class Tests(Group, called="tests"):
    """Is it true? Restrictions, freed parameters, other models, and data that the model has not seen or made itself.

    Examples
    --------
    >>> logit_fit.tests.wald_test("time = cost").df
    1
    """

    wald_test, t_test, lr_test, lm_test = Verb(wald_test), Verb(t_test), Verb(lr_test), Verb(lm_test)
    modification_indices, equality_tests = Verb(modification_indices), Verb(equality_tests)
    goodness_of_fit, cross_validate = Verb(goodness_of_fit), Verb(cross_validate)


class Choices(Group, called="choices"):
    """What does it say of choices? Responses to attributes, money's worth, forecasts, and how well choices are met. The
    probabilities themselves are `fit.predict`.

    Examples
    --------
    >>> logit_fit.choices.shares().index.tolist()
    ['bus', 'car']
    """

    elasticities, marginal_effects = Verb(elasticities), Verb(marginal_effects)
    willingness_to_pay, scenario = Verb(willingness_to_pay), Verb(scenario)
    shares, hit_rate, choice_fit = Verb(shares), Verb(hit_rate), Verb(choice_fit)
    class_probabilities = Verb(class_probabilities)


class Measurement(Group, called="measurement"):
    """What do the items say, how reliable are they, and whom do they not fit?

    Examples
    --------
    >>> fit.measurement
    <fit.measurement: predict_items, item_fit, item_residuals, person_fit, reliability>
    """

    predict_items = Verb(predict_items)
    item_fit, item_residuals, person_fit = Verb(item_fit), Verb(item_residuals), Verb(person_fit)
    reliability = Verb(reliability)


class Structure(Group, called="structure"):
    """How do latent variables hang together? Effects along paths, standardised coefficients, and what each person's answers
    and choices leave open of them jointly. Each person's scores are `fit.latent_scores`.

    Examples
    --------
    >>> fit.structure.latent_covariances().shape
    (300, 1, 1)
    """

    effects, standardized = Verb(effects), Verb(standardized)
    latent_covariances = Verb(latent_covariances)


class Exports(Group, called="exports"):
    """Where does it go? Tables with all digits, for papers, spreadsheets and programs. `fit.save` keeps the whole fit.

    Examples
    --------
    >>> logit_fit.exports.to_dict()["people"]
    300
    """

    to_latex, to_csv, to_excel, to_dict = Verb(to_latex), Verb(to_csv), Verb(to_excel), Verb(to_dict)
    to_marginaleffects = Verb(to_marginaleffects)
