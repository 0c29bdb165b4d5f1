"""Covariances of estimates from sums over people: what is left of scores when people are not in memory together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from iclv_jax._base._arguments import is_word
from iclv_jax._base._types import AnyArray, Given
from iclv_jax._inference import Covariance
from iclv_jax._inference._covariance import CROWDED, check_clusters
from iclv_jax._inference._covariance import covariance as plain_covariance

KINDS = ("hessian", "bhhh", "robust", "cluster")


class Sums(NamedTuple):
    """Over people: second derivatives of the log-likelihood, outer products of scores by weight and by what the sandwich
    takes, and weighted scores by cluster (none without clusters)."""

    hessian: AnyArray
    outer: AnyArray
    middle: AnyArray
    clusters: AnyArray


class About(NamedTuple):
    """The estimates that covariances are of: names, those on bounds, curvature of penalties, notes, and how many people."""

    names: Sequence[str]
    held: np.ndarray
    smooth: np.ndarray | None
    notes: Sequence[str]
    people: int


def covariance_of(kind: Given[str], sums: Sums, about: About) -> Covariance:
    """The covariance of a kind; ValueError for one that takes scores of people."""
    if not is_word(kind, KINDS):
        raise ValueError(
            f"The kind of covariance of people in chunks is one of {', '.join(map(repr, KINDS))}, not {kind!r}."
        )
    size, scores, clusters = len(about.names), np.zeros((1, 0)), None
    if kind == "bhhh":
        given = scores, np.ones(1), about.names, about.held, None, about.smooth, about.notes
        found = plain_covariance("hessian", -sums.outer, *given)
        crowded = (
            f"outer products of scores are a poor guide with {size} parameters and {about.people} people",
        )
        return replace(
            found, kind="bhhh", notes=found.notes + (crowded if size > CROWDED * about.people else ())
        )
    if kind == "robust":
        # Rows with the outer products of all people's weighted scores.
        values, vectors = np.linalg.eigh(sums.middle)
        scores = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    if kind == "cluster":
        check_clusters(sums.clusters if len(sums.clusters) else None)
        scores = np.asarray(sums.clusters)
        clusters = np.arange(len(scores))
    given = about.names, about.held, clusters, about.smooth, about.notes
    return plain_covariance(kind, sums.hessian, scores, np.ones(len(scores)), *given)
