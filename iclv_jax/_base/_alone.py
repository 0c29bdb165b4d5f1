"""Whether this process is one of several that `jax.distributed` has put together."""

import jax


def several() -> bool:
    """Whether there are other processes, after `jax.distributed.initialize`."""
    return jax.process_count() > 1


def refuse_several(what: str) -> None:
    """ValueError, in one of several processes, for what needs all people in one."""
    if several():
        raise ValueError(
            f"{what} needs all people in one process, and this is one of {jax.process_count()}. Several processes of "
            "jax.distributed share the people of model.fit and model.bind."
        )
