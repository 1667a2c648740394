"""What a run tells while it runs: metrics.jsonl, TensorBoard, pictures."""
