"""Printers: one file, one notation; `render.py` walks a matrix expression for all of them."""
