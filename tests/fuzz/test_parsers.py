"""The readers of foreign bytes: every file of the corpus, and a share of what is found by mutating it.

`python -m tests.fuzz.parsers TARGET` goes on for as long as it is told, and repeats a failure with the file it names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import parsers
from tests.fuzz.targets import TARGETS

RUNS = {"endpoint": 300, "sdp": 800, "framing": 1500, "rtp": 1500}
"""The slow ones; all others have the runs of `MANY`."""
MANY = 3000
SEED = 8


def test_every_target_has_a_corpus() -> None:
    assert sorted(TARGETS) == parsers.names()


def test_the_corpus_is_small() -> None:
    files = [path for path in parsers.CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 400_000


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_file_of_the_corpus_is_read(name: str) -> None:
    for path in sorted((parsers.CORPUS / name).iterdir()):
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(f"repeat it with: python -m tests.fuzz.parsers {name} {path}")
            raise


@pytest.mark.skipif(not parsers.available(), reason="atheris is not here: wheels for Linux on x86-64 alone")
@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_share_of_the_mutations_is_read(name: str, tmp_path: Path) -> None:
    words = (f"-runs={RUNS.get(name, MANY)}", f"-seed={SEED}", f"-artifact_prefix={tmp_path}/")
    done = parsers.fuzz(name, *words, quiet=True)
    found = [path.name for path in tmp_path.iterdir()]
    assert done.returncode == 0, (
        f"copy {tmp_path}/{found} into {parsers.CORPUS / name}; it repeats with "
        f"`python -m tests.fuzz.parsers {name} FILE`\n{done.stdout[-500:]}{done.stderr[-3000:]}"
    )
