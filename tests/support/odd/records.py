"""Odd call records and embedded metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.odd.case import (
    FULL,
    ISO,
    PLAIN,
    T0,
    Odd,
    cost,
    lines,
    new_id,
    odd,
    record,
    row,
    text,
    usd,
)


def with_usage(**u: Any) -> dict[str, Any]:
    """Return a record with other counts."""
    return {**record(), "usage": {**record()["usage"], **u}}


def emf(metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an embedded metric document."""
    return {
        "_aws": {
            "Timestamp": T0,
            "CloudWatchMetrics": [
                {"Namespace": "x", "Dimensions": [["engine"]], "Metrics": [{"Name": n} for n in metrics]}
            ],
        },
        "engine": "e",
        "model": "claude-opus-4-5",
        **metrics,
        **more,
    }


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    yield odd("rec plain", lines(record()), [PLAIN])
    yield odd("rec 5m", lines(record(w5=40)), [row(10, 30, 40, 0, 20)])
    yield odd("rec both ttls", lines(record(w5=40, w1=50)), [FULL])
    yield odd("rec twice same id", (lambda b: lines(b, b))(record()), [PLAIN])
    yield odd("rec and text twin", (lambda b: lines(b, cost()))(record()), [PLAIN])
    for nm, ts in {
        "s": T0 // 1000,
        "us": T0 * 1000,
        "ns": T0 * 1000000,
        "s float": T0 / 1000,
        "iso": ISO,
        "iso offset": "2026-11-20T09:00:00.123+09:00",
        "iso nanos": "2026-11-20T00:00:00.123456789Z",
        "ms float": float(T0),
    }.items():
        yield odd(f"rec ts {nm}", lines(record(ts=ts)), [PLAIN])
    for nm, ts in {
        "negative": -1,
        "1e400": None,
        "text": "yesterday",
        "bool": True,
        "list2": [1, 2],
        "1970": 0,
        "year 3000": 32503680000000,
    }.items():
        if ts is None:
            yield odd(f"rec ts {nm}", text(record(ts="@@")).replace('"@@"', "1e400") + "\n", [], {"broken_json": 1})
        else:
            yield odd(f"rec ts {nm}", lines(record(ts=ts)), [], {"bad_time": 1})
    yield odd("rec count negative", lines(with_usage(input_tokens=-1)), [], {"bad_count": 1})
    yield odd("rec count string", lines(with_usage(input_tokens="10")), [], {"bad_count": 1})
    yield odd("rec count float", lines(with_usage(input_tokens=10.5)), [], {"bad_count": 1})
    yield odd(
        "rec count 1e400", text(with_usage(input_tokens="@@")).replace('"@@"', "1e400") + "\n", [], {"broken_json": 1}
    )
    yield odd(
        "rec count NaN", text(with_usage(input_tokens="@@")).replace('"@@"', "NaN") + "\n", [], {"broken_json": 1}
    )
    yield odd("rec count bool", lines(with_usage(input_tokens=True)), [], {"bad_count": 1})
    yield odd("rec count huge", lines(with_usage(input_tokens=10**30)), [], {"bad_count": 1})
    yield odd("rec count 2^63", lines(with_usage(input_tokens=2**63)), [], {"bad_count": 1})
    yield odd("rec null usage", lines(record(usage=None)), [], {"no_usage": 1})
    yield odd("rec usage list", lines(record(usage=[1, 2])), [], {"bad_count": 1})
    yield odd("rec version 2", lines(record(v=2)), [], {"unknown_version": 1})
    yield odd(
        "rec dup keys",
        text(record()).replace('"input_tokens": 10', '"input_tokens": 999, "input_tokens": 10') + "\n",
        [PLAIN],
    )
    yield odd("rec escaped in message", lines({"level": "INFO", "message": text(record())}), [PLAIN])
    yield odd("rec escaped thrice", lines({"message": text({"message": text({"message": text(record())})})}), [PLAIN])
    yield odd("rec indented log", "prefix text " + text(record()) + "\n", [PLAIN])
    yield odd("rec cut", text(record())[:-30] + "\n", [], {"broken_json": 1})
    yield odd("rec trailing comma", text(record()) + ",\n", [PLAIN])
    yield odd(
        "rec joined", text(record(i=16)) + text(record(i=17)) + "\n", [row(16, 30, 0, 0, 20), row(17, 30, 0, 0, 20)]
    )
    yield odd("rec lone surrogate", text(record(engine="@@")).replace("@@", "\\ud800") + "\n", [], {"broken_json": 1})
    yield odd(
        "rec failed", lines(record(status="error", usage=None, error_type="x")), [(None, None, None, None, None, None)]
    )
    yield odd(
        "rec pretty twice",
        text(record(), indent=2) + "\n" + text(record(i=21), indent=4),
        [PLAIN, row(21, 30, 0, 0, 20)],
    )
    yield odd("rec pretty CRLF", (text(record(), indent=2) + "\n").replace("\n", "\r\n"), [PLAIN])
    yield odd(
        "rec pretty in a log",
        lines(cost(i=22), "{", "not ours", text(record(), indent=2), cost(i=23)),
        [PLAIN, row(22, 30, 0, 0, 20), row(23, 30, 0, 0, 20)],
    )
    yield odd(
        "rec pretty config then log",
        lines(text({"debug": True, "port": [1, 2]}, indent=2), cost(i=24)),
        [row(24, 30, 0, 0, 20)],
    )
    yield odd("rec pretty wrapped", text({"log": text(record()), "stream": "stdout", "time": ISO}, indent=1), [PLAIN])
    yield odd("rec pretty cut", text(record(), indent=2)[:-40], [], {"cut_off": 1})
    yield odd(
        "rec tail json",
        f"2026-11-20T00:00:00.000000+00:00 2026/11/20/[$LATEST]{'0' * 32} {text(record(), indent=4)}\n",
        [PLAIN],
    )
    yield odd(
        "rec lists by line",
        lines([record(i=25)], [record(i=26), {"x": 1}]),
        [row(25, 30, 0, 0, 20), row(26, 30, 0, 0, 20)],
    )
    yield odd("rec list, long before counts", text([{"prompt": "y" * 9_000, **record(i=27)}]), [row(27, 30, 0, 0, 20)])
    yield odd(
        "rec console csv",
        "timestamp,message\n" + f'{T0},"' + text(record()).replace('"', '""') + f'"\n{T0},"{cost(i=28)}"\n',
        [PLAIN, row(28, 30, 0, 0, 20)],
    )
    yield odd("rec pretty", text(record(), indent=2) + "\n", [PLAIN])
    yield odd(
        "rec array of records", text([record(i=18), record(i=19)]), [row(18, 30, 0, 0, 20), row(19, 30, 0, 0, 20)]
    )
    yield odd(
        "rec deep nest beside",
        text({**record(), "x": "@@"}).replace('"@@"', "[" * 5000 + "]" * 5000) + "\n",
        [],
        {"broken_json": 1},
    )
    yield odd("rec leading spaces tabs", " \t " + text(record()) + "  \n", [PLAIN])
    yield odd("rec python repr", str(record()) + "\n", [], {"broken_json": 1})
    yield odd(
        "emf scalars",
        lines(emf({"InputTokens": 10, "OutputTokens": 20, "CacheReadTokens": 30}, messageId=new_id())),
        [PLAIN],
    )
    yield odd(
        "emf arrays 1", lines(emf({"InputTokens": [10], "OutputTokens": [20.0], "CacheReadTokens": [30]})), [PLAIN]
    )
    yield odd(
        "emf arrays 3",
        lines(emf({"InputTokens": [1, 2, 3], "OutputTokens": [4, 5, 6]})),
        [row(1, 0, 0, 0, 4), row(2, 0, 0, 0, 5), row(3, 0, 0, 0, 6)],
    )
    yield odd("emf uneven", lines(emf({"InputTokens": [1, 2, 3], "OutputTokens": [4, 5]})), [], {"uneven_metrics": 1})
    yield odd("emf empty", lines(emf({"InputTokens": [], "OutputTokens": []})), [], {"uneven_metrics": 1})
    yield odd("emf fraction", lines(emf({"InputTokens": 1.5, "OutputTokens": 4})), [], {"bad_count": 1})
    yield odd("emf negative", lines(emf({"InputTokens": -1, "OutputTokens": 4})), [], {"bad_count": 1})
    yield odd("emf string", lines(emf({"InputTokens": "10", "OutputTokens": 4})), [], {"bad_count": 1})
    yield odd("emf no input", lines(emf({"ApiCostUSD": 0.1, "OutputTokens": 4})), [], {"no_usage": 1})
    yield odd("emf other", lines(emf({"Visitors": 3})))
    yield odd(
        "emf split",
        lines(emf({"InputTokens": 10, "OutputTokens": 20, "CacheWrite5mTokens": 40, "CacheWrite1hTokens": 50})),
        [row(10, 0, 40, 50, 20)],
    )
    yield odd(
        "emf write total and 1h",
        lines(emf({"InputTokens": 10, "OutputTokens": 20, "CacheWriteTokens": 90, "CacheWrite1hTokens": 50})),
        [row(10, 0, 40, 50, 20)],
    )
    yield odd(
        "emf write default ttl",
        lines(emf({"InputTokens": 10, "OutputTokens": 20, "CacheWriteTokens": 90})),
        [row(10, 0, 0, 90, 20)],
    )
    yield odd("emf mixed scalar list", lines(emf({"InputTokens": 10, "OutputTokens": [20]})), [row(10, 0, 0, 0, 20)])
    yield odd("emf no output", lines(emf({"InputTokens": 10})), [(10, 0, 0, 0, 0, usd(10))])
    yield odd("emf null", lines(emf({"InputTokens": None, "OutputTokens": 4})), [], {"bad_count": 1})
    yield odd("emf huge float", lines(emf({"InputTokens": 1e300, "OutputTokens": 4})), [], {"bad_count": 1})
    yield odd(
        "emf two spellings",
        lines(emf({"InputTokens": 10, "input_tokens": 10, "OutputTokens": 20})),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd("emf directive no list", lines({"_aws": {"Timestamp": T0, "CloudWatchMetrics": {}}, "InputTokens": 1}))
    yield odd(
        "emf dressed",
        "[INFO]\t2026-11-20T00:00:00.000Z\t00000000-0000-0002-4000-800000000001\t"
        + text(emf({"InputTokens": 10, "OutputTokens": 20}))
        + "\n",
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "emf same twice no id",
        (lambda b: lines(b, b))(emf({"InputTokens": 10, "OutputTokens": 20})),
        [row(10, 0, 0, 0, 20), row(10, 0, 0, 0, 20)],
    )
