"""Steps as Prefect tasks: a name, log lines, progress, retries."""

import subprocess

from tests.session.prefect_server import ask

MINE = {"artifacts": {"key": {"like_": "shop-de-count"}}}


def test_steps_show_progress_and_are_tried_again_for_redis_alone(
    prefect_env: dict[str, str],
) -> None:
    command = ["python", "-m", "tests.e2e.counting"]
    done = subprocess.run(command, env=prefect_env, capture_output=True, text=True, check=False)
    assert "count_at_once ..." in done.stderr
    assert "count_at_once: (" in done.stderr
    shown = {row["key"]: row for row in ask(prefect_env, "artifacts", MINE)}
    assert "shop-de-count-at-once-progress" not in shown, "what is quick shows no progress"
    assert shown["shop-de-count-slowly-progress"]["type"] == "progress"
    assert shown["shop-de-count-slowly-progress"]["data"] == 100, "what is done shows as done"
    unlucky, hopeless = map(int, done.stdout.split())
    assert (unlucky, hopeless) == (2, 1)
    assert "NoRoom: full" in done.stderr
