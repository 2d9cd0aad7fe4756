"""Durations, clock times and time zones. Standard library only."""
