"""From a file to packed batches. Reading order: schema, readers/, markers, encode, store/, batch."""
