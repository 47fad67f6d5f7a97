"""The synchronous client against the real SDK and a scripted API."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from core.caching import prompt_store
from core.caching.policy import CachePolicy
from core.caching.prompt_store import FetchedPrompt, PromptStore
from core.caching.request import build_request
from core.client import ClaudeClient, ClientSettings
from core.errors import BadInput, CachewiseError, FixSettings, TryAgain
from tests.support import claude
from tests.support.claude import Api, Ticks

BEDROCK_MODEL = "global.anthropic.claude-opus-4-5-20251101-v1:0"
NOW = 1_795_000_000.0
PROMPT = "You sell bicycles. " * 900


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BEDROCK_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "token")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the SDK's pause between retries


class Service:
    """A client with everything it said and warned of."""

    def __init__(self, api: Api, **settings: Any) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.policy = settings.get("policy", CachePolicy())
        self.client = ClaudeClient(
            ClientSettings(fingerprint_key=b"k" * 32, **settings),
            api_key="sk-ant-not-a-key",
            http_client=api.http_client(),
            say=self.said.append,
            warn=self.warned.append,
            now=lambda: NOW,
            timer=Ticks(),
        )

    def request(self, **options: Any) -> Any:
        return build_request(PROMPT, "Which one?", policy=self.policy, engine="sales", **options)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said if line.startswith("{")]


def test_whole_answer_is_sent_priced_and_recorded() -> None:
    """One call: the cost line, then the record with tokens, dollars, ids and latency."""
    service = Service(Api(claude.whole()))

    reply = service.client.create(service.request(), invocation_id="inv-1")

    assert reply.text == "Hello."
    # 12 × $5 + 4000 × $0.50 + 500 × $10 + 30 × $25, per million
    assert reply.report.cost_usd == Decimal("0.00781")
    assert service.said[0] == "💰 API Cost: $0.007810 | input: 12, output: 30, cache_read: 4000, cache_write: 500"
    (record,) = service.records()
    assert record["id"] == "msg_01"
    assert record["request_id"] == "inv-1"
    assert record["api_request_id"] == "req_1"
    assert record["ts"] == 1_795_000_000_000
    assert Decimal(record["cost_usd"]) == Decimal("0.00781")
    assert record["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 500}
    assert (record["attempts"], record["status"], record["complete"]) == (1, "ok", True)
    assert record["prefix"]["tokens"] == 4500
    assert record["latency_ms"] == 10.0
    usage = service.client.get_last_usage()
    assert usage is not None
    assert usage.prompt_tokens == 4512


def test_request_asks_for_caching_without_any_beta_header() -> None:
    """The system prompt is one block with a 1h breakpoint; prompt caching needs no beta header any more."""
    api = Api(claude.whole())
    service = Service(api)

    service.client.create(service.request())

    (body,) = api.bodies()
    assert body["system"] == [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert "anthropic-beta" not in api.requests[0].headers
    assert str(api.requests[0].url) == "https://api.anthropic.com/v1/messages"
    assert api.requests[0].headers["authorization"] == "Bearer sk-ant-not-a-key"


def test_caching_off_sends_no_cache_control() -> None:
    """ENABLE_PROMPT_CACHING=false: nothing is marked, and the record says so."""
    api = Api(claude.whole())
    service = Service(api, policy=CachePolicy(caching_enabled=False))

    service.client.create(service.request())

    assert b"cache_control" not in api.requests[0].content
    (record,) = service.records()
    assert record["caching"] == {"enabled": False, "ttl": None}
    assert record["prefix"]["fingerprint"] is None


def test_stream_is_followed_to_message_stop() -> None:
    """Text arrives piece by piece; usage, first-token time and cost are known at the end."""
    service = Service(Api(claude.streamed(claude.stream_events())))

    with service.client.stream(service.request()) as stream:
        pieces = list(stream.text())

    assert pieces == ["Hel", "lo."]
    assert stream.report is not None
    assert stream.report.cost_usd == Decimal("0.00781")
    assert stream.report.usage is not None
    assert stream.report.usage.complete
    assert (stream.report.ttft_ms, stream.report.latency_ms) == (10.0, 20.0)
    assert len(service.records()) == 1


def test_stream_left_early_is_recorded_incomplete() -> None:
    """The input is known from message_start, the output is a lower bound: complete is false, and no metric lies."""
    service = Service(Api(claude.streamed(claude.stream_events())))

    with service.client.stream(service.request()) as stream:
        next(stream.text())

    (record,) = service.records()
    assert (record["complete"], record["status"]) == (False, "ok")
    assert record["usage"]["cache_read_input_tokens"] == 4000
    assert "stop_reason" not in record
    assert "ApiCostPerRequest" not in record


def test_stream_that_ends_without_message_stop_is_incomplete() -> None:
    """A connection that closes quietly in the middle is no complete answer."""
    service = Service(Api(claude.streamed(claude.stream_events()[:5])))

    with service.client.stream(service.request()) as stream:
        list(stream)

    assert service.records()[0]["complete"] is False


def test_error_inside_a_stream_keeps_what_was_told() -> None:
    """An overload after the start: an error record with the tokens known so far, once."""
    events = [*claude.stream_events()[:4], {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}]
    service = Service(Api(claude.streamed(events)))

    with (
        pytest.raises(TryAgain, match=r"SVC-434.*overloaded_error"),
        service.client.stream(service.request()) as stream,
    ):
        list(stream)

    (record,) = service.records()
    assert (record["status"], record["error_type"], record["complete"]) == ("error", "overloaded_error", False)
    assert record["usage"]["input_tokens"] == 12


def test_retries_make_one_record_with_the_attempts_counted() -> None:
    """The SDK tries 529 and 429 again; the call is told once, as three attempts."""
    api = Api(claude.failed(529, "overloaded_error"), claude.failed(429, "rate_limit_error"), claude.whole())
    service = Service(api)

    service.client.create(service.request())

    assert len(api.requests) == 3
    (record,) = service.records()
    assert (record["attempts"], record["status"]) == (3, "ok")
    assert len([line for line in service.said if line.startswith("💰")]) == 1


@pytest.mark.parametrize(
    ("answer", "error", "code", "attempts"),
    [
        (claude.failed(400, "invalid_request_error"), BadInput, "SVC-430", 1),
        (claude.failed(401, "authentication_error"), FixSettings, "SVC-431", 1),
        (claude.failed(403, "permission_error"), FixSettings, "SVC-431", 1),
        (claude.failed(404, "not_found_error"), FixSettings, "SVC-432", 1),
        (claude.failed(413, "request_too_large"), BadInput, "SVC-430", 1),
        (claude.failed(429, "rate_limit_error", **{"retry-after": "7"}), TryAgain, "SVC-433", 3),
        (claude.failed(529, "overloaded_error"), TryAgain, "SVC-434", 3),
        (httpx2.ConnectError("refused"), TryAgain, "SVC-435", 3),
        (httpx2.ReadTimeout("slow"), TryAgain, "SVC-435", 3),
    ],
)
def test_failed_calls_are_recorded_and_explained(
    answer: Any, error: type[CachewiseError], code: str, attempts: int
) -> None:
    """Each failure becomes what the operator should do; its record has the error type, no tokens, no dollars."""
    service = Service(Api(answer))

    with pytest.raises(error) as failure:
        service.client.create(service.request())

    assert failure.value.code == code
    (record,) = service.records()
    assert record["status"] == "error"
    assert record["attempts"] == attempts
    assert "usage" not in record
    assert "cost_usd" not in record
    assert "_aws" not in record
    if isinstance(answer, httpx2.Response):
        assert record["api_request_id"] == "req_err"
        assert record["error_type"] == json.loads(answer.content)["error"]["type"]
        assert "req_err" in str(failure.value)
    if code == "SVC-433":
        assert str(failure.value).endswith("Try again after 7 s.")


def test_bedrock_by_switch_avoids_the_version_trap() -> None:
    """USE_ANTHROPIC_API=false: the call goes to Bedrock, with the version that dated models know."""
    api = Api(claude.whole())
    service = Service(api, policy=CachePolicy(use_anthropic_api=False), bedrock_model=BEDROCK_MODEL)

    service.client.create(service.request())

    assert "bedrock-runtime.us-east-1.amazonaws.com" in str(api.requests[0].url)
    assert api.bodies()[0]["anthropic_version"] == "bedrock-2023-05-31"
    assert service.records()[0]["provider"] == "bedrock"
    assert service.records()[0]["model"] == BEDROCK_MODEL


def test_undated_bedrock_model_keeps_the_version_of_the_sdk() -> None:
    """Newer models have no version in their id and speak the current API version."""
    api = Api(claude.whole())
    bedrock = CachePolicy(use_anthropic_api=False)
    service = Service(api, policy=bedrock, bedrock_model="global.anthropic.claude-opus-5-5")

    service.client.create(service.request())

    assert api.bodies()[0]["anthropic_version"] != "bedrock-2023-05-31"


def test_bedrock_stream_is_followed_like_the_direct_one() -> None:
    """Chunks of the AWS event stream wrap the same events; invocation metrics must not replace the usage."""
    events = claude.stream_events()
    events[-1]["amazon-bedrock-invocationMetrics"] = {
        "inputTokenCount": 12,
        "outputTokenCount": 30,
        "invocationLatency": 900,
        "firstByteLatency": 300,
    }
    bedrock = CachePolicy(use_anthropic_api=False)
    service = Service(Api(claude.bedrock_stream(events)), policy=bedrock, bedrock_model=BEDROCK_MODEL)

    with service.client.stream(service.request()) as stream:
        assert "".join(stream.text()) == "Hello."

    (record,) = service.records()
    assert record["usage"]["cache_read_input_tokens"] == 4000
    assert record["usage"]["output_tokens"] == 30
    assert (record["complete"], record["api_request_id"]) == (True, "aws-1")
    assert Decimal(record["cost_usd"]) == Decimal("0.00781")


def _bedrock_only(request: httpx2.Request) -> httpx2.Response:
    return claude.whole() if "bedrock" in str(request.url) else claude.failed(529, "overloaded_error")


def test_fallback_to_bedrock_makes_two_honest_records() -> None:
    """The direct API stays overloaded: its call is recorded as failed, Bedrock's as the fallback that answered."""
    service = Service(Api(_bedrock_only), fallback_to_bedrock=True, bedrock_model=BEDROCK_MODEL)

    reply = service.client.create(service.request())

    assert reply.text == "Hello."
    first, second = service.records()
    assert (first["provider"], first["status"], first["attempts"]) == ("anthropic", "error", 3)
    assert (second["provider"], second["status"], second["fallback"]) == ("bedrock", "ok", True)


