"""The house stands as drawn: imports go down only, and each engine lives behind its own door."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("flows", "tasks", "models", "degradation", "storage")
BELOW = {
    "flows": {"flows", "tasks"},
    "tasks": {"tasks", "models", "degradation", "storage"},
    "models": {"models"},
    "degradation": {"degradation"},
    "storage": {"storage"},
}
"""What each may import. Ground-floor rooms know nothing of each other."""
ALSO = {"flows/cli.py": {"storage"}}
"""The door to the command line tells our errors from others."""
ENGINES = {
    "ray": {"tasks/pool.py", "tasks/learning/ray_train.py"},
    "prefect": {"tasks/steps.py", "tasks/corpora/steps.py", "tasks/learning/steps.py", "flows/"},
    "dask": {"tasks/dask_engine.py"},
    "distributed": {"tasks/dask_engine.py"},
    "mlflow": {"tasks/mlflow_engine.py"},
}
"""Who may import it: modules, or a folder."""
HIDDEN = {"__import__", "import_module"}
FOLDERS = {*ROOMS, "tests", "benchmarks", "docs", ".ci", ".github"}

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name(path):
    return path.relative_to(ROOT).as_posix()


def imported(source):
    """The top packages that a module imports, anywhere in it; `import_module` and its like as themselves."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").partition(".")[0])
        elif isinstance(node, ast.Name | ast.Attribute):
            called = node.id if isinstance(node, ast.Name) else node.attr
            found |= {called} & HIDDEN
    return found


def upward(module, source):
    room = module.partition("/")[0]
    return sorted(imported(source) & set(ROOMS) - BELOW[room] - ALSO.get(module, set()))


def trespassing(module, source):
    return sorted(
        engine
        for engine in imported(source) & ENGINES.keys()
        if not any(
            module == door or (door.endswith("/") and module.startswith(door)) for door in ENGINES[engine]
        )
    )


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_down_only(path):
    source = path.read_text()
    assert upward(name(path), source) == []
    assert trespassing(name(path), source) == []
    assert not imported(source) & {".", *HIDDEN}


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        pytest.param("storage/x.py", "import tasks.pool", ["tasks"], id="up"),
        pytest.param("models/x.py", "from storage.pixels import Picture", ["storage"], id="sideways"),
        pytest.param(
            "tasks/x.py", "def f():\n    from flows import cli", ["flows"], id="up, within a function"
        ),
        pytest.param(
            "flows/x.py", "from tasks import steps\nfrom models import luma", ["models"], id="past a floor"
        ),
        pytest.param("tasks/x.py", "import storage, models.shots, degradation", [], id="down"),
    ],
)
def test_the_walk_would_find_it(module, source, found):
    assert upward(module, source) == found


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        pytest.param("storage/x.py", "import ray", ["ray"], id="ray on the ground floor"),
        pytest.param(
            "tasks/restore.py", "def f():\n    import prefect.tasks", ["prefect"], id="prefect elsewhere"
        ),
        pytest.param("flows/x.py", "import ray\nfrom prefect import flow", ["ray"], id="ray in a flow"),
        pytest.param("tasks/pool.py", "import ray", [], id="ray at its door"),
        pytest.param("models/x.py", "import distributed, mlflow", ["distributed", "mlflow"], id="others"),
    ],
)
def test_the_walk_would_find_an_engine(module, source, found):
    assert trespassing(module, source) == found


def test_nothing_else_stands_at_the_top():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    folders = {line.partition("/")[0] for line in listed if "/" in line}
    assert folders <= FOLDERS
    assert set(ROOMS) <= folders


def test_every_package_is_installed():
    """Packages are named one by one in pyproject; one that is forgotten is missing from the wheel."""
    import tomllib

    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert there == named
