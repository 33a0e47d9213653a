import sys
from pathlib import Path
from subprocess import run

TESTS = """
from pathlib import Path
from hypothesis import given, settings, strategies as st

@settings(max_examples=7, derandomize=True)
@given(st.integers())
def test_any(n):
    with Path(__file__).with_suffix(".seen").open("a") as seen:
        seen.write(".")

def test_no_property():
    raise AssertionError
"""


def test_properties_alone_are_run_with_many_times_their_examples(tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)
    more = ["-p", "tests.more_examples", "--times", "3", "-p", "no:cacheprovider"]
    ran = run([sys.executable, "-m", "pytest", *more, str(file)], check=False, capture_output=True)
    assert (ran.returncode, b"1 passed, 1 deselected" in ran.stdout) == (0, True), ran.stdout
    assert file.with_suffix(".seen").read_text() == "." * 21
