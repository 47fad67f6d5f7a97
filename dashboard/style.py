"""What the theme has no setting for: a few rules of style, kept to what readers could not do without.

They name parts by what Streamlit calls them in tests, not by the classes it makes up anew with every version; a part
that is called otherwise one day looks as it did without the rule.
"""

from __future__ import annotations

# Streamlit's one colour paints white words' buttons and, on a tint of itself, the chosen word of a group: on dark it
# can be right for the first only.
_INK = "light-dark(#1565A8, #8AC0EE)"
_CHOSEN_WORD = f"[data-testid=stButtonGroup] [data-selected=true] * {{color: {_INK}}}"

# Where the keyboard stands is shown by a faint ground alone, in black on any ground (Plotly), or not at all.
_STOPS = "a, canvas, .modebar-btn, [data-testid=stBaseButton-elementToolbar]"
_FOCUS = f"body :is({_STOPS}):focus-visible {{outline: 2px solid {_INK} !important; outline-offset: -1px}}"
_FILLED = f"body [data-testid=stBaseButton-primary]:focus-visible {{outline: 2px solid {_INK}; outline-offset: 2px}}"

# Closed, the sidebar stands beside the window and keeps its links and boxes: Tab would go through all of them unseen.
_SIDEBAR = "[data-testid=stSidebar][data-collapsed=true]"
_CLOSED = f"{_SIDEBAR}, {_SIDEBAR} * {{visibility: hidden !important}}"

# Korean is broken between words, not within them; what is too long for its line anyhow still breaks.
_SAID = "body :is([data-testid=stMarkdownContainer], [data-testid=stCaptionContainer])"
_WORDS = f"{_SAID}, {_SAID} * {{word-break: keep-all; overflow-wrap: anywhere}}"

RULES = f"<style>{_WORDS}\n{_CHOSEN_WORD}\n{_FOCUS}\n{_FILLED}\n{_CLOSED}</style>"
"""One style element, for `st.html`."""
