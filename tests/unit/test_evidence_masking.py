"""What leaves in an evidence bundle: answer keys masked however long the text, hashes and moments as they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.answers.masking import mask
from app.evidence.bundle_masking import masked, masked_text, wordless

KEYS = ("0512-83217764", "83217765转12", "12345", "0512-110")


def test_lines_that_hold_a_key() -> None:
    text = "INVITE sip:051283217764@10.0.0.1\r\nCSeq: 1\r\nX: 8321 7765;ext=12\r\n报八三二一七七六五\r\n"
    found = masked_text(text, KEYS)
    assert found.count("＊") == 12 + 8 + 2 + 8
    assert len(found) == len(text)
    assert "CSeq: 1\r\n" in found


@given(
    st.lists(
        st.sampled_from(
            (
                "83217764",
                "0512",
                "8321776",
                "5",
                "12345",
                "110",
                " ",
                "-",
                "sip:",
                "x",
                ";",
                "八三二一七七六四",
                "12",
            )
        )
    )
)
def test_reading_line_by_line_leaves_nothing_that_reading_with_care_finds(parts: list[str]) -> None:
    text = "".join(parts)
    assert masked_text(text, KEYS) == mask(text, KEYS)


def test_hashes_and_moments_stay() -> None:
    digest = "83217764" * 8
    moment = "2026-12-34T12:34:51.234500+08:00"
    value = {"sha256": digest, "at": moment, "said": ["83217764", 83217764, None, True]}
    assert masked(value, KEYS) == {
        "sha256": digest,
        "at": moment,
        "said": ["＊＊＊＊＊＊＊＊", 83217764, None, True],
    }
    assert masked(value, ()) == value


def test_without_words() -> None:
    value = {
        "transcript": {"text": "密"},
        "answerer": [{"detail": "says 密"}],
        "x": "words: “密” (a)",
        "n": 1.5,
    }
    found = wordless(value)
    assert "密" not in str(found)
    assert found["transcript"] is None
    assert found["n"] == 1.5
