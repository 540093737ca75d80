"""What a run will take, before it takes it: memory, passes, updates, time."""
