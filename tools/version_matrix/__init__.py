"""The core of the tests on other versions of what the package stands on: ``tools/test_matrix.sh``."""
