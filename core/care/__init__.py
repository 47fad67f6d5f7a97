"""Care of the tables that a person asks for: new prices for old calls, dropping what is too old."""

from core.care.assume import defaults_of
from core.care.expire import EXPIRES, expire, foresee
from core.care.reprice import ModelChange, Plan, apply, plan
from core.care.undo import undo, undoable

__all__ = ["EXPIRES", "ModelChange", "Plan", "apply", "defaults_of", "expire", "foresee", "plan", "undo", "undoable"]
