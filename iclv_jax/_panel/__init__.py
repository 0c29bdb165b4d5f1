"""Data frames in, padded arrays per person out, with every check of the data."""

from iclv_jax._panel._person import Person
from iclv_jax._panel._read import Panel, read_panel

__all__ = ["Panel", "Person", "read_panel"]
