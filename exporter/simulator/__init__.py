"""A simulator of the upstream API, for demonstrations, tests and benchmarks.

`world` is what the service knows: tasks, their schedules, runs and desktops, all a function of a seed, of
what was scripted, and of the simulated time. `app` is the service in front of it (IAM, AK/SK signatures,
metadata service, Workspace), `control` the script's way in over HTTP. Nothing here imports anything of the
exporter.
"""
