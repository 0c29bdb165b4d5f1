"""People of a stream that are in memory together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd


class Chunk(NamedTuple):
    """People with a name for messages: where they were read from. Their frame is as it comes, or a mapping of frames."""

    name: str
    frame: Any

    @property
    def frames(self) -> Mapping[str | None, pd.DataFrame]:
        """The frames by name, the first of them that of items and covariates; a single one under None."""
        return self.frame if isinstance(self.frame, Mapping) else {None: self.frame}

    @property
    def first(self) -> pd.DataFrame:
        """The frame with items and covariates."""
        return next(iter(self.frames.values()))

    def of(self, table: str | None) -> pd.DataFrame | None:
        """The frame of a table; the first for None."""
        return self.first if table is None else self.frames.get(table)
