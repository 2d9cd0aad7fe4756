"""Keeps a run's stop time over crashes: the record of holds, and what follows from it."""
