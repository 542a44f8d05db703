"""What is learnt on roads, taken to other pictures."""
