"""The structures that the commands find: the cord, its gray matter, its centerline."""
