"""The Bedrock runtime paths, through the SDK's AnthropicBedrock and through boto3."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import boto3
import pytest
from botocore.config import Config

from core.usage import UsageStream
from simulator.messages import Fault, Simulator
from tests.support.prompts import HELLO, block, counts, mark, new_key

MODEL = "global.anthropic.claude-opus-4-5-20251101-v1:0"
UNDATED = "global.anthropic.claude-opus-5"
VERSION = {"anthropic_version": "bedrock-2023-05-31"}
CACHED: Any = [block(5000, cached="1h")]


def request(**parts: Any) -> dict[str, Any]:
    """Return the arguments of a request that Bedrock accepts for a dated model."""
    return {"model": MODEL, "max_tokens": 16, "messages": HELLO, "extra_body": VERSION, **parts}


@pytest.fixture
def bedrock(simulator: Simulator) -> Iterator[anthropic.AnthropicBedrock]:
    """The SDK's Bedrock client, pointed here by base_url, with credentials that nobody else uses."""
    account = new_key().upper()
    with anthropic.AnthropicBedrock(
        aws_access_key=account, aws_secret_key="x", aws_region="us-east-1", base_url=simulator.url, max_retries=0
    ) as client:
        yield client


def test_messages_and_streams_use_one_cache(bedrock: anthropic.AnthropicBedrock) -> None:
    """InvokeModel writes, the streamed call reads; the SDK decodes the AWS event stream."""
    first = bedrock.messages.create(**request(system=CACHED))
    with bedrock.messages.stream(**request(system=CACHED)) as streamed:
        second = streamed.get_final_message()

    assert (counts(first), counts(second)) == ((5, 0, 0, 5000), (5, 5000, 0, 0))


def test_a_stream_ends_with_invocation_metrics(bedrock: anthropic.AnthropicBedrock) -> None:
    """message_stop carries Bedrock's own counts; the usage read from the stream keeps the TTL split."""
    events = list(bedrock.messages.create(**request(system=CACHED), stream=True))
    ours = UsageStream()
    for event in events:
        ours.feed(event.to_dict())

    metrics = events[-1].to_dict()["amazon-bedrock-invocationMetrics"]
    assert isinstance(metrics, dict)
    assert (metrics["inputTokenCount"], metrics["cacheWriteInputTokenCount"]) == (5, 5000)
    assert ours.usage().cache_write_1h_tokens == 5000


def test_the_sdks_own_version_is_refused_for_dated_models(bedrock: anthropic.AnthropicBedrock) -> None:
    """The SDK puts anthropic_version 2026-10-21 into the body; models with dated ids know only 2023-05-31."""
    with pytest.raises(anthropic.BadRequestError, match="use bedrock-2023-05-31"):
        bedrock.messages.create(**request(extra_body={}))

    assert bedrock.messages.create(**request(model=UNDATED, extra_body={})).usage.input_tokens == 5


def test_automatic_caching_is_unknown_to_bedrock(bedrock: anthropic.AnthropicBedrock) -> None:
    """A top-level cache_control is a 400, a block's is not."""
    with pytest.raises(anthropic.BadRequestError, match="cache_control: Extra inputs are not permitted"):
        bedrock.messages.create(**request(cache_control=mark()))


@pytest.mark.parametrize(
    ("kind", "error"),
    [("rate_limit", anthropic.RateLimitError), ("overloaded", anthropic.ServiceUnavailableError)],
)
def test_faults_take_bedrocks_form(
    bedrock: anthropic.AnthropicBedrock, simulator: Simulator, kind: Any, error: type[anthropic.APIStatusError]
) -> None:
    """Throttling is 429, overload 503."""
    simulator.faults.add(Fault(kind))
    with pytest.raises(error):
        bedrock.messages.create(**request())


def test_a_stream_can_break_with_an_exception_frame(bedrock: anthropic.AnthropicBedrock, simulator: Simulator) -> None:
    """A broken stream ends in an exception frame, which the SDK raises."""
    simulator.faults.add(Fault("stream_error"))
    with pytest.raises(anthropic.APIStatusError) as broken:
        list(bedrock.messages.create(**request(), stream=True))

    assert str(broken.value.type) == "modelStreamErrorException"


def test_an_unknown_model_is_not_found(bedrock: anthropic.AnthropicBedrock) -> None:
    """A model that Bedrock does not have is a 404."""
    with pytest.raises(anthropic.NotFoundError, match="model: nobody-knows"):
        bedrock.messages.create(**request(model="nobody-knows"))


def test_boto3_understands_both_paths(simulator: Simulator) -> None:
    """The AWS SDK reads the body and the event stream, checksums included."""
    client: Any = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=simulator.url,
        aws_access_key_id=new_key().upper(),
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}),
    )
    body = json.dumps({"max_tokens": 16, "messages": HELLO, "system": CACHED, **VERSION})
    whole = client.invoke_model(modelId=MODEL, body=body)
    streamed = client.invoke_model_with_response_stream(modelId=MODEL, body=body)

    assert json.loads(whole["body"].read())["usage"]["cache_creation_input_tokens"] == 5000
    assert whole["ResponseMetadata"]["HTTPHeaders"]["x-cachewise-simulated"] == "true"
    events = [json.loads(event["chunk"]["bytes"]) for event in streamed["body"]]
    assert events[0]["message"]["usage"]["cache_read_input_tokens"] == 5000
    assert events[-1]["type"] == "message_stop"
    client.close()
