"""The instrument is held to the truth: known delays, stalls, rates, nothing, and small effects.

`checks.run()` is `nox -s calibrate`; `short.measure_floor()`, `known.measure_resolution()` and
`placement.measure_bias()` are what a bench starts with, and import nothing that only the checks
need: matplotlib and scipy.stats take two seconds. See docs/calibration.md.
"""
