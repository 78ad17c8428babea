"""Lists of data sets: a module for each, over one that looks for the clips and writes lists, classes and a report."""
