"""What tests, benchmarks and checks of an installation share."""
