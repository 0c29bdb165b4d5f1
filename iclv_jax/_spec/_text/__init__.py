"""Models as text, in the language of R's lavaan (Rosseel 2012, Journal of Statistical Software 48(2))."""

from iclv_jax._spec._text._formula import Formula
from iclv_jax._spec._text._parts import Item, Parts
from iclv_jax._spec._text._read import read
from iclv_jax._spec._text._tokens import TextError
from iclv_jax._spec._text._write import Stated, write

__all__ = ["Formula", "Item", "Parts", "Stated", "TextError", "read", "write"]
