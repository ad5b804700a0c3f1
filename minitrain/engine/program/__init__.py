"""Programs: a recorded function replayed as straight-line Python, without Tensors, tapes or dispatch.

Read in this order: `record` (what a call did, as a list of statements), `passes` (what of it is needed), `emit` (the
statements as source over prepared buffers), `program` (the source bound and run), `trace` (from recordings to
programs), `function` (the decorator), `passage` (calls in loops of one's own), `stack` (several models at once).
"""
