"""The bill of a demo folder: a little traffic that the logs do not have, and a discount, both made up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from core.pricing import default_book
from simulator.admin.ledger import Ledger
from simulator.fleet.folder import read_truth

UNLOGGED_SHARE = Decimal("0.03")
DISCOUNT = Decimal("0.12")


class FleetBill:
    """Bills the calls in a folder that grows; it is read again when its newest file has grown."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: tuple[str, int] | None = None
        self._ledger = Ledger(())

    def __call__(self) -> Ledger:
        """Return the ledger of what the folder holds now."""
        newest = max((self._folder / "truth").glob("*.jsonl"), default=None)
        stamp = (newest.name, newest.stat().st_size) if newest else None
        if stamp != self._stamp:
            self._ledger = Ledger.of_truths(
                read_truth(self._folder), default_book(), unlogged_share=UNLOGGED_SHARE, discount=DISCOUNT
            )
            self._stamp = stamp
        return self._ledger
