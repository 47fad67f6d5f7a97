"""The experiments, one module each: a function from a bench to a finding."""

from core.probe.experiments.registry import EXPERIMENTS, Experiment, named

__all__ = ["EXPERIMENTS", "Experiment", "named"]
