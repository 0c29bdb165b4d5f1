"""The information-matrix test, and how well the information is conditioned."""

import numpy as np

from iclv_jax._inference._hypotheses import HypothesisTest, chi_squared

RANK = 1e-9
"""Singular value, as a share of the largest, of columns of unit length that counts as positive."""


def information_matrix_test(scores: np.ndarray, curvatures: np.ndarray) -> HypothesisTest:
    """White's (1982) test that Hessian and outer products of scores agree, from their diagonals.

    In the form of Chesher (1983) and Lancaster (1984): N times the uncentred R-squared of a regression of one on the
    scores and on `diag(H_n) + s_n^2`, by person.

    Parameters
    ----------
    scores, curvatures
        Scores and diagonals of the Hessians by person, (N, P).
    """
    people, size = scores.shape
    words = ("the model is true: variances of the scores equal the negative second derivatives",)
    title = "Information-matrix test (diagonal)"
    both = np.concatenate([scores, curvatures + scores**2], axis=1)
    basis, alone = _basis(both), _basis(scores)
    df = basis.shape[1] - alone.shape[1]
    if people <= 2 * size or df <= 0:
        note = f"it takes more than {2 * size} people, two for each parameter"
        return chi_squared(title, words, np.nan, max(df, 1), (note,))
    statistic = float(np.sum(basis.sum(axis=0) ** 2))
    note = (
        "this form rejects true models far too often in small samples (Orme 1990): take a small p as a hint"
    )
    return chi_squared(title, words, statistic, df, (note,))


def _basis(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the space of the columns."""
    size = np.linalg.norm(columns, axis=0)
    scaled = columns[:, size > 0.0] / size[size > 0.0]
    vectors, sizes, _ = np.linalg.svd(scaled, full_matrices=False)
    return vectors[:, sizes > RANK * sizes[0]]


def scaled_eigenvalues(information: np.ndarray) -> np.ndarray:
    """Eigenvalues, the smallest first, of an information matrix scaled to a unit diagonal: 1 where all parameters
    are estimated independently, 0 for a direction that the data do not determine."""
    diagonal = np.diag(information)
    unit = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return np.linalg.eigvalsh(information / np.outer(unit, unit))
