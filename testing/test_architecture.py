"""The layers of the package, read from its imports, and what the commands load."""

import ast
import configparser
import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spineseg_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A layer may import those below it, and its own.
LEVELS = [
    {"cli"},
    {"api"},
    {"experiments", "cohort"},
    {"training"},
    {"tasks", "reports", "synthesis", "morphometry"},
    {"weights", "networks", "metrics"},
    {"core"},
    {"errors"},
]
# The packages of core, from the highest.
CORE = ["outlines", "localization", "inference", "confidence", "image"]
# The packages and modules of morphometry, from the highest, but for those that all use: smoothing and uncertainty.
MORPHOMETRY = ["comparison", "tables", "measure", "edge", "levels", "profile", "outline", "sections"]
MAY_IMPORT_NETWORK_LIBRARIES = {"networks", "training"}
NETWORK_LIBRARIES = {"keras", "tensorflow", "ai_edge_litert", "torch", "jax"}
RUNTIMES = {"core/inference/runtime.py", "core/inference/litert.py"}


def layer(path):
    """`networks` for networks/aspp.py, `errors` for errors.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def level(name):
    return next(i for i, names in enumerate(LEVELS) if name in names)


@cache
def nodes(path, kind):
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kind)]


def imported(path):
    """Full names of all modules that a file imports, anywhere in it."""
    found = []
    for node in nodes(path, (ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        else:
            assert node.level == 0, f"{path}: imports are absolute"
            found += [f"{node.module}.{name.name}" for name in node.names]
    return found


def own_layers(path):
    """The layers of this package that a file imports from."""
    parts = [name.split(".") for name in imported(path)]
    return {name[1] for name in parts if name[0] == "spineseg_cli" and name[1] != "__version__"}


def test_imports_go_down():
    """And nobody imports the commands, which are the top."""
    below_package = [path for path in MODULES if path != PACKAGE / "__init__.py"]
    assert not [(str(path), other) for path in below_package for other in own_layers(path) if level(other) < level(layer(path))]


@pytest.mark.parametrize(("layer_name", "order"), [("core", CORE), ("morphometry", MORPHOMETRY)])
def test_imports_in_a_layer_go_down(layer_name, order):
    for path in (PACKAGE / layer_name).rglob("*.py"):
        part = path.relative_to(PACKAGE / layer_name).with_suffix("").parts[0]
        parts = [name.split(".") for name in imported(path)]
        others = {name[2] for name in parts if name[:2] == ["spineseg_cli", layer_name] and name[2] in order}
        assert part not in order or not others & set(order[: order.index(part)]), path


def test_a_task_does_not_import_another():
    tasks = [path for path in (PACKAGE / "tasks").glob("*.py") if path.stem != "registry"]
    assert not [(str(path), name) for path in tasks for name in imported(path) if name.startswith("spineseg_cli.tasks")]


def test_morphometry_stands_by_itself():
    """It may be called from a notebook: no command, report, training or network comes with it."""
    modules = (PACKAGE / "morphometry").rglob("*.py")
    allowed = {"morphometry", "core", "metrics", "errors"}
    assert not [(str(path), other) for path in modules for other in own_layers(path) - allowed]


def test_network_libraries_stay_where_they_belong():
    elsewhere = [path for path in MODULES if layer(path) not in MAY_IMPORT_NETWORK_LIBRARIES]
    elsewhere = [path for path in elsewhere if path.relative_to(PACKAGE).as_posix() not in RUNTIMES]
    assert not [(str(path), name) for path in elsewhere for name in imported(path) if name.split(".")[0] in NETWORK_LIBRARIES]


def test_the_library_neither_prints_nor_exits_nor_moves():
    forbidden = {"print", "sys.exit", "exit", "quit", "os._exit", "os.chdir", "click.echo", "input"}
    library = [path for path in MODULES if layer(path) != "cli"]
    assert not [(str(p), c) for p in library for c in {ast.unparse(node.func) for node in nodes(p, ast.Call)} & forbidden]
    assert not [str(p) for p in library if {name.split(".")[0] for name in imported(p)} & {"click", "argparse"}]


# The commands


def entry_points():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["console_scripts"].split("\n")
    return {name.strip(): target.strip() for name, _, target in (line.partition("=") for line in lines if line)}


COMMANDS = ["seg_gm", "seg_cord", "get_centerline", "finetune", "compute_metrics", "measure_cord", "spineseg"]


def test_entry_points_resolve():
    points = entry_points()
    assert sorted(points) == sorted(COMMANDS)
    for name, target in points.items():
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        assert command.name == name


@pytest.mark.parametrize("name", sorted(p.stem for p in (PACKAGE / "cli").glob("*.py") if "\ndef main(" in p.read_text("utf-8")))
def test_help_loads_nothing_heavy(name):
    heavy = ("tensorflow", "keras", "ai_edge_litert", "numpy", "scipy", "nibabel", "skimage", "matplotlib", "h5py", "yaml",
             "pandas", "pydantic", "jinja2")  # fmt: skip
    code = "\n".join([
        f"import sys; from spineseg_cli.cli.{name} import main",
        "try: main(['-h'])",
        "except SystemExit as end: assert not end.code",
        f"loaded = [name for name in {heavy} if name in sys.modules]",
        "sys.exit(', '.join(loaded) or 0)",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage:")


def test_commands_load_libraries_without_what_they_do_not_use():
    """What is put off, or passed over, can be imported and used afterwards."""
    code = "\n".join([
        "import sys, types; from spineseg_cli.cli.libraries import import_libraries",
        "import_libraries()",
        "unused = {'pydicom', 'http.client', 'numpy.testing._private', 'numpy.f2py.f2py2e', 'scipy.special._ufuncs',",
        "    'numpy.polynomial.polynomial'}",
        "assert {'nibabel', 'scipy.ndimage'} <= set(sys.modules) and not unused & set(sys.modules)",
        "import spineseg_cli.cli.seg_cord, spineseg_cli.core.provenance",
        "assert 'importlib.metadata' not in sys.modules",
        "sys.modules['pydicom'] = types.ModuleType('pydicom'); del sys.modules['nibabel']",
        "import_libraries()",
        "import pydicom, nibabel, numpy, scipy.ndimage, scipy.special, urllib.request",
        "numpy.testing.assert_allclose(scipy.special.gamma(3), 2)",
        "assert scipy.ndimage.rotate(numpy.eye(4), 30).shape == (5, 5)",
        "assert sys.modules['nibabel.filebasedimages'].request.urlopen is urllib.request.urlopen",
    ])  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
