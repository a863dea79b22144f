"""Forwarding as signalling shows it: only what proves a diversion counts."""

import pytest

from sip.numbers import normalise_user
from sip.progress.forwarding import RoutingSign, classify_target, detect_forwarding, user_of
from sip.record import Forwarding

DIALLED = "sip:05173212345@pbx.example"


def sign(status: int = 180, **fields: tuple[str, ...]) -> RoutingSign:
    return RoutingSign(t_ms=100.0, status=status, **fields)


def test_nothing_is_nothing() -> None:
    found = detect_forwarding(DIALLED, [sign(180), sign(200)])
    assert (found.detected, found.grade, found.evidence) == (False, "none", ())


def test_181_is_definitive_without_a_target() -> None:
    found = detect_forwarding(DIALLED, [sign(181)])
    assert (found.detected, found.grade, found.target, found.target_class) == (
        True,
        "definitive",
        None,
        "unknown",
    )
    assert [e.kind for e in found.evidence] == ["sip_181"]


def test_redirection_to_a_mobile() -> None:
    found = detect_forwarding(DIALLED, [sign(302, contacts=("<sip:13900001111@gw>;expires=60",))])
    assert (found.grade, found.target, found.target_class) == ("definitive", "13900001111", "mobile")
    assert found.evidence[0].kind == "redirect"


def test_of_several_contacts_the_preferred_one_counts() -> None:
    contacts = ("<sip:02988880000@gw>;q=0.3", '"q=1" <sip:13900001111@gw>;Q=0.7', "<sip:13900002222@gw>")
    assert detect_forwarding(DIALLED, [sign(302, contacts=contacts)]).target == "13900001111"
    assert detect_forwarding(DIALLED, [sign(302, contacts=contacts[:1])]).target == "02988880000"
    bare = ("<sip:13900003333@gw>", "<sip:13900004444@gw>")
    assert detect_forwarding(DIALLED, [sign(302, contacts=bare)]).target == "13900003333"


def test_redirection_to_the_same_number_elsewhere_is_none() -> None:
    contacts = ("<sip:+865173212345@other.example>",)
    dialled = "sip:+86-517-3212345@pbx.example"
    assert not detect_forwarding(dialled, [sign(302, contacts=contacts)]).evidence


@pytest.mark.parametrize(
    ("history", "condition"),
    [
        (("<sip:05173212345@a>;index=1", "<sip:013900001111@b;cause=302>;index=1.1"), "always"),
        (("<sip:05173212345@a?Reason=SIP%3Bcause%3D486>;index=1", "<sip:8012@b>;index=1.1"), "busy"),
        (("<sip:05173212345@a>;index=1", "<sip:8012@b;cause=408>;index=1.1"), "no_answer"),
        (("<sip:05173212345@a>;index=1", "<sip:8012@b>;index=1.1;mp=1"), "unknown"),
    ],
)
def test_history_with_a_diversion(history: tuple[str, ...], condition: str) -> None:
    found = detect_forwarding(DIALLED, [sign(history_info=history)])
    assert (found.grade, found.condition) == ("definitive", condition)


@pytest.mark.parametrize(
    "history",
    [
        ("<sip:05173212345@a>;index=1", "<sip:05173212345@b;cause=302>;index=1.1"),
        ("<sip:05173212345@a>;index=1", "<sip:8012@b>;index=1.1;rc=1"),
        ("<sip:05173212345@a>;index=1", "<sip:8012@b;cause=200>;index=1.1"),
        ("garbage",),
    ],
)
def test_history_that_proves_nothing(history: tuple[str, ...]) -> None:
    assert not detect_forwarding(DIALLED, [sign(history_info=history)]).evidence


def test_diversion_names_its_condition() -> None:
    value = '"Office" <sip:05173212345@pbx>;reason=no-answer;counter=1'
    found = detect_forwarding(DIALLED, [sign(200, diversion=(value,))])
    assert (found.grade, found.condition, found.target) == ("definitive", "no_answer", None)


@pytest.mark.parametrize("value", ["\x01", "unknown", "<sip:host.example>;reason=unconditional", ""])
def test_diversion_that_names_nobody_proves_nothing(value: str) -> None:
    assert not detect_forwarding(DIALLED, [sign(200, diversion=(value,))]).evidence


