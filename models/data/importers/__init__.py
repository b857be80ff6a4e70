"""Importers: data sets on the user's disk, in the layouts in which they are passed around, into the packed
store. One file a layout lists what is there; `run` reads, cuts out and packs it, in parallel, resumably."""
