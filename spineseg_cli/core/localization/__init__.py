"""Where the cord is: the search, the path along it and the slices that show it."""
