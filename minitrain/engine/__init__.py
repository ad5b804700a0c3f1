"""The engine: Tensors, the tape that records what happens to them, and the walk that differentiates it.

Read in this order: `tensor`, `trail` (what is recorded), `primitive` (what an operation is), `backward` (the walk),
`tape`; then `variable`, `custom`, `transforms`, `explain`. Nothing here knows an operation by name beyond the few that
conversion needs.
"""
