"""What everything rests on: names of dimensions, compiled functions, small linear algebra, intervals."""
