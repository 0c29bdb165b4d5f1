"""How the package is cut: which file may import which, where pandas may live, and how long a file may be.

The imports are read from the source, so nothing here runs the package.
"""

import ast
import graphlib
import re
from pathlib import Path

import pytest

PACKAGE = "iclv_jax"

# The rooms, first to last. A file imports from rooms of earlier lines and from its own room; rooms that share
# a line do not know each other. The top of the package comes last: what it re-exports is for users, not for
# the files below it. A new room is one new line here and in the table of `CONTRIBUTING.md`.
ORDER = [
    ["_base"],
    ["_tables"],
    ["_spec"],
    ["_families"],
    ["families"],
    ["_parameters"],
    ["_panel"],
    ["_integration"],
    ["_density"],
    ["_likelihood"],
    ["_derivatives"],
    ["_problem"],
    ["_diagnose"],
    ["_optimise"],
    ["_inference"],
    ["_predict"],
    ["_report"],
    ["_fit"],
    ["_training"],
    ["_stream"],
    ["_model"],
    ["_search"],
    ["plot"],
    ["datasets"],
    ["__main__"],
    ["__init__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}
PANDAS_ROOMS = {
    "_panel",
    "_tables",
    "_diagnose",
    "_inference",
    "_predict",
    "_report",
    "_fit",
    "_training",
    "_stream",
    "_model",
    "_search",
    "plot",
    "datasets",
    "__main__",
}
LONGEST_FILE = 400

ROOT = Path(__file__).parents[1] / PACKAGE
SOURCES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file.read_text(encoding="utf-8")
    for file in sorted(ROOT.rglob("*.py"))
}


def test_there_is_something_to_read():
    assert "_density._kernel" in SOURCES


@pytest.mark.parametrize("module", SOURCES)
def test_every_file_stands_in_a_known_room(module):
    assert room(module) in FLOOR, f"{module} stands in no room of ORDER"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_to_earlier_rooms(module):
    assert not wrong_directions(module, SOURCES)


@pytest.mark.parametrize("module", SOURCES)
def test_pandas_lives_at_the_two_ends(module):
    if room(module) not in PANDAS_ROOMS:
        assert "pandas" not in packages(module, SOURCES)


def test_no_cycles():
    assert cycle(SOURCES) == []


@pytest.mark.parametrize("module", SOURCES)
def test_files_are_short(module):
    assert len(SOURCES[module].splitlines()) < LONGEST_FILE


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_panel", "from ._fit import Fit"),
        ("_panel", "def later():\n    from ._fit import Fit"),
        ("_panel", "from . import _fit"),
        ("_panel", "from iclv_jax import _fit"),
        ("_panel", "from . import Fit"),
        ("_panel", "from iclv_jax import Fit"),
        ("_panel", "import iclv_jax as iclv"),
        ("_panel", "import iclv_jax._fit"),
        ("_panel", "from ._cellar import x"),
        ("_spec._latent", "from .._families import Logit"),
        ("_spec._latent", "from .._families._logit import Logit"),
        ("_spec.__init__", "from .._panel import x"),
        ("_families._logit", "from .._panel import Panel"),
        ("__main__", "from . import Model"),
    ],
)
def test_a_wrong_direction_is_seen(module, source):
    assert wrong_directions(module, _rooms_with(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_fit", "import pandas as pd\nfrom ._panel import Panel"),
        ("_fit", "from . import _panel"),
        ("_fit", "from iclv_jax import _panel as panel"),
        ("_families._logit", "from .._spec import Family\nfrom ._kernel import x\nfrom . import _kernel"),
        ("_families.__init__", "from ._logit import Logit as Logit"),
        ("__init__", "from . import datasets\nfrom ._model import Model"),
    ],
)
def test_a_right_direction_passes(module, source):
    assert wrong_directions(module, _rooms_with(module, source)) == []


