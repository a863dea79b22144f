"""What the doctor looks at on the machine itself: files, rights, disk, memory, clock, ports, limits."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from app.checks.clock_offset import MOST_OFF_S, MOST_UNSURE_S
from app.checks.disk import MB, free_bytes, recording_folders
from app.engines import advice_of, engine_of
from app.folder_lock import folder_lock
from app.operations.findings import Finding, fail, ok, warn
from app.operations.readiness import archive_folder, is_local, write_and_remove
from app.policy import answer_keys
from app.settings import SettingError, Settings
from app.sntp import Server, SntpError, offset_s
from app.trunk_settings import bind_address
from recordings.transcription import TranscriptionError
from sip.system_clock import kernel_clock

LEAST_MEMORY_MB = 512
LEAST_CORES = 2
FILES_OF_CALL = 4
"""Sockets of sound and signalling, the capture, and a spare."""
FILES_BESIDE = 200


def settings_named(environment: Mapping[str, str]) -> Finding:
    """Whether the environment holds a setting that there is not: a misspelt one does nothing."""
    known = {f"DUTYRING_{name.upper()}" for name in Settings.model_fields}
    strange = sorted(
        name
        for name in environment
        if name.startswith("DUTYRING_")
        and not name.startswith(("DUTYRING_TRUNKS__", "DUTYRING_TEST_"))
        and name not in known
    )
    if strange:
        names = ", ".join(strange)
        return warn(
            "settings",
            f"there is no setting {names}",
            f"没有这样的设置：{names}",
            "compare with docs/reference/settings.md",
            "请对照 docs/reference/settings.md 核对名称",
        )
    return ok("settings", "every setting is known and can be read", "设置均可识别")


def data_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written, and nobody else may read it."""
    folder = settings.data_dir.absolute()
    if not folder.exists() and _can_be_made(folder):
        return ok("data_folder", f"{folder} is made at the first start", f"{folder} 在首次启动时建立")
    try:
        write_and_remove(folder)
        mode = folder.stat().st_mode & 0o777
    except OSError as error:
        reason = error.strerror or str(error)
        return fail(
            "data_folder",
            f"{folder} cannot be written: {reason}",
            f"{folder} 无法写入：{reason}",
            "give the service's user the right to write there, or set DUTYRING_DATA_DIR",
            "请给运行服务的用户写权限，或设置 DUTYRING_DATA_DIR",
        )
    if mode & 0o007:
        return warn(
            "data_folder",
            f"{folder} is open to every user of the machine (mode {mode:o})",
            f"{folder} 对本机所有用户开放（权限 {mode:o}）",
            f"chmod o-rwx {folder}",
            f"请执行 chmod o-rwx {folder}",
        )
    return ok("data_folder", f"{folder} can be written", f"{folder} 可以写入")


