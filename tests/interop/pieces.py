"""Short words for what most sipp scenarios have in common; sipp is given the long form.

In a scenario file stand, besides sipp's own elements:

`<invite/>`
    receives an INVITE and keeps its Via, From, To, CSeq and Contact; `with="REGEXP"` is looked for in it.
`<reply status="180 Ringing">more headers</reply>`
    answers that INVITE. `tag` is the To-tag ("" for none), `body` the name of a keyword that holds the body,
    `type` its Content-Type, `contact` another Contact. A 2xx is sent again until the ACK comes, unless
    `once="yes"`; a refusal is sent once.
`<ok/>`, `<ok status="481 Gone" body="sdp">more headers</ok>`
    answers the request that was received last.
`<ask method="INFO" cseq="1">more headers</ask>`
    sends a request in the dialog, with `body`, `type`, `tag` and `contact` as above; `from` is appended to From,
    and `branch="branch-3"` takes the branch of three messages before, as the ACK of a refusal must.
`<expect status="200"/>`
    waits for the response to it.
`<hung-up/>`
    receives our BYE and accepts it.

`[[name]]` is replaced by the keyword of this name before sipp reads the file, where sipp takes none itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from functools import partial

Attributes = Mapping[str, str]
_ELEMENT = re.compile(
    r"<(invite|reply|ok|ask|expect|hung-up)((?:\s+\w+=\"[^\"]*\")*)\s*(?:/>|>(.*?)</\1>)", re.DOTALL
)
_ATTRIBUTE = re.compile(r"(\w+)=\"([^\"]*)\"")
_WORD = re.compile(rb"\[\[(\w+)\]\]")
_KEPT = {"via": "Via:", "from": "From:", "to": "To:", "cseq": "CSeq:", "contact": "Contact:"}
_PATTERNS = {"cseq": "[0-9]+", "contact": "sips?:[^&gt;]*"}
CONTACT = "<sip:62@[local_ip]:[[contact_port]][[parameters]]>"
SDP = "application/sdp"


def expand(text: bytes, keys: Mapping[str, str | bytes]) -> bytes:
    """Return a scenario in sipp's own words, with its `[[name]]` filled in. Raises `KeyError` for an unknown one."""
    short = text.decode("utf-8")
    long = _ELEMENT.sub(_expanded, short)
    if "<invite" in short:
        long = long.replace("</scenario>", f'  <Reference variables="{",".join(_KEPT)}"/>\n</scenario>')
    return _WORD.sub(partial(_filled, keys), long.encode())


def _filled(keys: Mapping[str, str | bytes], found: re.Match[bytes]) -> bytes:
    value = keys[found.group(1).decode()]
    return value.encode() if isinstance(value, str) else value


def _expanded(found: re.Match[str]) -> str:
    name, attributes, inner = found.groups()
    lines = [line.strip() for line in (inner or "").strip().splitlines()]
    given = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(attributes)}
    return _PIECES[name](given, lines)


def _invite(given: Attributes, _: list[str]) -> str:
    actions = [
        f'<ereg regexp="{_PATTERNS.get(name, ".*")}" search_in="hdr" header="{header}" check_it="true" '
        f'assign_to="{name}"/>'
        for name, header in _KEPT.items()
    ]
    if wanted := html.escape(given.get("with", "")):
        # The variable is filled by the last action, so that the check does not change what is kept.
        actions.insert(0, f'<ereg regexp="{wanted}" search_in="msg" check_it="true" assign_to="via"/>')
    return f'<recv request="INVITE"><action>{"".join(actions)}</action></recv>'


def _reply(given: Attributes, headers: list[str]) -> str:
    status, tag = given["status"], given.get("tag", "far")
    lines = [f"SIP/2.0 {status}", "Via:[$via]", "From:[$from]", "To:[$to]" + (f";tag={tag}" if tag else "")]
    lines += ["[last_Call-ID:]", "CSeq: [$cseq] INVITE"]
    if status[0] in "12" and not status.startswith("100"):
        lines.append(f"Contact: {given.get('contact', CONTACT)}")
    again = status.startswith("2") and "once" not in given
    return _send(lines + headers, given, retransmitted=again)


def _ok(given: Attributes, headers: list[str]) -> str:
    lines = [f"SIP/2.0 {given.get('status', '200 OK')}", "[last_Via:]", "[last_From:]", "[last_To:]"]
    return _send([*lines, "[last_Call-ID:]", "[last_CSeq:]", *headers], given)


def _ask(given: Attributes, headers: list[str]) -> str:
    method = given["method"]
    lines = [
        f"{method} [$contact] SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[{given.get('branch', 'branch')}]",
        f"From:[$to]{given.get('from', '')};tag={given.get('tag', 'far')}",
        "To:[$from]",
        "[last_Call-ID:]",
        f"CSeq: {given['cseq']} {method}",
        "Max-Forwards: 70",
        f"Contact: {given.get('contact', CONTACT)}",
    ]
    return _send(lines + headers, given, retransmitted=method != "ACK")


def _expect(given: Attributes, _: list[str]) -> str:
    return f'<recv response="100" optional="true"/><recv response="{given["status"]}"/>'


def _hung_up(_: Attributes, __: list[str]) -> str:
    return '<recv request="BYE"/>' + _ok({}, [])


def _send(lines: list[str], given: Attributes, *, retransmitted: bool = False) -> str:
    body = given.get("body")
    if body:
        lines = [*lines, f"Content-Type: {given.get('type', SDP)}", "Content-Length: [len]", "", f"[{body}]"]
    else:
        lines = [*lines, "Content-Length: 0", ""]
    again = ' retrans="500"' if retransmitted else ""
    return f"<send{again}>\n<![CDATA[\n" + "\n".join(lines) + "\n]]>\n</send>"


_PIECES: Mapping[str, Callable[[Attributes, list[str]], str]] = {
    "invite": _invite,
    "reply": _reply,
    "ok": _ok,
    "ask": _ask,
    "expect": _expect,
    "hung-up": _hung_up,
}
