"""Do the function's log settings keep lines from us? Lambda drops what is below its levels before it is logged.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collector.checkup.check import Check
from collector.checkup.sources import client
from core.settings import SourceSettings

_GROUP = "/aws/lambda/"
_DROPS_INFO = ("WARN", "ERROR", "FATAL")
_PERMISSION = "Allow lambda:GetFunctionConfiguration to look at it, or look in the console."


def check_function(source: SourceSettings) -> Iterator[Check]:
    """Yield what the log settings of a CloudWatch source's function do to the figures."""
    if source.kind != "cloudwatch":
        return
    name = function_of(source)
    if name is None:
        yield Check("log_levels", source.name, "skipped", "The log group names no Lambda function.")
        return
    try:
        answer: Any = client("lambda", source).get_function_configuration(FunctionName=_asked(source, name))
    except Exception as error:  # noqa: BLE001  # a right that reading logs does not need: without it there is no answer
        yield Check(
            "log_levels",
            source.name,
            "skipped",
            f"The log settings of function {name} are not known ({_code(error)}).",
            _PERMISSION,
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
            f"Function {name} writes to {group}, not to {source.log_group}.",
            "Set log_group of the source to it.",
        )
    if form != "JSON":
        yield Check("log_levels", source.name, "ok", f"Function {name} logs as text: no level drops any line.")
        return
    biased = False
    if app in _DROPS_INFO:
        biased = True
        yield Check(
            "log_levels",
            source.name,
            "fail",
            f"ApplicationLogLevel of {name} is {app}: cost and cache lines logged at INFO never reach the log.",
            "Set it to INFO: aws lambda update-function-configuration --logging-config.",
        )
    if system in _DROPS_INFO:
        biased = True
        yield Check(
            "log_levels",
            source.name,
            "fail",
            f"SystemLogLevel of {name} is {system}: successful reports are dropped and timeouts kept, "
            "so response times are those of failures.",
            "Set it to INFO: aws lambda update-function-configuration --logging-config.",
        )
    if not biased:
        yield Check(
            "log_levels",
            source.name,
            "ok",
            f"Function {name} logs as JSON at {app} (application) and {system} (system).",
        )


def _code(error: Exception) -> str:
    response: Any = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(said.get("Code") or type(error).__name__)