def archive(settings: Settings) -> Finding:
    """Whether finished recordings can be kept."""
    if not is_local(settings):
        return ok("archive", "recordings go to S3; not tried here", "录音存入 S3，此处不作试写")
    folder = archive_folder(settings).absolute()
    if not folder.exists() and _can_be_made(folder):
        return ok("archive", f"{folder} is made at the first start", f"{folder} 在首次启动时建立")
    try:
        write_and_remove(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        return fail(
            "archive",
            f"{folder} cannot be written: {reason}",
            f"录音目录 {folder} 无法写入：{reason}",
            "mend the folder's rights or disk: captures wait until then",
            "请修复目录权限或磁盘，其间采集的录音会等待入库",
        )
    return ok("archive", f"recordings can be kept in {folder}", f"录音可以存入 {folder}")


def _can_be_made(folder: Path) -> bool:
    there = next(one for one in folder.parents if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def disks(settings: Settings) -> Iterator[Finding]:
    """Free space of the disks."""
    for title, folder in recording_folders(settings).items():
        try:
            free = free_bytes(folder) // MB
        except OSError:
            continue
        said = f"{free} MB free for {folder}", f"{title}剩余 {free} MB"
        if free < settings.disk_reserve_mb:
            yield fail("disk", *said, "make room: no call is placed", "请腾出空间：目前不会拨出任何电话")
        elif free < settings.disk_alarm_mb:
            yield warn("disk", *said, "make room soon", "请尽快腾出空间")
        else:
            yield ok("disk", *said)


def key_modes(settings: Settings) -> Finding:
    """Whether the files of keys and passwords are their owner's alone."""
    given = (
        settings.seal_key_file or settings.data_dir / "seal.key",
        settings.manifest_key_file or settings.data_dir / "manifest.key",
        settings.recordings_key_file,
        settings.answer_keys_file,
        settings.smtp_password_file,
        settings.notice_webhook_secret_file,
        settings.metrics_token_file,
        *(trunk.password_file for trunk in settings.trunks.values()),
    )
    there = [path for path in given if path is not None and path.is_file()]
    wide = [str(path) for path in there if path.stat().st_mode & 0o077]
    if wide:
        names = ", ".join(wide)
        return fail(
            "key_files",
            f"others may read {names}",
            f"其他用户可以读取：{names}",
            f"chmod 600 {' '.join(wide)}",
            f"请执行 chmod 600 {' '.join(wide)}",
        )
    return ok(
        "key_files", f"{len(there)} files of keys and passwords are their owner's alone",
        f"{len(there)} 个密钥和口令文件仅属主可读",
    )  # fmt: skip


def named_files(settings: Settings) -> Iterator[Finding]:
    """Whether the files that settings name are there."""
    names = (
        "smtp_password_file",
        "notice_webhook_secret_file",
        "notice_ca_file",
        "metrics_token_file",
        "say",
    )
    for name in names:
        path: Path | None = getattr(settings, name)
        if path is not None and not os.access(path, os.R_OK):
            setting = f"DUTYRING_{name.upper()}"
            yield fail(
                "files", f"{setting}: {path} cannot be read", f"{setting}：{path} 无法读取",
                "make the file, or take the setting away", "请建立该文件，或去掉这项设置",
            )  # fmt: skip
    try:
        answer_keys(settings.answer_keys_file)
    except SettingError as error:
        yield fail(
            "files", str(error), str(error), "nothing is dialled until it can be read",
            "在可以读取之前不会拨出任何电话",
        )  # fmt: skip


def memory() -> Finding:
    """Free memory, and cores."""
    told = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            told[name] = int(value.split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        return warn(
            "memory",
            "it cannot be told how much memory is free",
            "无法得知剩余内存",
            "look yourself",
            "请自行查看",
        )
    free, cores = told.get("MemAvailable", 0), os.cpu_count() or 1
    said = f"{free} MB of memory free, {cores} cores", f"剩余内存 {free} MB，{cores} 个处理器核"
    if free < LEAST_MEMORY_MB or cores < LEAST_CORES:
        return warn(
            "memory", *said,
            f"give it {LEAST_MEMORY_MB} MB and {LEAST_CORES} cores at least",
            f"至少需要 {LEAST_MEMORY_MB} MB 和 {LEAST_CORES} 个核",
        )  # fmt: skip
    return ok("memory", *said)


def open_files(settings: Settings) -> Finding:
    """Whether so many calls at once find files enough."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = settings.concurrency * FILES_OF_CALL + FILES_BESIDE
    if limit != resource.RLIM_INFINITY and limit < wanted:
        return warn(
            "open_files",
            f"{limit} files may be open; {settings.concurrency} calls at once may need {wanted}",
            f"最多可打开 {limit} 个文件，{settings.concurrency} 路同时呼叫可能需要 {wanted} 个",
            f"ulimit -n {wanted}, or LimitNOFILE={wanted} of the service",
            f"请设置 ulimit -n {wanted}，或服务的 LimitNOFILE={wanted}",
        )
    return ok("open_files", "enough files may be open", "可打开的文件数足够")


def time_zone(settings: Settings) -> Finding:
    """Whether calls are judged by the time of the office."""
    if settings.timezone != "Asia/Shanghai":
        return warn(
            "time_zone",
            f"plans follow {settings.timezone}",
            f"计划按 {settings.timezone} 时间执行",
            "set DUTYRING_TIMEZONE=Asia/Shanghai, unless that is meant",
            "如非有意，请设置 DUTYRING_TIMEZONE=Asia/Shanghai",
        )
    return ok("time_zone", "plans follow Asia/Shanghai", "计划按北京时间执行")


async def clock(settings: Settings, *, offline: bool) -> Finding:
    """Whether the clock is right: by the time server of the settings, else by the kernel."""
    if settings.ntp_server is not None and not offline:
        try:
            off_s = await offset_s(Server.parse(settings.ntp_server), time.time)
        except (SntpError, OSError) as error:
            return fail(
                "clock", f"the time server gives no time: {error}", f"时间服务器未给出时间：{error}",
                "check DUTYRING_NTP_SERVER and the firewall (UDP 123)",
                "请检查 DUTYRING_NTP_SERVER 和防火墙（UDP 123）",
            )  # fmt: skip
        said = f"the clock is {off_s:+.3f} s off", f"时钟相差 {off_s:+.3f} 秒"
        if abs(off_s) > MOST_OFF_S:
            return fail("clock", *said, "set up NTP: no call is placed", "请配置时间同步：目前不会拨出电话")
        return ok("clock", *said)
    told = await asyncio.to_thread(kernel_clock)
    if told is None or not told.synchronised or told.most_error_s > MOST_UNSURE_S:
        return warn(
            "clock", "the kernel does not say that the clock is synchronised", "系统未确认时钟已同步",
            "set up NTP (chrony, systemd-timesyncd), or name DUTYRING_NTP_SERVER",
            "请配置时间同步（chrony 或 systemd-timesyncd），或设置 DUTYRING_NTP_SERVER",
        )  # fmt: skip
    return ok("clock", "the kernel says that the clock is synchronised", "系统确认时钟已同步")


async def pages_port(settings: Settings) -> Finding:
    """Whether the port of the pages is free, or ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    where = f"{settings.host}:{settings.port}"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            return ok("pages_port", f"{where} is free", f"{where} 空闲")
        except OSError as error:
            reason = error.strerror or str(error)
    if await _is_ours(settings):
        return ok("pages_port", f"the service answers at {where}", f"服务在 {where} 应答")
    return fail(
        "pages_port", f"cannot listen on {where}: {reason}", f"无法在 {where} 监听：{reason}",
        "end what holds the port, or set DUTYRING_PORT", "请停掉占用该端口的程序，或设置 DUTYRING_PORT",
    )  # fmt: skip


def phone_port(settings: Settings) -> Finding:
    """Whether the port that the settings fix for the phone is free, or held by our phone."""
    bind = bind_address(settings.sip_bind)
    if bind is None or bind.port == 0:
        return ok("phone_port", "the phone takes any free port", "拨测程序使用任意空闲端口")
    where = f"{bind.host}:{bind.port}"
    try:
        with folder_lock(settings, "phone", _PhoneRunsError):
            family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind((bind.host, bind.port))
    except _PhoneRunsError:
        return ok("phone_port", "the phone runs", "拨测程序正在运行")
    except OSError as error:
        reason = error.strerror or str(error)
        return fail(
            "phone_port", f"the phone cannot have {where}: {reason}", f"拨测程序无法使用 {where}：{reason}",
            "end what holds the port, or set DUTYRING_SIP_BIND", "请停掉占用该端口的程序，或设置 DUTYRING_SIP_BIND",
        )  # fmt: skip
    return ok("phone_port", f"{where} is free", f"{where} 空闲")


class _PhoneRunsError(RuntimeError):
    """Our phone process holds its lock."""


async def _is_ours(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3.0) as client:
            answer = await client.get(f"http://{host}:{settings.port}/healthz")
            return "phone" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


def speech(settings: Settings) -> Finding:
    """What recognises speech."""
    if settings.transcriber == "none":
        return ok("speech", "nothing is transcribed, as the settings say", "按设置不作转写")
    try:
        choice = engine_of(settings)
    except TranscriptionError as error:
        return fail(
            "speech", str(error), f"语音识别不可用：{error}", "`dutyring models`, or mend the setting",
            "请运行 dutyring models 查看，或更正设置",
        )  # fmt: skip
    if choice is None:
        advice = advice_of(settings)
        return warn(
            "speech", f"nothing is transcribed: {advice}", "没有可用的语音识别模型，录音不作转写",
            "`dutyring models install ...`", "请运行 dutyring models install 安装模型",
        )  # fmt: skip
    return ok("speech", f"{choice.info.title} in {choice.folder}", f"语音识别：{choice.info.title}")


def https(settings: Settings) -> Finding:
    """Whether passwords travel encrypted."""
    near = settings.host in ("127.0.0.1", "::1", "localhost")
    if not near and not settings.secure_cookies:
        return warn(
            "https", f"the pages are reached over a network at {settings.host}, without HTTPS as far as we know",
            f"页面可经网络访问（{settings.host}），且未声明使用 HTTPS",
            "put a proxy with HTTPS before it and set DUTYRING_SECURE_COOKIES=true",
            "请在前面配置 HTTPS 代理，并设置 DUTYRING_SECURE_COOKIES=true",
        )  # fmt: skip
    return ok("https", "the pages are reached from this machine, or by HTTPS", "页面仅本机访问，或经 HTTPS")
