"""Passwords: what a good one is, and argon2 away from the event loop.

Hashing takes some 40 ms of a core. It runs in few threads, with few that wait: a flood of sign-ins is told to come
again while pages go on being answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.accounts.models import Account
from app.errors import UnavailableError
from app.settings import Settings

HASHER = PasswordHash((Argon2Hasher(),))
CLASSES = "口令须含大写字母、小写字母、数字、其他符号中的 %(classes)s 类，或者是至少 %(phrase)s 位的长句"
KEPT = 5
"""How many of the last passwords are not taken again."""
MOST_SIGNS = 128
MOST_WAITING = 24
BEHIND = 5
"""Steps of priority by which hashing stands behind everything else of this process."""
THREADS = max(1, (os.cpu_count() or 1) // 2)
_WORDS = """
abc abcd abcde abcdef abcdefg abcdefgh admin administrator asdf asdfgh asdfghjkl aaaaaa baidu beijing changeme
chongqing computer default dianhua dragon duty dutyring football guest hello helloworld huawei iloveyou letmein
lenovo login master monkey office pass passw passwd passwort password princess qazwsx qazwsxedc qwe qweasd
qweasdzxc qwer qwert qwerty qwertyuiop root secret server shadow shanghai shijiazhuang sunshine superman sysadmin
system taobao temp test tiankong user welcome windows woaini woaizhongguo woshishui xitong yunwei zhengfu zhiban
zhibanshi zhibandianhua zhongguo zhonghua zxc zxcv zxcvb zxcvbnm mima kouling guanli guanliyuan choucha
"""
COMMON = frozenset(_WORDS.split())
"""Words that begin most lists of guesses, as they are typed here; with figures around them they are no better."""
_RUNS = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_LEET = str.maketrans("013457@$!", "oieastasi")
_waiting = 0
T = TypeVar("T")


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="argon2", initializer=_step_back)


def _step_back() -> None:
    """Let pages and calls go before hashing. Linux keeps the priority of each thread; argon2's own inherit it."""
    with contextlib.suppress(OSError):
        os.setpriority(
            os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + BEHIND
        )


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash that is checked where there is no account, so that the time of the answer does not tell."""
    return HASHER.hash("nobody has this one")


async def _aside(work: Callable[[], T]) -> T:
    """Do the work in a thread. Raises `UnavailableError` when too many wait for theirs."""
    global _waiting
    if _waiting >= MOST_WAITING:
        raise UnavailableError("登录的人太多，请过几秒再试")
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), work)
    finally:
        _waiting -= 1


async def hashed(password: str) -> str:
    """Return what is kept of a password. Raises `UnavailableError` when too many wait."""
    return await _aside(lambda: HASHER.hash(password))


async def fits(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept; nothing kept takes the same time. Raises `UnavailableError`."""
    if len(password) > MOST_SIGNS:
        kept = None
    right = await _aside(lambda: HASHER.verify(password[:MOST_SIGNS], kept or _nobody()))
    return right and kept is not None


async def used_before(password: str, account: Account) -> bool:
    """Whether it is one of the account's last passwords. Raises `UnavailableError`."""
    kept = [found for found in (account.password_hash, *account.former_hashes) if found][:KEPT]
    return await _aside(lambda: any(HASHER.verify(password, found) for found in kept))


class Lack(NamedTuple):
    """What a new password lacks: a sentence in Chinese, with the names of its values in it."""

    message: str
    values: Mapping[str, int] = MappingProxyType({})

    def __str__(self) -> str:
        return self.message % self.values


def lacks(settings: Settings, password: str, login: str, name: str) -> Sequence[Lack]:
    """What a new password lacks; nothing for a good one."""
    found = []
    if len(password) < settings.password_length:
        found.append(Lack("口令至少 %(n)s 位", {"n": settings.password_length}))
    if len(password) > MOST_SIGNS:
        found.append(Lack("口令至多 %(n)s 位", {"n": MOST_SIGNS}))
    if len(password) < settings.password_phrase_length and _classes(password) < settings.password_classes:
        values = {"classes": settings.password_classes, "phrase": settings.password_phrase_length}
        found.append(Lack(CLASSES, values))
    if _names(password, login, name):
        found.append(Lack("口令不能含有登录名或姓名"))
    if _common(password):
        found.append(Lack("口令太常见，容易被猜到"))
    return found


def _classes(password: str) -> int:
    kinds = ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]")
    return sum(bool(re.search(kind, password)) for kind in kinds)


def _names(password: str, login: str, name: str) -> bool:
    plain = password.casefold()
    own = {login.casefold(), name.casefold()}
    if any(word in plain for word in own if len(word) >= 3 or (word and not word.isascii())):
        return True
    # Its tables take 0.3 s to load: only who sets a password pays for them.
    from pypinyin import lazy_pinyin

    spelt = "".join(lazy_pinyin(name)).casefold()
    return len(spelt) >= 4 and spelt in re.sub(r"[^a-z]", "", plain)


def _common(password: str) -> bool:
    plain = password.casefold()
    if len(set(plain)) < 5:
        return True
    core = re.sub(r"^[^a-z@$]+|[^a-z]+$", "", plain)
    for text in (plain, core.translate(_LEET)):
        parts = [part for part in re.split(r"[^a-z]+", text) if part]
        if (
            parts
            and all(part in COMMON or len(part) < 3 for part in parts)
            and any(p in COMMON for p in parts)
        ):
            return True
    letters = re.sub(r"[^a-z0-9]", "", plain)
    return len(letters) >= 6 and any(letters in run * 2 for run in _RUNS)
