"""Every simulated line called over real loopback UDP by a caller on the same core; waits run faster than life."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio

from sip.core import (
    Address,
    Answered,
    Credentials,
    Ended,
    Invite,
    Provisional,
    Refused,
    Rejected,
    TimedOut,
    build_offer,
)
from sip.simulator import (
    BEHAVIOURS,
    DIGEST_PASSWORD,
    DIGEST_USER,
    FIRST_LOAD_LINE,
    Answer,
    Behaviour,
    Challenge,
    Expectation,
    HangUp,
    Never,
    Redirect,
    Reject,
    Say,
    Simulator,
    Wait,
)
from sip.simulator import Provisional as Provision
from sip.transport import SipAgent

SPEED = 20.0
LOOPBACK = Address("127.0.0.1", 0)
RIGHT = Credentials(DIGEST_USER, DIGEST_PASSWORD)
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("simulator_calls")]


@dataclass
class Heard:
    """The packets of one call: monotonic arrival and bytes."""

    packets: list[tuple[float, bytes]] = field(default_factory=list)


class Ear(asyncio.DatagramProtocol):
    """The caller's RTP socket."""

    def __init__(self):
        self.heard = Heard()

    def datagram_received(self, data, addr):
        self.heard.packets.append((time.monotonic(), data))


@dataclass
class Transcript:
    """What one call brought."""

    provisional: list[tuple[float, Provisional]] = field(default_factory=list)
    answered: tuple[float, Answered] | None = None
    rejected: tuple[float, Rejected] | None = None
    cancelled: bool = False
    ended: Ended | None = None
    heard: Heard = field(default_factory=Heard)

    @property
    def statuses(self):
        final = self.answered or self.rejected
        status = [final[1].response.status] if final else []
        return [event.status for _, event in self.provisional] + status


class Caller:
    """Calls, acknowledges, cancels when it is told to, and hangs up."""

    def __init__(self, agent):
        self.agent = agent
        self.seen = Transcript()
        self.over = asyncio.Event()
        self.turn = asyncio.Event()

    def on_sent(self, datagram, at):
        pass

    def on_event(self, event, clock):
        match event:
            case Provisional():
                self.seen.provisional.append((event.at, event))
            case Answered():
                self.seen.answered = (event.at, event)
                if not event.after_cancel:
                    self.call.acknowledge(time.monotonic())
                    self.agent.flush()
            case Rejected():
                self.seen.rejected = (event.at, event)
                self.over.set()
            case Ended() | TimedOut() | Refused():
                self.seen.ended = event
                self.over.set()
        self.turn.set()

    async def place(self, target, destination, offer, credentials=None):
        invite = Invite(target, destination, "sip:check@127.0.0.1", offer=offer, credentials=credentials)
        self.call = self.agent.prepare_call(invite, self)
        self.call.start(time.monotonic())
        self.agent.flush()

    async def until(self, condition, seconds=30.0):
        async with asyncio.timeout(seconds):
            while not condition(self.seen) and not self.over.is_set():
                self.turn.clear()
                await self.turn.wait()

    async def finish(self, cancel=False):
        now = time.monotonic()
        if not self.over.is_set():
            self.seen.cancelled = cancel
            (self.call.cancel if cancel else self.call.hang_up)(now)
            self.agent.flush()
        async with asyncio.timeout(30):
            await self.over.wait()
        return self.seen


@contextlib.asynccontextmanager
async def calling(simulator, extension, credentials=None, offer=True):
    """Place a call from a socket of its own, with an RTP socket behind its offer."""
    agent = SipAgent.open(LOOPBACK)
    loop = asyncio.get_running_loop()
    transport, ear = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    caller = Caller(agent)
    caller.seen.heard = ear.heard
    sdp = build_offer(Address(*transport.get_extra_info("sockname")), 1) if offer else None
    try:
        await caller.place(f"sip:{extension}@{simulator.local}", simulator.local, sdp, credentials)
        yield caller
    finally:
        transport.close()
        agent.close()


def provisionals(line):
    return [step.status for step in line.steps if isinstance(step, Provision)]


