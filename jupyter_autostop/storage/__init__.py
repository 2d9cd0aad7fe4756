"""Files in the state directory, and the locks beside them."""
