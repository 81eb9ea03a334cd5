"""Statistics of an experiment: intervals, paired tests, comparisons, effects of factors, seeds and costs."""
