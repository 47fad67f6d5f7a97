"""What deploy/ hands out: templates that are valid, an image whose parts exist, figures that /metrics really gives."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cli.run import SETTINGS_WRONG
from core import access_settings, settings
from dashboard import prometheus, server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TEMPLATE = DEPLOY / "aws" / "fargate.yaml"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
UNIT = DEPLOY / "systemd" / "cachewise.service"


@cache
def template() -> dict[str, Any]:
    """The Fargate template."""
    from cfnlint.decode.cfn_yaml import load  # two seconds to load, also where nothing asks for it

    found: dict[str, Any] = load(str(TEMPLATE))
    return found


def resources() -> dict[str, Any]:
    """The resources of the Fargate template."""
    found: dict[str, Any] = template()["Resources"]
    return found


@pytest.mark.slow
def test_the_fargate_template_is_valid() -> None:
    """cfn-lint has nothing to say about it."""
    linter = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False, timeout=200)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_task_may_what_the_collectors_policy_says() -> None:
    """Its log rights are those of docs/policies/collector.json, and its others concern its own tables."""
    collector, tables = resources()["TaskRole"]["Properties"]["Policies"]
    (told,) = collector["PolicyDocument"]["Statement"]
    (wanted,) = json.loads((ROOT / "docs/policies/collector.json").read_text())["Statement"]

    assert (told["Sid"], told["Effect"], told["Action"]) == (wanted["Sid"], wanted["Effect"], wanted["Action"])
    assert {action for item in tables["PolicyDocument"]["Statement"] for action in item["Action"]} == {
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
    }


@pytest.mark.parametrize("clear", [False, True])
def test_the_tasks_settings_are_accepted(clear: bool, tmp_path: Path) -> None:
    """The cachewise.toml that the task writes is read without complaint, with and without the right to clear."""
    (container,) = resources()["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    (variable,) = container["Environment"]
    text, more = variable["Value"]["Fn::Sub"]
    words = {
        "AWS::Region": "eu-west-1", "FunctionName": "bodo-ws", "Model": "claude-opus-4-5", "CacheTtl": "1h",
        "HostName": "cachewise.example.com", "PromptTableName": "prompts",
        "Names": 'kim@example.com", "lee@example.com', "Looking": "@example.com",
        "LoadBalancer": f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/cachewise/{'0' * 16}",
        "ClearRoleArn": "arn:aws:iam::123456789012:role/clear",
    }  # fmt: skip
    words["Clear"] = filled(more["Clear"]["Fn::If"][1]["Fn::Sub"], words) if clear else more["Clear"]["Fn::If"][2]
    (tmp_path / "cachewise.toml").write_text(filled(text, words))

    read = settings.load({}, folder=tmp_path)

    assert read.access.operators == ("kim@example.com", "lee@example.com")
    assert read.access.viewers == ("@example.com",)
    assert read.access.balancer_region == "eu-west-1"
    assert (read.sources[0].clear is not None) == clear


def filled(text: str, words: dict[str, str]) -> str:
    """A text as CloudFormation substitutes it; every name must be known."""
    return re.sub(r"\$\{([A-Za-z:]+)\}", lambda name: words[name[1]], text)


def test_a_scheduled_task_fits_the_template() -> None:
    """The recipe for reports overrides what that task definition has, in the form its shell takes."""
    recipe = (ROOT / "docs/scheduled-reports.md").read_text()
    (told,) = re.findall(r'"Input": ("\{.+\}")', recipe)
    (override,) = json.loads(json.loads(told))["containerOverrides"]
    definition = resources()["TaskDefinition"]["Properties"]
    (container,) = definition["ContainerDefinitions"]

    assert f"task-definition/{definition['Family']}" in recipe
    assert override["name"] == container["Name"]
    assert container["EntryPoint"] == ["/bin/sh", "-c"]
    assert [text.split()[:3] for text in override["command"]] == [["exec", "cachewise", "report"]]
    assert {"ClusterArn", "TaskSecurityGroupId"} <= template()["Outputs"].keys()


def test_a_token_opens_the_metrics_of_the_task() -> None:
    """With a secret named, the task has the variable that the product reads, and that path alone needs no sign-in."""
    found = resources()
    (container,) = found["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    condition, secrets, otherwise = container["Secrets"]["Fn::If"]
    (policy,) = found["ExecutionRole"]["Properties"]["Policies"]["Fn::If"][1]
    (statement,) = policy["PolicyDocument"]["Statement"]
    rule = found["MetricsRule"]

    ((name, told),) = [(secret["Name"], secret["ValueFrom"]) for secret in secrets]
    assert access_settings.metrics_token({name: "a token"}) == "a token"
    assert told == {"Ref": "MetricsTokenSecretArn"}
    assert (statement["Action"], statement["Resource"]) == (
        "secretsmanager:GetSecretValue",
        {"Ref": "MetricsTokenSecretArn"},
    )
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert rule["Condition"] == condition == "HasMetricsToken"
    narrowed = {part["Field"]: part for part in rule["Properties"]["Conditions"]}
    assert narrowed["path-pattern"]["PathPatternConfig"]["Values"] == ["/metrics"]
    assert "/metrics" in {route.path for route in server.ROUTES}


def test_the_image_is_made_of_what_is_there() -> None:
    """Every COPY of the Containerfile finds its source, the packages of the wheel; nothing else comes in."""
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, flags=re.M)
        for source in line.split()[:-1]
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    admitted = set(re.findall(r"^!(\S+)$", (DEPLOY / "Containerfile.dockerignore").read_text(), flags=re.M))

    assert all((ROOT / source).exists() for source in copied)
    assert {source for source in copied if (ROOT / source).is_dir()} == packages
    assert copied == admitted


def test_the_image_holds_no_secret_and_no_root() -> None:
    """It runs as a user of its own, checks a route that exists, and is built with the lock and this project's uv."""
    pinned = re.search(r"uv==[0-9.]+", (ROOT / "Makefile").read_text())
    assert pinned is not None

    assert re.findall(r"^USER (.+)$", CONTAINERFILE, flags=re.M) == ["10001:10001"]
    assert pinned[0] in CONTAINERFILE
    assert CONTAINERFILE.count("uv sync --frozen") == 2
    assert not re.search(r"(KEY|SECRET|TOKEN|PASSWORD)=", CONTAINERFILE)
    checked = re.findall(r"8501(/\w+)", CONTAINERFILE + TEMPLATE.read_text())
    assert set(checked) <= {route.path for route in server.ROUTES}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_valid_and_shut_in(tmp_path: Path) -> None:
    """systemd finds nothing wrong with it but that the program is not installed here, and calls its exposure OK."""
    verified = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False)
    complaints = [line for line in verified.stderr.splitlines() if "cachewise.service" in line]
    assert all("is not executable: No such file" in line for line in complaints)

    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout


