"""The commands: parse, call one pipeline, report."""
