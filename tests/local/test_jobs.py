"""Workflow runs: dispatched, executed, cancelled, re-run, refused, and cut off by a stop."""

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from github import GithubException

from bot.local.processes import tracked
from bot.local.rows import WorkflowRun
from tests.local.conftest import LAB, TRAIN, Receiver, World, end_world, make_world

NAP = threading.Event()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[World]:
    world = make_world(tmp_path_factory.mktemp("github"), receiver, runners=2)
    yield world
    end_world(world)


def dispatch(world: World, command: str = "true", *, pr: str = "1", **inputs: str) -> int:
    before = {run["id"] for run in world.you.runs()}
    world.you.dispatch("train.yml", pr=pr, request="r", command=command, **inputs)
    [new] = [run["id"] for run in world.you.runs() if run["id"] not in before]
    return int(new)


def state(world: World, run_id: int) -> tuple[str, str | None]:
    run = world.local.store.get(WorkflowRun, id=run_id)
    return run.status, run.conclusion


def wait_for(world: World, run_id: int, status: str = "completed") -> str | None:
    while state(world, run_id)[0] != status:
        NAP.wait(0.02)
    return state(world, run_id)[1]


def log(world: World, run_id: int) -> str:
    return world.local.jobs.live_log(run_id).read_text()


def wait_for_line(world: World, run_id: int, line: str) -> None:
    while f"\n{line}\n" not in log(world, run_id):
        NAP.wait(0.02)


def artifacts(world: World, run_id: int) -> dict[str, dict[str, Any]]:
    token = world.local.create_user("you")
    url = f"{world.local.api_url}/repos/{LAB}/actions/runs/{run_id}/artifacts"
    answer = httpx2.get(url, headers={"Authorization": f"Bearer {token}"}).json()
    return {artifact["name"]: artifact for artifact in answer["artifacts"]}


def test_a_training_from_dispatch_to_artifact(world: World) -> None:
    workflow = world.lab.get_workflow("train.yml")
    hooks = world.hooks_of(
        lambda: (
            workflow.create_dispatch("main", {"pr": "7", "request": "r-1"}),
            wait_for(world, world.you.runs()[0]["id"]),
        )
    )
    runs = [hook for hook in hooks if hook.event == "workflow_run"]
    assert [hook.payload["action"] for hook in runs] == ["requested", "in_progress", "completed"]
    seen = world.lab.get_workflow_runs(event="workflow_dispatch")[0]
    assert (seen.display_title, seen.conclusion, seen.run_attempt) == ("Train #7 r-1", "success", 1)
    assert (seen.head_branch, seen.head_sha) == ("main", world.you.ref("heads/main"))
    assert "Training for you/lab" in log(world, seen.id)
    [artifact] = seen.get_artifacts()
    status, headers, _ = world.bot.requester.requestJson("GET", artifact.archive_download_url)
    assert status == 302
    with httpx2.Client() as client:
        refused = client.get(headers["location"], headers={"Authorization": "Bearer x"})
        zipped = client.get(headers["location"])
        forged = client.get(headers["location"][:-1] + "0" if headers["location"][-1] != "0" else "1")
    assert (refused.status_code, zipped.status_code, forged.status_code) == (401, 200, 403)
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
        assert sorted(archive.namelist()) == ["log.txt", "result.json"]
        assert archive.read("result.json") == b"A lab.\n"


def test_a_failed_step_skips_what_follows_but_not_always(world: World) -> None:
    run = dispatch(world, "exit 3")
    assert wait_for(world, run) == "failure"
    assert "Process completed with exit code 3." in log(world, run)
    [artifact] = artifacts(world, run).values()
    assert artifact["name"] == "result-1"


def test_a_job_sees_nothing_of_our_environment(world: World) -> None:
    run = dispatch(world, "env | cut -d= -f1 | sort | tr '\\n' ' '; echo")
    assert wait_for(world, run) == "success"
    [names] = [line.split() for line in log(world, run).splitlines() if "GITHUB_SHA" in line]
    own = ("GITHUB_", "RUNNER_")
    others = {name for name in names if not name.startswith(own)}
    assert others - {"PWD", "SHLVL", "_", "OLDPWD"} == {"CI", "PATH", "HOME", "OUT", "COLOUR", "COMMAND"}


