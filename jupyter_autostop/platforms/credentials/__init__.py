"""Where the credentials of a cloud come from."""
