"""Limits of what can be set."""

SHORTEST_DURATION = 3600
LONGEST_DURATION = 86400
"""Seconds of running duration (update API, Table 4)."""
DESCRIPTION_MAX = 512
DESCRIPTION_FORBIDDEN = "&<>\"'/"
"""Of the description (update API, Table 2)."""
