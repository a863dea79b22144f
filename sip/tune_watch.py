"""What a phone makes of music before the answer: whether it is the line's (彩铃) or our own trunk's."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from sip.progress.tunes import OWNERS, EarlySound, Tune, TuneBook
from sip.record import CallRecord

log = logging.getLogger(__name__)
OnTune = Callable[[Tune], None]


class TuneWatch:
    """Remembers what each trunk gave before its answers; `on_tune` is told each tune, to be kept over a restart."""

    def __init__(self, tunes: Iterable[Tune] = (), on_tune: OnTune | None = None) -> None:
        self._book = TuneBook(tunes)
        self._on_tune = on_tune

    def is_trunks(self, trunk: str, owner: str, record: CallRecord, early: EarlySound) -> bool:
        """Take note of a call; whether its early music was heard alike on lines of `OWNERS` units by now."""
        prints = early.tune(record.early_media)
        if prints is None or record.announcements:
            return False
        tune = Tune(trunk, owner, prints, time.time())
        owners = self._book.note(tune)
        if self._on_tune is not None:
            try:
                self._on_tune(tune)
            except Exception:
                # Whoever keeps tunes must not be able to harm a call.
                log.exception("the keeper of tunes failed")
        return len(owners) >= OWNERS
