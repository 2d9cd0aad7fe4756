"""A local ModelArts, old generation: a stateful service over real HTTP, to try things with and to test against.

It holds documented behaviour, and switches where the documents are silent. Loading this costs nothing.
"""