def gives_no_final(line):
    return isinstance(line.steps[-1], Never) and not any(isinstance(step, Answer) for step in line.steps)


async def whole_call(simulator, line):
    """Call a line as far as its script goes: cancel where no final response comes, hang up soon after an answer."""
    expected = len(provisionals(line)) + 1
    async with calling(simulator, line.extension, RIGHT) as caller:
        if gives_no_final(line):
            await caller.until(lambda seen: len(seen.provisional) == expected)
            return await caller.finish(cancel=True)
        await caller.until(lambda seen: seen.answered or seen.rejected)
        await asyncio.sleep(0.15)
        return await caller.finish()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulator():
    async with Simulator(speed=SPEED, lines=3) as far_end:
        yield far_end


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transcripts(simulator):
    """All lines called at once."""
    calls = [whole_call(simulator, line) for line in BEHAVIOURS.values()]
    return dict(zip(BEHAVIOURS, await asyncio.gather(*calls), strict=True))


@pytest.mark.parametrize("extension", BEHAVIOURS)
async def test_the_responses_are_those_of_the_script(transcripts, extension):
    line, seen = BEHAVIOURS[extension], transcripts[extension]
    final = [step.status for step in line.steps if isinstance(step, Reject | Redirect)]
    if any(isinstance(step, Answer) for step in line.steps) or line.ignore_cancel:
        final = [200]
    elif not final:
        final = [487]
    trying = [100, 100] if line.needs_credentials else [100]
    assert seen.statuses == [*trying, *provisionals(line), *final]
    assert seen.cancelled == gives_no_final(line)
    assert seen.rejected is not None or seen.ended is not None


@pytest.mark.parametrize("extension", BEHAVIOURS)
async def test_sdp_and_headers_are_where_the_script_puts_them(transcripts, extension):
    line, seen = BEHAVIOURS[extension], transcripts[extension]
    steps = [step for step in line.steps if isinstance(step, Provision)]
    events = [event for _, event in seen.provisional if event.status != 100]
    for step, event in zip(steps, events, strict=True):
        assert (event.sdp is not None) == step.sdp
        for name, text in step.headers:
            assert event.response.header(name).startswith(text.partition("{")[0])
            assert f"sip:{extension}@" in event.response.header(name)
            assert "{" not in event.response.header(name)
    if seen.answered:
        assert seen.answered[1].sdp.address.host == "127.0.0.1"


@pytest.mark.parametrize(
    "extension",
    [
        e
        for e, line in BEHAVIOURS.items()
        if line.expect.answer_source == "signalling" and line.expect.ring_to_answer_ms
    ],
)
async def test_the_answer_is_never_before_its_time(transcripts, extension):
    seen, expect = transcripts[extension], BEHAVIOURS[extension].expect
    if extension == "63":
        ringing = next(at for at, event in seen.provisional if event.status == 183)
    else:
        ringing = next(at for at, event in seen.provisional if event.status == 180)
    waited_ms = (seen.answered[0] - ringing) * 1000
    nominal_ms = expect.ring_to_answer_ms / SPEED
    # Late by what a crowded machine takes, early only by the delay of the 180 itself.
    assert nominal_ms - 100 < waited_ms < nominal_ms + 1500


async def test_who_hangs_up(transcripts):
    assert transcripts["62"].ended.by == "us"
    assert transcripts["97"].ended.by == "us"
    assert transcripts["97"].answered[1].after_cancel


async def test_redirection_names_the_mobile(transcripts):
    assert transcripts["302"].rejected[1].contacts[0].startswith("sip:13900000302@")


async def test_an_unknown_extension_is_404(simulator):
    for extension in ("12345", "", str(FIRST_LOAD_LINE + 3)):
        async with calling(simulator, extension) as caller:
            await caller.until(lambda seen: seen.rejected)
            assert caller.seen.rejected[1].status == 404


async def test_load_lines_talk_until_the_caller_hangs_up(simulator):
    for number in range(3):
        async with calling(simulator, FIRST_LOAD_LINE + number) as caller:
            await caller.until(lambda seen: seen.answered)
            assert caller.seen.statuses == [100, 180, 200]
            await asyncio.sleep(0.3)
            assert not caller.over.is_set()
            assert (await caller.finish()).ended.by == "us"


