"""Where a run is followed besides its own folder: W&B, TensorBoard, MLflow.

A tracker is told of the run by Lightning's own logger of its kind, and of the answers to each
evaluation by us. What it raises never reaches the run (`guard`).
"""