def test_a_refused_request_does_not_fall_back() -> None:
    """A 400 would be a 400 at Bedrock too."""
    api = Api(claude.failed(400, "invalid_request_error"))
    service = Service(api, fallback_to_bedrock=True, bedrock_model=BEDROCK_MODEL)

    with pytest.raises(BadInput):
        service.client.create(service.request())

    assert len(api.requests) == 1


def test_without_fallback_bedrock_is_never_called() -> None:
    """The fallback is a choice: a model name alone does not switch it on."""
    api = Api(_bedrock_only)
    service = Service(api, bedrock_model=BEDROCK_MODEL)

    with pytest.raises(TryAgain):
        service.client.create(service.request())

    assert all("bedrock" not in str(request.url) for request in api.requests)


@pytest.mark.parametrize(
    ("diagnostics", "told"),
    [
        (None, {"type": "none"}),
        ({"cache_miss_reason": None}, {"type": "pending"}),
        (
            {"cache_miss_reason": {"type": "system_changed", "cache_missed_input_tokens": 4100}},
            {"type": "system_changed", "missed_tokens": 4100},
        ),
        ({"cache_miss_reason": {"type": "unavailable"}}, {"type": "unavailable"}),
    ],
)
def test_diagnosis_is_asked_for_and_recorded(diagnostics: Any, told: dict[str, Any]) -> None:
    """The API's own view of the miss; "pending" is not "no miss"."""
    api = Api(claude.whole(claude.message(diagnostics=diagnostics)))
    service = Service(api)

    reply = service.client.create(service.request(), diagnose=True, previous_message_id="msg_00")

    assert api.bodies()[0]["diagnostics"] == {"previous_message_id": "msg_00"}
    assert reply.report.diagnosis == told
    assert service.records()[0]["diagnosis"] == told