def test_the_unit_starts_where_there_are_no_secrets() -> None:
    """A credential whose file is missing has a word in its place, else systemd starts nothing (243/CREDENTIALS)."""
    text = UNIT.read_text()
    loaded = re.findall(r"^LoadCredential=([^:\n]+):", text, re.MULTILINE)
    instead = dict(re.findall(r"^SetCredential=([^:\n]+):(.+)$", text, re.MULTILINE))
    (prepared,) = re.findall(r"^ExecStartPre=.*$", text, re.MULTILINE)

    assert loaded == ["secrets.toml"] == list(instead)
    assert f'grep -qx {instead["secrets.toml"]} "$CREDENTIALS_DIRECTORY/secrets.toml"' in prepared


def test_the_unit_is_not_started_again_for_settings_that_must_be_mended_first() -> None:
    """The exit code of wrong settings is the one that systemd leaves alone; every other failure is tried again."""
    text = UNIT.read_text()

    assert re.findall(r"^RestartPreventExitStatus=(.+)$", text, re.MULTILINE) == [str(SETTINGS_WRONG)]
    assert "Restart=on-failure" in text


def test_grafana_asks_for_figures_that_exist() -> None:
    """Every metric and label of the Grafana dashboard is one that /metrics gives."""
    board = json.loads((DEPLOY / "grafana" / "cachewise.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"cachewise_\w+", target["expr"])
    }
    given = (ROOT / "dashboard" / "prometheus.py").read_text()
    known = {f"cachewise_{name}" for name in prometheus._GAUGES} | set(re.findall(r"cachewise_\w+", given))
    known |= {f"cachewise_engine_{name}" for name in prometheus._BY_ENGINE}

    assert len(asked) > 10
    assert asked <= known
    assert all(panel["description"] and panel["title"] for panel in board["panels"])
