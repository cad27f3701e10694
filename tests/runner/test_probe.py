from __future__ import annotations

import subprocess
import sys

from runner.probe import probe


def test_the_facts_that_every_machine_has() -> None:
    facts = probe()
    assert facts["python"] == sys.version.split()[0]
    assert facts["torch"].startswith("2.")
    assert int(facts["cores"]) >= 1
    assert float(facts["ram_gb"]) > 0
    assert facts["gpu"]


def test_the_supervisor_never_imports_torch() -> None:
    program = "import sys, runner.__main__, runner.probe; runner.probe.probe(); print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