def test_diagnosis_is_not_asked_of_bedrock() -> None:
    """Only the direct API knows it."""
    api = Api(claude.whole())
    service = Service(api, policy=CachePolicy(use_anthropic_api=False), bedrock_model=BEDROCK_MODEL)

    service.client.create(service.request(), diagnose=True)

    assert "diagnostics" not in api.bodies()[0]
    assert "diagnosis" not in service.records()[0]


def test_nothing_of_the_text_or_the_key_is_written() -> None:
    """Lines and records hold counts, ids and fingerprints."""
    service = Service(Api(claude.whole()))
    service.client.create(service.request())

    everything = "\n".join(service.said + service.warned + [repr(service.client.get_last_report())])

    for secret in ("bicycles", "Which one", "Hello", "sk-ant"):
        assert secret not in everything


def test_prefix_that_is_too_short_is_warned_about_once() -> None:
    """Before the first call by estimate, after it by what the API did; then no more."""
    usage = {"input_tokens": 40, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 3}
    service = Service(Api(claude.whole(claude.message(usage=usage))))
    request = build_request("You sell bicycles.", "Hi", policy=service.policy, engine="sales")
    for _ in range(3):
        service.client.create(request)

    assert [warning[:7] for warning in service.warned] == ["SVC-425", "SVC-426"]
    assert "caches nothing below 4096" in service.warned[0]


