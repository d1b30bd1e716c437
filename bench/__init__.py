"""Speed and memory against references of the same run; docs/reference/performance.md explains.

`__main__` picks rows and prints them; a `rows_*` file holds the rows of one concern; `servers` and
`references` are what is measured; `load`, `watch` and `drain` are the processes that measure.
"""
