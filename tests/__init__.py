"""What the package promises, in the order of its folders."""
