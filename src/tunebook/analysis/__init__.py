"""From what the jobs left to what was learnt: collecting, statistics, tables, reports."""
