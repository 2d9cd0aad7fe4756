"""Sentences for people that several places say. Standard library only."""

OFF = "Auto-stop is off: the instance runs, and bills, until you stop it."
