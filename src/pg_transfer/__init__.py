"""Fine-tune PaliGemma on a task and measure it the way the paper does (arXiv:2407.07726)."""
