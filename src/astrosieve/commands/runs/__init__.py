"""The folder of a run: tables, one data set of all rows, a log, a summary page."""
