"""Formulas of pages become MathML, which browsers show by themselves: without a script, and with nothing from elsewhere."""

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.errors import SphinxError

MATHML = LatexToMathML(fancy_error=False)


class FormulaError(SphinxError):
    category = "A formula that can't be shown"


def mathml(latex: str, where: str, display: bool) -> str:
    """A formula as a browser reads it; what can't be converted ends the build."""
    try:
        return MATHML.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        raise FormulaError(f"{where}: {latex!r} is no formula that MathML can show: {error}") from None


def show_inline(writer, node) -> None:
    writer.body.append(mathml(node.astext(), place(writer, node), display=False))
    raise nodes.SkipNode


def show_block(writer, node) -> None:
    formula = mathml(node.astext(), place(writer, node), display=True)
    writer.body.append(f"{writer.starttag(node, 'div', CLASS='formula')}{formula}</div>\n")
    raise nodes.SkipNode


def place(writer, node) -> str:
    """The page and, where the parser noted it, the line."""
    line = node.line or getattr(node.parent, "line", None)
    return f"{writer.builder.current_docname}, line {line}" if line else writer.builder.current_docname


def setup(app) -> dict[str, bool]:
    app.add_html_math_renderer(
        "mathml", inline_renderers=(show_inline, None), block_renderers=(show_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
