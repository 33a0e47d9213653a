"""The installed commands: found by entry point, light to import, plain errors without numpy."""

import json
import subprocess
import sys
from pathlib import Path

import nightshelf
from tests.conftest import ROOT

LOOKUP = ROOT / "lookup"
SITE = next(path for path in sys.path if path.endswith("site-packages"))
_HEAVY = ("numpy", "scipy", "pyarrow", "numba", "duckdb", "implicit", "tasks", "prefect")


def python(code: str, *path: Path | str) -> subprocess.CompletedProcess[str]:
    """Run code that finds nothing but the standard library and what lies on `path`."""
    code = f"import sys; sys.path += {[str(each) for each in path]}\n{code}"
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def command(*args: str) -> str:
    return f"from nightshelf.cli.main import app\napp({list(args)}, standalone_mode=False)\n"


def test_other_commands_load_nothing_of_the_pipeline() -> None:
    for args in (["get", "--help"], ["why", "--help"], ["republish", "--help"]):
        code = f"{command(*args)}import json\nprint(json.dumps(sorted(sys.modules)))"
        done = python(code, ROOT, LOOKUP, SITE)
        assert done.returncode == 0, done.stderr
        tops = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
        assert "nightshelf_ops" in tops
        assert not tops & set(_HEAVY)


def test_an_install_without_the_checkout_has_the_other_commands() -> None:
    """As in an app's: the entry point is there, and its module is not."""
    done = python(command("--help"), LOOKUP, SITE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "similar" in done.stdout
    assert "republish" not in done.stdout
    done = python(command("--help"), ROOT, LOOKUP, SITE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "republish" in done.stdout


def test_a_checkout_without_the_pipeline_says_what_to_install(redis_url: str) -> None:
    absent = "sys.modules['pyarrow'] = None\n"  # as if it were not installed
    for args in (["why", "ann"], ["republish", str(ROOT), "--json"]):
        done = python(absent + command(*args, "--redis-url", redis_url), ROOT, LOOKUP, SITE)
        assert "Traceback" not in done.stderr
        said = done.stdout if "--json" in args else done.stderr
        assert "is not installed" in said
        assert "pip install" in said


def test_the_help_has_examples() -> None:
    for name, example in {
        "why": "nightshelf why u42 B2 --json",
        "republish": "nightshelf republish runs/shop/42",
    }.items():
        done = python(command(name, "--help"), ROOT, LOOKUP, SITE)
        assert example in " ".join(done.stdout.split())


def test_the_package_is_the_checkouts() -> None:
    assert Path(nightshelf.__file__).is_relative_to(LOOKUP)
