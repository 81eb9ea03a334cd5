"""``report.html``: one file that opens offline, in which no text of a model or a data set can become code."""
