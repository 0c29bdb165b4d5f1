"""Arguments that many functions take, checked in one sentence."""

from collections.abc import Iterable, Sequence

import numpy as np

from iclv_jax._base._types import Given

MOST_SEED = 2**63 - 1


def is_word(value: Given[object], known: Sequence[str]) -> bool:
    """Whether it is one of these words. Arrays and missing values, which compare in ways of their own, are none."""
    return isinstance(value, str) and value in known


def is_real(value: Given[object]) -> bool:
    """Whether it is one real number, of Python or NumPy; True and False are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_whole(value: Given[object], lowest: int) -> bool:
    """Whether it is a whole number from `lowest`, of Python or NumPy."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= lowest


def check_switch(value: Given[object], what: Given[str]) -> None:
    """ValueError for what is neither True nor False: a text such as "no" would switch it on."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} is True or False, not {value!r}.")


def check_text(value: Given[object], what: Given[str]) -> None:
    """ValueError for what is neither a text nor None."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} is a text, not {value!r}.")


def check_name(value: Given[object], what: Given[str]) -> None:
    """ValueError for what is no text, and so names nothing."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is a name, and so a text, not {value!r}.")


def names_of(given: Given[object], what: Given[str]) -> list[str]:
    """A name (a text is one) or several, in a list; ValueError for what is neither."""
    if isinstance(given, str):
        return [given]
    several = isinstance(given, Iterable) and getattr(given, "ndim", 1) > 0  # an array may hold one value
    found = list(given) if isinstance(given, Iterable) and several else [None]
    names = [name for name in found if isinstance(name, str)]
    if len(names) < len(found):
        raise ValueError(f"{what} takes names, texts in a list, not {given!r}.")
    return names


def kind_of(asked: Given[str | None], usual: str) -> str:
    """The kind of covariance that is asked for, or the usual one for None; ValueError for what is no text."""
    if asked is None:
        return usual
    if not isinstance(asked, str):
        raise ValueError(f"The kind of covariance (cov=, kind=) is a text such as 'robust', not {asked!r}.")
    return asked


def check_idle(value: Given[object], what: Given[str], needs: Given[str]) -> None:
    """ValueError for an argument that is given where nothing would come of it, so that nobody believes that it counted."""
    if value is not None:
        raise ValueError(f"{what} counts with {needs} only, and would be ignored here, not {value!r}.")


def check_seed(seed: Given[object], what: Given[str] = "seed=") -> None:
    """ValueError for a seed that NumPy and JAX do not both take: it is a whole number from 0 to 2^63 - 1."""
    if not is_whole(seed, 0) or int(seed) > MOST_SEED:  # pyright: ignore[reportArgumentType]
        none = " Without a seed nothing could be repeated." if seed is None else ""
        raise ValueError(f"{what} is a whole number from 0 to 2**63 - 1, not {seed!r}.{none}")


def check_share(share: Given[object], what: Given[str] = "level=") -> None:
    """ValueError for the coverage of an interval, or what it leaves out, that does not lie between 0 and 1."""
    if not is_real(share) or not 0.0 < float(share) < 1.0:  # pyright: ignore[reportArgumentType]
        raise ValueError(
            f"{what} lies between 0 and 1, such as {'0.05' if 'alpha' in what else '0.95'}, not {share!r}."
        )
