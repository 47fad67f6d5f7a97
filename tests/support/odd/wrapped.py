"""Odd things around a line."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tests.support.odd.answer import message
from tests.support.odd.case import (
    FULL,
    ISO,
    PLAIN,
    T0,
    Odd,
    cost,
    lines,
    odd,
    record,
    row,
    text,
)


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    yield odd(
        "wrap none: a response beside a member called log",
        lines({"timestamp": ISO, "log": "call finished", "response": message()}),
        [FULL],
    )
    yield odd(
        "wrap none: members called log and message, in a list",
        text([{"log": "done", "time": ISO, "response": message()}, {"message": "done", "response": message()}]),
        [FULL, FULL],
    )
    journal = {"__REALTIME_TIMESTAMP": f"{T0}000", "MESSAGE": None}
    yield odd(
        "wrap journal in a list",
        text([journal, {**journal, "MESSAGE": cost(i=34)}]),
        [row(34, 30, 0, 0, 20)],
        {"message_left_out": 1},
    )
    yield odd(
        "wrap none: a record with a member called log", lines({**record(i=31), "log": "x"}), [row(31, 30, 0, 0, 20)]
    )
    yield odd(
        "wrap merged: the shipper parsed the line too",
        lines((lambda body: {"log": text(body), **body, "stream": "stdout", "time": ISO})(record(i=32))),
        [row(32, 30, 0, 0, 20)],
    )
    yield odd(
        "wrap psql times",
        lines({"log": cost(i=33), "time": "2026-11-20 00:00:00.123+00"}),
        [row(33, 30, 0, 0, 20)],
    )
    yield odd(
        "wrap docker",
        lines({"log": cost() + "\n", "stream": "stdout", "time": "2026-11-20T00:00:00.123456789Z"}),
        [PLAIN],
    )
    yield odd(
        "wrap docker rec in app json",
        lines({"log": text({"level": "info", "msg": text(record())}) + "\n", "stream": "stdout", "time": ISO}),
        [PLAIN],
    )
    yield odd("wrap cri dressed", f"{ISO} stderr F {text(record())}\n", [PLAIN])
    yield odd(
        "wrap fluent array",
        text([{"date": T0 / 1000, "log": cost()}, {"date": T0 / 1000, "log": "x"}])
        + "\n"
        + text([{"date": T0 / 1000, "log": cost(i=3)}])
        + "\n",
        [PLAIN, row(3, 30, 0, 0, 20)],
    )
    yield odd("wrap fluentd tab", f"2026-11-20T00:00:00+00:00\tapp.x\t{text({'log': cost()})}\n", [PLAIN])
    yield odd(
        "wrap otlp logs",
        lines(
            {
                "resourceLogs": [
                    {
                        "scopeLogs": [
                            {
                                "logRecords": [
                                    {"timeUnixNano": str(T0 * 1000000), "body": {"stringValue": text(record())}}
                                ]
                            }
                        ]
                    }
                ]
            }
        ),
        [PLAIN],
    )
    yield odd("wrap syslog", f"Nov 20 00:00:00 host app[12]: {text(record())}\n", [PLAIN])
    yield odd(
        "wrap logfmt",
        'time=2026-11-20T00:00:00Z level=info msg="' + text(record()).replace('"', '\\"') + '"\n',
        [],
        {"broken_json": 1},
    )
    yield odd(
        "wrap csv",
        'time,message\n2026-11-20T00:00:00Z,"' + text(record()).replace('"', '""') + '"\n',
        [],
        {"broken_json": 1},
    )
    yield odd("wrap datadog", lines({"id": "x", "attributes": {"message": text(record()), "timestamp": ISO}}), [PLAIN])
    yield odd(
        "wrap elastic", lines({"_index": "x", "_source": {"@timestamp": ISO, "message": text(record())}}), [PLAIN]
    )
    yield odd(
        "wrap elastic hits",
        text({"hits": {"hits": [{"_source": {"message": text(record())}}]}}) + "\n",
        [],
        {"unknown_form": 1},
    )
    yield odd("wrap gcp json", lines({"jsonPayload": record(), "timestamp": ISO}), [PLAIN])
    yield odd(
        "wrap kinesis records",
        lines({"Records": [{"kinesis": {"data": base64.b64encode(text(record()).encode()).decode()}}]}),
    )
    yield odd(
        "wrap subscription two",
        text(
            {
                "messageType": "DATA_MESSAGE",
                "logGroup": "g",
                "logStream": "s",
                "logEvents": [{"id": "3", "timestamp": T0, "message": cost()}],
            }
        )
        * 2,
        [PLAIN],
    )
    yield odd("wrap control", lines({"messageType": "CONTROL_MESSAGE", "logEvents": []}))
    yield odd(
        "wrap subscription bad times",
        lines(
            {
                "messageType": "DATA_MESSAGE",
                "logGroup": "g",
                "logStream": "s",
                "logEvents": [
                    {"id": "4", "timestamp": -1, "message": cost()},
                    {"id": "5", "timestamp": T0 * 1000, "message": cost()},
                    {"id": "6", "message": cost()},
                ],
            }
        ),
        [],
        {"bad_time": 3},
    )
