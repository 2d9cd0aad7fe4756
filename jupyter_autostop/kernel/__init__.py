"""What a notebook's kernel has of it: panel, magics, functions, holds. Python 3.9 and the standard library suffice.

IPython is used where it runs already, and ipywidgets once a panel is made.
"""
