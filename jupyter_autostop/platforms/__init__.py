"""The platforms the instance can run on: the port, its adapters, and what they share."""
