"""Two versions of this package, timed in turns.

`snapshot` keeps one as a folder, `worker` is a process that runs one, `contest` gives turns to two,
`report` says what came out.
"""
