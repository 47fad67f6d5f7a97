"""The colours by calculation: told apart with every kind of colour blindness, and readable as text on both themes."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dashboard import ink

THEME = tomllib.loads((Path(ink.__file__).parent / ".streamlit" / "config.toml").read_text())["theme"]
SCHEMES = ("light", "dark")
TOKENS = {"read": ink.READ, "write 5m": ink.WRITE_5M, "write 1h": ink.WRITE_1H, "uncached": ink.UNCACHED}

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (IEEE TVCG 15, 2009), severity 1.0; they are applied to linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ @ np.ones(3)
LEAST_DISTANCE = 25.0  # CIE76; 2.3 is just noticeable, ten times that is told apart in thin lines and small areas
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11


def linear(colour: str) -> np.ndarray:
    """Return linear RGB of #rrggbb."""
    told = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(told <= 0.04045, told / 12.92, ((told + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of linear RGB under D65."""
    share = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    root = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    light, dark = sorted((float(TO_XYZ[1] @ linear(colour)) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_calculation_is_the_published_one() -> None:
    """Black on white has 21:1, and red and green come closer for those who do not see red."""
    red, green = linear("#d00000"), linear("#008000")

    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert lab(linear("#FFFFFF")) == pytest.approx([100, 0, 0], abs=0.01)
    assert np.linalg.norm(
        lab(VISION["deuteranopia"] @ red) - lab(VISION["deuteranopia"] @ green)
    ) < 0.5 * np.linalg.norm(lab(red) - lab(green))


@pytest.mark.parametrize("vision", VISION)
def test_the_four_token_colours_are_told_apart(vision: str) -> None:
    """Read, both writes and uncached differ for everybody, on charts that are the same in both themes."""
    seen = {name: lab(VISION[vision] @ linear(colour)) for name, colour in TOKENS.items()}

    near = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}

    assert min(near.values()) >= LEAST_DISTANCE, near


@pytest.mark.parametrize("scheme", SCHEMES)
def test_charts_are_seen_on_their_background(scheme: str) -> None:
    """Every token colour stands out from the page: 3:1, as WCAG asks of graphics."""
    back = THEME[scheme]["backgroundColor"]

    found = {name: contrast(colour, back) for name, colour in TOKENS.items()}

    assert min(found.values()) >= SHAPE_CONTRAST, found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("word", ["textColor", "linkColor", "greenColor", "redColor", "orangeColor"])
def test_words_are_read_on_every_background(scheme: str, word: str) -> None:
    """Text, links and the words of good and bad news have 4.5:1 on the page, on cards and in the sidebar."""
    theme = THEME[scheme]
    backs = {theme["backgroundColor"], theme["secondaryBackgroundColor"], theme["sidebar"]["backgroundColor"]}

    found = {back: contrast(theme[word], back) for back in backs}

    assert min(found.values()) >= TEXT_CONTRAST, found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_primary_button_is_read(scheme: str) -> None:
    """White words on the primary colour have 4.5:1."""
    primary = THEME[scheme]["primaryColor"]

    assert contrast("#FFFFFF", primary) >= TEXT_CONTRAST
