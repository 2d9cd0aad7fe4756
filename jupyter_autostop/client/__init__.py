"""The client of the server's routes, for kernels and terminals. Standard library only."""
