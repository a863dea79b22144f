"""Notices by e-mail: smtplib in a thread, one connection for each message, all addresses in one envelope."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from app.notices.errors import DeliveryError
from app.notices.wording import NAME_EN, NAME_ZH, Message
from app.operation_settings import OperationSettings

TIMEOUT_S = 15.0
"""For the connection and each answer."""
MOST_S = 60.0
"""After so long a message counts as not taken, whatever the server still does."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}


async def send(settings: OperationSettings, message: Message) -> str:
    """Hand a message to the mail server; return a remark, mostly empty. Raises `DeliveryError`."""
    try:
        async with asyncio.timeout(MOST_S):
            return await asyncio.to_thread(_send, settings, message)
    except TimeoutError as error:
        raise DeliveryError("the mail server takes too long") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise DeliveryError(_reason(error)) from error


def composed(settings: OperationSettings, message: Message) -> EmailMessage:
    """Write the message as it is sent."""
    mail = EmailMessage(policy=SMTP)
    sender = settings.notice_mail_from or settings.notice_mail_to[0]
    mail["From"] = sender
    mail["To"] = ", ".join(settings.notice_mail_to)
    mail["Subject"] = f"[{NAME_ZH} {NAME_EN}] {message.title_zh}"
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    # Answers of holiday machines to a machine help nobody (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _send(settings: OperationSettings, message: Message) -> str:
    host = settings.smtp_host
    assert host is not None
    security = settings.smtp_security
    port = settings.smtp_port or PORTS[security]
    trusted = None if security == "none" else ssl.create_default_context(cafile=settings.notice_ca_file)
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=trusted)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    try:
        if security == "starttls":
            server.starttls(context=trusted)
        if settings.smtp_user is not None:
            server.login(settings.smtp_user, _password(settings))
        sender = settings.notice_mail_from or settings.notice_mail_to[0]
        refused = server.send_message(composed(settings, message), sender, list(settings.notice_mail_to))
        with contextlib.suppress(smtplib.SMTPException, OSError):
            # It was taken: how the connection ends is no matter.
            server.quit()
    finally:
        server.close()
    # Those who have it must not get it once more because of the others.
    return f"{len(refused)} of {len(settings.notice_mail_to)} addresses were refused" if refused else ""


def _password(settings: OperationSettings) -> str:
    assert settings.smtp_password_file is not None
    return settings.smtp_password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")


def _reason(error: Exception) -> str:
    """Say what failed without quoting the server: it may repeat addresses or what it was sent."""
    if isinstance(error, smtplib.SMTPResponseException):
        what = "sign-in refused" if isinstance(error, smtplib.SMTPAuthenticationError) else "refused"
        return f"mail server: {what}, status {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "mail server: every address was refused"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "mail server: it offers no STARTTLS, or no way to sign in"
    if isinstance(error, ssl.SSLError):
        return f"mail server: TLS failed ({error.reason or 'handshake'})"
    if isinstance(error, OSError):
        return f"mail server: {error.strerror or type(error).__name__}"
    return f"mail server: {type(error).__name__}"
