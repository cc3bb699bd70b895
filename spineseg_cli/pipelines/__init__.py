"""Each pipeline takes volumes and returns volumes or tables; it prints nothing and never exits."""
