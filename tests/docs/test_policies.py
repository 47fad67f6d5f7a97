"""The policies that the docs hand out: least privilege, equal to the template's, and a template that is valid."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "docs" / "policies"
TEMPLATE = POLICIES / "roles.yaml"
ROLES = {
    "collector": "CollectorRole",
    "clear-epoch": "ClearEpochRole",
    "clear-variable": "ClearVariableRole",
    "probe": "ProbeRole",
    "reconcile": "ReconcileRole",
    "reports": "ReportsRole",
}
NOT_NARROWED = {"cloudwatch:ListMetrics", "cloudwatch:GetMetricData", "ce:GetCostAndUsage"}
"""Reading actions for which AWS knows no resource narrower than everything."""


def statements(name: str) -> list[dict[str, Any]]:
    """The statements of a policy file."""
    told: list[dict[str, Any]] = json.loads((POLICIES / f"{name}.json").read_text())["Statement"]
    return told


def listed(value: Any) -> list[Any]:
    """A value that may stand alone, as a list."""
    return value if isinstance(value, list) else [value]


def allowed(name: str) -> set[str]:
    """The actions a policy allows."""
    return {action for item in statements(name) if item["Effect"] == "Allow" for action in listed(item["Action"])}


@pytest.mark.slow
def test_the_template_is_valid() -> None:
    """cfn-lint has nothing to say about it."""
    linter = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False, timeout=100)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ROLES)
def test_a_policy_and_its_role_say_the_same(name: str) -> None:
    """The JSON for reading and the role in the template allow and deny the same actions, under the same conditions."""
    role = load(str(TEMPLATE))["Resources"][ROLES[name]]["Properties"]
    (policy,) = role["Policies"]

    def told(items: list[dict[str, Any]]) -> list[Any]:
        return [(item["Sid"], item["Effect"], listed(item["Action"]), item.get("Condition")) for item in items]

    assert policy["PolicyName"] == name
    assert told(policy["PolicyDocument"]["Statement"]) == told(statements(name))
    resources = [len(listed(item["Resource"])) for item in statements(name)]
    assert [len(listed(item["Resource"])) for item in policy["PolicyDocument"]["Statement"]] == resources


@pytest.mark.parametrize("name", ROLES)
def test_nothing_is_allowed_everywhere(name: str) -> None:
    """No action and no resource of an Allow is a bare star, and no action ends in one."""
    for item in statements(name):
        assert not any(action.endswith("*") for action in listed(item["Action"]))
        if item["Effect"] == "Allow" and not set(listed(item["Action"])) <= NOT_NARROWED:
            assert "*" not in listed(item["Resource"])


def test_each_role_has_its_own_job() -> None:
    """Reading cannot clear, clearing cannot read prompts or logs, only the probe may spend money."""
    assert allowed("collector") == {"logs:FilterLogEvents"}
    assert allowed("clear-epoch") == {"dynamodb:UpdateItem"}
    assert allowed("clear-variable") == {
        "lambda:GetFunctionConfiguration",
        "lambda:UpdateFunctionConfiguration",
        "lambda:PublishVersion",
        "lambda:GetAlias",
        "lambda:UpdateAlias",
    }
    assert {action.split(":")[0] for action in allowed("probe")} == {"secretsmanager", "dynamodb", "bedrock"}
    assert allowed("reconcile") == {"secretsmanager:GetSecretValue", *NOT_NARROWED}
    assert allowed("reports") == {"s3:PutObject"}


def test_comparing_only_reads_items() -> None:
    """The policy to compare with the prompt table stands apart from the clear's; the Fargate task has the same."""
    assert allowed("compare") == {"dynamodb:GetItem"}
    task = load(str(ROOT / "deploy/aws/fargate.yaml"))["Resources"]["MayCompare"]["Properties"]["PolicyDocument"]
    assert [(item["Sid"], item["Action"]) for item in task["Statement"]] == [
        (item["Sid"], item["Action"]) for item in statements("compare")
    ]


def test_the_epoch_role_writes_one_key() -> None:
    """The condition names the key that the service reads, and does not hold where no key is given."""
    (only,) = statements("clear-epoch")

    assert only["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": ["__epoch__"]}
    assert only["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}


def test_the_clear_by_variable_asks_for_no_other_right() -> None:
    """Every Lambda operation in the code is in the policy, and the other way round."""
    code = (ROOT / "core/fleet/clear_variable.py").read_text()
    called = {name.title().replace("_", "") for name in re.findall(r"self\.client\.([a-z_]+)", code)}

    assert {f"lambda:{name}" for name in called} == allowed("clear-variable")
