"""Keeps choices with translated labels in the URL under language-neutral codes.

Streamlit's own `bind="query-params"` writes the label a viewer sees, so an address shared by a Korean screen would
mean nothing on an English one. `recall` before a widget and `publish` after it do the same with codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

_PAGE, _SAME_PAGE = "_address_page", "_address_same_page"


def arrive() -> None:
    """Note whether this run is about the same page as the one before: a change of page empties the address."""
    page = st.context.url
    st.session_state[_SAME_PAGE] = st.session_state.get(_PAGE) == page
    st.session_state[_PAGE] = page


def recall(key: str, options: Sequence[str], default: str) -> None:
    """Put the address's value into session state when a link or the back button brought another one."""
    told, wrote = st.query_params.get(key), st.session_state.get(_mark(key))
    if told in options and told != wrote:
        st.session_state[key] = told
    elif told is None and wrote is not None and st.session_state[_SAME_PAGE]:
        st.session_state[key] = default  # back to an address without it
    else:
        st.session_state[key] = st.session_state.get(key) or wrote or default


def choose(key: str, options: Sequence[str], label: str, words: Callable[[str], str]) -> str:
    """Draw a choice of one of a few, the first unless the address names another, and put it into the address."""
    recall(key, options, options[0])
    chosen = st.segmented_control(label, options, format_func=words, required=True, key=key)
    publish({key: options[0]})
    return chosen or options[0]


def recall_several(key: str, accepts: Callable[[str], bool]) -> None:
    """Do as `recall` for a choice of several values, none at first."""
    told, wrote = st.query_params.get_all(key), st.session_state.get(_mark(key)) or []
    if told and told != wrote:
        chosen = told
    elif wrote and not told and st.session_state[_SAME_PAGE]:
        chosen = []  # back to an address without it
    else:
        chosen = st.session_state.get(key, wrote)
    st.session_state[key] = [value for value in dict.fromkeys(chosen) if accepts(value)]


def publish(defaults: Mapping[str, str | list[str]]) -> None:
    """Write choices into the address in one step of the browser's history; a default needs no words."""
    chosen = {key: st.session_state.get(key, default) for key, default in defaults.items()}
    spoken = {key: value for key, value in chosen.items() if value != defaults[key]}
    for key in defaults:
        st.session_state[_mark(key)] = spoken.get(key)
        if key not in spoken and key in st.query_params:
            del st.query_params[key]
    if any(st.query_params.get_all(key) != _several(value) for key, value in spoken.items()):
        st.query_params.update(spoken)


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def spoken() -> list[str]:
    """Return the keys that this session has ever put into its address."""
    return [str(key).removeprefix(_mark("")) for key in st.session_state if _is_mark(str(key))]


def _is_mark(key: str) -> bool:
    return key.startswith(_mark("")) and key not in (_PAGE, _SAME_PAGE)


def _mark(key: str) -> str:
    return f"_address_{key}"
