"""The Jupyter server extension: settings, routes, events."""
