"""A row of a trace."""

from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
"""What is known after a step, by column: numbers, and words such as the name of a stage."""
