"""Notices as signed JSON to an address of the settings; no redirect is followed, no answer is read.

    X-DutyRing-Id: the same in every try
    X-DutyRing-Timestamp: POSIX seconds
    X-DutyRing-Signature: v1=<hex HMAC-SHA256 of `TIMESTAMP.BODY` under the secret>

Who receives it refuses old timestamps, compares the signature in constant time, and takes one id once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
from pathlib import Path

import httpx

from app import clock
from app.notices.errors import DeliveryError
from app.notices.wording import Message
from app.operation_settings import OperationSettings

TIMEOUT_S = 10.0
"""For the connection and each step of it."""
MOST_S = 20.0
LEAST_SECRET = 16
SCHEMA = "dutyring.notice/1"


async def send(settings: OperationSettings, message: Message) -> str:
    """Post a message; return a remark, always empty. Raises `DeliveryError`."""
    url = settings.notice_webhook_url
    assert url is not None
    body = content(message)
    try:
        secret = await asyncio.to_thread(read_secret, settings.notice_webhook_secret_file)
        headers = signed(secret, message.id, int(clock.now().timestamp()), body)
        trusted = await asyncio.to_thread(ssl.create_default_context, cafile=settings.notice_ca_file)
        async with asyncio.timeout(MOST_S):
            # trust_env: a proxy of the environment would see it, and may lead elsewhere.
            async with (
                httpx.AsyncClient(
                    timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, verify=trusted
                ) as client,
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
    except TimeoutError as error:
        raise DeliveryError("no answer in time") from error
    except httpx.HTTPError as error:
        raise DeliveryError(f"not reached ({type(error).__name__})") from error
    except OSError as error:
        raise DeliveryError(f"a file of the settings: {error.strerror or type(error).__name__}") from error
    if not 200 <= status < 300:
        raise DeliveryError(f"answered with status {status}")
    return ""


def content(message: Message) -> bytes:
    """The body."""
    told = {
        "schema": SCHEMA,
        "id": message.id,
        "kind": message.kind,
        "event": message.event,
        "count": message.count,
        "at": message.at.isoformat(timespec="seconds"),
        "title_zh": message.title_zh,
        "title_en": message.title_en,
        "link": message.link,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def signed(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a message, with its signature."""
    digest = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "DutyRing",
        "X-DutyRing-Id": message_id,
        "X-DutyRing-Timestamp": str(timestamp),
        "X-DutyRing-Signature": f"v1={digest}",
    }


def read_secret(path: Path | None) -> bytes:
    """Read the secret. Raises `DeliveryError` and `OSError`."""
    assert path is not None
    secret = path.read_bytes().strip()
    if len(secret) < LEAST_SECRET:
        raise DeliveryError(f"the secret's file holds less than {LEAST_SECRET} signs")
    return secret
