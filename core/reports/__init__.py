"""Exports of what the pages show, exact to the last digit."""
