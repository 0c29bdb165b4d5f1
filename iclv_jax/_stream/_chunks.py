"""Chunks of people whose frames can be read."""

from collections.abc import Iterator, Mapping

from iclv_jax._panel._frame import checked_frame
from iclv_jax._stream._chunk import Chunk
from iclv_jax._stream._source import People


def chunks_of(people: People) -> Iterator[Chunk]:
    """The chunks with frames that can be read; ValueError for a stream without any."""
    none = True
    for chunk in people.chunks():
        none = False
        try:
            yield _readable(chunk)
        except ValueError as error:
            raise ValueError(f"{chunk.name}: {error}") from None
    if none:
        raise ValueError("The stream of people has nothing in it.")


def _readable(chunk: Chunk) -> Chunk:
    if not isinstance(chunk.frame, Mapping):
        return chunk._replace(frame=checked_frame(chunk.frame, "it"))
    if not chunk.frame:
        raise ValueError("it is an empty mapping: it has no frame.")
    found = {str(k): checked_frame(frame, f"the frame {str(k)!r}") for k, frame in chunk.frame.items()}
    return chunk._replace(frame=found)