def test_a_cycle_within_a_room_is_seen():
    sources = {"_spec.__init__": "", "_spec._a": "from ._b import x", "_spec._b": "from . import _a"}
    assert set(cycle(sources)) == {"_spec._a", "_spec._b"}
    assert cycle({"_spec.__init__": "from ._a import x", "_spec._a": "from .._spec import x"})


def test_pandas_is_seen_wherever_it_is_imported():
    assert "pandas" in packages(
        "_base._types", {"_base._types": "def f():\n    from pandas.api import types"}
    )
    assert "pandas" in packages("_base._types", {"_base._types": "import numpy, pandas as pd"})


def _rooms_with(module, source):
    rooms = dict.fromkeys(FLOOR, "") | {"_families.__init__": "", "_families._kernel": ""}
    return rooms | {module: source}


def room(module):
    """The room of a module: the first part of its name."""
    return module.partition(".")[0]


def wrong_directions(module, sources):
    """The imports of a module that do not point to an earlier room or to its own."""
    own = room(module)
    return [
        f"{module} imports {target}"
        for target in inside_imports(module, sources)
        if room(target) not in FLOOR or (room(target) != own and FLOOR[room(target)] >= FLOOR[own])
    ]


def cycle(sources):
    """The modules of one cycle of imports, or nothing. A package runs before the modules in it."""
    graph = {module: inside_imports(module, sources) for module in sources}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def inside_imports(module, sources):
    """The modules of the package that a module imports, by their keys in `sources` where they stand there."""
    found = (_module_or_member(path, sources) for path in _imported_paths(module, sources))
    return [target for target in found if target is not None]


def packages(module, sources):
    """The top-level names of everything that a module imports."""
    return {path[0] for path in _imported_paths(module, sources)}


def _imported_paths(module, sources):
    """What a module imports, as absolute paths that end in the name: ["iclv_jax", "_panel", "Panel"]."""
    for node in ast.walk(ast.parse(sources[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _home(module, node.level) + (node.module.split(".") if node.module else [])
            yield from ([*base, alias.name] for alias in node.names)


def _home(module, level):
    """The package that the dots of a relative import stand for."""
    parts = [PACKAGE, *module.split(".")]
    return parts[: len(parts) - level] if level else []


def _module_or_member(path, sources):
    """The module of the package that a path is, or else the one holds it; None outside the package."""
    if path[0] != PACKAGE:
        return None
    inside = path[1:]
    return _key(inside, sources) or _key(inside[:-1], sources) or ".".join(inside[:-1]) or "__init__"


def _key(parts, sources):
    names = (".".join(parts), ".".join([*parts, "__init__"]))
    return next((name for name in names if name in sources), None)


# --- types and sizes --------------------------------------------------------------------------------------------

MOST_ANY = 12.5
"""Lines in 1,000 of the package that may say `Any`."""
LONGEST_FUNCTION = 45
"""Lines of a function without its docstring."""
LONG = {
    "_derivatives._exact._person",
    "_optimise._driver._record",
    "_optimise._scipy._round",
}
"""Functions that are longer, most of them numerical loops, as `module.function`; none is to be added without need."""


def test_most_things_have_a_type():
    lines = [line for source in SOURCES.values() for line in source.splitlines()]
    untyped = sum(re.search(r"\bAny\b", line) is not None for line in lines)
    assert 1000.0 * untyped / len(lines) < MOST_ANY


@pytest.mark.parametrize("module", SOURCES)
def test_functions_are_short(module):
    sizes = {f"{module}.{name}": size for name, size in function_sizes(SOURCES[module])}
    assert {name: n for name, n in sizes.items() if n > LONGEST_FUNCTION and name not in LONG} == {}


def test_docstrings_do_not_count():
    body = "\n    ".join(["x = 1"] * 44)
    doc = '"""One.\n\n    Two.\n    """'
    assert dict(function_sizes(f"def f():\n    {doc}\n    {body}")) == {"f": 45}


def function_sizes(source):
    """Every function with its lines, from `def` to the end, without the docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            doc = first.end_lineno - first.lineno + 1 if documented else 0
            yield node.name, node.end_lineno - node.lineno + 1 - doc
