"""What holds a fit against people it has not seen, and against data of its own making."""

from iclv_jax._fit._cross_validation import CrossValidation, cross_validation
from iclv_jax._fit._estimates import Estimates
from iclv_jax._fit._goodness import GoodnessOfFit, goodness
from iclv_jax._fit._threads import one_thread


class Validation(Estimates):
    """The part of a fit that doubts itself."""

    @one_thread
    def cross_validate(self, folds: int = 5, seed: int = 0) -> CrossValidation:
        """Out-of-sample log-likelihoods: the model is fitted without each fold of people and asked about them.

        Whole people are left out, with all their answers, or whole clusters where the fit has clusters. Every fit starts at
        the estimates, with weights of zero for those left out and nodes placed anew, so that nothing is compiled; it takes
        a few Newton steps. Levels of items, and centres and units of `Standardized` covariates, are those of all people.

        Parameters
        ----------
        folds
            How many. More take longer and leave out fewer.
        seed
            Of the assignment of people to folds.

        Returns
        -------
        CrossValidation
            Held-out log-likelihoods by fold and in total: joint, of the choices alone, and of the choices given the items.
            A choice model and a hybrid model compare by the first of the two for choices; the second says what asking people
            the items is worth.

        Raises
        ------
        ValueError
            For less than two folds, and more than there are people or clusters.
        """
        return cross_validation(self, folds, seed)

    @one_thread
    def goodness_of_fit(self, samples: int = 100, seed: int = 0, refit: bool = True) -> GoodnessOfFit:
        """How the data look beside data that the fitted model has made: a parametric bootstrap.

        Every simulated data set has the covariates, situations, alternatives on offer and missing answers of the data, and
        answers and choices drawn at the estimates. Compared are the log-likelihood, and residuals, observed less expected
        before any answers: of the frequencies of answers; of the associations of two items, the frequency of every pair of
        answers less the product of the two frequencies; and of the shares of alternatives. For a continuous item answers
        are its mean and mean square, associations covariances. Residuals are standardised by their spread over simulated
        data and the data together, so that p is exact up to the estimates being estimates.

        Parameters
        ----------
        samples
            How many data sets: the smallest p is 1 / (samples + 1).
        seed
            Of the draws.
        refit
            Whether to fit the model to every one of them, from the estimates, as it was fitted to the data: a few Newton
            steps each, without compiling. False is quicker and cautious: the data have been fitted and look better than
            they are, so that misfit is found less often.

        Raises
        ------
        ValueError
            For a number of samples that is not a whole number above 0, and when no fit to simulated data converged.

        Notes
        -----
        Associations are what latent variables are for: misfit there shows residual correlations and missing loadings. The
        log-likelihood says little: that of the data is a maximum, and so are those of the simulated data, so that its p
        gathers in the middle whatever the model. Nothing here looks at choices and items together, or at how choices depend
        on columns.
        """
        return goodness(self, samples, seed, refit)
