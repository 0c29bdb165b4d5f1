"""Standard errors of the named parameters of a model with modules (networks) in it.

With a the named parameters, w the entries of modules, and A the negative Hessian (of the penalised log-likelihood, where
entries are penalised), in blocks:

* conditional: `A_aa^-1`, as if the modules were known;
* joint: `(A_aa - A_aw A_ww^-1 A_wa)^-1`, the block of `A^-1`, which counts what the modules could do in place of a.

Networks have flat directions of their own (scale one layer of a ReLU network up and the next one down). There A_ww is
singular, while the named parameters are as well determined as before: A_aw is zero along them, and any normalisation of
the network gives the same joint covariance. So one entry is left out for each, as `invert` does everywhere, and it is said.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from iclv_jax._inference._covariance import INVOLVED, UPWARDS, Covariance, Inverse, bound_notes, invert
from iclv_jax._inference._products import Product, named_information

DENSE = 2000
"""Free parameters up to which standard errors take the Hessian, and not its products with vectors."""
MODULE_KINDS = ("conditional", "joint")
"""The first takes modules as known; the second does not, and is the default where they have free entries."""


def module_covariance(
    kind: str,
    hessian: np.ndarray,
    names: Sequence[str],
    held: np.ndarray,
    module_of: Mapping[str, str],
    penalty: np.ndarray | None = None,
    notes: Sequence[str] | None = None,
) -> Covariance:
    """Covariance of the estimates; the conditional one has NaN for the entries of modules.

    Parameters
    ----------
    kind
        `"conditional"` or `"joint"`.
    hessian
        Hessian of the log-likelihood without penalty, (P, P).
    held
        Marks parameters at a bound, which count as known.
    module_of
        The module that a parameter is an entry of, by its name.
    penalty
        Hessian of what is subtracted from the log-likelihood, (P, P) or its diagonal, (P,).
    notes
        Why parameters are held; None: they are at their bounds.

    Raises
    ------
    ValueError
        For a model without free entries of modules.
    """
    entry, modules = _entries(kind, names, module_of)
    information = -hessian
    if penalty is not None:
        information = information + (np.diag(penalty) if np.ndim(penalty) == 1 else penalty)
    bounded = bound_notes(names, held & ~entry) if notes is None else notes
    if kind == "conditional":
        inverse = invert(information, names, held | entry)
        said = [*inverse.reasons, _conditional(modules)]
    else:
        inverse = invert(information, names, held)
        said = [*_reasons(inverse, names, entry, modules), _joint(modules, penalty is not None)]
    matrix = np.full((len(names), len(names)), np.nan)
    inside = np.searchsorted(inverse.kept, inverse.sound)
    matrix[np.ix_(inverse.sound, inverse.sound)] = inverse.matrix[np.ix_(inside, inside)]
    return Covariance(kind, matrix, (*bounded, *said), _known(kind, held, entry))


def module_covariance_by_products(
    kind: str,
    product: Product,
    diagonal: np.ndarray,
    names: Sequence[str],
    held: np.ndarray,
    module_of: Mapping[str, str],
    penalised: bool = False,
    notes: Sequence[str] | None = None,
) -> Covariance:
    """The same without a Hessian, from products of the information with vectors; NaN for the entries of modules.

    `product` maps rows (k, P) to rows, penalties included; `diagonal` is of about the size of the information's, (P,), and
    speeds the joint kind up.
    """
    entry, modules = _entries(kind, names, module_of)
    named, free = np.flatnonzero(~entry & ~held), np.flatnonzero(entry & ~held)
    joint = kind == "joint"
    found = named_information(product, named, free, len(names), diagonal if joint else None)
    kept = [names[int(i)] for i in named]
    inverse = invert(found.matrix, kept, np.zeros(len(named), bool))
    matrix = np.full((len(names), len(names)), np.nan)
    at, inside = named[inverse.sound], np.searchsorted(inverse.kept, inverse.sound)
    matrix[np.ix_(at, at)] = inverse.matrix[np.ix_(inside, inside)]
    why = (
        [f"no joint standard errors of named parameters and {modules}: {found.reason}"]
        if found.reason
        else []
    )
    why += [] if found.reason else inverse.reasons
    said = _joint(modules, penalised) if joint else _conditional(modules)
    bounded = bound_notes(names, held & ~entry) if notes is None else notes
    return Covariance(kind, matrix, (*bounded, *why, said), _known(kind, held, entry))


def _entries(kind: str, names: Sequence[str], module_of: Mapping[str, str]) -> tuple[np.ndarray, str]:
    """Which parameters are entries of modules, and the modules' names."""
    modules = ", ".join(dict.fromkeys(module_of[n] for n in names if n in module_of))
    if not modules:
        raise ValueError(
            f"The covariance {kind!r} is for models with free modules. Use 'hessian', which is the same."
        )
    return np.array([name in module_of for name in names], bool), modules


def _known(kind: str, held: np.ndarray, entry: np.ndarray) -> np.ndarray:
    return held | entry if kind == "conditional" else held


def _conditional(modules: str) -> str:
    return (
        f"standard errors take {modules} as known: they ignore the error with which its entries are estimated"
    )


def _joint(modules: str, penalised: bool) -> str:
    what = "penalised Hessian" if penalised else "Hessian"
    rest = " and that a penalty biases" if penalised else ""
    return (
        f"standard errors come from the joint {what} of named parameters and {modules}: they ignore that another start "
        f"could have led {modules} to another maximum{rest}"
    )


def _reasons(inverse: Inverse, names: Sequence[str], entry: np.ndarray, modules: str) -> list[str]:
    """Why there are no standard errors, by name; flat directions within modules are counted."""
    within = [not (np.abs(d[~entry]) > INVOLVED).any() for d in inverse.weak]
    flat, steep = 0, 0
    said = list(inverse.reasons[len(within) :])
    for inside, value, reason in zip(within, inverse.values, inverse.reasons, strict=False):
        if not inside:
            said.append(reason)
        elif value > UPWARDS:
            flat += 1
        else:
            steep += 1
    if flat:
        said.append(
            f"the log-likelihood is flat in {flat} of the {int(entry.sum())} directions of {modules}; named parameters do "
            "not depend on them"
        )
    if steep:
        said.append(
            f"the log-likelihood curves upwards in {steep} of the {int(entry.sum())} directions of {modules}: this is not a "
            "maximum"
        )
    return said
