"""Files that are written whole or not at all: beside the old one, which the new one replaces when it is complete."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from iclv_jax._base._types import File, Given


def place_of(path: Given[File], what: Given[str]) -> Path:
    """The place of a file that can be written; `what` begins the sentence of a ValueError where it cannot."""
    check_path(path, what)
    place = Path(path)
    check_place(place, f"{what}: {str(place)!r}")
    return place


def check_path(path: Given[object], what: Given[str]) -> None:
    """ValueError for what is no path of text."""
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise ValueError(f"{what} takes the path of a file, not {path!r}.")
    if "\0" in os.fspath(path):
        raise ValueError(
            f"{what} takes the path of a file, and no name of a file holds a null byte, as {path!r} does."
        )


def there(path: Given[File], what: Given[str]) -> Path:
    """The place of a file that is there; ValueError where there is none, or no such name can be."""
    check_path(path, what)
    if not os.path.isfile(path):  # which is False, too, for a name longer than names can be
        raise ValueError(f"{what}: there is no file {str(path)!r}.")
    return Path(path)


def check_place(path: Path, what: str) -> None:
    """ValueError, in a sentence, for a place at which no file can be made."""
    try:
        if path.is_dir():
            raise ValueError(f"{what} is a folder. Give the name of a file in it.")
        if not path.parent.is_dir():
            raise ValueError(f"{what} lies in a folder that does not exist. Make it first.")
        if path.exists() and not path.is_file():
            raise ValueError(
                f"{what} is no file but a device or a pipe, which cannot be replaced. Give another name."
            )
        if path.exists() and not os.access(path, os.W_OK):
            raise ValueError(f"{what} is a file that may not be written to. Give another name.")
        part = _part(path)
        part.touch(exist_ok=False)
        part.unlink()
    except (OSError, ValueError) as trouble:
        if isinstance(trouble, ValueError) and str(trouble).startswith(what):
            raise
        reason = trouble.strerror if isinstance(trouble, OSError) and trouble.strerror else trouble
        raise ValueError(f"{what} cannot be written: {reason}. Give a place in another folder.") from trouble


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A place beside a file, for what is to replace it: it does so when the block ends, and is gone when that fails. Its
    name ends as that of the file does."""
    part = _part(path)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, os.path.realpath(path))  # what a link points to, not the link
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """A disk that takes no more, in a sentence that names the file. `what` was to be written."""
    try:
        yield
    except OSError as trouble:
        reason = trouble.strerror or str(trouble)
        said = f"{what} could not be saved ({reason}); what was there before is unchanged"
        raise OSError(trouble.errno, said, str(path)) from trouble


def write_whole(path: Given[File], content: str | bytes, what: Given[str]) -> None:
    """Text or bytes as a file. ValueError for a place that takes none, OSError for a full disk; what was there before then
    stays."""
    place = place_of(path, what)
    with told(place, "The file"), replaced(place) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def _part(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return real.with_name(f".{secrets.token_hex(4)}.part.{real.name}")
