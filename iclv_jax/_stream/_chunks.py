"""Chunks of people whose frames can be read."""

from collections.abc import Iterator

from iclv_jax._panel._frame import checked_frame
from iclv_jax._stream._source import Chunk, People


def chunks_of(people: People) -> Iterator[Chunk]:
    """The chunks with frames that can be read; ValueError for a stream without any."""
    none = True
    for chunk in people.chunks():
        none = False
        try:
            frame = checked_frame(chunk.frame, "it")
        except ValueError as error:
            raise ValueError(f"{chunk.name}: {error}") from None
        yield chunk._replace(frame=frame)
    if none:
        raise ValueError("The stream of people has nothing in it.")
