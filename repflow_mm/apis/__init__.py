"""What the tools do."""
