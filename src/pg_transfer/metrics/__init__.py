"""What answers are worth, by the definitions of the paper's evaluators; numpy only."""
