"""What comes in pieces and is told when it ends: lines that a container's runtime cut, and objects whose lines it
passed on one by one; the events of a streamed answer.
"""

from __future__ import annotations

from typing import Any

import orjson

from collector.limits import MAX_LINE
from collector.parsers.prefilter import may_be_ours
from collector.sources.answer_events import ANSWER
from collector.sources.gathering import Gathering
from collector.sources.indented import Spread
from collector.sources.open_file import OpenFile, Pieces
from collector.sources.wrappers import Unwrapped

_SPAN = 8 * 1024 * 1024  # bytes of a file that may lie between the pieces of one line


class InPieces(Gathering):
    """Puts pieces together."""

    @staticmethod
    def _is_beside(file: OpenFile, found: Unwrapped, message: str) -> bool:
        """Say whether what may be ours stands beside a line, and not in it: a member that is merely called `log`."""
        key = (found.stream, found.pieces)
        if found.message is None or found.more or key in file.pieces or key in file.spread:
            return False
        return not may_be_ours(found.message) and may_be_ours(message)

    def _unwrapped(
        self, file: OpenFile, found: Unwrapped, line: str, start: int, length: int, *, partial: bool
    ) -> None:
        """Tell a line by what stood around it; one in pieces, or an object over several, when the last has come."""
        key = (found.stream, found.pieces)
        message = found.message
        in_pieces = found.more or key in file.pieces
        if message is None or in_pieces:
            self._scatter_of(file, found.stream, partial=partial)
        if message is None:
            self.skip("message_left_out", file, length, again=file.offset < file.seen)
            return
        if in_pieces:
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
        elif self._of_object(file, found, message, (start, line, length), partial=partial):
            return
        self._out(file, found, message, start, length, partial=partial)

    def _out(self, file: OpenFile, found: Unwrapped, message: str, start: int, length: int, *, partial: bool) -> None:
        """Tell what was in a wrapper, or in several."""
        again = file.offset < file.seen
        if length > MAX_LINE:
            self.skip("too_long", file, length, again=again)
        elif may_be_ours(message):
            origin = file.origin
            if found.stream is not None:
                origin = self.origin(origin.account, origin.log_group, found.stream)
            self._line(file, message, found.ts_ms, origin, start, partial=partial)
        else:
            self._ignore("other", again=again)

    def _of_object(
        self, file: OpenFile, found: Unwrapped, text: str, line: tuple[int, str, int], *, partial: bool
    ) -> bool:
        """Take a line of an object whose lines come one by one; False: it is a line by itself.

        A line that does not fit begins no other: where two writers mix their objects, neither is put together.
        """
        key = (found.stream, found.pieces)
        start, whole, length = line
        begun = file.spread.get(key)
        if begun is None:
            if partial or not (file.wrapped and self._gathers) or text.rstrip() != "{":
                return False
            begun = file.spread[key] = Spread(start)
        elif partial:
            return True  # it is read again when its newline has come
        if not begun.add(start, whole, length, text):
            self._scatter(file, key)
            return False
        if begun.closed:
            told = begun.read()
            if told is None:
                self._scatter(file, key)
            else:
                del file.spread[key]
                if begun.start in file.counted:
                    file.seen = max(file.seen, file.offset + 1)
                self._out(file, found, told, begun.start, begun.length, partial=False)
        return True

    def _scatter_of(self, file: OpenFile, stream: str | None, *, partial: bool) -> None:
        """Give up the objects of a stream of which a line may be missing."""
        for key in [] if partial else [key for key in file.spread if key[0] == stream]:
            self._scatter(file, key)

    def scatter(self, file: OpenFile) -> None:
        """Give up every object over several wrapped lines."""
        for key in list(file.spread):
            self._scatter(file, key)

    def _scatter(self, file: OpenFile, key: tuple[str | None, str]) -> None:
        """Tell the lines of an object that is none, or whose end will not come, one by one."""
        begun = file.spread.pop(key)
        here, seen = file.offset, file.seen
        file.seen = seen_by_line(file, begun.start, here)
        self._gathers = False
        for offset, line, length in begun.told:
            file.offset = offset
            self._text(file, line, offset, length, partial=False)
        self._gathers = True
        file.offset, file.seen = here, seen

    def _text(self, file: OpenFile, message: str, start: int, length: int, *, partial: bool) -> None:
        """Make an event of a text that begins at `start`."""
        raise NotImplementedError

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
        for key, spread in list(file.spread.items()):
            if ended or file.offset - spread.start > _SPAN:
                self._scatter(file, key)


def seen_by_line(file: OpenFile, start: int, here: int) -> int:
    """Return up to where lines were counted, for those of an object that began at `start` and is given up `here`.

    What earlier passes saw of an object that was still open then, they did not count: unless it was as cut off.
    """
    return start if here >= file.seen and start not in file.counted else file.seen