def test_color_ring_alone_is_weak() -> None:
    found = detect_forwarding(DIALLED, [sign(200)], crbt_ms=210.0)
    assert (found.detected, found.grade, found.target_class) == (False, "weak", None)
    assert [(e.kind, e.t_ms) for e in found.evidence] == [("crbt", 210.0)]


def test_the_same_sign_twice_is_one_piece_of_evidence() -> None:
    value = ("<sip:13900001111@b>;reason=unconditional",)
    found = detect_forwarding(DIALLED, [sign(180, diversion=value), sign(200, diversion=value)])
    assert len(found.evidence) == 1
    assert (found.target, found.condition) == ("13900001111", "always")


@pytest.mark.parametrize(
    ("user", "plain"),
    [
        ("+8613900001111", "13900001111"),
        ("008613900001111", "13900001111"),
        ("013900001111", "13900001111"),
        ("0517-321 2345", "5173212345"),
        ("+8605173212345", "5173212345"),
        ("3212345", "3212345"),
        ("0086 517 321 2345", "5173212345"),
        ("62", "62"),
        ("Duty.Office", "duty.office"),
        ("8012;phone-context=x", "8012"),
    ],
)
def test_users_are_normalised(user: str, plain: str) -> None:
    assert normalise_user(user) == plain


@pytest.mark.parametrize(
    "same", ["+865173212345", "05173212345", "5173212345", "3212345", "0086-517-3212345"]
)
def test_the_dialled_number_in_another_notation_is_no_other_number(same: str) -> None:
    contacts = (f"<sip:{same}@gw.example>",)
    history = ("<sip:05173212345@a>;index=1", f"<sip:{same}@b;cause=302>;index=1.1")
    assert not detect_forwarding(DIALLED, [sign(302, contacts=contacts)]).evidence
    assert not detect_forwarding(DIALLED, [sign(180, history_info=history)]).evidence


@pytest.mark.parametrize("other", ["345", "8012", "05173212346", "13900001111", "2345"])
def test_another_number_is_another_number(other: str) -> None:
    history = ("<sip:05173212345@a>;index=1", f"<sip:{other}@b;cause=302>;index=1.1")
    assert detect_forwarding(DIALLED, [sign(180, history_info=history)]).grade == "definitive"


def test_users_and_classes() -> None:
    assert user_of("<tel:+86-139-0000-1111>;x=1") == "+86-139-0000-1111"
    assert user_of("sip:h") is None
    assert classify_target("+86 139 0000 1111") == "mobile"
    assert classify_target("05173212345") == "other_fixed"
    assert classify_target("reception") == "unknown"


@pytest.mark.parametrize(("status", "grade"), [(302, "definitive"), (305, "none"), (380, "none")])
def test_a_proxy_on_the_way_is_no_target(status: int, grade: str) -> None:
    """RFC 3261 section 21.3: the Contact of a 305 is a proxy, that of a 380 another service."""
    assert detect_forwarding(DIALLED, [sign(status, contacts=("<sip:lr@proxy.example>",))]).grade == grade


def test_a_diversion_of_our_own_that_comes_back_proves_nothing() -> None:
    """Trunks that show another number of ours say so by Diversion in the INVITE; some networks send it back."""
    ours, theirs = "<sip:05171234567@us>;reason=unconditional", "<sip:13900001111@a>;reason=no-answer"
    back = RoutingSign(100.0, 183, diversion=(ours,), own="sip:+865171234567@us")
    assert detect_forwarding(DIALLED, [back]) == Forwarding()
    both = RoutingSign(100.0, 183, diversion=(theirs, ours), own="sip:+865171234567@us")
    found = detect_forwarding(DIALLED, [both])
    assert (found.grade, found.target, found.condition) == ("definitive", "13900001111", "no_answer")


@pytest.mark.parametrize(
    ("user", "grade"), [("8888#05173212345", "none"), ("8888#05173219999", "definitive")]
)
def test_a_carriers_prefix_makes_no_other_number(user: str, grade: str) -> None:
    history = ("<sip:05173212345@a?Reason=SIP%3Bcause%3D503>;index=1", f"<sip:{user}@b>;index=1.1")
    assert detect_forwarding(DIALLED, [sign(180, history_info=history)]).grade == grade
