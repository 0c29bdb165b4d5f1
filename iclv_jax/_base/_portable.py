"""Users' functions as bytes that another process can read."""

import pickle
from typing import Any

MAIN = b"__main__"


def packed(value: object, what: str) -> bytes:
    """A user's function, or an object with functions in it, as bytes.

    Plain pickle keeps a function as the name of its module and its own: lambdas and functions inside functions have none,
    and what stands in a notebook or script is found by no other process. These are kept by their code, which takes
    cloudpickle.

    Raises `pickle.PicklingError`, in a sentence, where neither will do.
    """
    by_name, trouble = _plainly(value)
    if by_name is not None and MAIN not in by_name:
        return by_name
    try:
        import cloudpickle
    except ImportError:
        if by_name is not None:
            return by_name
        raise pickle.PicklingError(
            f"{what} cannot be pickled: it is, or holds, a function without a name of its own, such as a lambda or one "
            "inside another function. Define it at the top of a module, or install cloudpickle (pip install cloudpickle), "
            f"with which iclv_jax pickles any function. ({trouble})"
        ) from None
    try:
        return cloudpickle.dumps(value)
    except Exception as error:
        raise pickle.PicklingError(
            f"{what} cannot be pickled: it refers to something that only this process has, such as an open file, a lock "
            f"or a generator. Give it plain values instead. ({type(error).__name__}: {error})"
        ) from error


def _plainly(value: object) -> tuple[bytes | None, str]:
    try:
        return pickle.dumps(value), ""
    except Exception as error:
        # Objects of users raise what they like.
        return None, f"{type(error).__name__}: {error}"


def unpacked(content: bytes) -> Any:
    """The object behind these bytes."""
    return pickle.loads(content)
