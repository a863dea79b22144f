"""All settings, read from the environment (prefix `DUTYRING_`) or a `.env` file in the working directory.

Each field's description is its documentation; docs/reference/settings.md names every one of them, and a
test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict, SettingsError

from app.operation_settings import OperationSettings
from app.sntp import Server
from app.trunk_settings import SettingError, TrunkSettings, check_trunk
from sip.guard import DEFAULT_DENY, DialPolicy

__all__ = ["SettingError", "Settings", "TrunkSettings", "get_settings", "problem"]

DATABASE_FILE = "dutyring.sqlite3"
LEAST_RETENTION_DAYS = 180
RING_PERIOD_S = 5.0
"""National ringing cadence, 1 s on, 4 s off (GB 3380-82): bell and ringback need not be in phase."""


class Settings(OperationSettings):
    """The settings of the service; every one has a default that works on one machine."""

    model_config = SettingsConfigDict(
        env_prefix="DUTYRING_",
        env_file=".env",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        default=Path("data"),
        description="Data folder: database, recordings, captures in progress, lock files.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the database; `postgresql+psycopg://...` for PostgreSQL. Unset: "
        f"SQLite (`sqlite+aiosqlite`) in the file `{DATABASE_FILE}` of the data folder.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the pages listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the pages listen on.")
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "::1"),
        description="Host names under which the pages may be asked for, as a JSON list; others are refused.",
    )
    timezone: str = Field(default="Asia/Shanghai", description="Time zone of the pages and of plans.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged (to standard error)."
    )
    log_json: bool = Field(default=False, description="Log as JSON lines instead of readable lines.")

    session_hours: float = Field(
        default=12.0, gt=0, le=168, description="Hours after signing in at which a session ends in any case."
    )
    session_idle_minutes: float = Field(
        default=30.0, gt=0, le=1440, description="Minutes without a request after which a session ends."
    )
    sign_in_failures: int = Field(
        default=5, ge=1, le=100, description="Wrong passwords in a row after which an account is locked."
    )
    lock_minutes: float = Field(
        default=10.0, gt=0, le=1440, description="Minutes for which an account is locked."
    )
    password_days: int = Field(
        default=90, ge=0, le=3650, description="Days after which a password must be changed; 0: never."
    )
    password_length: int = Field(default=10, ge=8, le=64, description="Least signs of a password.")
    password_classes: int = Field(
        default=3,
        ge=1,
        le=4,
        description="How many of capital letters, small letters, digits and other signs a password holds.",
    )
    password_phrase_length: int = Field(
        default=20,
        ge=12,
        le=128,
        description="Signs from which on a password is a phrase, and any signs will do.",
    )
    sign_ins_per_minute: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="Wrong passwords a minute from one address; more have to wait. Right ones are not counted.",
    )
    separate_duties: bool = Field(
        default=True,
        description="三员分立: administrator, security officer and auditor are accounts apart from each other and from "
        "every other role, and what an administrator asks for an account comes into force when a security officer "
        "approves it.",
    )
    secure_cookies: bool = Field(
        default=False,
        description="Send the session's cookie over HTTPS alone, and tell browsers to come by HTTPS; on wherever the "
        "pages are reached over a network.",
    )

    phone_process: bool = Field(
        default=True, description="Whether the service starts the phone process; off for pages without calls."
    )
    sip_bind: str | None = Field(
        default=None,
        description="Local address, `ADDRESS` or `ADDRESS:PORT`, of the phone. Unset: chosen by the route.",
    )
    sip_identity: str | None = Field(
        default=None, description="Our `sip:` identity. Unset: `sip:dutyring@<local address>`."
    )
    trunks: dict[str, TrunkSettings] = Field(
        default_factory=dict,
        description="Our trunks by name, as JSON; their members stand below.",
    )
    default_trunk: str | None = Field(
        default=None,
        description="Name of the trunk that is tried first, whatever the priorities say. A line with a SIP URI "
        "needs no trunk.",
    )
    deny_numbers: tuple[str, ...] = Field(
        default=DEFAULT_DENY,
        description="Patterns of numbers that are never dialled, as a JSON list: digits, `?` for any digit, `*` at "
        "the end for any rest; `+*` is everything abroad. Set, it replaces the default (premium, international and "
        "carrier-selected calls); `dutyring numbers add deny` adds to it. Emergency numbers hold in any case.",
    )
    allow_numbers: tuple[str, ...] = Field(
        default=(),
        description="Numbers that a trunk may be asked for beside those of the directory, as a JSON list.",
    )
    answer_keys_file: Path | None = Field(
        default=None,
        description="Text file of the answer keys (numbers of superior duty offices), one a line, `#` before a "
        "remark: never dialled, never shown.",
    )
    seal_key_file: Path | None = Field(
        default=None,
        description="File with the key (32 bytes in hex) under which coming draws and whereabouts are sealed. Unset: "
        "`seal.key` in the data folder, made on first use.",
    )
    recordings_url: str | None = Field(
        default=None,
        description="Where finished recordings are kept: a folder, or `s3://BUCKET/PREFIX` (credentials in the usual "
        "AWS_* variables). Unset: `recordings` in the data folder. Captures in progress always lie in the data folder.",
    )
    recordings_key_file: Path | None = Field(
        default=None,
        description="File of the keys (32 bytes in hex, one a line) that recordings are encrypted with at rest: the "
        "first encrypts, all of them open. Unset: recordings are not encrypted.",
    )
    recordings_key: SecretStr | None = Field(
        default=None, description="The same as one key in the environment, where no file can be given."
    )
    manifest_key_file: Path | None = Field(
        default=None,
        description="File of the Ed25519 key (PEM, PKCS 8) that signs the manifest of recordings. Unset: "
        "`manifest.key` in the data folder, made on first use.",
    )
    heads_dir: Path | None = Field(
        default=None,
        description="Folder, best on another machine, into which the manifest's signed head is written each day. "
        "Unset: `heads` in the data folder.",
    )
    retention_days: int = Field(
        default=365, ge=180, le=36500, description="Days that a recording is kept; at least 180."
    )
    retention_days_by_code: dict[str, int] = Field(
        default_factory=dict,
        description="Other retention, in days, by the code of the order's proposal or else of the call's verdict, as "
        'JSON, e.g. `{"no_answer": 1095}`; at least 180 each.',
    )
    disk_alarm_mb: int = Field(
        default=5000, ge=1, description="Free space, in MB, below which an alarm is raised (`disk_low`)."
    )
    disk_reserve_mb: int = Field(
        default=500,
        ge=1,
        description="Free space, in MB, below which no call is placed: it could not be recorded whole.",
    )
    transcriber: Literal["auto", "vosk", "whisper", "none"] = Field(
        default="auto",
        description="What recognises speech. `auto`: Vosk where a model of it is found, else Whisper where one is, "
        "else nothing.",
    )
    models_dir: Path | None = Field(
        default=None,
        description="Folder of the models that `dutyring models install` fetches. Unset: `models` in the data folder.",
    )
    vosk_model: Path | None = Field(
        default=None, description="Folder of a Vosk model. Unset: an installed one of the models folder."
    )
    whisper_model: Path | None = Field(
        default=None,
        description="Folder of a Whisper model in CTranslate2's format. Unset: an installed one of the models folder.",
    )
    transcription_workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Most worker processes that recognise speech at one time. Unset: half of the cores, at least one.",
    )
    concurrency: int = Field(default=50, ge=1, le=2000, description="Most calls at one time.")
    max_ring_s: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Seconds after ring start at which an unanswered call is given up.",
    )
    max_talk_s: float = Field(
        default=20.0, gt=0, le=3600, description="Seconds after the answer at which we hang up."
    )
    say: Path | None = Field(
        default=None, description="Sound file that is played after the answer. Unset: we stay silent."
    )
    poll_s: float = Field(
        default=0.2, gt=0, le=60, description="How often, in seconds, the phone process looks for due checks."
    )
    ntp_server: str | None = Field(
        default=None,
        description="Time server, `HOST` or `HOST:PORT`, that this machine's clock is compared with. Unset: what the "
        "kernel says of its clock.",
    )
    misfire_grace_s: float = Field(
        default=300.0,
        gt=0,
        description="A due check later than this many seconds is missed, not dialled.",
    )

    roster_deadline_days: int = Field(
        default=3,
        ge=0,
        le=60,
        description="How many days ahead a roster (值班表) must be filed; later ones are told as late.",
    )

    three_ring_within_s: float = Field(
        default=11.0,
        gt=0,
        description="Ring-to-answer seconds up to which an answer is within three rings (三声内).",
    )
    three_ring_limit_s: float = Field(
        default=15.0,
        gt=0,
        description="Seconds before a fourth ring; up to here the answer is lawful (临界). At least the one above.",
    )
    overtime_finding_s: float = Field(
        default=20.0,
        gt=0,
        description="Seconds beyond which 超时接听 is proposed: at least the limit and one 5 s period.",
    )
    no_answer_least_ring_s: float = Field(
        default=30.0,
        gt=0,
        description="Least seconds of ringing for an unanswered call to count as let ring.",
    )

    @field_validator("ntp_server")
    @classmethod
    def _time_server(cls, value: str | None) -> str | None:
        if value is not None:
            Server.parse(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no such time zone: {value} (a name such as Asia/Shanghai)") from error
        return value

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        within_s, limit_s = self.three_ring_within_s, self.three_ring_limit_s
        if within_s > limit_s:
            raise ValueError(
                f"DUTYRING_THREE_RING_WITHIN_S is {within_s:g}; it takes at most "
                f"DUTYRING_THREE_RING_LIMIT_S, which is {limit_s:g}"
            )
        if self.overtime_finding_s < limit_s + RING_PERIOD_S:
            raise ValueError(
                f"DUTYRING_OVERTIME_FINDING_S is {self.overtime_finding_s:g}; it takes at least "
                f"{limit_s + RING_PERIOD_S:g}, one ring period more than DUTYRING_THREE_RING_LIMIT_S"
            )
        return self

    @field_validator("retention_days_by_code")
    @classmethod
    def _long_enough(cls, value: dict[str, int]) -> dict[str, int]:
        short = sorted(code for code, days in value.items() if days < LEAST_RETENTION_DAYS)
        if short:
            raise ValueError(f"{', '.join(short)}: at least {LEAST_RETENTION_DAYS} days")
        return value

    @field_validator("deny_numbers")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, pattern in enumerate(value, 1):
            try:
                DialPolicy(deny=(pattern,))
            except ValueError as error:
                raise ValueError(f"pattern {number} cannot be read") from error
        return value

    @model_validator(mode="after")
    def _usable_trunks(self) -> Self:
        for name, trunk in self.trunks.items():
            check_trunk(name, trunk)
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of pages and plans."""
        return ZoneInfo(self.timezone)

    def environment(self) -> dict[str, str]:
        """Return what a child process needs in its environment to have these very settings."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        given |= {"data_dir": self.data_dir.absolute(), "database_url": self.url}
        return {
            f"DUTYRING_{name.upper()}": _as_text(value) for name, value in given.items() if value is not None
        }

    @property
    def url(self) -> str:
        """The database URL in use."""
        if self.database_url:
            return self.database_url
        return f"sqlite+aiosqlite:///{(self.data_dir / DATABASE_FILE).absolute()}"

    @property
    def recordings_dir(self) -> Path:
        """Where captures in progress lie, and finished recordings unless `recordings_url` says otherwise."""
        return self.data_dir / "recordings"


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return json.dumps(
            {name: _revealed(one) if isinstance(one, TrunkSettings) else one for name, one in value.items()}
        )
    return json.dumps(value) if isinstance(value, tuple) else str(value)


def _revealed(trunk: TrunkSettings) -> dict[str, object]:
    password = trunk.password.get_secret_value() if trunk.password else None
    given = trunk.model_dump(mode="json", exclude={"password"}, exclude_unset=True)
    return given | ({"password": password} if password is not None else {})


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once. Raises what `problem` puts into words."""
    return Settings()


def problem(error: Exception) -> str | None:
    """Say in one line which setting is wrong and what it takes, never what was given: it may be a password.

    None for an error that is not about settings.
    """
    if isinstance(error, SettingError):
        return str(error)
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        return "; ".join(_problems(error))
    if isinstance(error, SettingsError):
        # Its text is: error parsing value for field "trunks" from source "EnvSettingsSource".
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), None)
        if name is not None:
            return f"DUTYRING_{name.upper()} cannot be read as JSON; it takes: {_description(name)}"
    return None


def _problems(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_input=False, include_url=False):
        reason = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:
            yield reason
            continue
        name, *members = (str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            reason = "there is no such member"
        place = f"DUTYRING_{name.upper()}" + (f" ({'.'.join(members)})" if members else "")
        yield f"{place}: {reason}; it takes: {_description(name, *members[1:2])}"


def _description(name: str, member: str = "") -> str:
    if member and member not in TrunkSettings.model_fields:
        return "members among " + ", ".join(TrunkSettings.model_fields)
    inner = TrunkSettings.model_fields.get(member)
    return ((inner or Settings.model_fields[name]).description or "").rstrip(".")
