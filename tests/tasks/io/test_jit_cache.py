"""Compiled code is never older than its sources: the folder's name, changes, races, damage."""

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.features import rollup_store
from tasks.io import jit_cache
from tests.conftest import ROOT

TASKS = ROOT / "tasks"
_DECORATORS = {"compiled", "bare", "bare_loosely", "inlined", "emitted", "intrinsic"}
#: Lists of three of eight lamps and mugs; prints how many functions were compiled, and the list.
_LISTS = """
import numpy as np
from tasks.io.jit import bare, compiled
from tasks.io.compiling import compiling
from tasks.recommend._jit.category_cap import walk

@compiled
def list_of(order, kinds, out):
    return walk(order, kinds, 2, 3, 2, -1, out)

misses = []
with compiling(lambda ready, total: misses.append(ready)):
    out = np.full(3, -1, np.int32)
    list_of(np.arange(8), np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32), out)
print(len(misses), out.tolist())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package with a script that makes lists from another file than the walk's."""
    shutil.copytree(TASKS, tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "lists.py").write_text(_LISTS)
    return tmp_path


def start(copy: Path) -> subprocess.Popen[str]:
    env = os.environ | {"NUMBA_CACHE_DIR": str(copy / "cache"), "PYTHONPATH": str(copy)}
    command = [sys.executable, "lists.py"]
    return subprocess.Popen(command, cwd=copy, env=env, stdout=subprocess.PIPE, text=True)


def lists(copy: Path) -> str:
    with start(copy) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.strip()


def change_the_walk(copy: Path) -> None:
    """Change one line of the walk, not the file that calls it: a category's page is one shorter."""
    source = copy / "tasks/recommend/_jit/category_cap.py"
    room = "taken[category] < max_per_category"
    assert source.read_text().count(room) == 1
    source.write_text(source.read_text().replace(room, f"{room} - 1"))


def test_a_change_to_what_others_call_is_seen_with_the_cache_warm(copy: Path) -> None:
    assert lists(copy) == "2 [0, 1, 4]"
    assert lists(copy) == "0 [0, 1, 4]", "warm: nothing is compiled"
    change_the_walk(copy)
    assert lists(copy) == "2 [0, 4, -1]"


def test_two_processes_compile_at_once_and_what_is_damaged_is_compiled_again(copy: Path) -> None:
    with start(copy) as one, start(copy) as other:
        said = [process.communicate(timeout=120)[0].strip() for process in (one, other)]
    assert sorted(said) == ["0 [0, 1, 4]", "2 [0, 1, 4]"], "one waits for the other's code"
    assert lists(copy) == "0 [0, 1, 4]", "both kept what they compiled"
    kept = sorted((copy / "cache").rglob("*.nb[ci]"))
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert kept
    assert lists(copy) == "2 [0, 1, 4]"


def test_folders_unused_for_long_go_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    home = tmp_path / "nightshelf"
    ages_s = {"0" * 16: 13 * 86_400, "1" * 16: 15 * 86_400, "someone-elses": 99 * 86_400}
    for name, age_s in ages_s.items():
        (home / name).mkdir(parents=True)
        os.utime(home / name, (time.time() - age_s,) * 2)
    path = jit_cache.folder.__wrapped__()
    assert path == home / jit_cache.address()
    assert {each.name for each in home.iterdir()} == {"0" * 16, "someone-elses", path.name}


def test_where_no_folder_can_be_made_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert jit_cache.folder.__wrapped__() is None


def imported(path: Path) -> dict[str, str]:
    """Return the names that a file imports from modules of ours, each with its module's file."""
    return {
        alias.asname or alias.name: node.module.replace(".", "/") + ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith(("tasks", "nightshelf"))
        for alias in node.names
    }


def compiled_names(path: Path) -> set[str]:
    """Return every name that the compiled functions of a file refer to."""
    return {
        name.id
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        and {each.id for each in function.decorator_list if isinstance(each, ast.Name)}
        & _DECORATORS
        for name in ast.walk(function)
        if isinstance(name, ast.Name)
    }


def test_the_folder_is_named_by_every_file_that_is_compiled() -> None:
    sources = {str(path.relative_to(ROOT)) for path in jit_cache.sources()}
    for path in TASKS.rglob("*.py"):
        if names := compiled_names(path):
            assert str(path.relative_to(ROOT)) in sources
            used = {file for name, file in imported(path).items() if name in names}
            assert used <= sources, path


def test_a_rollup_is_named_by_every_file_that_makes_it() -> None:
    code = {f"tasks/{name}" for name in rollup_store._CODE}
    # Whence code comes, how files end, the threads of products, and how much memory there is.
    names = ("jit_cache", "parquet", "blas", "memory")
    no_matter = {f"tasks/io/{name}.py" for name in names}
    for name in code:
        assert set(imported(ROOT / name).values()) <= code | no_matter, name
