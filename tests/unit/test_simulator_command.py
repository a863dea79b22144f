"""`dutyring simulate` as a process: its ready line, its list, its errors, and a clean end."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from sip.core import Address
from sip.simulator import BEHAVIOURS

from .test_simulator_calls import calling

COMMAND = [sys.executable, "-c", "from app.cli import main; main()", "simulate"]
SCENARIO = '[[line]]\nextension = "7"\nname = "mine"\nsteps = [{do = "reject", status = 486}]\n'


class Process:
    """The running command, as a far end that can be called."""

    def __init__(self, process, local):
        self.process = process
        self.local = local


async def started(*options):
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--listen", "127.0.0.1:0", *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    assert line.startswith("listening on 127.0.0.1:"), line
    return Process(process, Address("127.0.0.1", int(line.rpartition(":")[2])))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_live_calls_with_bye(number):
    far_end = await started("--lines", "2")
    async with calling(far_end, "92") as caller:
        await caller.until(lambda seen: seen.answered)
        far_end.process.send_signal(number)
        await caller.until(lambda seen: seen.ended)
        assert caller.seen.ended.by == "them"
    output, errors = await asyncio.wait_for(far_end.process.communicate(), 30)
    assert (far_end.process.returncode, output, errors) == (0, b"", b"")


async def test_a_scenario_adds_its_lines(tmp_path):
    (tmp_path / "mine.toml").write_text(SCENARIO)
    far_end = await started("--scenario", str(tmp_path / "mine.toml"))
    for extension, status in (("7", 486), ("4040", 404)):
        async with calling(far_end, extension) as caller:
            await caller.until(lambda seen: seen.rejected)
            assert caller.seen.rejected[1].status == status
    far_end.process.terminate()
    assert await asyncio.wait_for(far_end.process.wait(), 30) == 0


def run(*options, **environment):
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def test_the_list_of_lines(tmp_path):
    done = run("--list")
    assert done.returncode == 0
    assert [row.split()[0] for row in done.stdout.splitlines()] == list(BEHAVIOURS)
    (tmp_path / "mine.toml").write_text(SCENARIO)
    assert "7      mine" in run("--list", "--scenario", str(tmp_path / "mine.toml")).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "0.0.0.0:5062"], "--listen"),
        (["--listen", "here:5062"], "--listen"),
        (["--listen", "127.0.0.1"], "--listen"),
        (["--lines", "-1"], "--lines"),
        (["--scenario", "/no/such/file.toml"], "/no/such/file.toml"),
        (["--password-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line(options, words):
    done = run(*options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


async def test_an_address_in_use_is_our_own_failure():
    far_end = await started()
    done = await asyncio.to_thread(run, "--listen", str(far_end.local))
    far_end.process.terminate()
    await far_end.process.wait()
    assert done.returncode == 3
    assert str(far_end.local) in done.stderr
