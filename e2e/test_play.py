"""The lines that `make play` prints, pasted into a shell with the AWS CLI."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import bare_environment, eventually

SERVICES = ["api", "orders", "worker"]


@dataclass(frozen=True)
class Play:
    """The demo's account with the function, and the lines to paste."""

    process: subprocess.Popen
    lines: list[str]

    def paste(self, line: str) -> str:
        """Runs a line in a shell that knows the AWS CLI and no credentials."""
        done = subprocess.run(["bash", "-c", line], env=bare_environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    command = [os.environ["DEMO"], "play", "--binary", os.environ["FUNCTION"], "--log", tmp_path / "function.log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            while len(lines) < 3:
                line = process.stdout.readline()
                assert line, "it ended before it printed three lines"
                if line.startswith(("AWS_", "tail ")):
                    lines.append(line.strip())
            yield Play(process, lines)
        finally:
            process.kill()


def test_the_lines_work_as_they_are_pasted(play: Play) -> None:
    put_parameter, describe_services, follow_log = play.lines

    assert '"Version": 2' in play.paste(put_parameter)

    eventually(lambda: play.paste(describe_services).count("IN_PROGRESS") == len(SERVICES), 30, "the services do not roll")
    log = play.paste(follow_log.replace("tail -n +1 -f", "tail -n +1"))
    started = [line for line in log.splitlines() if '"result":"started"' in line]
    assert [name for name in SERVICES if any(f"production/{name}" in line for line in started)] == SERVICES
    play.process.send_signal(signal.SIGINT)
    assert play.process.wait(timeout=30) == 0
