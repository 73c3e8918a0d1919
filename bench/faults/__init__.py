"""Faults under load: what a balancer loses when something behind it, or it itself, breaks.

`command` is the verb: cases (balancer x profile x fault) -> `case` runs one on a `rig`, with the
requests of `schedule` sent by the `load` process -> `judge` makes figures of the rows -> `record`
puts them on disk -> `report` shows them. `kinds` is the table of faults. See docs/faults.md.
"""
