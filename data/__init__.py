"""From a file to packed batches. Reading order: schema, readers/ (source first), markers, encode,
store/ (chunk, then token_store), batch.
"""
