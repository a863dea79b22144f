"""Settings of notices and of running the service day by day; part of `app.settings`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.\-]{1,253}")
"""An address as it stands in an envelope: no name, no comment, nothing that could begin another header."""


class OperationSettings(BaseSettings):
    """Notices, metrics, stopping."""

    public_url: str | None = Field(
        default=None,
        description="Address of the pages as people reach them, e.g. `https://duty.example.gov.cn`, for the link in "
        "notices. Unset: `http://HOST:PORT`.",
    )
    notice_after_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Seconds that something must have been wrong before a notice of it is sent out; on the pages it "
        "stands at once.",
    )
    notice_reviews_hours: float = Field(
        default=72.0,
        ge=0,
        le=8760,
        description="Hours after which a finding that nobody has reviewed is a notice; 0: never.",
    )
    notice_mail_to: tuple[str, ...] = Field(
        default=(), description="E-mail addresses that notices are sent to, as a JSON list."
    )
    notice_mail_from: str | None = Field(
        default=None,
        description="E-mail address that notices are sent from. Unset: the first of those above.",
    )
    smtp_host: str | None = Field(
        default=None, description="Mail server that takes our notices. Unset: no notice is sent by e-mail."
    )
    smtp_port: int | None = Field(
        default=None, ge=1, le=65_535, description="Its port. Unset: 587, with `tls` 465, with `none` 25."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection to the mail server is encrypted; with `starttls` and `tls` its certificate is "
        "checked, and nothing is sent where it does not hold.",
    )
    smtp_user: str | None = Field(
        default=None, description="User name at the mail server, where it asks for one."
    )
    smtp_password_file: Path | None = Field(
        default=None, description="File that holds the password of that user in its first line."
    )
    notice_webhook_url: str | None = Field(
        default=None,
        description="Address (`http` or `https`) that notices are posted to as JSON. Unset: nowhere. Redirects are "
        "not followed.",
    )
    notice_webhook_secret_file: Path | None = Field(
        default=None,
        description="File that holds the secret, at least 16 signs, that posted notices are signed with "
        "(HMAC-SHA256). Needed with the setting above.",
    )
    notice_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of the authorities that the mail server and the posted address are checked "
        "against. Unset: the system's.",
    )
    metrics_token_file: Path | None = Field(
        default=None,
        description="File that holds the token which `GET /metrics` asks for (`Authorization: Bearer`). Unset: there "
        "are no metrics.",
    )
    stop_wait_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Seconds that calls under way may take to end by themselves when the service is told to stop; then "
        "they are hung up and marked. A second signal hangs them up at once.",
    )

    @field_validator("notice_mail_to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, address in enumerate(value, 1):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"address {number} is none")
        return value

    @field_validator("notice_mail_from")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError("that is no address")
        return value

    @field_validator("public_url", "notice_webhook_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not value.isascii() or any(not sign.isprintable() or sign == " " for sign in value):
            raise ValueError("that is no http or https address")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("it takes no user name, password or fragment")
        return value

    @model_validator(mode="after")
    def _whole_channels(self) -> Self:
        if self.notice_webhook_url is not None and self.notice_webhook_secret_file is None:
            raise ValueError("DUTYRING_NOTICE_WEBHOOK_URL needs DUTYRING_NOTICE_WEBHOOK_SECRET_FILE")
        if self.smtp_host is not None and not self.notice_mail_to:
            raise ValueError("DUTYRING_SMTP_HOST needs DUTYRING_NOTICE_MAIL_TO")
        if self.smtp_user is not None and self.smtp_password_file is None:
            raise ValueError("DUTYRING_SMTP_USER needs DUTYRING_SMTP_PASSWORD_FILE")
        if self.smtp_user is not None and self.smtp_security == "none":
            raise ValueError("DUTYRING_SMTP_SECURITY is none: a password is not sent unencrypted")
        return self
