"""Sparklines: pictures that no chart library draws, with words for who does not see them."""

import base64
import re

from dashboard import kpis, sparks
from dashboard.kpis import Kpi
from tests.dashboard.test_kpis import GOOD


def points(told: str) -> str:
    """The points of the line in a picture."""
    packed = re.search(r"base64,([^\"]+)", told)
    assert packed
    line = re.search(r'<polyline points="([^"]+)"', base64.b64decode(packed.group(1)).decode())
    assert line
    return line.group(1)


def test_a_sparkline_says_its_range() -> None:
    """Lowest, highest and latest in the form of the figure."""
    card = kpis.card(Kpi("net_savings_usd", "money", spark="v"), GOOD, None, [{"v": 1}, {"v": 3}, {"v": 2}], "en")

    assert card.spark_words == card.label + " over time: lowest $1.00, highest $3.00, latest $2.00."


def test_a_sparkline_goes_from_its_lowest_to_its_highest() -> None:
    """The lowest value lies at the bottom, the highest at the top; what does not change lies in the middle."""
    assert points(sparks.picture([1.0, 3.0, 2.0], "")) == "0.0,41.0 120.0,3.0 240.0,22.0"
    assert points(sparks.picture([5.0, 5.0], "")) == "0.0,22.0 240.0,22.0"


def test_words_do_not_break_out_of_a_picture() -> None:
    """Whatever a label holds stays text."""
    assert sparks.picture([1.0, 2.0], '"><script>').count("<") == 1
