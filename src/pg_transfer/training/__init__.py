"""Teaching a task: the only room that imports Lightning."""
