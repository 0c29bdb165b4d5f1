"""Pictures of a page: what draws them is told here by the room of pictures, which later rooms of the package hold."""

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from iclv_jax._tables import _page as page

WITHOUT = 'Pictures are drawn with matplotlib, which is not installed: pip install "iclv-jax[plot]".'


@dataclass(frozen=True)
class Picture:
    """A picture of a fit: `draw` returns the Axes, and raises ValueError where the fit has no such picture."""

    title: str
    caption: str
    draw: Callable[[Any], Any]


PICTURES: dict[str, list[Picture]] = {
    "model": [],
    "estimates": [],
    "people": [],
    "integral": [],
    "optimiser": [],
}
"""By the section of the page in which they stand."""


class Gallery:
    """The pictures of one page, numbered as they come."""

    def __init__(self, fit: Any) -> None:
        self._fit, self._count = fit, 0

    def of(self, section: str) -> str:
        """The pictures of a section as HTML; empty where the fit has none of them."""
        try:
            import matplotlib
        except ImportError:
            return page.paragraph(WITHOUT) if section == "estimates" else ""
        parts = []
        with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "iclv_jax"}):
            for picture in PICTURES[section]:
                with suppress(ValueError):
                    parts.append(self._one(picture))
        return "".join(parts)

    def _one(self, picture: Picture) -> str:
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        drawn = picture.draw(self._fit).figure
        self._count += 1
        text = io.StringIO()
        try:
            FigureCanvasSVG(drawn).print_svg(text, metadata={"Date": None})
        finally:
            _close(drawn)
        return page.figure(text.getvalue(), picture.title, picture.caption, self._count)


def _close(drawn: Any) -> None:
    import matplotlib.pyplot as plt

    plt.close(drawn)
