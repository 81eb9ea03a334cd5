"""Pure: text in, values out. No clock, no disk, no subprocess."""
