"""Each bench in its smallest size: what it shows whatever the clock says."""

from pathlib import Path

import pytest

from tests.bench import burst, requests_per_run, sweep
from tests.bench.calls import tally

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_run_costs_few_reads_and_a_training_none(tmp_path: Path) -> None:
    figures = requests_per_run.measure(tmp_path, sleep=1.0)
    assert tally(figures.run).reads <= requests_per_run.MOST_READS
    assert figures.training == ()


def test_a_quiet_sweep_is_free_and_none_forgets_anything(tmp_path: Path) -> None:
    first, quiet, after_a_night, _ = phases = sweep.measure(tmp_path, labs=5, experiments=4)
    assert len(first.looked_at) == 20
    assert {call.status for call in quiet.calls} == {304}
    assert quiet.looked_at == frozenset()
    assert len(after_a_night.touched) == 6
    assert after_a_night.looked_at == after_a_night.touched
    assert "6 of 6" in sweep.report(phases)


def test_a_burst_is_taken_and_outlives_a_kill(tmp_path: Path) -> None:
    sizes = burst.Sizes(labs=2, experiments=4, deliveries=80, connections=8)
    with burst.staged(tmp_path, sizes) as stage:
        whole, killed = stage.answered(), stage.killed()
    assert [answer.status for answer in whole.answers] == [202] * 80
    assert whole.looked_at == 8
    assert killed.looked_at_again == 8
    assert "killed in the middle" in burst.report([whole, killed])
