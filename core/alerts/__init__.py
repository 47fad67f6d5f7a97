"""Rules that watch the figures, alerts that open and resolve, messages to those who should know, and the budget."""

from core.alert_settings import ALERT_METRICS, AlertRule, AlertSettings, AlertTarget, Budget, Quiet
from core.alerts.budget import Forecast, forecast
from core.alerts.evaluate import Breach, evaluate
from core.alerts.rounds import Outcome, run_round, send_test
from core.alerts.state import Alert, alerts, open_count

__all__ = [
    "ALERT_METRICS",
    "Alert",
    "AlertRule",
    "AlertSettings",
    "AlertTarget",
    "Breach",
    "Budget",
    "Forecast",
    "Outcome",
    "Quiet",
    "alerts",
    "evaluate",
    "forecast",
    "open_count",
    "run_round",
    "send_test",
]
