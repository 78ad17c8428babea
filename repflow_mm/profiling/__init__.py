"""What a recognizer costs: parameters, operations, memory, time by part, and what holds its training up."""