def test_unknown_model_is_unpriced_not_free() -> None:
    """No price: no cost line, no cost in the record, no cost metric; the tokens are there."""
    service = Service(Api(claude.whole()), model="claude-imaginary-9")

    service.client.create(service.request())

    assert not [line for line in service.said if line.startswith("💰")]
    (record,) = service.records()
    assert "cost_usd" not in record
    assert "ApiCostPerRequest" not in record
    assert record["CacheReadTokens"] == 4000


def test_unreadable_usage_does_not_break_the_answer() -> None:
    """The user gets the answer; the record says that the usage is unknown."""
    service = Service(Api(claude.whole(claude.message(usage={"input_tokens": -1, "output_tokens": 2}))))

    assert service.client.create(service.request()).text == "Hello."

    (record,) = service.records()
    assert "usage" not in record
    assert any("USG-" in warning for warning in service.warned)


def test_bedrock_needs_its_model_named() -> None:
    """USE_ANTHROPIC_API=false without a Bedrock model is told at start."""
    with pytest.raises(FixSettings, match="BEDROCK_MODEL"):
        ClientSettings(policy=CachePolicy(use_anthropic_api=False))


def test_tokens_are_counted_before_they_are_paid_for() -> None:
    """count_tokens sends the prompt only and records no call; Bedrock's runtime cannot count."""
    api = Api(httpx2.Response(200, json={"input_tokens": 4321}))
    service = Service(api)

    assert service.client.count_tokens(service.request()) == 4321

    assert str(api.requests[0].url).endswith("/v1/messages/count_tokens")
    assert sorted(api.bodies()[0]) == ["messages", "model", "system"]
    assert service.said == []
    bedrock = Service(api, policy=CachePolicy(use_anthropic_api=False), bedrock_model=BEDROCK_MODEL)
    assert bedrock.client.count_tokens(bedrock.request()) is None


def test_refused_count_is_explained() -> None:
    """A bad key is told as for a call."""
    service = Service(Api(claude.failed(401, "authentication_error")))

    with pytest.raises(FixSettings, match="SVC-431"):
        service.client.count_tokens(service.request())


def test_a_tenant_is_recorded_and_not_sent() -> None:
    """Whom a call is charged to is the log's business: Claude hears nothing of it, whole or streamed."""
    api = Api(claude.whole(), claude.streamed(claude.stream_events()))
    service = Service(api)

    service.client.create(service.request(), tenant="acme")
    with service.client.stream(service.request(), tenant="x" * 200) as stream:
        list(stream)

    assert [record.get("tenant") for record in service.records()] == ["acme", None]
    assert all("acme" not in json.dumps(body) for body in api.bodies())


def test_the_record_tells_what_the_prompt_store_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes of UTF-8, of all prompts held; while it holds none, nothing is said."""
    store = PromptStore(fetch=lambda engine: FetchedPrompt(f"{engine}: é"), say=lambda line: None)
    monkeypatch.setattr(prompt_store, "_STORE", store)
    service = Service(Api(claude.whole(), claude.whole()))

    service.client.create(service.request())
    for engine in ("sales", "support"):
        store.get(engine)
    service.client.create(service.request())

    assert [record.get("prompt_store_bytes") for record in service.records()] == [
        None,
        len("sales: ésupport: é".encode()),
    ]


def test_the_record_tells_the_workspace_that_answered() -> None:
    """Anthropic's header names it, whole or streamed; where no header does, nothing is said."""
    told = {"anthropic-workspace-id": "wrkspc_01"}
    whole, streamed, bare = claude.whole(), claude.streamed(claude.stream_events()), claude.whole()
    for answer in (whole, streamed):
        answer.headers.update(told)
    service = Service(Api(whole, streamed, bare))

    service.client.create(service.request())
    with service.client.stream(service.request()) as stream:
        list(stream)
    service.client.create(service.request())

    assert [record.get("workspace") for record in service.records()] == ["wrkspc_01", "wrkspc_01", None]
