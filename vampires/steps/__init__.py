"""Each step of a reduction as the configuration wants it, of objects in memory.

Tasks read and write the objects' files around these functions; `vampires.observation.Observation`
calls them one after another. So a notebook and ``doit`` give the same.
"""
