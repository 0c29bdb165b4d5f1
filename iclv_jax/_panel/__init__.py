"""Data frames in, padded arrays per person out, with every check of the data."""

from iclv_jax._panel._person import Data, Person
from iclv_jax._panel._read import Panel, WeightsAre, read_panel, weighted_as
from iclv_jax._panel._settle import grouped, settled

__all__ = ["Data", "Panel", "Person", "WeightsAre", "grouped", "read_panel", "settled", "weighted_as"]