@pytest.mark.parametrize(
    "credentials", [None, Credentials(DIGEST_USER, "wrong"), Credentials("somebody", DIGEST_PASSWORD)]
)
async def test_digest_without_the_right_password_goes_no_further(simulator, credentials):
    async with calling(simulator, "98", credentials) as caller:
        await caller.until(lambda seen: seen.rejected)
        assert caller.seen.rejected[1].status == 407
        assert 180 not in caller.seen.statuses


async def test_a_password_of_ones_own_and_sha256():
    line = replace(BEHAVIOURS["98"], extension="981", steps=(Challenge(algorithm="SHA-256"), Reject(486)))
    async with (
        Simulator(scenario={"981": line}, password="secret", speed=SPEED) as far_end,
        calling(far_end, "981", Credentials(DIGEST_USER, "secret")) as caller,
    ):
        await caller.until(lambda seen: seen.rejected)
        assert caller.seen.rejected[1].status == 486


async def test_an_invite_without_offer_is_answered_with_one(simulator):
    async with calling(simulator, "61", offer=False) as caller:
        await caller.until(lambda seen: seen.answered)
        assert all(event.sdp is None for _, event in caller.seen.provisional)
        assert caller.seen.answered[1].sdp.address.host == "127.0.0.1"
        assert (await caller.finish()).ended.by == "us"


async def test_an_offer_without_g711_is_refused(simulator):
    sdp = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"
    agent = SipAgent.open(LOOPBACK)
    caller = Caller(agent)
    await caller.place(f"sip:61@{simulator.local}", simulator.local, sdp)
    await caller.until(lambda seen: seen.rejected)
    agent.close()
    assert caller.seen.rejected[1].status == 488


async def test_a_line_replaced_by_a_scenario_and_hanging_up_itself():
    steps = (
        Provision(182, reason="Queued", headers=(("X-Place", "{user} at {host}"),)),
        Answer(),
        Wait(0.1),
        HangUp(),
    )
    line = Behaviour("86", "queued", "", steps, Expectation("answered"))
    async with Simulator(scenario={"86": line}) as far_end, calling(far_end, "86") as caller:
        await caller.until(lambda seen: seen.ended)
        assert caller.seen.statuses == [100, 182, 200]
        assert caller.seen.ended.by == "them"
        response = caller.seen.provisional[1][1].response
        assert response.reason == "Queued"
        assert response.header("X-Place") == f"86 at {far_end.local}"


async def test_stopping_ends_every_call_properly():
    far_end = Simulator()
    await far_end.start()
    async with contextlib.AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(calling(far_end, extension)) for extension in ("92", "70", "71")
        ]
        await callers[0].until(lambda seen: seen.answered)
        for caller in callers[1:]:
            await caller.until(lambda seen: len(seen.provisional) > 1)
        assert far_end.live_calls == 3
        stopping = asyncio.create_task(far_end.stop())
        for caller in callers:
            await caller.until(lambda seen: seen.ended or seen.rejected)
        await stopping
    assert callers[0].seen.ended.by == "them"
    assert [caller.seen.rejected[1].status for caller in callers[1:]] == [480, 480]
    assert far_end.live_calls == 0


async def test_a_caller_that_vanishes_does_not_keep_its_line():
    line = Behaviour("5", "short", "", (Answer(), Wait(0.1), HangUp()), Expectation("answered"))
    async with Simulator(scenario={"5": line}) as far_end:
        async with calling(far_end, "5") as caller:
            await caller.until(lambda seen: seen.answered)
        async with asyncio.timeout(30):
            while far_end.live_calls:
                await asyncio.sleep(0.05)


async def test_no_call_is_left_over(simulator, transcripts):
    async with asyncio.timeout(10):
        while simulator.live_calls:
            await asyncio.sleep(0.02)
    assert any(isinstance(step, Say) for step in BEHAVIOURS["404"].steps)
