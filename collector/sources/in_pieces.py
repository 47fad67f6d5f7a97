"""Lines that come in pieces: cut by a container's runtime, or the events of a streamed answer, told when they end."""

from __future__ import annotations

from typing import Any

import orjson

from collector.parsers.prefilter import may_be_ours
from collector.sources.answer_events import ANSWER
from collector.sources.base import MAX_LINE
from collector.sources.gathering import Gathering
from collector.sources.open_file import OpenFile, Pieces
from collector.sources.wrappers import Unwrapped

_SPAN = 8 * 1024 * 1024  # bytes of a file that may lie between the pieces of one line


class InPieces(Gathering):
    """Puts pieces together."""

    @staticmethod
    def _is_beside(file: OpenFile, found: Unwrapped, message: str) -> bool:
        """Say whether what may be ours stands beside a line, and not in it: a member that is merely called `log`."""
        if found.message is None or found.more or (found.stream, found.pieces) in file.pieces:
            return False
        return not may_be_ours(found.message) and may_be_ours(message)

    def _unwrapped(self, file: OpenFile, found: Unwrapped, start: int, length: int, *, partial: bool) -> None:
        """Tell a line by what stood around it; of one in pieces, when its last has come."""
        again = file.offset < file.seen
        if found.message is None:
            self.skip("message_left_out", file, length, again=again)
            return
        key = (found.stream, found.pieces)
        message = found.message
        if found.more or key in file.pieces:
            if partial:
                return  # its pieces are read again when its newline has come
            begun = file.pieces.setdefault(key, Pieces(start, [], 0))
            begun.length += len(message)
            if begun.length <= MAX_LINE:
                begun.texts.append(message)
            if found.more:
                return
            message, start = "".join(file.pieces.pop(key).texts), begun.start
            length = begun.length
        if length > MAX_LINE:
            self.skip("too_long", file, length, again=again)
        elif may_be_ours(message):
            origin = file.origin
            if found.stream is not None:
                origin = self.origin(origin.account, origin.log_group, found.stream)
            self._line(file, message, found.ts_ms, origin, start, partial=partial)
        else:
            self._ignore("other", again=again)

    def _joined(self, file: OpenFile, event: dict[str, Any], start: int) -> bool:
        """Take an event of a streamed answer, which is told as a whole when it ends; False: it belongs to none."""
        begun = file.pieces.get(ANSWER)
        if event["type"] == "message_start":
            if begun is not None:
                self._answer(file, partial=False)  # it broke off
            begun = file.pieces[ANSWER] = Pieces(start, [], 0)
        elif begun is None:
            return False
        if not event["type"].startswith("content_block") and begun.length <= MAX_LINE:
            begun.texts.append(orjson.dumps(event).decode())
            begun.length += len(begun.texts[-1])
        if event["type"] == "message_stop":
            self._answer(file, partial=False)
        return True

    def _answer(self, file: OpenFile, *, partial: bool) -> None:
        """Tell the answer whose events were joined."""
        begun = file.pieces.pop(ANSWER)
        if begun.start in file.counted:
            file.seen = max(file.seen, file.offset + 1)
        self._line(file, f"[{','.join(begun.texts)}]", None, file.origin, begun.start, partial=partial)

    def answer_so_far(self, file: OpenFile) -> None:
        """Tell what is there of an answer whose events may go on; its whole will replace it."""
        begun = file.pieces.get(ANSWER)
        if begun is not None:
            self._answer(file, partial=True)
            file.pieces[ANSWER] = begun

    def pieces_left(self, file: OpenFile, *, ended: bool) -> None:
        """Give up lines in pieces whose end will not come: nothing follows (`ended`), or too much has followed."""
        for key, begun in list(file.pieces.items()):
            if ended or file.offset - begun.start > _SPAN:
                if key == ANSWER:
                    self._answer(file, partial=False)
                    continue
                del file.pieces[key]
                self.skip("cut_off", file, begun.length, again=begun.start < file.seen)
