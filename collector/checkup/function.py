"""Do the function's log settings keep lines from us? Lambda drops what is below its levels before it is logged.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collector.checkup.check import Check
from collector.checkup.said import say
from collector.checkup.sources import client
from core.settings import SourceSettings

_GROUP = "/aws/lambda/"
_DROPS_INFO = ("WARN", "ERROR", "FATAL")


def check_function(source: SourceSettings) -> Iterator[Check]:
    """Yield what the log settings of a CloudWatch source's function do to the figures."""
    if source.kind != "cloudwatch":
        return
    name = function_of(source)
    if name is None:
        yield Check("log_levels", source.name, "skipped", say("log_levels.no_function"))
        return
    try:
        answer: Any = client("lambda", source).get_function_configuration(FunctionName=_asked(source, name))
    except Exception as error:  # noqa: BLE001  # a right that reading logs does not need: without it there is no answer
        yield Check(
            "log_levels",
            source.name,
            "skipped",
            say("log_levels.unknown", function=name, reason=_code(error)),
            say("log_levels.unknown.mend"),
        )
        return
    yield from judge(source, name, answer.get("LoggingConfig") or {})


def _asked(source: SourceSettings, name: str) -> str:
    """Return how the function is named to Lambda: beside a log group of another account, by its ARN.

    By name alone it would be one of the monitoring account, which may well have a function so called.
    """
    group = str(source.log_group)
    if not group.startswith("arn:") or source.defaults.function_name:
        return name
    _, partition, _, region, account, *_ = group.split(":")
    return f"arn:{partition}:lambda:{region}:{account}:function:{name}"


def function_of(source: SourceSettings) -> str | None:
    """Return the function whose log this is: as configured, else as the log group is named."""
    if source.defaults.function_name:
        return source.defaults.function_name
    group = str(source.log_group).rpartition("log-group:")[2].removesuffix(":*")
    return group.removeprefix(_GROUP) if group.startswith(_GROUP) else None


def judge(source: SourceSettings, name: str, config: Mapping[str, Any]) -> Iterator[Check]:
    """Yield the verdict over a function's LoggingConfig. Levels hold for the JSON format only."""
    form = str(config.get("LogFormat", "Text"))
    app, system = str(config.get("ApplicationLogLevel", "INFO")), str(config.get("SystemLogLevel", "INFO"))
    group = config.get("LogGroup")
    if group and source.log_group and group != source.log_group.rpartition("log-group:")[2].removesuffix(":*"):
        yield Check(
            "log_levels",
            source.name,
            "fail",
            say("log_levels.elsewhere", function=name, group=group, log_group=source.log_group),
            say("log_levels.elsewhere.mend"),
        )
    if form != "JSON":
        yield Check("log_levels", source.name, "ok", say("log_levels.text", function=name))
        return
    biased = False
    if app in _DROPS_INFO:
        biased = True
        yield Check(
            "log_levels",
            source.name,
            "fail",
            say("log_levels.application", function=name, level=app),
            say("log_levels.mend"),
        )
    if system in _DROPS_INFO:
        biased = True
        yield Check(
            "log_levels",
            source.name,
            "fail",
            say("log_levels.system", function=name, level=system),
            say("log_levels.mend"),
        )
    if not biased:
        yield Check(
            "log_levels",
            source.name,
            "ok",
            say("log_levels.json", function=name, app=app, system=system),
        )


def _code(error: Exception) -> str:
    response: Any = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(said.get("Code") or type(error).__name__)
