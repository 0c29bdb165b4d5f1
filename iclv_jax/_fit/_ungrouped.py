"""What all kinds of fits have in common: the groups, and verbs without their group."""

from typing import TYPE_CHECKING, Any, Literal

from iclv_jax._fit._grouped import Accessor, homes, unknown
from iclv_jax._fit._groups import Choices, Exports, Measurement, Structure, Tests, Uncertainty
from iclv_jax._inference._estimated import has, why_lacking

Ungrouped = Literal[
    "standard_errors", "default_covariance", "compare_covariances", "bootstrap", "profile", "correlations", "eigenvalues",
    "sensitivity", "wald_test", "t_test", "lr_test", "lm_test", "modification_indices", "equality_tests", "goodness_of_fit",
    "cross_validate", "elasticities", "marginal_effects", "willingness_to_pay", "scenario", "shares", "hit_rate",
    "choice_fit", "class_probabilities", "predict_items", "item_fit", "item_residuals", "person_fit", "reliability",
    "effects", "standardized", "latent_covariances", "to_latex", "to_csv", "to_excel", "to_dict",
    "to_marginaleffects",
]  # fmt: skip
"""For type checkers: what may be asked without its group. Other names are errors."""


class Grouped:
    """The groups of a fit. A verb that is asked for without its group is found there; `dir` lists the groups only."""

    uncertainty, tests = Accessor(Uncertainty), Accessor(Tests)
    choices, measurement, structure = Accessor(Choices), Accessor(Measurement), Accessor(Structure)
    exports = Accessor(Exports)

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name not in homes()]

    if TYPE_CHECKING:

        def __getattr__(self, name: Ungrouped) -> Any: ...

    else:

        def __getattr__(self, name: str) -> object:
            if hasattr(type(self), name):  # a property that raised AttributeError, which has more to say
                return object.__getattribute__(self, name)
            if group := homes().get(name):
                return getattr(getattr(self, group), name)
            whole = has(self, "optimizer_report") and has(self, "components")
            if not whole and any(hasattr(kind, name) for kind in Grouped.__subclasses__()):
                raise AttributeError(why_lacking(self, name, name))
            raise AttributeError(unknown(repr(type(self).__name__), name, object.__dir__(self)))
