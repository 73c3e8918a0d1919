"""The load: the only place that imports locust, which lives in a process of its own.

`process`, `protocol`, `calls`, `scenarios` and the pure `schedule` and `tally` import neither
locust nor gevent, and serve the harness too; all else runs inside the load process (`python -m
bench.load`) or under plain `locust -f`. There `worker` takes the commands; `closed` and `open` are
the two loops, over the connections of `client`; `alarm` keeps the time, `recorder` the samples.
"""
