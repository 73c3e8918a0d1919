"""The app under test: a small Bottle API proxy that hides a real API behind simple public paths.

Runs inside every interpreter that the harness measures (Python 3.9 syntax, CPython and PyPy). Needs
bottle and the standard library; imports nothing of the harness. Start reading at app.py.
"""
