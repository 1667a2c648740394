"""Records that hold several entities and relations, one module a form. Reading order: pairs, conll04, doccano.

A row is a relation with its two entities (`pairs.py`). What makes no row is told with numbers when the file is read.
"""
