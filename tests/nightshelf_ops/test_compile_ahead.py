"""Compiling ahead: a night then finds each function with the types that it calls it with."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

#: Compiles ahead, then makes a night's lists and encodes them; prints what had to be compiled yet.
_SCRIPT = """
import sys
from pathlib import Path
from nightshelf_ops import compile_ahead
from tasks.artifacts.list_tables import read_lists
from tasks.features.count_popularity import count_popularity
from tasks.models.registry import MODELS
from tasks.publish._jit.json_writer import write_lists
from tasks.publish.encode import encode_lists
from tasks.recommend._jit.search import list_block
from tasks.recommend.topn import top_n
from tasks.runs.run_folder import Run
from tests.nightshelf_ops.night import ITEMS, MODEL_SETTINGS, RULES, SEEN, WEIGHTS, events
from tests.tasks.small_models import AS_OF, learn, weighing

compile_ahead.main()
ready = {each: set(each.signatures) for each in (list_block, write_lists)}
root = Path(sys.argv[1])
learnt = learn(root, events(), ITEMS, {}, seen=SEEN, weights=WEIGHTS, generation=1)
run = Run("shop", 1, AS_OF, root)
popularity = count_popularity(run, learnt.log, 7.0, weighing(SEEN, WEIGHTS))
trained = MODELS["blend"].train(run, learnt.features, MODEL_SETTINGS["blend"], None, popularity)
for batch in read_lists(top_n(run, learnt.features, trained, RULES).path):
    encode_lists(batch)
print([each.py_func.__name__ for each in ready if set(each.signatures) != ready[each]])
"""


def test_a_night_compiles_no_search_and_no_writer_after_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
