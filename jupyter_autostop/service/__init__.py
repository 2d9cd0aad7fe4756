"""The application: one write at a time, and the State."""
