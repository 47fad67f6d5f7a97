"""Odd lines of Bedrock's invocation log."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.support.odd.answer import events, message
from tests.support.odd.case import FAILED, FULL, PLAIN, T0, Odd, lines, new_id, odd, row, text

MODEL = "global.anthropic.claude-opus-4-5-20251101-v1:0"


def logged(inp: Any, out: Any, model: str | None = MODEL, **more: Any) -> dict[str, Any]:
    """Return a line of the log."""
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-20T00:00:00Z",
        "requestId": new_id().replace("msg", "req"),
        "operation": "InvokeModel",
        "modelId": model,
        "input": inp,
        "output": out,
        **more,
    }


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    yield odd(
        "bed counts",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokenCount": 30, "cacheWriteInputTokenCount": 0},
                {"outputTokenCount": 20},
            )
        ),
        [PLAIN],
    )
    yield odd(
        "bed both spellings",
        lines(
            logged(
                {
                    "inputTokenCount": 10,
                    "cacheReadInputTokenCount": 30,
                    "cacheReadInputTokens": 30,
                    "cacheWriteInputTokenCount": 90,
                    "cacheWriteInputTokens": 90,
                },
                {"outputTokenCount": 20},
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd(
        "bed tokens spelling",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokens": 30, "cacheWriteInputTokens": 90},
                {"outputTokenCount": 20},
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd(
        "bed body split",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokenCount": 30, "cacheWriteInputTokenCount": 90},
                {"outputTokenCount": 20, "outputBodyJson": message()},
            )
        ),
        [FULL],
    )
    conv = {
        "output": {"message": {"role": "assistant", "content": [{"text": "x"}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 10,
            "outputTokens": 20,
            "totalTokens": 150,
            "cacheReadInputTokens": 30,
            "cacheReadInputTokenCount": 30,
            "cacheWriteInputTokens": 90,
            "cacheWriteInputTokenCount": 90,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 50}, {"ttl": "5m", "inputTokens": 40}],
        },
    }
    yield odd(
        "bed converse",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokenCount": 30, "cacheWriteInputTokenCount": 90},
                {"outputTokenCount": 20, "outputBodyJson": conv},
                operation="Converse",
            )
        ),
        [FULL],
    )
    conv2 = json.loads(text(conv))
    conv2["usage"] = {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30}
    yield odd(
        "bed converse body lacks cache",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokenCount": 30, "cacheWriteInputTokenCount": 0},
                {"outputTokenCount": 20, "outputBodyJson": conv2},
            )
        ),
        [PLAIN],
    )
    yield odd(
        "bed stream",
        lines(
            logged(
                {"inputTokenCount": 10},
                {"outputTokenCount": 20, "outputBodyJson": events()},
                operation="InvokeModelWithResponseStream",
            )
        ),
        [FULL],
    )
    yield odd(
        "bed stream metrics",
        lines(
            logged(
                {"inputTokenCount": 10},
                {
                    "outputTokenCount": 20,
                    "outputBodyJson": events(
                        metrics={
                            "inputTokenCount": 10,
                            "outputTokenCount": 20,
                            "cacheReadInputTokenCount": 30,
                            "cacheWriteInputTokenCount": 90,
                        }
                    ),
                },
            )
        ),
        [FULL],
    )
    yield odd(
        "bed stream broken",
        lines(
            logged(
                {"inputTokenCount": 10, "cacheReadInputTokenCount": 30, "cacheWriteInputTokenCount": 90},
                {"outputTokenCount": 20, "outputBodyJson": events(stop=False)},
            )
        ),
        [FULL],
    )
    yield odd(
        "bed converse stream",
        lines(
            logged(
                {"inputTokenCount": 10},
                {
                    "outputTokenCount": 20,
                    "outputBodyJson": [
                        {"messageStart": {"role": "assistant"}},
                        {"contentBlockDelta": {"delta": {"text": "x"}}},
                        {"messageStop": {"stopReason": "end_turn"}},
                        {"metadata": {"usage": conv["usage"], "metrics": {"latencyMs": 900}}},
                    ],
                },
                operation="ConverseStream",
            )
        ),
        [FULL],
    )
    yield odd(
        "bed error",
        lines(logged({"inputTokenCount": 0}, {}, errorCode="ThrottlingException")),
        [(0, 0, 0, 0, 0, Decimal(0))],
    )
    yield odd("bed error no counts", lines(logged({}, {}, errorCode="ValidationException")), [FAILED])
    yield odd(
        "bed nova", lines(logged({"inputTokenCount": 10}, {"outputTokenCount": 20}, model="amazon.nova-pro-v1:0"))
    )
    yield odd(
        "bed regional",
        lines(
            logged(
                {"inputTokenCount": 10}, {"outputTokenCount": 20}, model="us.anthropic.claude-opus-4-5-20251101-v1:0"
            )
        ),
        [row(10, 0, 0, 0, 20, x=Decimal("1.1"))],
    )
    yield odd(
        "bed arn",
        lines(
            logged(
                {"inputTokenCount": 10},
                {"outputTokenCount": 20},
                model="arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
            )
        ),
        [row(10, 0, 0, 0, 20, x=Decimal("1.1"))],
    )
    yield odd(
        "bed app profile",
        lines(
            logged(
                {"inputTokenCount": 10},
                {"outputTokenCount": 20},
                model="arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
            )
        ),
        [row(10, 0, 0, 0, 20, price=False)],
    )
    yield odd(
        "bed no time",
        lines({k: v for k, v in logged({"inputTokenCount": 10}, {"outputTokenCount": 20}).items() if k != "timestamp"}),
        [],
        {"bad_time": 1},
    )
    yield odd(
        "bed time epoch",
        lines(logged({"inputTokenCount": 10}, {"outputTokenCount": 20}, timestamp=T0 // 1000)),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "bed string count", lines(logged({"inputTokenCount": "10"}, {"outputTokenCount": 20})), [], {"bad_count": 1}
    )
    yield odd("bed negative", lines(logged({"inputTokenCount": -10}, {"outputTokenCount": 20})), [], {"bad_count": 1})
    yield odd("bed no counts", lines(logged({}, {})), [], {"no_usage": 1})
    yield odd("bed body no envelope", lines(logged({}, {"outputBodyJson": message()})), [FULL])
    yield odd(
        "bed null body",
        lines(logged({"inputTokenCount": 10}, {"outputTokenCount": 20, "outputBodyJson": None})),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "bed body string",
        lines(logged({"inputTokenCount": 10}, {"outputTokenCount": 20, "outputBodyJson": text(message())})),
        [FULL],
    )
    yield odd(
        "bed twice",
        (lambda b: lines(b, b))(logged({"inputTokenCount": 10}, {"outputTokenCount": 20})),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "bed zero",
        lines(logged({"inputTokenCount": 0, "cacheReadInputTokenCount": 0}, {"outputTokenCount": 0})),
        [row()],
    )
    yield odd(
        "bed in subscription",
        lines(
            {
                "messageType": "DATA_MESSAGE",
                "owner": "1",
                "logGroup": "g",
                "logStream": "aws/bedrock/modelinvocations",
                "logEvents": [
                    {
                        "id": "1",
                        "timestamp": T0,
                        "message": text(logged({"inputTokenCount": 10}, {"outputTokenCount": 20})),
                    }
                ],
            }
        ),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "bed awslogs",
        lines(
            {
                "awslogs": {
                    "data": base64.b64encode(
                        gzip.compress(
                            text(
                                {
                                    "messageType": "DATA_MESSAGE",
                                    "owner": "1",
                                    "logGroup": "g",
                                    "logStream": "s",
                                    "logEvents": [
                                        {
                                            "id": "2",
                                            "timestamp": T0,
                                            "message": text(logged({"inputTokenCount": 10}, {"outputTokenCount": 20})),
                                        }
                                    ],
                                }
                            ).encode()
                        )
                    ).decode()
                }
            }
        ),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd("bed awslogs damaged", lines({"awslogs": {"data": "!!!"}}), [], {"broken_json": 1})
