"""Signing in: the four kinds of `auth`, and what they share.

`credentials` are the values that show who asks; `session` uses them for a project's requests. `token` and
`aksk` take theirs from the configuration, `password` and `metadata` lease theirs upstream (`lease`, one
fetch at a time: `flight`). `standing` knows whether upstream accepts them, and when refused ones may be
tried again.
"""
