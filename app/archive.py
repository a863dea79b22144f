"""The archive of recordings that the settings describe."""

from __future__ import annotations

from app import clock
from app.settings import SettingError, Settings
from recordings import Archive, Keyring, Manifest, Vault
from recordings.manifest import MANIFEST


def open_archive(settings: Settings) -> Archive:
    """Return the archive. Cheap: nothing is read but the keys. Raises `SettingError`."""
    folder = settings.recordings_dir
    keys = _keys(settings)
    try:
        vault = Vault.at(settings.recordings_url or folder, keys)
    except ValueError as error:
        raise SettingError(f"DUTYRING_RECORDINGS_URL: {error}") from error
    key_file = settings.manifest_key_file or settings.data_dir / "manifest.key"
    return Archive(folder, vault, Manifest(folder / MANIFEST, key_file, clock.now))


def _keys(settings: Settings) -> Keyring | None:
    path, one = settings.recordings_key_file, settings.recordings_key
    lines: list[str] = []
    try:
        if path is not None:
            lines += [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        if one is not None:
            lines.append(one.get_secret_value().strip())
        if path is None and one is None:
            return None
        return Keyring([bytes.fromhex(line) for line in lines])
    except (OSError, ValueError) as error:
        name, what = ("_FILE", f"{path} cannot be used; it takes a file with") if path else ("", "it takes")
        raise SettingError(f"DUTYRING_RECORDINGS_KEY{name}: {what} 32 bytes in hex") from error