def test_a_rerun_is_the_next_attempt_and_its_artifact_has_another_name(world: World) -> None:
    run = dispatch(world)
    wait_for(world, run)

    def again() -> None:
        world.you.rerun(run)
        wait_for(world, run)

    hooks = world.hooks_of(again)
    told = [hook.payload["action"] for hook in hooks if hook.event == "workflow_run"]
    assert told == ["in_progress", "completed"]
    assert world.local.store.get(WorkflowRun, id=run).run_attempt == 2
    assert set(artifacts(world, run)) == {"result-1", "result-2"}


def test_a_cancel_interrupts_the_step_and_always_still_runs(world: World) -> None:
    run = dispatch(world, "trap 'echo interrupted; exit 130' INT; echo ready; while true; do sleep 0.05; done")
    wait_for_line(world, run, "ready")
    world.lab.get_workflow_run(run).cancel()
    assert wait_for(world, run) == "cancelled"
    assert "interrupted" in log(world, run)
    assert set(artifacts(world, run)) == {"result-1"}
    with pytest.raises(httpx2.HTTPStatusError, match="409"):
        world.you.cancel_run(run)


def test_a_job_leaves_no_process(world: World) -> None:
    run = dispatch(world, "(setsid sleep 300 &) ; echo away")
    assert wait_for(world, run) == "success"
    assert tracked(f"{world.local.jobs.mark}-{run}-") == set()


def test_a_group_has_one_in_progress_and_one_that_waits(world: World) -> None:
    first = dispatch(world, "while [ ! -e $RUNNER_TEMP/../../go ]; do sleep 0.05; done", pr="9")
    second, third = dispatch(world, pr="9"), dispatch(world, pr="9")
    other = dispatch(world, pr="10")
    assert wait_for(world, other) == "success"
    assert state(world, second) == ("completed", "cancelled")
    assert state(world, third) == ("queued", None)
    (world.local.jobs.work / "go").touch()
    assert (wait_for(world, first), wait_for(world, third)) == ("success", "success")


def test_a_step_that_takes_too_long_fails(world: World) -> None:
    slow = TRAIN.decode().replace("shell: bash", "shell: bash\n        timeout-minutes: 0.005")
    world.you.edit_file(".github/workflows/slow.yml", slow)
    world.you.dispatch("slow.yml", pr="4", request="r", command="printf unended; exec sleep 60")
    run = world.you.runs()[0]["id"]
    assert wait_for(world, run) == "failure"
    assert "unended\n##[error]Process completed" in log(world, run)


def test_a_dispatch_that_does_not_fit_is_refused(world: World) -> None:
    workflow = world.lab.get_workflow("train.yml")
    for ref, inputs in (("main", {"pr": "1"}), ("nowhere", {"pr": "1", "request": "r"})):
        with pytest.raises(GithubException) as refused:
            workflow.create_dispatch(ref, inputs, throw=True)
        assert refused.value.status == 422


def test_a_workflow_that_cannot_be_read_is_a_startup_failure_that_says_why(world: World) -> None:
    strange = TRAIN.decode().replace("runs-on:", "container: x\n    runs-on:")
    world.you.edit_file(".github/workflows/strange.yml", strange)
    world.you.dispatch("strange.yml", pr="1", request="r")
    run = world.you.runs()[0]
    assert (run["status"], run["conclusion"]) == ("completed", "startup_failure")
    assert "`container` in job `train`" in log(world, run["id"])


def test_a_stop_ends_every_process_and_the_next_start_concludes_the_run(tmp_path: Path, receiver: Receiver) -> None:
    world = make_world(tmp_path, receiver)
    running = dispatch(world, "trap '' INT TERM; echo ready; while true; do sleep 0.05; done")
    waiting = dispatch(world, pr="2")
    wait_for_line(world, running, "ready")
    mark = world.local.jobs.mark
    assert tracked(mark)
    end_world(world)
    assert not tracked(mark)
    world = make_world(tmp_path, receiver)
    assert state(world, running) == ("completed", "failure")
    assert artifacts(world, running) == {}
    assert wait_for(world, waiting) == "success"
    end_world(world)
